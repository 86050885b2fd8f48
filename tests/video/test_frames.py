"""The order of frames, and their timestamps where packets have only decoding times."""

from fractions import Fraction

import pytest

from tests.support.events import events_of
from tests.support.videos import VideoRecipe, make_video, overwrite, read_indices
from vswin_cli.video.frames import DecodingOrderStamps
from vswin_cli.video.reader import VideoReader
from vswin_cli.video.resize import ImageResizer
from vswin_cli.video.sampling import SamplingPlan

PLAN = SamplingPlan(num_frames=8, stride=8, short_side=32, positions_per_second=5.0)


def given(own, depth=2, lost=()):
    """Timestamps of frames that come in this order from packets 0, 1, 2 and so on."""
    stamps = DecodingOrderStamps(depth)
    for packet in sorted([*own, *lost]):
        stamps.add(10 * packet)
    return [stamps.take(10 * packet) // 10 for packet in own]


def test_frames_take_the_decoding_times_in_the_order_in_which_they_are_shown():
    assert given([0, 3, 2, 4, 1, 7, 6, 8, 5]) == list(range(9))


def test_a_packet_without_a_frame_does_not_delay_all_that_follow():
    order = [0, 3, 2, 1, 6, 5, 4, *range(9, 60)]
    assert given(order, lost=[7, 8])[-20:] == list(range(38, 58))  # two early, as reordered
    assert given(order, depth=0, lost=[7, 8])[-20:] == list(range(40, 60))


@pytest.mark.parametrize("rate", [1, 5, 25])
@pytest.mark.parametrize("b_frames", [0, 2, 4])
def test_h264_in_avi_is_shown_at_its_rate(tmp_path, rate, b_frames):
    recipe = VideoRecipe(num_frames=60, rate=Fraction(rate), b_frames=b_frames, gop=25)
    path = make_video(tmp_path / "a.avi", recipe)
    resizer = ImageResizer(32)
    with VideoReader(path) as reader:
        frames = list(reader.frames())
    assert read_indices(resizer.resize(frame.frame, 0) for frame in frames) == list(range(60))
    assert [frame.seconds for frame in frames] == pytest.approx([i / rate for i in range(60)])
    report = events_of(path, PLAN)[-1]
    assert (report.status, report.gaps, report.warnings) == ("ok", (), ())
    assert report.duration_seconds == pytest.approx(60 / rate)


def test_loss_from_h264_in_avi_is_reported(tmp_path):
    recipe = VideoRecipe(num_frames=300, b_frames=2, gop=25, width=96)
    path = overwrite(make_video(tmp_path / "a.avi", recipe), 0.4, 0.45)
    report = events_of(path, PLAN)[-1]
    assert report.status == "partial"
    assert report.duration_seconds == pytest.approx(10.0)
    assert report.coverage == pytest.approx(report.frames_decoded / 300, abs=0.01)
