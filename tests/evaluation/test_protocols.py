"""Which frames the published protocols look at."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vswin_cli.errors import OptionError
from vswin_cli.evaluation.protocols import (
    PROTOCOL_NAMES,
    centred_starts,
    choose_protocol,
    frame_indices,
    resampled_indices,
    spread_starts,
    uniform_indices,
)
from vswin_cli.models.architecture import InputSpec

# First frames as MMAction's and MMAction2's own `SampleFrames` gave them, 32 frames 2 apart.
STARTS = json.loads((Path(__file__).parents[1] / "data/evaluation/clip_starts.json").read_text())
DENSE = InputSpec()
UNIFORM = InputSpec(sampling="uniform")


def spec_for(name: str) -> InputSpec:
    return UNIFORM if name == "ssv2" else DENSE


@pytest.mark.parametrize("case", STARTS)
def test_clip_starts_are_those_of_the_reference_loaders(case):
    num_frames, num_clips = map(int, case.split(","))
    assert centred_starts(num_frames, num_clips, 64).tolist() == STARTS[case]["official"]
    assert spread_starts(num_frames, num_clips, 63).tolist() == STARTS[case]["mmaction2"]


def test_uniform_frames_are_those_of_the_reference_loader():
    frames = uniform_indices(50, 32).tolist()
    assert frames[:8] == [1, 2, 4, 5, 7, 8, 10, 11]
    assert frames[-3:] == [45, 46, 48]


@pytest.mark.parametrize(
    ("name", "views", "short_side"),
    [("paper", (4, 3), 224), ("mmaction2", (4, 3), 224), ("torchvision", (12, 1), 256)],
)
def test_views_and_sizes_are_the_published_ones(name, views, short_side):
    protocol = choose_protocol(name, DENSE)
    assert (protocol.num_clips, protocol.crops) == views
    assert protocol.short_side == short_side
    assert "12 views" in protocol.description


@pytest.mark.parametrize(
    ("interval", "words"), [(1, "1 source frame apart"), (2, "2 source frames apart")]
)
def test_the_description_counts_source_frames(interval, words):
    assert words in choose_protocol("paper", replace(DENSE, frame_interval=interval)).description


def test_something_something_has_one_clip_and_three_crops():
    protocol = choose_protocol(None, UNIFORM)
    assert (protocol.name, protocol.num_clips, protocol.crops) == ("ssv2", 1, 3)


def test_dense_weights_get_the_papers_protocol():
    assert choose_protocol(None, DENSE).name == "paper"


@pytest.mark.parametrize(("name", "spec"), [("ssv2", DENSE), ("paper", UNIFORM), ("k400", DENSE)])
def test_a_protocol_that_does_not_fit_is_refused(name, spec):
    with pytest.raises(OptionError, match=name):
        choose_protocol(name, spec)


@settings(deadline=None, max_examples=80)
@given(
    name=st.sampled_from(PROTOCOL_NAMES),
    num_frames=st.integers(1, 2000),
    frame_rate=st.one_of(st.none(), st.floats(1, 240)),
)
def test_every_protocol_stays_inside_any_video(name, num_frames, frame_rate):
    spec = spec_for(name)
    protocol = choose_protocol(name, spec)
    indices = frame_indices(protocol, spec, num_frames, frame_rate)
    assert indices.shape == (protocol.num_clips, 32)
    assert indices.min() >= 0
    assert indices.max() < num_frames


@settings(deadline=None, max_examples=80)
@given(num_frames=st.integers(64, 3000))
def test_clips_of_a_long_video_rise_frame_by_frame(num_frames):
    for name in ("paper", "mmaction2"):
        indices = frame_indices(choose_protocol(name, DENSE), DENSE, num_frames, None)
        assert (np.diff(indices, axis=1) == 2).all()
        assert (np.diff(indices[:, 0]) >= 0).all()


def test_a_short_video_starts_again():
    indices = frame_indices(choose_protocol("paper", DENSE), DENSE, 10, None)
    assert indices[0, :7].tolist() == [0, 2, 4, 6, 8, 0, 2]


def resampled_by_hand(num_frames: int, rate: float) -> list[int]:
    """What torchvision's `VideoClips` documents: the newest frame at each tick of 1/15 s."""
    step = rate / 15
    if step == int(step):
        return list(range(0, num_frames, int(step)))
    return [math.floor(i * step) for i in range(math.floor(num_frames * 15 / rate))]


@pytest.mark.parametrize("rate", [12.5, 15.0, 24.0, 25.0, 30.0, 50.0, 60.0])
@pytest.mark.parametrize("num_frames", [100, 250, 301])
def test_resampling_takes_the_newest_frame_of_each_tick(rate, num_frames):
    assert resampled_indices(num_frames, rate, 15.0).tolist() == resampled_by_hand(num_frames, rate)


def test_torchvisions_clips_reach_from_the_first_to_the_last_tick():
    protocol = choose_protocol("torchvision", DENSE)
    indices = frame_indices(protocol, DENSE, 300, 30.0)  # 150 ticks, so 119 possible starts
    starts = [math.floor(i * 118 / 11) for i in range(12)]
    assert indices[:, 0].tolist() == [2 * start for start in starts]
    assert indices[-1, -1] == 298
