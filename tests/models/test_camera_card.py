"""The embedded model's card, and the script that writes its figures."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from vswin_cli.evaluation.annotations import read_annotations
from vswin_cli.evaluation.events import Collar, SpecialLabels, event_report
from vswin_cli.models.card import ModelCard
from vswin_cli.storage.json_records import to_json

EXAMPLES = Path(__file__).parents[2] / "examples" / "camera_motion"
CARD = Path(__file__).parents[2] / "vswin_cli" / "data" / "camera-motion" / "config.json"
RATE = {"hits": 9, "total": 10, "share": 0.9}


@pytest.fixture
def measuring(monkeypatch):
    """The script, as a module."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield importlib.import_module("measure")
    for name in (
        "measure",
        "effects",
        "library",
        "paths",
        "ring",
        "shots",
        "subjects",
        "synthesis",
    ):
        del sys.modules[name]


@pytest.fixture
def figures(measuring):
    """Figures as the commands give them; every true cut is found."""
    truth = read_annotations(measuring.CUTS)
    found = truth.without({"doubtful"})
    doubts = SpecialLabels(frozenset({"cut"}), "doubtful")
    events = to_json(event_report(found, truth, Collar(0.15, 0.0), doubts))
    return {
        "windows": {"right": RATE, "some_true": RATE, "background_right": RATE},
        "fixed": {"background_alarms": RATE},
        "cuts": {"events": events},
        "scenedetect": {"events": events},
        "synthetic": {
            "half": {"pan-left": 0.75, "shake": 0.25},
            "full": {"static": 0.5, "pan-left": 0.4, "cut": 0.25},
        },
    }


def test_the_card_advises_on_labels_that_it_has():
    card = ModelCard.from_json(CARD.read_text(), CARD)
    assert set(card.segments.instants) == {"cut"} <= set(card.labels)
    assert card.segments.boundaries == card.segments.instants
    assert {own.label for own in card.segments.onsets} <= set(card.labels)
    moves = {own.label for own in card.segments.min_durations}
    assert moves == set(card.labels) - {"static", "cut", "fade", "dissolve"}


def test_true_cuts_are_moments_and_doubt_has_a_length(measuring):
    truth = read_annotations(measuring.CUTS)
    assert truth.labels == ("cut", "doubtful")
    for video in truth.videos.values():
        for one in video.intervals:
            assert one.seconds == pytest.approx(0.0 if one.label == "cut" else 0.6)


def test_figures_stand_between_training_and_limits(measuring, figures, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(CARD.read_text())
    measuring.write_card(path, figures)
    once = path.read_text()
    notes = json.loads(once)["notes"]
    assert notes[0].startswith("Trained ")
    assert "leads in 90.0% of 10" in notes[1]
    assert "static windows read as moving: 1 of 10" in notes[1]
    assert "scene_cuts 100.0% and 100.0%" in notes[3]
    assert "half 0.500 (0.250 to 0.750), full 0.400 (0.400 to 0.400)" in notes[4]
    assert "static 0.500, pan-left 0.400, cut 0.250" in notes[4]
    kinds = [note.partition(" ")[0].rstrip(":") for note in notes[5:]]
    assert kinds == ["Whole"] * kinds.count("Whole") + ["Limits"] * kinds.count("Limits")
    assert {"Whole", "Limits"} == set(kinds)
    measuring.write_card(path, figures)
    assert path.read_text() == once


def test_results_without_the_peer_do_not_mention_it(measuring, figures):
    text = " ".join(measuring.notes(figures | {"scenedetect": None}, 0.3))
    assert "PySceneDetect" not in text
    assert "at the onset of 0.3" in text
