from dataclasses import replace

import pytest

from tests.support.timelines import of_two_models, timeline
from vswin_cli.cutting.records import CutOptions, CutResult, VideoSegments
from vswin_cli.errors import OptionError
from vswin_cli.timeline.record import Notice


@pytest.mark.parametrize(
    "values",
    [
        {"mode": "fast"},
        {"pad_seconds": -1.0},
        {"pad_seconds": float("nan")},
        {"min_score": 1.5},
        {"min_score": float("nan")},
    ],
    ids=str,
)
def test_options_out_of_range_are_refused(values):
    with pytest.raises(OptionError):
        CutOptions(**values)


def test_segments_of_a_timeline_become_intervals_of_its_video(tmp_path):
    result = timeline()
    found = VideoSegments.of(result, tmp_path / "a.mp4")
    assert [(one.label, one.start_seconds) for one in found.intervals] == [
        (segment.label, segment.start_seconds) for segment in result.segments
    ]
    assert not found.has_irregular_clock
    assert found.input_frame_rate is None


def test_clocks_that_restart_and_rates_that_were_counted_are_taken_over():
    result = timeline()
    notices = (Notice("TIMESTAMP_RESET", "the clock restarts"),)
    video = replace(result.video, container="h264", average_frame_rate=40.0)
    found = VideoSegments.of(replace(result, video=video, warnings=notices), None)
    assert found.has_irregular_clock
    assert found.input_frame_rate == 40.0


def test_a_result_prints_its_counts():
    assert repr(CutResult(())) == "CutResult(0 clips, 0 failures)"


def test_segments_of_every_model_are_cut():
    labels = [one.label for one in VideoSegments.of(of_two_models(), None).intervals]
    assert labels == [*(one.label for one in timeline().segments), "pan"]
