"""Reports without a browser: what the files hold and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.reports import NAMES, content_of, make_report_video
from tests.support.timelines import track_of
from vswin_cli.errors import OptionError, OutputError
from vswin_cli.report import ReportSource, write_report
from vswin_cli.timeline.score_files import save_track


@pytest.fixture(scope="module")
def text(tagged):
    path = tagged.scores.parent / "page.html"
    assert write_report([tagged.source()], path) == [path]
    return path.read_text()


@pytest.mark.slow
def test_page_holds_segments_scores_gaps_and_thumbnails(tagged, text):
    content = content_of(text)
    assert [(one["label"], one["start"]) for one in content["segments"]] == [
        (one.label, round(one.start_seconds, 6)) for one in tagged.timeline.segments
    ]
    assert content["gaps"] == [{"start": 11.0, "end": 13.5, "reason": "decode_error"}]
    assert content["video_url"] == "./video.webm"
    assert set(content["track"]["labels"]) <= set(NAMES)
    assert len(content["thumbnails"]) > 20
    assert {one["url"][:16] for one in content["thumbnails"]} == {"data:image/webp;"}
    assert "91.7% of the video decoded, 1 gap" in text


def test_without_scores_the_page_has_segments_only(tagged, tmp_path):
    write_report([ReportSource(tagged.timeline)], tmp_path / "page.html")
    content = content_of((tmp_path / "page.html").read_text())
    assert content["track"] is None
    assert content["thumbnails"] == []
    assert len(content["segments"]) == len(tagged.timeline.segments)


def test_an_empty_timeline_gives_a_page(tagged, tmp_path):
    write_report([ReportSource(replace(tagged.timeline, segments=()))], tmp_path / "page.html")
    assert content_of((tmp_path / "page.html").read_text())["segments"] == []


def test_a_video_without_a_single_cell_gives_a_page(tagged, tmp_path):
    scores = tmp_path / "none.npz"
    with track_of(np.zeros((0, 3))) as track:
        save_track(track, replace(tagged.timeline, segments=()), scores)
    write_report([ReportSource(replace(tagged.timeline, segments=()), scores)], tmp_path / "p.html")
    assert content_of((tmp_path / "p.html").read_text())["track"]["num_cells"] == 0


def test_scores_of_another_video_are_rejected(tagged, tmp_path):
    other = make_report_video(tmp_path, seconds=12.0, with_video=False)
    with pytest.raises(OptionError, match=r"12\.0 s.*30\.0 s"):
        write_report([ReportSource(tagged.timeline, other.scores)], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_several_videos_give_a_table_and_a_page_each(tagged, tmp_path):
    lower = replace(tagged.timeline, video=replace(tagged.timeline.video, uri="b/VIDEO.webm"))
    sources = [ReportSource(tagged.timeline, tagged.scores), ReportSource(lower)]
    table, first, second = write_report(sources, tmp_path / "all.html")
    assert [first.name, second.name] == ["video.html", "VIDEO-2.html"]
    assert 'href="./all-videos/video.html"' in table.read_text()
    assert 'href="./../all.html"' in second.read_text()


def test_pages_have_names_that_any_disk_takes(tagged, tmp_path):
    uris = [f"{'ü' * 200}.webm", "a\x00b.webm", "\ud800.webm"]
    videos = [replace(tagged.timeline.video, uri=uri) for uri in uris]
    sources = [ReportSource(replace(tagged.timeline, video=video)) for video in videos]
    pages = write_report(sources, tmp_path / "all.html")[1:]
    assert [page.name for page in pages] == [f"{'ü' * 125}.html", "a b.html", ".webm.html"]


def test_a_folder_that_cannot_be_made_is_an_output_error(tagged, tmp_path):
    (tmp_path / "all-videos").write_text("")
    with pytest.raises(OutputError):
        write_report([ReportSource(tagged.timeline)] * 2, tmp_path / "all.html")
