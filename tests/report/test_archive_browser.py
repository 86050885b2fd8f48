"""The page of several videos in a real browser: found, filtered, sorted, long, and kept current."""

from dataclasses import replace

import pytest

from tests.support.report_pages import open_page, until
from tests.support.reports import make_report_video
from tests.support.timelines import segment, timeline
from vswin_cli.report import ReportSource, write_report
from vswin_cli.report.archive import ArchiveProgress, ArchiveRow
from vswin_cli.report.pages import archive_page
from vswin_cli.timeline.palette import label_colour
from vswin_cli.timeline.record import Coverage, Timeline, VideoRecord

pytestmark = pytest.mark.slow


@pytest.fixture
def page(browser):
    """An empty page whose errors fail the test."""
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 1400, "height": 800})
    opened = context.new_page()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text))
    yield opened
    context.close()
    assert errors == []


def made(name: str, seconds: float, **labels: float) -> Timeline:
    """A timeline with a segment of a second per label, each with a score."""
    found = tuple(
        replace(segment(float(i), i + 1.0, label), score=score, score_max=score)
        for i, (label, score) in enumerate(labels.items())
    )
    return replace(
        timeline(),
        video=VideoRecord(uri=name, duration_seconds=seconds),
        segments=found,
        coverage=Coverage(1.0, seconds),
        warnings=(),
        status="ok",
    )


@pytest.fixture
def shown(page, tmp_path):
    """Three videos with results, one that failed, one that waits."""
    rows = [
        ArchiveRow.of(made("day1/beach.mp4", 300, archery=0.9, bowling=0.5), "beach.html"),
        ArchiveRow.of(made("day2/arena 10.mp4", 60, bowling=0.7), "arena.html"),
        ArchiveRow.of(made("day2/arena 9.mp4", 4000, archery=0.6), "arena9.html"),
        ArchiveRow.without_result("day2/bad.mp4", "failed", "no video stream"),
        ArchiveRow.without_result("day2/late.mp4", "waiting"),
    ]
    path = tmp_path / "all.html"
    path.write_text(archive_page(rows))
    open_page(page, path.as_uri())
    return page


def names(page) -> list[str]:
    found: list[str] = page.locator("#videos .video .clip > :first-child").all_text_contents()
    return found


def test_rows_are_found_by_name_label_status_score_and_length(shown):
    everything = names(shown)
    assert everything == ["beach.mp4", "arena 10.mp4", "arena 9.mp4", "bad.mp4", "late.mp4"]
    for field, value, expected in (
        ("#search", "ARENA bowl", ["arena 10.mp4"]),
        ("#search", "no video", ["bad.mp4"]),
        ("#score", "0.65", ["beach.mp4", "arena 10.mp4"]),
        ("#shortest", "2", ["beach.mp4", "arena 9.mp4"]),
        ("#longest", "5", ["beach.mp4", "arena 10.mp4"]),
    ):
        shown.fill(field, value)
        assert names(shown) == expected
        assert shown.locator("#found").text_content() == f"{len(expected)} of 5"
        shown.click("#clear")
        assert names(shown) == everything
    for value, expected in (
        ("trouble", ["bad.mp4"]), ("ok", everything[:3]), ("open", ["late.mp4"])
    ):  # fmt: skip
        shown.select_option("#state", value)
        assert names(shown) == expected
    shown.select_option("#state", "")
    shown.select_option("#label", "archery")
    shown.fill("#score", "0.7")
    assert names(shown) == ["beach.mp4"]


def test_rows_are_sorted_by_every_column(shown):
    for order, expected in (
        ("name", ["arena 9.mp4", "arena 10.mp4", "bad.mp4"]),
        ("seconds", ["arena 9.mp4", "beach.mp4", "arena 10.mp4"]),
        ("best", ["beach.mp4", "arena 10.mp4", "arena 9.mp4"]),
        ("segments", ["beach.mp4", "arena 9.mp4", "arena 10.mp4"]),
    ):
        shown.click(f"th[data-order={order}] button")
        assert names(shown)[:3] == expected
        first = names(shown)
        shown.click("#turn")
        assert names(shown)[-1] == first[0]


def test_the_summary_follows_what_is_shown(shown):
    text = shown.locator("#status").text_content()
    assert "complete3" in text
    assert "failed1" in text
    hours = shown.locator("#hours li").all_text_contents()
    assert hours[0].startswith("archery2.0 s2 segments, 2 videos")
    shown.click("#hours button >> text=bowling")
    assert names(shown) == ["beach.mp4", "arena 10.mp4"]
    assert "complete2" in shown.locator("#status").text_content()
    shown.click("#status button >> text=complete")
    assert shown.evaluate("location.hash") == "#label=bowling&state=ok"


def test_a_label_has_one_colour_in_table_strip_and_summary(shown):
    colour = label_colour("archery")
    strip = shown.locator("#videos tr:not(.spacer) .strip rect").first
    assert strip.get_attribute("fill") == colour
    rgb = f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})"
    for place in ("#videos .dot >> nth=0", "#hours .key >> nth=0"):
        found = shown.locator(place).evaluate("(node) => getComputedStyle(node).backgroundColor")
        assert found == rgb


def test_thousands_of_videos_are_few_rows_and_all_are_reached(page, tmp_path):
    rows = [ArchiveRow.of(made(f"v{i:04}.mp4", 10.0 + i, bowling=0.5)) for i in range(3000)]
    path = tmp_path / "all.html"
    path.write_text(archive_page(rows))
    open_page(page, path.as_uri())
    assert len(names(page)) < 60
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    until(page, "document.querySelector('#videos').textContent.includes('v2999.mp4')")
    assert len(names(page)) < 60
    last = page.locator("#videos tr:not(.spacer)").last
    assert last.get_attribute("aria-rowindex") == "3001"
    page.fill("#search", "v1234")
    assert names(page) == ["v1234.mp4"]
    page.fill("#search", "")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert len(names(page)) == 3000


def test_a_page_of_a_running_batch_reloads_itself_and_keeps_the_view(page, tmp_path):
    path = tmp_path / "all.html"
    waiting = [ArchiveRow.without_result(f"v{i:02}.mp4", "waiting") for i in range(40)]
    progress = ArchiveProgress(
        "videos", 40, 10, 2, "2020-01-01T00:00:00Z", 0.2, (("v10.mp4", 83.0),), 12.3, 125.0
    )
    path.write_text(archive_page(waiting, progress))
    open_page(page, path.as_uri())
    text = page.locator("#progress-text").text_content()
    assert text == "10 of 40 videos done · 2 failed · 1 running · 12× real time · about 2:05 left"
    assert page.title().startswith("30% – ")
    assert page.locator("#stale").is_visible()  # it was written years ago
    page.fill("#search", "v1")
    page.evaluate("document.activeElement.blur(); scrollTo(0, 120)")
    done = [ArchiveRow.of(made(f"v{i:02}.mp4", 10.0, bowling=0.5)) for i in range(40)]
    path.write_text(archive_page(done))
    until(page, "document.body.dataset.ready && document.getElementById('progress').hidden")
    assert names(page)[0] == "v10.mp4"
    assert page.locator("#search").input_value() == "v1"
    assert page.evaluate("scrollY") == 120


def test_the_table_leads_to_pages_and_back_and_fits_every_width(page, tmp_path):
    several = [
        make_report_video(tmp_path, f"{name}.webm", seed=i, seconds=10.0 + i, with_video=i == 0)
        for i, name in enumerate(("beach & sea", "arena"))
    ]
    write_report([one.source() for one in several], tmp_path / "all.html")
    open_page(page, (tmp_path / "all.html").as_uri())
    assert names(page) == ["beach & sea.webm", "arena.webm"]
    assert page.locator("#videos img").count() == 1
    assert page.evaluate("document.querySelector('#videos img').naturalWidth") > 50
    for width in (400, 700, 1000, 2000):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(
            """[...document.querySelectorAll('th, td')].every(
                 (cell) => cell.scrollWidth <= Math.ceil(cell.getBoundingClientRect().width))"""
        )
    page.click("text=beach & sea.webm")
    until(page, "document.body.dataset.ready && document.querySelector('h1')")
    assert page.locator("h1").text_content() == "beach & sea.webm"
    page.click("text=All videos")
    page.wait_for_selector("#videos")


def test_an_archive_of_names_with_markup_stays_text(page, tmp_path):
    evil = "<img src=x onerror=alert(1)>"
    rows = [ArchiveRow.of(made(f"{evil}.mp4", 9.0, **{evil: 0.5})) for _ in range(2)]
    (tmp_path / "all.html").write_text(archive_page(rows))
    open_page(page, (tmp_path / "all.html").as_uri())
    assert names(page) == [f"{evil}.mp4"] * 2
    assert page.locator("img").count() == 0


def test_pages_that_are_up_to_date_are_not_made_again(tmp_path):
    one = make_report_video(tmp_path, "a.webm", seconds=10.0, with_video=False)
    sources = [ReportSource(one.timeline, one.scores)] * 2
    pages = write_report(sources, tmp_path / "all.html")
    before = [page.stat().st_mtime_ns for page in pages[1:]]
    write_report(sources, tmp_path / "all.html")
    assert [page.stat().st_mtime_ns for page in pages[1:]] == before
    changed = replace(one.timeline, segments=())
    write_report([sources[0], ReportSource(changed, one.scores)], tmp_path / "all.html")
    after = [page.stat().st_mtime_ns for page in pages[1:]]
    assert after[0] == before[0]
    assert after[1] != before[1]
