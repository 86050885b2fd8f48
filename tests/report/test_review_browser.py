"""Cards, downloads and corrections of a video's page in a real browser."""

import json
from dataclasses import replace

import pytest

from tests.support.report_pages import open_page, saved, set_value, until
from tests.support.reports import make_report_video
from vswin_cli.cli.app import run
from vswin_cli.config import SegmentOptions
from vswin_cli.export import render_timelines
from vswin_cli.report import ReportSource, write_report
from vswin_cli.timeline.files import read_timelines
from vswin_cli.timeline.palette import colours, label_colour
from vswin_cli.timeline.record import Timeline, with_segments
from vswin_cli.timeline.score_files import load_track
from vswin_cli.training.examples import read_examples

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tagged(tmp_path_factory):
    return make_report_video(tmp_path_factory.mktemp("videos"), "a b.webm", seed=3)


@pytest.fixture(scope="module")
def address(tagged) -> str:
    page = tagged.scores.parent / "page.html"
    write_report([tagged.source()], page)
    return str(page.as_uri())


@pytest.fixture
def page(browser, address):
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    opened = context.new_page()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text))
    open_page(opened, address)
    yield opened
    context.close()
    assert errors == []


def rows(timeline: Timeline) -> list[tuple[object, ...]]:
    return [
        (one.start_seconds, one.end_seconds, one.label, one.class_id) for one in timeline.segments
    ]


def test_the_page_says_that_a_card_leads_to_corrections_until_there_are_some(page):
    hint = page.locator("#how-to-correct")
    assert hint.is_visible()
    assert "mark it right or wrong, or correct" in hint.text_content()
    assert not page.locator("#review").is_visible()
    page.locator("#rows .item").first.click()
    page.click("#mark-right")
    assert not hint.is_visible()


def test_downloads_are_what_the_command_writes(page, tagged, tmp_path):
    found = saved(page, "json", tmp_path)
    assert found.name == "a b.json"
    (timeline,) = read_timelines(found)
    expected = tagged.timeline
    assert timeline.video == expected.video
    assert timeline.postprocess == expected.postprocess
    assert json.loads(found.read_text())["segments"] == expected.to_dict()["segments"]
    assert json.loads(found.read_text())["summary"] == expected.to_dict()["summary"]
    for kind in ("csv", "srt"):
        text = saved(page, kind, tmp_path).read_bytes()
        assert text == render_timelines([expected], kind)


def test_downloads_hold_the_thresholds_that_were_found(page, tagged, tmp_path):
    set_value(page, "onset", 0.6)
    set_value(page, "offset", 0.15)
    set_value(page, "smooth", 0.3)
    track, bare = load_track(tagged.scores)
    with track:
        options = SegmentOptions(onset=0.6, offset=0.15, smooth_seconds=0.3)
        expected = with_segments(bare, track, options)
    (timeline,) = read_timelines(saved(page, "json", tmp_path))
    assert rows(timeline) == rows(expected)
    scores = [one.score for one in expected.segments]
    assert [one.score for one in timeline.segments] == pytest.approx(scores, abs=1e-3)
    assert timeline.postprocess.options() == options
    assert saved(page, "csv", tmp_path).read_text().count("\n") == 1 + len(expected.segments)


def test_downloads_keep_the_values_of_single_labels(browser, tmp_path):
    own = SegmentOptions(onset=0.3, onsets={"archery": 0.8}, min_durations={"bowling": 2.0})
    tagged = make_report_video(tmp_path, seed=3, with_video=False, options=own)
    write_report([ReportSource(tagged.timeline, tagged.scores)], tmp_path / "page.html")
    context = browser.new_context()
    page = context.new_page()
    open_page(page, (tmp_path / "page.html").as_uri())
    set_value(page, "smooth", 0.3)
    (kept,) = read_timelines(saved(page, "json", tmp_path))
    assert kept.postprocess.options() == replace(own, smooth_seconds=0.3)
    set_value(page, "onset", 0.5)
    page.click("summary >> nth=0")
    set_value(page, "min_duration", 0.5)
    (changed,) = read_timelines(saved(page, "json", tmp_path))
    assert changed.postprocess.options() == SegmentOptions(
        onset=0.5, offset=0.2, smooth_seconds=0.3, min_duration_seconds=0.5
    )
    context.close()


def test_corrections_are_read_by_the_commands(page, tagged, tmp_path, capsys):
    first, second, third = tagged.timeline.segments[:3]
    item = page.locator("#rows .item")
    item.nth(0).click()
    page.click("#mark-wrong")
    item.nth(1).click()
    page.keyboard.press("r")
    item.nth(2).click()
    page.fill("#edit-label", "bowling")
    page.press("#edit-label", "Enter")
    page.press("#edit-label", "Tab")
    page.fill("#edit-end", str(third.end_seconds + 0.5))
    page.press("#edit-end", "Tab")
    text = page.locator("#corrected-text").text_content()
    assert text.startswith("Corrected by hand: 1 right, 1 wrong, 1 changed.")
    assert page.locator("#onset").is_disabled()
    with page.expect_download() as found:
        page.click("#save-corrected")
    path = tmp_path / found.value.suggested_filename
    found.value.save_as(path)
    assert path.name == "a b.corrected.json"
    (timeline,) = read_timelines(path)
    assert len(timeline.segments) == len(tagged.timeline.segments) - 1
    assert first.start_seconds not in {
        one.start_seconds for one in timeline.segments if one.label == first.label
    }
    assert (second.start_seconds, second.end_seconds, second.label) in {
        (one.start_seconds, one.end_seconds, one.label) for one in timeline.segments
    }
    changed = next(one for one in timeline.segments if one.start_seconds == third.start_seconds)
    assert changed.label == "bowling"
    assert changed.class_id == 3
    assert changed.end_seconds == pytest.approx(third.end_seconds + 0.5)
    assert [one.review for one in timeline.segments[:2]] == ["right", "corrected"]
    assert run(["export", str(path), "-f", "srt", "-o", str(tmp_path / "x.srt"), "-q"]) == 0
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps(timeline.to_dict()))
    assert run(["evaluate", "f1", str(path), str(truth), "--json"]) == 0
    examples = read_examples([path])
    assert {label for one in examples.examples for label in one.labels} >= {"bowling"}


def test_corrections_outlast_reading_the_page_again_until_they_are_discarded(page, address):
    item = page.locator("#rows .item")
    count = item.count()
    page.click("#add")
    assert item.count() == count + 1
    page.fill("#edit-label", "an own label")
    page.press("#edit-label", "Enter")
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(500)  # the browser passes stored values on to the next page with a delay
    open_page(page, address)
    page.wait_for_selector("#rows .item >> text=an own label")  # rows are drawn a little later
    assert page.locator("#rows .item >> text=an own label").count() == 1
    assert "1 added" in page.locator("#corrected-text").text_content()
    page.click("#discard")
    assert item.count() == count
    assert not page.locator("#corrected").is_visible()
    open_page(page, address)
    assert item.count() == count


def test_impossible_edges_are_refused(page, tagged):
    one = tagged.timeline.segments[0]
    page.locator("#rows .item").first.click()
    for value in ("-1", "1000"):
        page.fill("#edit-end", value)
        page.press("#edit-end", "Tab")
        page.evaluate("document.activeElement.blur()")
        assert page.locator("#detail-time").text_content().startswith(f"0:0{one.start_seconds:.1f}")
        assert not page.locator("#rows .mark").count()


def test_cards_are_grouped_by_label_and_shown_in_pages(browser, tagged, tmp_path):
    many = tuple(
        replace(tagged.timeline.segments[0], start_seconds=i / 10, end_seconds=i / 10 + 0.05,
                peak_seconds=i / 10, label=f"label {i % 3}")
        for i in range(200)
    )  # fmt: skip
    write_report([ReportSource(replace(tagged.timeline, segments=many))], tmp_path / "page.html")
    page = browser.new_page()
    open_page(page, (tmp_path / "page.html").as_uri())
    item = page.locator("#rows .item")
    assert item.count() == 60
    assert page.locator("#page-now").text_content() == "1 of 4"
    page.click("#page-on")
    assert item.first.locator(".times").text_content() == "0:06.0 – 0:06.1"
    page.select_option("#grouping", "label")
    assert page.locator("#rows .group").first.text_content() == "label 0" + "3.4 s in 67"
    assert set(item.locator("b").all_text_contents()) == {"label 0"}
    page.keyboard.press("Escape")
    page.evaluate("document.querySelectorAll('#lanes .segment')[150].click()")
    assert page.locator("#rows .item.selected").count() == 1
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert item.count() == 200
    page.close()


def test_colours_are_those_of_python_on_every_page(page, tagged):
    names = [*{one.label for one in tagged.timeline.segments}]
    for name in names:
        lane = page.locator("#lanes .lane", has_text=name).first
        found = lane.locator(".track").evaluate("(node) => node.style.getPropertyValue('--label')")
        assert found == label_colour(name)
    shown = {rect.get_attribute("fill") for rect in page.locator("#overview rect[fill^='#']").all()}
    assert shown <= set(colours())
    assert len(shown) > 1


def test_numbers_are_right_aligned_under_each_other(page):
    right = page.evaluate(
        """[...document.querySelectorAll('#rows .item')].slice(0, 8).map((item) =>
             item.getBoundingClientRect().right
             - item.querySelector('.score').getBoundingClientRect().right)"""
    )
    assert max(right) - min(right) < 1


def test_on_a_phone_the_timeline_comes_before_the_controls(page):
    page.set_viewport_size({"width": 400, "height": 800})
    page.locator("#rows .item").first.click()
    tops = [
        page.locator(name).bounding_box()["y"]
        for name in ("#video", "#timeline", "#detail", "#tuning", "#segments")
    ]
    assert tops == sorted(tops)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_where_the_video_cannot_be_played_a_still_is_shown(browser, tagged, tmp_path):
    write_report([tagged.source()], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text().replace("a%20b.webm", "gone.webm")
    (tmp_path / "page.html").write_text(text)
    page = browser.new_page()
    open_page(page, (tmp_path / "page.html").as_uri())
    until(page, "!document.getElementById('still').hidden")
    assert page.locator("#video-note").is_visible()
    before = page.locator("#still").get_attribute("src")
    page.locator("#rows .item").last.click()
    assert page.locator("#still").get_attribute("src") != before
    page.close()


def test_no_message_flashes_up_while_the_page_loads(browser, address):
    """Messages that are seen at any moment of loading are recorded from the first one on."""
    page = browser.new_page()
    page.add_init_script(
        """window.seen = new Set();
        const look = () => {
          for (const id of ['video-note', 'no-scores', 'no-lanes', 'no-rows', 'corrected', 'still'])
            if (document.getElementById(id)?.offsetParent) window.seen.add(id);
          requestAnimationFrame(look);
        };
        new MutationObserver(look).observe(document, {childList: true, subtree: true});"""
    )
    page.goto(address)
    until(page, "document.body.classList.contains('has-video') && document.body.dataset.ready")
    assert page.evaluate("[...window.seen]") == []
    page.close()
