"""A child process that cuts the clips of one video."""

import signal
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cutting.clip_cutter import ClipCutter
from vswin_cli.cutting.clip_tag import read_tag
from vswin_cli.cutting.plan import ClipPlan
from vswin_cli.cutting.records import VideoSegments
from vswin_cli.errors import DecodeError, NotAVideoError, SourceError
from vswin_cli.evaluation.intervals import Interval

pytestmark = pytest.mark.slow
KEY = "0" * 64


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "v.mp4"
    return make_video(path, VideoRecipe(num_frames=30, rate=Fraction(10), gop=10))


def plan(start: float, end: float) -> ClipPlan:
    return ClipPlan(Interval(start, end, "pan"), start, end, Path("clip.mp4"))


def test_one_process_cuts_several_clips_and_marks_them(video, tmp_path):
    with closing(ClipCutter(VideoSegments("v.mp4", video, ()))) as cutter:
        assert cutter.origin_seconds == 0.0
        copy = cutter.cut(plan(1.2, 2.0), tmp_path / "copy.mp4", "auto", KEY)
        exact = cutter.cut(plan(1.2, 2.0), tmp_path / "exact.mp4", "exact", KEY)
    assert (copy.mode, exact.mode) == ("copy", "exact")
    assert copy.early_seconds == pytest.approx(0.2)  # from the key frame at 1 s
    assert exact.length_seconds == pytest.approx(0.8)
    tag = read_tag(tmp_path / "copy.mp4")
    assert tag is not None
    assert (tag.key, tag.mode) == (KEY, "copy")


def test_errors_of_the_child_are_raised_here(video, tmp_path):
    with closing(ClipCutter(VideoSegments("v.mp4", video, ()))) as cutter:
        with pytest.raises(SourceError, match=r"no frame is shown from 9\.000 s on"):
            cutter.cut(plan(9.0, 10.0), tmp_path / "clip.mp4", "exact", KEY)
        with pytest.raises(OSError, match="No such file or directory"):
            cutter.cut(plan(0.0, 1.0), tmp_path / "none" / "clip.mp4", "exact", KEY)
        assert cutter.cut(plan(0.0, 1.0), tmp_path / "clip.mp4", "exact", KEY).mode == "exact"


def test_a_file_that_is_no_video_is_refused_at_once(tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"nothing")
    with pytest.raises(NotAVideoError):
        ClipCutter(VideoSegments("v.mp4", tmp_path / "v.mp4", ()))


def test_a_process_that_is_gone_is_an_error_of_the_video(video, tmp_path):
    with closing(ClipCutter(VideoSegments("v.mp4", video, ()))) as cutter:
        cutter._child.send_signal(signal.SIGKILL)
        cutter._child.wait()
        with pytest.raises(DecodeError, match=r"the process that reads v\.mp4 crashed"):
            cutter.cut(plan(0.0, 1.0), tmp_path / "clip.mp4", "exact", KEY)
