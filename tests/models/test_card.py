import json
import subprocess
import sys
from dataclasses import replace

import pytest

from vswin_cli.config import LabelDuration, LabelOnset, SegmentOptions
from vswin_cli.errors import CheckpointError, LabelsError
from vswin_cli.models.architecture import Architecture, InputSpec
from vswin_cli.models.card import CARD_SCHEMA, ModelCard, Provenance
from vswin_cli.models.labels import LabelMap

CARD = ModelCard(
    id="my-model",
    architecture=Architecture("swin3d_custom", 16, (2, 2), (1, 2), (16, 7, 7), (2, 4, 4), 3.5),
    num_classes=2,
    labels=("archery", "passing «ball»"),
    input=InputSpec(num_frames=16, frame_rate=8.0, sampling="uniform", stride_percent=50.0),
    activation="sigmoid",
    dataset="mine",
    licence="CC-BY-4.0",
    provenance=Provenance("https://example.org/a.pth", "ab" * 32, "official", "vswin 0.1.0"),
    segments=SegmentOptions(
        onset=0.6,
        offset=0.3,
        max_labels=0,
        instants=("archery",),
        boundaries=("archery",),
        background=("passing «ball»",),
        onsets=(LabelOnset("archery", 0.25),),
        min_durations=(LabelDuration("passing «ball»", 0.0),),
    ),
    notes=("one", "two"),
)


def changed(**changes: object) -> str:
    """The card's JSON with some fields at dotted paths replaced; `...` removes one."""
    content = json.loads(CARD.to_json())
    for path, value in changes.items():
        *parents, last = path.split("__")
        inner = content
        for parent in parents:
            inner = inner[parent]
        if value is ...:
            del inner[last]
        else:
            inner[last] = value
    return json.dumps(content)


def test_a_card_survives_its_json():
    assert ModelCard.from_json(CARD.to_json(), "config.json") == CARD


def test_the_origin_of_features_is_kept_where_only_the_head_was_trained():
    card = replace(CARD, features_sha256="cd" * 32)
    assert ModelCard.from_json(card.to_json(), "config.json") == card
    assert "features_sha256" not in CARD.to_json()  # as in earlier versions


def test_json_is_deterministic_and_names_its_schema():
    assert CARD.to_json() == CARD.to_json()
    assert json.loads(CARD.to_json())["schema"] == CARD_SCHEMA == "vswin.model/1"


@pytest.mark.parametrize("name", ["background", "min_durations"])
def test_a_card_without_later_advice_is_that_of_earlier_versions(name):
    segments = replace(CARD.segments, **{name: ()})
    assert name not in replace(CARD, segments=segments).to_json()


def test_defaults_are_the_usual_kinetics_input():
    card = ModelCard("x", CARD.architecture, 400)
    assert ModelCard.from_json(card.to_json(), "f") == card
    assert card.input == InputSpec()
    assert card.activation == "softmax"


def test_advice_on_segments_may_be_partial_or_absent():
    partial = ModelCard.from_json(changed(segments={"onset": 0.9}), "f")
    assert partial.segments == SegmentOptions(onset=0.9)
    assert ModelCard.from_json(changed(segments=...), "f").segments == SegmentOptions()


def test_a_card_that_advises_no_stride_gets_the_usual_one():
    old = ModelCard.from_json(changed(input__stride_percent=...), "f")
    assert old.input.stride_percent == 75.0


@pytest.mark.parametrize(
    ("advice", "problem"),
    [
        ({"onset": "high"}, "`segments.onset` must be a number"),
        ({"onset": 0.1, "offset": 0.2}, "`segments`: thresholds must satisfy"),
        ({"instants": "cut"}, "`segments.instants` must be a list"),
        ({"boundaries": "cut"}, "`segments.boundaries` must be a list"),
        ({"onsets": {"cut": 0.3}}, "`segments.onsets` must be a list of objects"),
        ({"onsets": [{"onset": 0.3}]}, "`segments.onsets[0].label` is missing"),
        ({"onsets": [{"label": "cut", "onset": 3}]}, "the onset of 'cut' must be in 0..1"),
        ({"min_durations": {"pan": 1}}, "`segments.min_durations` must be a list of objects"),
        (
            {"min_durations": [{"label": "pan"}]},
            "`segments.min_durations[0].min_duration_seconds` is missing",
        ),
        (
            {"min_durations": [{"label": "pan", "min_duration_seconds": -1}]},
            "the minimum duration of 'pan' must be seconds from 0 up",
        ),
    ],
)
def test_wrong_advice_is_refused(advice, problem):
    with pytest.raises(CheckpointError) as caught:
        ModelCard.from_json(changed(segments=advice), "f")
    assert problem in caught.value.message


def test_unknown_fields_are_ignored():
    assert ModelCard.from_json(changed(later=[1], input__later="x"), "f") == CARD


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": ...}, "`id` is missing"),
        ({"id": 3}, "`id` must be text, got 3"),
        ({"architecture": ...}, "`architecture` is missing"),
        ({"architecture": [1]}, r"`architecture` must be an object, got \[1\]"),
        ({"architecture__depths": "abc"}, r"`architecture\.depths` must be a list of positive"),
        ({"architecture__depths": [2, 0]}, r"`architecture\.depths` must be a list of positive"),
        ({"architecture__depths": [2]}, "`architecture`: stages disagree"),
        ({"architecture__embed_dim": True}, r"`architecture\.embed_dim` must be a whole number"),
        ({"architecture__embed_dim": 15}, "`architecture`: stage 1: 30 channels over 2 heads|15"),
        ({"architecture__window_size": [8, 7]}, r"`architecture\.window_size` must be three"),
        ({"architecture__mlp_ratio": -1}, r"`architecture\.mlp_ratio` must be a positive number"),
        ({"num_classes": -1}, "`num_classes` must be a whole number of 0 or more"),
        ({"labels": ["a", 1]}, "`labels` must be a list of texts"),
        ({"labels": ["a"]}, "got 1 labels, expected 2"),
        ({"labels": ["a", "a"]}, "are both 'a'"),
        ({"input__num_frames": 0}, r"`input\.num_frames` must be a whole number of 1 or more"),
        ({"input__frame_rate": "15"}, r"`input\.frame_rate` must be a positive number"),
        ({"input__frame_rate": float("inf")}, r"`input\.frame_rate` must be a positive number"),
        ({"input__sampling": "random"}, r"`input\.sampling` must be one of dense, uniform"),
        ({"input__mean": [0.5, 0.5]}, r"`input\.mean` must be three numbers"),
        ({"activation": "tanh"}, "`activation` must be one of softmax, sigmoid"),
        ({"dataset": 3}, "`dataset` must be text"),
        ({"provenance__source": ...}, r"`provenance\.source` is missing"),
        ({"notes": "text"}, "`notes` must be a list of texts"),
        ({"schema": "vswin.model/2"}, "got schema 'vswin.model/2', expected 'vswin.model/1'"),
        ({"schema": ...}, "got schema None"),
    ],
)
def test_a_wrong_field_is_named_with_its_file(changes, problem):
    if changes == {"architecture__embed_dim": 15}:
        changes["architecture__num_heads"] = [2, 2]
    with pytest.raises(CheckpointError, match=problem) as caught:
        ModelCard.from_json(changed(**changes), "some/config.json")
    assert caught.value.message.startswith("some/config.json: ")
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '{"model_type": "swin"}'])
def test_other_json_is_refused(text):
    with pytest.raises(CheckpointError, match=r"config\.json: (not JSON|got schema None)"):
        ModelCard.from_json(text, "config.json")


def test_labels_must_be_as_many_as_classes():
    with pytest.raises(LabelsError, match="got 1 labels, expected 2"):
        ModelCard("x", CARD.architecture, 2, labels=("a",))
    with pytest.raises(LabelsError, match="got 3 labels, expected 2"):
        CARD.with_labels(LabelMap("list", ("a", "b", "c")))
    assert CARD.with_labels(LabelMap("list", ("a", "b"))).labels == ("a", "b")


def test_label_hash_is_that_of_the_label_list():
    assert CARD.labels_sha256 == LabelMap("any", CARD.labels).sha256


def test_tagging_needs_a_head_and_labels():
    CARD.check_can_tag()
    with pytest.raises(CheckpointError, match="has no head"):
        ModelCard("x", CARD.architecture, 0).check_can_tag()
    with pytest.raises(LabelsError, match="names of its 2 classes are unknown") as caught:
        ModelCard("x", CARD.architecture, 2).check_can_tag()
    assert "--labels" in str(caught.value.hint)


def test_the_card_needs_no_torch():
    program = "import sys, vswin_cli.models.card; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_repr_names_the_model_and_not_its_labels():
    shown = repr(CARD)
    assert "my-model" in shown
    assert "2 named classes" in shown
    assert "example.org" in shown
    assert "archery" not in shown
    assert len(shown) < 160
