"""Rows of the table of videos: small, whatever the video, and with the reason of a failure."""

from dataclasses import replace

from tests.support.timelines import timeline
from vswin_cli.report.archive import ArchiveProgress, ArchiveRow, RowFigures, archive_content
from vswin_cli.timeline.record import GapRecord, Notice
from vswin_cli.timeline.segments import Segment


def segment(start, end, label="pan"):
    return Segment(start, end, label, 0, 0.5, 0.75, start)


def result(*segments, seconds=100.0, gaps=()):
    whole = timeline()
    video = replace(whole.video, duration_seconds=seconds)
    coverage = replace(whole.coverage, gaps=tuple(GapRecord(*gap, "damaged") for gap in gaps))
    return replace(whole, video=video, segments=segments, coverage=coverage)


def test_marks_are_thousandths_of_the_video_and_never_too_narrow_to_see():
    segments = (segment(0.0, 0.01), segment(50.0, 75.0), segment(99.99, 100.0, "zoom"))
    figures = RowFigures.of(result(*segments, gaps=[(10.0, 20.0)]))
    assert figures.marks[0] == (500, 250, 0)
    assert set(figures.marks[1:]) == {(0, 2, 0), (998, 2, 1)}
    assert figures.gaps == ((100, 100),)
    assert [one.label for one in figures.totals] == ["pan", "zoom"]


def test_marks_that_look_the_same_are_one():
    figures = RowFigures.of(result(*(segment(i / 1000, (i + 1) / 1000) for i in range(50))))
    assert figures.marks == ((0, 2, 0),)
    assert figures.num_segments == 50


def test_a_partial_video_says_why():
    notices = (Notice("PARTIAL", "the end\nis missing"),)
    row = ArchiveRow.of(replace(result(), status="partial", warnings=notices))
    assert (row.status, row.reason) == ("partial", "the end is missing")
    assert ArchiveRow.of(result()).reason is None


def test_rows_hide_credentials_and_leave_out_what_is_empty():
    row = ArchiveRow.without_result("https://me:secret@host/day/a.mp4", "failed", "gone")
    content = archive_content([row, ArchiveRow.of(result(segment(0.0, 1.0)))])
    assert "secret" not in str(content)
    first, second = content["rows"]
    assert first.keys() == {"name", "folder", "status", "reason"}
    assert second["labels"] == [[0, 1.0, 1, 0.75]]
    assert content["labels"] == ["pan"]
    assert content["progress"] is None


def test_progress_has_short_names_in_json():
    progress = ArchiveProgress("videos", 3, 1, 0, "2026-01-01T00:00:00Z", 5.0)
    content = archive_content([], progress)["progress"]
    assert (content["inputs"], content["done"], content["refresh"]) == (3, 1, 5.0)
    assert content["left"] is None
