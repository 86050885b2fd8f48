"""The list of true boundaries is consistent, and what is counted against it is right."""

import importlib
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "camera_motion"


@pytest.fixture
def script(monkeypatch):
    """The script, as a module."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield importlib.import_module("whole_clips")
    del sys.modules["whole_clips"]


def test_halves_follow_the_hash_and_none_stands_alone(script):
    rows = script.read_boundaries()
    assert {one.kind for one in rows} <= {"cut", "dissolve", "fade", "doubtful", "none"}
    assert {one.half for one in rows} == {"dev", "other"}
    for one in rows:
        assert one.half == script.half_of(one.clip)
        assert (one.kind == "none") == (one.time != one.time)
        if one.kind == "none":
            assert sum(other.clip == one.clip for other in rows) == 1


def test_a_cut_matches_once_and_near_a_doubtful_one_nothing_counts(script):
    assert script.match([1.1, 1.2, 5.0, 7.1], [1.0, 9.0], [7.0]) == [1, 2, 1]


def test_motion_that_overlaps_counts_once(script):
    pan = {"label": "pan-left", "start": 1.0, "end": 2.0}
    tilt = {"label": "tilt-up", "start": 1.5, "end": 2.5}
    static = {"label": "static", "start": 0.0, "end": 9.0}
    timeline = {"video": {"duration": 10.0}, "segments": [static, pan, tilt]}
    assert script.seconds_of_motion([timeline]) == (pytest.approx(1.5), 10.0)


def test_a_dissolve_is_false_unless_one_is_there(script, tmp_path):
    truth = [script.Boundary("a.mp4", 5.0, "dissolve", "dev")]
    found = [{"label": "dissolve", "start": at, "end": at + 1} for at in (4.5, 8.0)]
    timeline = {"video": {"uri": str(tmp_path / "a.mp4")}, "segments": found}
    assert script.false_gradual([timeline], truth, tmp_path) == 1
