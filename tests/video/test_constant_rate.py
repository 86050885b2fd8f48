from fractions import Fraction

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.video.constant_rate import ConstantRate
from vswin_cli.video.sampler import decode_samples
from vswin_cli.video.sampling import SamplingPlan


def rate_of(times, declared=None, anchors=()):
    found = ConstantRate()
    found.anchor(times[0])
    for seconds in times[1:]:
        if seconds in anchors:
            found.anchor(seconds)
        else:
            found.add(seconds)
    return found.rate(None if declared is None else Fraction(declared))


def grid(rate, count, digits=6):
    return [round(float(n / Fraction(rate)), digits) for n in range(count)]


@pytest.mark.parametrize("rate", ["25", "30000/1001", "30", "10", "25/2", "15", "28", "1", "120"])
@pytest.mark.parametrize("declared", [None, "50", "60000", "1/1000"])
@pytest.mark.parametrize("digits", [3, 6])
def test_the_rate_of_a_grid_is_found_whatever_is_declared(rate, declared, digits):
    assert rate_of(grid(rate, 1000, digits), declared) == Fraction(rate)


def test_a_declared_rate_decides_between_rates_that_explain_few_frames():
    times = grid("30000/1001", 20, 3)
    assert rate_of(times, "30") == 30
    assert rate_of(times, "30000/1001") == Fraction(30000, 1001)
    assert rate_of(times, "2997/100") == Fraction(30000, 1001)  # rounded by the container


@pytest.mark.parametrize("missing", [1, 2, 150, 296, 297])
def test_one_missing_frame_refutes_every_rate(missing):
    times = grid(30, 300)
    del times[missing]
    assert rate_of(times, "30") is None


def test_jitter_below_a_fifth_of_an_interval_is_no_doubt():
    times = [t + (0.006 if n % 2 else 0.0) for n, t in enumerate(grid(30, 300))]
    assert rate_of(times, "30") == 30


def test_a_rate_that_drifts_is_refuted():
    assert rate_of(grid(25, 300) + [12 + t for t in grid(24, 300)][1:], "25") is None


def test_after_a_gap_frames_are_counted_anew_at_the_same_rate():
    after = [100.007 + t for t in grid(25, 50)]
    assert rate_of(grid(25, 50) + after, "30", anchors=after[:1]) == 25
    slower = [100.0 + t for t in grid(20, 50)]
    assert rate_of(grid(25, 50) + slower, "25", anchors=slower[:1]) is None


@pytest.mark.parametrize("times", [[0.0], [0.0, 0.04], [0.0, 0.04, 0.08]])
def test_a_few_frames_give_no_rate(times):
    assert rate_of(times, "25") is None


def test_frames_at_one_time_lie_on_no_grid():
    assert rate_of([0.0] * 9, "25") is None


def test_the_time_of_the_last_frame_does_not_refute_a_rate():
    times = grid(25, 525)
    assert rate_of([*times[:-1], times[-1] - 0.02], "50") == 25


def report_of(path, **recipe):
    make_video(path, VideoRecipe(num_frames=90, **recipe))
    *_, report = decode_samples(path, SamplingPlan(num_frames=2, stride=2, short_side=16))
    return report


@pytest.mark.parametrize("rate", ["25", "30000/1001", "10", "25/2"])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts", "a.flv"])
def test_decoding_finds_the_rate_in_every_container(tmp_path, name, rate):
    codec = "mpeg4" if name == "a.avi" else "libx264"
    report = report_of(tmp_path / name, rate=Fraction(rate), codec=codec)
    assert report.constant_frame_rate == str(Fraction(rate))
    assert not report.variable_frame_rate


def test_video_with_a_lost_frame_gets_no_frame_numbers_but_a_warning(tmp_path):
    times = [n / 30 for n in range(91) if n != 7]
    report = report_of(tmp_path / "a.mp4", times=times)
    assert report.constant_frame_rate is None
    assert report.variable_frame_rate
    assert "VARIABLE_FRAME_RATE" in [warning.code for warning in report.warnings]


def test_frames_after_a_gap_are_numbered_by_time(tmp_path):
    times = [n / 30 for n in range(45)] + [5 + n / 30 for n in range(45)]
    report = report_of(tmp_path / "a.ts", times=times)
    assert [gap.reason for gap in report.gaps] == ["missing_frames"]
    assert report.constant_frame_rate == "30"
