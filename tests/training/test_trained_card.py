"""The classes of a training run, and the card of its result."""

import pytest

from vswin_cli.errors import OptionError
from vswin_cli.models.architecture import Architecture
from vswin_cli.models.card import ModelCard
from vswin_cli.storage.sources import VideoSource
from vswin_cli.training.record import TrainingRecord
from vswin_cli.training.records import Example, ExampleSet
from vswin_cli.training.trained_card import classes_of, trained_card, usable_examples

BASE = ModelCard("base", Architecture("swin3d_tiny", 96, (2, 2, 6, 2), (3, 6, 12, 24)), 400)


def example(name, *labels, start=None, end=None):
    return Example(VideoSource.of(name), labels, start, end)


def record(method, *labels):
    return TrainingRecord(method, "base", "f" * 64, labels, 0, (), (), notes=("few examples",))


def test_parts_with_several_labels_are_left_out_unless_these_may_hold_at_once():
    found = ExampleSet((example("a", "cat"), example("b", "cat", "dog")))
    assert usable_examples(found, multi_label=True) == (found.examples, ())
    usable, (note,) = usable_examples(found, multi_label=False)
    assert usable == found.examples[:1]
    assert note.startswith("1 part with several labels at once left out")
    with pytest.raises(OptionError, match="every example has several labels"):
        usable_examples(ExampleSet(found.examples[1:]), multi_label=False)


def test_background_is_a_class_only_where_one_class_holds():
    examples = [example("a", "cat"), example("b")]
    assert classes_of(("cat",), examples, multi_label=False) == ("cat", "background")
    assert classes_of(("cat",), examples, multi_label=True) == ("cat",)
    assert classes_of(("cat",), examples[:1], multi_label=False) == ("cat",)


def test_a_card_says_what_was_trained_on_what():
    examples = [example("a", "cat", start=0.0, end=2.0), example("b", "dog")]
    card = trained_card(BASE, record("head", "cat", "dog"), examples, "mine", "softmax", 0.4)
    assert (card.id, card.labels, card.num_classes) == ("mine", ("cat", "dog"), 2)
    assert card.dataset == "2 examples of 2 videos"
    assert card.provenance.source == "vswin train --head on base"
    assert card.segments.onset == 0.4
    assert "Few examples." in card.notes
    assert any("onset 0.4" in note for note in card.notes)


def test_only_a_head_keeps_the_features_of_its_base():
    examples = [example("a", "cat"), example("b", "dog")]
    head = trained_card(BASE, record("head", "cat", "dog"), examples, "m", "softmax", None)
    full = trained_card(BASE, record("full", "cat", "dog"), examples, "m", "softmax", None)
    assert head.features_sha256 == "f" * 64
    assert full.features_sha256 is None
