"""The page of a report in a real browser: drawn, moved, played, and right."""

import json
import re
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

from tests.support.report_pages import set_value, until
from tests.support.reports import make_report_video, random_track
from tests.support.timelines import STEP
from tests.support.videos import read_index
from vswin_cli.cli.app import run
from vswin_cli.config import LabelDuration, LabelGroup, LabelOnset, SegmentOptions
from vswin_cli.report import ReportSource, write_report
from vswin_cli.report.content import PageOptions
from vswin_cli.report.tracks import LOWEST_ONSET, pack_track
from vswin_cli.storage.json_records import to_json
from vswin_cli.timeline.evidence import Evidence, FrameArea
from vswin_cli.timeline.record import Timeline
from vswin_cli.timeline.score_files import load_track
from vswin_cli.timeline.scores import Gap
from vswin_cli.timeline.segments import find_segments

pytestmark = pytest.mark.slow

GAP = Gap(11.0, 13.5)
TIME = "document.getElementById('video').currentTime"
RULES = "\n".join(
    files("vswin_cli").joinpath(f"data/report/{name}.js").read_text()
    for name in ("segments", "track")
)


@pytest.fixture(scope="module")
def tagged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    made = make_report_video(folder, "a b#ö%25.webm", gaps=(GAP,), seed=3)
    write_report([ReportSource(made.timeline, made.scores, made.video)], folder / "page.html")
    return made


@pytest.fixture
def errors():
    """Errors that the browser reports for a page, and requests of the page to a network."""
    return []


@pytest.fixture
def page(browser, tagged, errors):
    context = browser.new_context(viewport={"width": 1000, "height": 800})
    opened = context.new_page()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text))
    opened.on("request", lambda request: is_foreign(request.url) and errors.append(request.url))
    opened.goto((tagged.scores.parent / "page.html").as_uri())
    until(opened, "document.body.dataset.ready && document.body.classList.contains('has-video')")
    yield opened
    context.close()
    assert errors == []


@pytest.fixture
def open_report(browser, tmp_path):
    """A function that writes a report of some sources and opens it."""
    context = browser.new_context()

    def show(*sources):
        write_report(sources, tmp_path / "page.html")
        page = context.new_page()
        page.goto((tmp_path / "page.html").as_uri())
        until(page, "document.body.dataset.ready")
        return page

    yield show
    context.close()


@pytest.fixture
def own_onsets(tmp_path):
    """Scores of which two labels have an onset of their own."""
    own = SegmentOptions(onsets=(LabelOnset("archery", 0.8), LabelOnset("bowling", 0.25)))
    return own.onsets, make_report_video(tmp_path, seed=3, with_video=False, options=own)


def is_foreign(url: str) -> bool:
    return not url.startswith(("file:", "data:", "blob:"))


def spans(page):
    """(label, start, end) of the segments that the page shows in its lanes."""
    return page.evaluate(
        """[...document.querySelectorAll('#lanes .lane')].flatMap((lane) =>
             [...lane.querySelectorAll('.segment')].map((one) => [
               lane.querySelector('b').textContent,
               one.getAttribute('aria-label').match(/, (\\S+) to (\\S+), score/).slice(1).join(' '),
             ])).sort()"""
    )


def expected_spans(segments):
    def clock(seconds):
        tenths = int(seconds * 10 + 0.5)
        return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"

    found = [[s.label, f"{clock(s.start_seconds)} {clock(s.end_seconds)}"] for s in segments]
    return sorted(found)


def find_again(tagged, **changes):
    track, _ = load_track(tagged.scores)
    with track:
        return find_segments(track, SegmentOptions(**changes))


def test_opens_with_the_saved_segments(page, tagged):
    assert spans(page) == expected_spans(tagged.timeline.segments)
    assert page.locator("h1").text_content() == "a b#ö%25.webm"
    assert "as saved" in page.locator("#count").text_content()
    assert page.locator("#rows .item").count() == len(tagged.timeline.segments)


def test_labels_are_text_and_never_markup(page, tagged):
    assert "baking <b>cookies</b>" in {one.label for one in tagged.timeline.segments}
    assert "baking <b>cookies</b>" in page.locator("#lanes").text_content()
    assert page.locator("#lanes b b, #rows b b").count() == 0


def test_thresholds_give_the_same_segments_as_the_command(page, tagged):
    for onset, offset in ((0.6, 0.2), (0.25, 0.1), (0.3, 0.3), (0.9, 0.5)):
        set_value(page, "onset", onset)
        set_value(page, "offset", offset)
        assert spans(page) == expected_spans(find_again(tagged, onset=onset, offset=offset))
        command = page.locator("#command-text").text_content()
        given = (("onset", onset, 0.4), ("offset", offset, 0.2))
        changed = " ".join(f"--{name} {value}" for name, value, saved in given if value != saved)
        assert command == f"vswin segment SCORES {changed}"
    page.click("#reset")
    assert spans(page) == expected_spans(tagged.timeline.segments)


def test_other_rules_give_what_the_command_gives(page, tagged):
    page.click("summary >> nth=0")
    for name, value in (("min_duration", 0), ("merge_gap", 0.5), ("smooth", 0), ("max_labels", 2)):
        set_value(page, name, value)
    again = find_again(
        tagged, min_duration_seconds=0, merge_gap_seconds=0.5, smooth_seconds=0, max_labels=2
    )
    assert spans(page) == expected_spans(again)


def test_margin_and_entropy_gate_as_the_command_does_and_show_gated_cells(page, tagged):
    page.click("summary >> nth=0")
    assert not page.locator("#gate-row").is_visible()
    for margin, entropy in ((0.3, 1), (0, 0.6), (0.15, 0.75), (1, 1)):
        set_value(page, "min_margin", margin)
        set_value(page, "max_entropy", entropy)
        again = find_again(tagged, min_margin=margin, max_entropy=entropy)
        assert spans(page) == expected_spans(again)
        assert page.locator("#undecided path").is_visible()
        assert page.locator("#gate-key").is_visible()
        assert " undecided" in page.locator("#count").text_content()
    assert page.locator("#command-text").text_content() == "vswin segment SCORES --min-margin 1"
    page.click("#reset")
    assert spans(page) == expected_spans(tagged.timeline.segments)
    assert not page.locator("#gate-row").is_visible()


def test_a_slider_moves_with_the_arrow_keys_and_the_other_gives_way(page):
    page.focus("#onset")
    for _ in range(25):
        page.keyboard.press("ArrowLeft")
    until(page, "document.getElementById('onset-value').textContent === '0.15'")
    assert page.locator("#offset-value").text_content() == "0.15"


def test_a_click_on_a_segment_seeks_the_video(page, tagged):
    one = max(tagged.timeline.segments, key=lambda one: one.duration_seconds)
    page.click(f"[aria-label^='{one.label}'] >> nth=0")
    index = int(page.locator(".segment.selected").get_attribute("data-index"))
    chosen = tagged.timeline.segments[index]
    until(page, f"Math.abs({TIME} - {chosen.start_seconds}) < 0.05")
    assert page.locator("#detail-label").text_content() == chosen.label
    assert page.locator(".item.selected").count() == 1


def test_a_click_on_the_axis_seeks_there(page):
    box = page.locator("#ruler").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 3, box["y"] + 5)
    until(page, f"Math.abs({TIME} - 10) < 0.2")


def test_a_video_whose_sound_begins_first_is_sought_after_it(open_report, tagged):
    late = replace(tagged.timeline, video=replace(tagged.timeline.video, lead_seconds=2.0))
    page = open_report(ReportSource(late, tagged.scores, tagged.video))
    until(page, "document.body.classList.contains('has-video')")
    until(page, f"Math.abs({TIME} - 2) < 0.2")
    page.locator("#rows .item").nth(1).click()
    chosen = sorted(tagged.timeline.segments, key=lambda one: one.start_seconds)[1]
    until(page, f"Math.abs({TIME} - {chosen.start_seconds + 2}) < 0.05")


def test_keys_play_seek_and_walk_through_segments(page, tagged):
    page.keyboard.press("ArrowRight")
    until(page, f"Math.abs({TIME} - 5) < 0.2")
    page.keyboard.press("Shift+ArrowLeft")
    until(page, f"Math.abs({TIME} - 4) < 0.2")
    page.keyboard.press("Home")
    until(page, f"{TIME} < 0.2")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert page.locator(".segment.selected").get_attribute("data-index") == "0"
    page.keyboard.press(" ")
    start = tagged.timeline.segments[0].start_seconds
    until(page, f"{TIME} > {start} + 0.3 && !document.getElementById('video').paused")
    page.keyboard.press(" ")
    until(page, "document.getElementById('video').paused")
    assert page.locator("#now").text_content() != "0:00.0"


def test_typing_a_filter_leaves_the_lanes_that_match(page):
    page.keyboard.press("/")
    page.keyboard.type("arm wrest")
    assert page.locator("#lanes b").all_text_contents() == ["arm wrestling"]
    assert "hidden" in page.locator("#filter-note").text_content()
    page.fill("#filter", "nothing like it")
    assert page.locator("#no-lanes").is_visible()


def test_zoom_shows_a_part_and_all_again(page, tagged):
    for _ in range(3):
        page.click("#zoom-in")
    assert len(spans(page)) < len(tagged.timeline.segments)
    page.keyboard.press("0")
    assert len(spans(page)) == len(tagged.timeline.segments)


def test_the_gap_is_drawn_where_it_is(page, tagged):
    box = page.locator("#lanes rect.gap").first.bounding_box()
    axis = page.locator("#ruler").bounding_box()
    per_second = axis["width"] / tagged.timeline.video.duration_seconds
    assert box["x"] == pytest.approx(axis["x"] + GAP.start_seconds * per_second, abs=2)
    assert box["width"] == pytest.approx((GAP.end_seconds - GAP.start_seconds) * per_second, abs=3)
    assert page.locator("#lanes rect.unseen").count() == 0


def test_thumbnails_show_the_video_at_their_times(page, tagged):
    """Frames carry their number; it is read back from the image that the browser decoded."""
    images = page.evaluate(
        """Promise.all([...document.querySelectorAll('#strip img')].map(async (image) => {
             await image.decode();
             const canvas = new OffscreenCanvas(64, 64);
             const context = canvas.getContext('2d');
             context.drawImage(image, 0, 0, 64, 64);
             const rgba = [...context.getImageData(0, 0, 64, 64).data];
             return [Number(image.dataset.seconds), rgba.filter((_, i) => i % 4 === 0)];
           }))"""
    )
    assert len(images) > 5
    for seconds, red in images:
        image = np.repeat(np.array(red, np.uint8).reshape(64, 64, 1), 3, axis=2)
        assert read_index(image) == round(seconds * 8)


def test_nothing_overflows_on_phones_and_wide_screens(page):
    for width in (400, 1000, 2000):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.locator("#ruler").bounding_box()["width"] > width / 2


def test_follows_the_system_into_the_dark(page):
    background = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="light")
    light = page.evaluate(background)
    page.emulate_media(color_scheme="dark")
    assert sum(map(int, re.findall(r"\d+", page.evaluate(background)))) < 150
    assert sum(map(int, re.findall(r"\d+", light))) > 700


def test_prints_in_black_on_white(page):
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("#video").is_visible()
    assert page.locator("#lanes .segment").first.is_visible()


def test_injected_script_does_not_run(page, errors):
    """The policy stops even what escaping would have let through."""
    page.evaluate(
        """() => {
             const script = document.createElement('script');
             script.textContent = 'window.injected = true';
             document.body.append(script);
           }"""
    )
    assert page.evaluate("window.injected") is None
    (error,) = errors
    assert "Content Security Policy" in error
    errors.clear()


def test_without_video_and_scores_the_page_still_shows_and_moves(open_report, tagged):
    bare = open_report(ReportSource(tagged.timeline))
    assert spans(bare) == expected_spans(tagged.timeline.segments)
    assert not bare.locator("#tuning").is_visible()
    assert "--save-scores" in bare.locator("#no-scores").text_content()
    assert bare.locator("#video-note").is_visible()
    bare.keyboard.press("j")
    assert bare.locator("#now").text_content() != "0:00.0"
    bare.set_input_files("#video-file", tagged.video)
    until(bare, "document.body.classList.contains('has-video')")
    until(bare, f"{TIME} > 0")


def test_labels_with_thresholds_of_their_own_keep_them_until_the_first_slider_moves(
    open_report, own_onsets
):
    onsets, tagged = own_onsets
    page = open_report(ReportSource(tagged.timeline, tagged.scores))
    assert "archery 0.80, bowling 0.25" in page.locator("#own-note").text_content()
    set_value(page, "smooth", 0.2)
    kept = find_again(tagged, onsets=onsets, smooth_seconds=0.2)
    assert spans(page) == expected_spans(kept)
    assert page.locator("#command-text").text_content() == "vswin segment SCORES --smooth 0.2"
    set_value(page, "onset", 0.41)
    assert spans(page) == expected_spans(find_again(tagged, onset=0.41, smooth_seconds=0.2))
    assert not page.locator("#own-hint").is_visible()
    page.click("#reset")
    assert spans(page) == expected_spans(tagged.timeline.segments)
    assert page.locator("#own-hint").is_visible()


def test_labels_with_a_minimum_duration_of_their_own_keep_it_until_one_for_all_is_given(
    open_report, tmp_path
):
    own = SegmentOptions(onset=0.3, offset=0.2, min_durations={"archery": 3.0, "bowling": 3.0})
    tagged = make_report_video(tmp_path, seed=3, with_video=False, options=own)
    page = open_report(ReportSource(tagged.timeline, tagged.scores))
    assert "Last at least 3 s: archery, bowling." in page.locator("#own-durations").text_content()
    set_value(page, "smooth", 0.2)
    kept = find_again(
        tagged, onset=0.3, offset=0.2, min_durations=own.min_durations, smooth_seconds=0.2
    )
    assert spans(page) == expected_spans(kept)
    page.click("summary >> nth=0")
    set_value(page, "min_duration", 0.25)
    again = find_again(tagged, onset=0.3, offset=0.2, min_duration_seconds=0.25, smooth_seconds=0.2)
    assert expected_spans(again) != expected_spans(kept)
    assert spans(page) == expected_spans(again)
    assert page.locator("#own-durations").text_content() == ""


def test_the_printed_command_gives_what_the_page_shows(open_report, own_onsets, capsys):
    """Whichever slider carries the other along, and with onsets that the weights advise."""
    _, tagged = own_onsets
    page = open_report(ReportSource(tagged.timeline, tagged.scores))
    for name, value, options in (
        ("offset", 0.5, "--offset 0.5"),  # takes along an onset that is not given
        ("offset", 0.3, "--offset 0.3"),
        ("onset", 0.6, "--onset 0.6 --offset 0.3"),
        ("onset", 0.25, "--onset 0.25 --offset 0.25"),
        ("offset", 0.45, "--onset 0.45 --offset 0.45"),
        ("onset", 0.4, "--offset 0.4"),  # as saved, so it need not be given
        ("offset", 0.1, "--offset 0.1"),
        ("offset", 0.2, ""),
        ("onset", 0.15, "--onset 0.15"),  # takes the offset along
        ("onset", 0.7, "--onset 0.7"),
    ):
        set_value(page, name, value)
        text = page.locator("#command-text").text_content()
        assert text == f"vswin segment SCORES {options}", (name, value)
        assert spans(page) == expected_spans(run_printed(text, tagged, capsys)), (name, value)
        has_own = page.locator("#own-hint").is_visible()
        assert has_own == ("--onset" not in options)


def run_printed(command, tagged, capsys):
    """Segments that a command of the page finds."""
    arguments = command.replace("SCORES", str(tagged.scores)).split()[1:]
    assert run([*arguments, "--json"]) == 0
    return Timeline.from_json(json.loads(capsys.readouterr().out)).segments


def test_without_javascript_the_table_is_there(browser, tagged):
    context = browser.new_context(java_script_enabled=False)
    still = context.new_page()
    still.goto((tagged.scores.parent / "page.html").as_uri())
    assert still.locator("noscript tbody tr:visible").count() == len(tagged.timeline.segments)
    assert "need JavaScript" in still.locator("body").text_content()
    context.close()


@pytest.fixture(scope="module")
def rules(browser):
    """A page that holds nothing but the rules and the unpacking of scores."""
    context = browser.new_context()
    blank = context.new_page()
    blank.add_script_tag(
        content=f"{RULES}\nObject.assign(window, {{findSegments, setGate, unpackTrack}});"
    )
    yield blank
    context.close()


def in_page(rules, packed, options, saved=None):
    """Segments that the page's rules find in a track packed under `saved` options."""
    return rules.evaluate(
        """async ([packed, options, saved]) => {
             const track = await unpackTrack(packed);
             setGate(track, options, saved);
             return findSegments(track, {
               ...options,
               minDuration: options.min_duration,
               mergeGap: options.merge_gap,
               maxLabels: options.max_labels,
             });
           }""",
        [
            to_json(packed),
            to_json(PageOptions.of(options)),
            to_json(PageOptions.of(saved or options)),
        ],
    )


def random_options(seed: int) -> SegmentOptions:
    rng = np.random.default_rng(1000 + seed)
    onset = float(rng.choice([0.1, 0.25, 0.3, 0.4, 0.55, 0.7]))
    return SegmentOptions(
        onset=onset,
        offset=float(rng.choice([0.05, onset / 2, onset])),
        min_duration_seconds=float(rng.choice([0, 1, 2])) * STEP * 4,
        merge_gap_seconds=float(rng.choice([0, 0.3, 1])),
        max_labels=int(rng.choice([0, 1, 1, 2])),
        smooth_seconds=float(rng.choice([0, 0.5, 0.9])),
        min_margin=float(rng.choice([0, 0, 0.1])),
        max_entropy=float(rng.choice([1, 1, 0.8])),
        exclude=("label 3",) if rng.random() < 0.3 else (),
        instants=("label 1",) if rng.random() < 0.3 else (),
        boundaries=("label 1", "label 3", "none") if rng.random() < 0.3 else (),
        onsets=tuple(
            LabelOnset(f"label {i}", float(rng.choice([0.02, 0.2, 0.6])))
            for i in range(3)
            if rng.random() < 0.2
        ),
        min_durations=tuple(
            LabelDuration(f"label {i}", float(rng.choice([0, 1, 3])) * STEP * 4)
            for i in range(3)
            if rng.random() < 0.2
        ),
    )


def assert_equal(found, expected):
    assert [(one["label"], one["start"], one["end"]) for one in found] == [
        (
            one.label,
            pytest.approx(one.start_seconds, abs=2e-6),
            pytest.approx(one.end_seconds, abs=2e-6),
        )
        for one in expected
    ]
    for one, other in zip(found, expected, strict=True):
        assert one["score"] == pytest.approx(other.score, abs=1e-6)
        assert one["score_max"] == pytest.approx(other.score_max, abs=1e-6)
        assert one["peak"] == pytest.approx(other.peak_seconds, abs=2e-6)


def test_rules_find_what_the_command_finds_on_random_tracks(rules):
    total = 0
    for seed in range(60):
        options = random_options(seed)
        with random_track(seed) as track:
            packed = pack_track(track, options, 1_000_000)
            expected = find_segments(track, options)
        assert packed.bits == 16
        assert_equal(in_page(rules, packed, options), expected)
        total += len(expected)
    assert total > 300


def test_rules_find_what_the_command_finds_with_a_gate_moved_in_the_page(rules):
    """Packed under one choice of margin and entropy, segmented under others."""
    saved = SegmentOptions(min_margin=0.123, max_entropy=0.777, onset=0.3, smooth_seconds=0.3)
    total = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        moved = replace(
            saved,
            min_margin=float(rng.choice([0.0, 0.123, 0.07, 0.29, 0.58])),
            max_entropy=float(rng.choice([1.0, 0.777, 0.57, 0.93])),
        )
        with random_track(seed) as track:
            packed = pack_track(track, saved, 1_000_000)
            expected = find_segments(track, moved)
        found = in_page(rules, packed, moved, saved)
        assert_equal(found, expected)
        total += len(expected)
    assert total > 60


def test_rules_find_the_same_groups(rules):
    options = SegmentOptions(groups=(LabelGroup("both", ("label 1", "label 2")),), onset=0.5)
    with random_track(7) as track:
        expected = find_segments(track, options)
        found = in_page(rules, pack_track(track, options, 1_000_000), options)
    assert "both" in {one["label"] for one in found}
    assert [one["label"] for one in found] == [one.label for one in expected]


def test_rounded_scores_move_an_end_by_no_more_than_a_few_cells(rules):
    options = SegmentOptions(max_labels=0)
    with random_track(11, cells=2000, gaps=False) as track:
        expected = find_segments(track, options)
        packed = pack_track(track, options, len(pack_track(track, options, 10**6).scores) - 1)
    assert packed.bits == 8
    assert packed.lowest_onset == LOWEST_ONSET
    found = in_page(rules, packed, options)
    close = [
        any(
            one["label"] == other.label
            and abs(one["start"] - other.start_seconds) <= 2 * STEP
            and abs(one["end"] - other.end_seconds) <= 2 * STEP
            for one in found
        )
        for other in expected
    ]
    assert np.mean(close) > 0.95


@pytest.fixture
def shown(tmp_path):
    """A report's source whose first segment of all has evidence in the upper right."""
    made = make_report_video(tmp_path, seed=3)
    area, box = FrameArea(0.25, 0.0, 0.5, 1.0), FrameArea(0.5, 0.0, 0.25, 0.5)
    evidence = Evidence(1.0, 1.125, 0, area, ((-1.0, 7.0), (-3.0, 1.0)), box)
    first, *others = made.timeline.segments
    segments = (replace(first, evidence=evidence), *others)
    return replace(made, timeline=replace(made.timeline, segments=segments)).source()


def test_evidence_lies_over_the_image_where_it_is_wanted(open_report, shown):
    page = open_report(shown)
    page.locator("#rows .item").first.click()
    overlay = page.locator("#evidence")
    assert not overlay.is_visible()
    page.locator("#show-evidence").check()
    assert overlay.is_visible()
    image, drawn = page.locator("#detail-image").bounding_box(), overlay.bounding_box()
    assert drawn == pytest.approx(image, abs=1)
    cells = overlay.locator(".cell")
    assert [float(cells.nth(i).get_attribute("fill-opacity")) for i in range(4)] == [
        pytest.approx(0.65 * share, abs=1e-3) for share in (0.2, 1.0, 0.0, 0.4)
    ]
    box = overlay.locator(".box").bounding_box()
    width, height = image["width"], image["height"]
    assert box["x"] - image["x"] == pytest.approx(width / 2, abs=2)
    assert box["y"] - image["y"] == pytest.approx(0, abs=2)
    assert (box["width"], box["height"]) == pytest.approx((width / 4, height / 2), abs=4)
    legend = page.locator("#evidence-legend").text_content()
    assert re.search(r"-3\.0\s+7\.0", legend)
    page.locator("#show-evidence").uncheck()
    assert not overlay.is_visible()


def test_segments_without_evidence_offer_none(open_report, shown):
    page = open_report(shown)
    page.locator("#rows .item").nth(1).click()
    assert page.locator("#detail").is_visible()
    assert not page.locator("#evidence-choice").is_visible()


def test_other_thresholds_keep_the_evidence_of_the_same_peak(open_report, shown):
    page = open_report(shown)
    set_value(page, "merge_gap", 0.9)
    assert "found here" in page.locator("#count").text_content()
    first = shown.timeline.segments[0]
    index = page.evaluate(
        """([label, peak]) => [...document.querySelectorAll('#rows .item')].findIndex(
             (row) => row.querySelector('b').textContent === label)""",
        [first.label, first.peak_seconds],
    )
    page.locator("#rows .item").nth(index).click()
    assert page.locator("#evidence-choice").is_visible()
