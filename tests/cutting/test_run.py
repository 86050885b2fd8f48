"""Cutting whole videos, in child processes, into a folder with its table."""

import csv
import shutil
from dataclasses import replace
from fractions import Fraction

import pytest

from tests.cutting.clips import indices
from tests.support.timelines import segment, timeline
from tests.support.videos import VideoRecipe, make_audio, make_video
from vswin_cli import cut_segments
from vswin_cli.cutting import clip_cutter
from vswin_cli.cutting.table import CLIPS_COLUMNS
from vswin_cli.errors import (
    DecodeError,
    NoVideoStreamError,
    OptionError,
    OutputError,
    SourceError,
    SourceNotFoundError,
)

pytestmark = pytest.mark.slow

NO_CUTS = {"sc_threshold": "0"}


def tagged(video, *spans):
    """A timeline of a video with segments (start, end, label)."""
    record = replace(timeline().video, uri=str(video), container="mp4")
    return timeline(video=record, segments=tuple(segment(*span) for span in spans))


@pytest.fixture
def movie(tmp_path):
    return make_video(tmp_path / "movie.mp4", VideoRecipe(options=NO_CUTS))


def rows_of(folder):
    with (folder / "clips.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_clip_and_a_row_for_every_segment(movie, tmp_path):
    one = tagged(movie, (0.4, 0.8, "=a"), (0.9, 1.3, "b"))
    result = cut_segments(one, tmp_path / "out")
    assert [clip.mode for clip in result.clips] == ["copy", "copy"]
    assert indices(result.clips[1].path)[:15] == list(range(24, 39))
    first, second = rows_of(tmp_path / "out")
    assert tuple(second) == CLIPS_COLUMNS
    assert first["label"] == "'=a"  # or a spreadsheet would compute it
    assert second["path"] == "movie_00000.900-00001.300_b.mp4"
    assert second["video"] == str(movie)
    times = [float(second[name]) for name in ("start", "end", "early_seconds")]
    assert times == pytest.approx([0.1, 0.5, 0.1])
    assert [second[name] for name in ("source_start", "source_end")] == ["0.9", "1.3"]


def test_exact_clips_hold_the_padded_part_and_say_where_the_segment_is(movie, tmp_path):
    one = tagged(movie, (0.5, 1.0, "a"), (1.9, 2.0, "b"), (1.5, 1.5, "instant"))
    result = cut_segments(one, tmp_path / "out", pad_seconds=0.2, mode="exact")
    first, instant, last = result.clips
    assert indices(first.path) == list(range(9, 36))
    assert (first.start_seconds, first.end_seconds) == (0.2, 0.7)
    assert (instant.start_seconds, instant.end_seconds) == (0.0, 0.4)
    assert indices(last.path) == list(range(51, 60))
    assert last.early_seconds == 0


def test_a_second_run_keeps_clips_that_are_the_same(movie, tmp_path):
    one, out = tagged(movie, (0.4, 0.8, "a"), (0.9, 1.3, "b")), tmp_path / "out"
    first = cut_segments(one, out)
    table = (out / "clips.csv").read_bytes()
    times = [clip.path.stat().st_mtime_ns for clip in first.clips]
    first.clips[0].path.unlink()
    again = cut_segments(one, out)
    assert [clip.is_new for clip in again.clips] == [True, False]
    assert again.clips[1].path.stat().st_mtime_ns == times[1]
    assert (out / "clips.csv").read_bytes() == table
    assert [clip.mode for clip in cut_segments(one, out, mode="exact").clips] == ["exact", "exact"]
    make_video(movie, VideoRecipe(first_index=100))  # another video of the same name
    changed = cut_segments(one, out, mode="exact")
    assert all(clip.is_new for clip in changed.clips)
    assert indices(changed.clips[0].path)[0] == 112


def test_clips_of_several_runs_stay_in_the_table(movie, tmp_path):
    out = tmp_path / "out"
    cut_segments(tagged(movie, (0.4, 0.8, "a")), out)
    cut_segments(tagged(movie, (0.9, 1.3, "b")), out)
    assert [row["label"] for row in rows_of(out)] == ["a", "b"]


def test_files_of_others_are_not_replaced(movie, tmp_path):
    one, out = tagged(movie, (0.4, 0.8, "a")), tmp_path / "out"
    (clip,) = cut_segments(one, out).clips
    shutil.copy(movie, clip.path)
    with pytest.raises(OutputError, match="was not written by vswin"):
        cut_segments(one, out)
    assert clip.path.read_bytes() == movie.read_bytes()
    clip.path.unlink()
    (out / "clips.csv").write_text("my,own\n1,2\n")
    with pytest.raises(OutputError, match=r"clips\.csv exists and was not written"):
        cut_segments(one, out)
    assert list(out.iterdir()) == [out / "clips.csv"]


def test_a_bad_video_does_not_stop_the_others(movie, tmp_path):
    sound = make_audio(tmp_path / "sound.mp4")
    result = cut_segments(
        [
            tagged(tmp_path / "gone.mp4", (0, 1, "a")),
            tagged(sound, (0, 1, "a")),
            tagged(movie, (0.4, 0.8, "a"), (500, 501, "behind the end")),
        ],
        tmp_path / "out",
    )
    assert [clip.label for clip in result.clips] == ["a"]
    kinds = [type(failure.error) for failure in result.failures]
    assert kinds == [SourceNotFoundError, NoVideoStreamError, SourceError]
    assert "no frame is shown from 500.000 s on" in str(result.failures[2].error)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "clips.csv",
        "movie_00000.400-00000.800_a.mp4",
    ]


def test_what_cannot_be_copied_is_encoded_unless_copying_was_asked_for(tmp_path):
    video = make_video(tmp_path / "a.avi", VideoRecipe(codec="mpeg4"))
    one = tagged(video, (0.4, 0.8, "a"))
    (clip,) = cut_segments(one, tmp_path / "out").clips
    assert clip.mode == "exact"
    assert clip.reason == "its container (avi) does not store when each frame is shown"
    (failure,) = cut_segments(one, tmp_path / "copies", mode="copy").failures
    assert "cannot be copied: its container (avi)" in str(failure.error)


def test_a_key_frame_far_before_is_no_start(tmp_path):
    recipe = VideoRecipe(num_frames=60, rate=Fraction(4), gop=1000, options=NO_CUTS)
    one = tagged(make_video(tmp_path / "a.mp4", recipe), (3.0, 4.0, "a"), (12.0, 14.0, "b"))
    assert [clip.mode for clip in cut_segments(one, tmp_path / "out").clips] == ["copy", "exact"]
    forced = cut_segments(one, tmp_path / "copies", mode="copy")
    assert [clip.early_seconds for clip in forced.clips] == [3.0, 12.0]


def test_a_child_that_hangs_costs_its_video(movie, tmp_path, monkeypatch):
    monkeypatch.setattr(clip_cutter, "SILENCE_SECONDS", 0.05)
    monkeypatch.setattr(clip_cutter, "_MAIN", "import time; time.sleep(60)")
    (failure,) = cut_segments(tagged(movie, (0.4, 0.8, "a")), tmp_path / "out").failures
    assert isinstance(failure.error, DecodeError)


def test_a_label_that_no_segment_has_is_refused(movie, tmp_path):
    with pytest.raises(OptionError, match="no label matches"):
        cut_segments(tagged(movie, (0.4, 0.8, "a")), tmp_path / "out", labels="b")
    assert not (tmp_path / "out").exists()


def test_what_is_no_timeline_is_refused(tmp_path):
    with pytest.raises(OptionError, match="`timelines` takes Timelines, got 'a'"):
        cut_segments(["a"], tmp_path / "clips")
    assert not (tmp_path / "clips").exists()
