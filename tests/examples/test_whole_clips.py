"""The list of true boundaries is consistent, and what is counted against it is right."""

import importlib
import sys
from pathlib import Path

import pytest

from vswin_cli.timeline.segments import Segment

EXAMPLES = Path(__file__).parents[2] / "examples" / "camera_motion"


@pytest.fixture
def script(monkeypatch):
    """The script, as a module."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield importlib.import_module("whole_clips")
    for name in ("whole_clips", "transitions"):
        del sys.modules[name]


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


def segment(label, start, end):
    return Segment(start, end, label, None, 0.9, 0.9, start)


PAN, TILT = segment("pan-left", 1.0, 2.0), segment("tilt-up", 1.5, 2.5)
STATIC = segment("static", 0.0, 9.0)


def test_motion_that_overlaps_counts_once(script):
    tagged = script.Tagged("a.mp4", 10.0, (STATIC, PAN, TILT))
    assert script.seconds_of_motion(tagged) == pytest.approx(1.5)
    still = script.Tagged("b.mp4", 20.0, (STATIC,))
    text = script.motion_per_minute([tagged, still])
    assert text.startswith("3.00 s/min (95 % over clips: 0.00 to 9.00), 1.50 s of 0.5 min, in 1 of")


def test_a_dissolve_is_false_unless_one_is_there(script):
    truth = [script.Boundary("a.mp4", 5.0, "dissolve", "dev")]
    found = tuple(segment("dissolve", at, at + 1) for at in (4.5, 8.0))
    assert script.false_gradual([script.Tagged("a.mp4", 10.0, found)], truth) == 1


def test_windows_count_by_half_and_by_the_longest_motion(script):
    clip = next(name for name in "abcdefgh" if script.half_of(name) == "dev")
    tagged = {clip: script.Tagged(clip, 10.0, (STATIC, PAN, TILT))}
    windows = [
        script.Window(clip, 0.0, 1.2, ("static",)),
        script.Window(clip, 0.0, 1.3, ("static",)),
        script.Window(clip, 1.0, 2.2, ("pan-left",)),
        script.Window(clip, 1.8, 3.0, ("pan-left", "tilt-up")),
        script.Window(clip, 3.0, 4.0, ("cut",)),
    ]
    assert all("0/0" in line for line in script.of_windows(windows, tagged, "other"))
    still, dominant, some = script.of_windows(windows, tagged, "dev")
    assert ("1/2" in still, "1/2" in dominant, "2/2" in some) == (True, True, True)


def test_labelled_windows_are_named_as_boundaries_are(script, tmp_path):
    rows = [
        "clip\tstart_s\tend_s\tlabel\textra_labels\tverified",
        "../videos/a.mp4\t0\t2\tzoom-in\ttilt-up;pan-left\tyes",
        "b.mp4\t2\t4\tstatic\t\tyes",
        "b.mp4\t4\t6\tpan-left\t\tunsure",
    ]
    (tmp_path / "labels.tsv").write_text("\n".join(rows))
    first, second = script.read_windows(tmp_path / "labels.tsv")
    assert first == script.Window("videos/a.mp4", 0, 2, ("zoom-in", "tilt-up", "pan-left"))
    assert (second.clip, second.labels) == ("camera_dev/b.mp4", ("static",))


def test_rates_of_rare_events_have_exact_intervals(script):
    """Garwood's: 0 of any time up to 3.689, 1 from 0.0253 to 5.572 (tables of the Poisson)."""
    assert script.per_ten_minutes(0, 10.0) == "0.00 (95 %: 0.00 to 3.69)"
    assert script.per_ten_minutes(1, 10.0) == "1.00 (95 %: 0.03 to 5.57)"
    assert script.per_ten_minutes(10, 10.0) == "10.00 (95 %: 4.79 to 18.39)"


def test_figures_replace_those_of_an_earlier_run_in_the_card(script, tmp_path):
    from vswin_cli.models.card import ModelCard

    path = tmp_path / "config.json"
    path.write_text((EXAMPLES.parents[1] / "vswin_cli/data/camera-motion/config.json").read_text())
    before = ModelCard.read(path)
    for count in ("7 true", "8 true"):
        script.write_card(path, {"dev": [f"cuts: {count}", "static: 1/2"], "other": ["cuts: 9"]})
    notes = ModelCard.read(path).notes
    own = [note for note in notes if note.startswith("Whole clips")]
    assert own[1:] == [
        "Whole clips, dev: cuts: 8 true; static: 1/2.",
        "Whole clips, other: cuts: 9.",
    ]
    assert [note for note in notes if note not in own] == [
        note for note in before.notes if not note.startswith("Whole clips")
    ]
    assert notes[-1].startswith("Limits")
