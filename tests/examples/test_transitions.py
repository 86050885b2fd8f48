"""Synthetic transitions between clips are where and what the list says."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "camera_motion"


@pytest.fixture
def script(monkeypatch):
    """The script, as a module."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield importlib.import_module("transitions")
    del sys.modules["transitions"]


def grey(count, value):
    return np.full((count, 4, 4, 3), value, np.uint8)


def test_a_dissolve_mixes_and_a_fade_goes_through_black(script):
    first, second = grey(script.AROUND + 3, 200), grey(script.AROUND + 3, 100)
    levels = [frame[0, 0, 0] for frame in script.join(first, second, "dissolve")]
    assert levels[script.AROUND - 1 : script.AROUND + 4] == [200, 175, 150, 125, 100]
    assert len(levels) == 2 * script.AROUND + 3
    levels = [frame[0, 0, 0] for frame in script.join(first, second, "fade")]
    middle = [150, 100, 50, *[0] * script.BLACK, 25, 50, 75]
    assert levels[script.AROUND : -script.AROUND] == middle


@pytest.mark.slow
def test_pairs_are_of_one_half_and_the_same_in_a_later_run(script, tmp_path):
    for folder, name in (("camera_dev", "a"), ("camera_dev", "b"), ("static_clips", "c")):
        for number in range(2):
            path = tmp_path / folder / f"{name}{number}.mp4"
            path.parent.mkdir(exist_ok=True)
            script.write(np.full((120, 144, 192, 3), 40 * (number + 1), np.uint8), path)

    def half_of(clip):
        return "dev" if clip[1] == "0" else "other"

    made = script.make_transitions(tmp_path, tmp_path / "made", half_of, each=1)
    assert len(made) == 12
    assert {one.half for one in made} == {"dev", "other"}
    one = made[0]
    frames = script.read(one.path, 100, 0.0)
    assert (one.kind, one.seconds, one.start, one.end) == ("dissolve", 0.5, 2.0, 2.5)
    assert np.abs(frames.astype(int) - 40).max() < 12  # both clips are of the half `dev`
    before = one.path.read_bytes()
    assert script.make_transitions(tmp_path, tmp_path / "made", half_of, each=1) == made
    assert one.path.read_bytes() == before
    assert script.read(one.path, 1000, 0.0) is None
