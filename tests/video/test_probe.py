"""Metadata of a video, and the report of decoding all of it."""

from fractions import Fraction

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.errors import NotAVideoError, OptionError
from vswin_cli.storage.sources import VideoSource
from vswin_cli.video.probe import inspect


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "v.mp4"
    return VideoSource.of(make_video(path, VideoRecipe(num_frames=35, rate=Fraction(10))))


def test_without_a_scan_only_the_header_is_read(source):
    found = inspect(source)
    assert found.report is None
    assert found.info.declared_duration_seconds == pytest.approx(3.5)
    assert found.info.measured_frame_rate == pytest.approx(10.0)


def test_a_scan_counts_every_frame_and_reports_progress(source):
    positions = []
    found = inspect(source, scan=True, on_progress=lambda done, total: positions.append(total))
    assert found.report is not None
    assert (found.report.frames_decoded, found.report.status) == (35, "ok")
    assert set(positions) <= {found.info.declared_duration_seconds}


def test_what_cannot_be_inspected_is_an_error(source, tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"nothing")
    with pytest.raises(NotAVideoError):
        inspect(VideoSource.of(tmp_path / "v.mp4"))
    with pytest.raises(OptionError, match="timestamps"):
        inspect(source, input_frame_rate=25.0)
