"""Cards of weights that have none: from published weights of the same shape, or bare."""

from pathlib import Path

import pytest

from vswin_cli.models.card import Provenance
from vswin_cli.models.checkpoints.load import Checkpoint
from vswin_cli.models.labels import LabelMap
from vswin_cli.models.weights.hub import FetchedFile
from vswin_cli.models.weights.new_card import (
    card_of_spec,
    card_of_unknown,
    provenance_of,
    provenance_of_file,
    without_revision,
)
from vswin_cli.models.weights.registry import get_spec


@pytest.fixture
def spec():
    return get_spec("swin-t-k400")


def checkpoint(spec, num_classes=None) -> Checkpoint:
    classes = spec.num_classes if num_classes is None else num_classes
    return Checkpoint(Path("mine.pth"), "authors", {}, spec.architecture, classes)


def test_published_weights_have_the_card_of_what_is_known_about_them(spec):
    card = card_of_spec(spec, spec.sources[0], Provenance("uri"))
    assert (card.id, card.num_classes, len(card.labels)) == ("swin-t-k400", 400, 400)
    assert (card.input, card.dataset) == (spec.input, spec.dataset)
    assert card.licence == spec.sources[0].licence


def test_unknown_weights_borrow_labels_and_input_of_the_same_shape(spec):
    card = card_of_unknown("mine", checkpoint(spec), Provenance("mine.pth"))
    assert card.input == spec.input
    assert len(card.labels) == 400
    assert "which has the same shape" in card.notes[0]


def test_labels_that_are_given_are_not_borrowed(spec):
    names = LabelMap("mine", tuple(f"name {i}" for i in range(400)))
    card = card_of_unknown("mine", checkpoint(spec), Provenance("mine.pth"), names)
    assert card.labels[3] == "name 3"
    assert card.notes[0].startswith("Input is that of")


def test_another_shape_has_no_names_and_the_usual_input(spec):
    card = card_of_unknown("mine", checkpoint(spec, 17), Provenance("mine.pth"))
    assert (card.labels, card.num_classes, card.notes) == ((), 17, ())


def test_the_largest_file_with_its_commit_is_where_tensors_come_from(spec):
    small = FetchedFile(Path("c.json"), "0" * 64, 10, "hf://user/repo/c.json", "abc")
    large = FetchedFile(Path("m.bin"), "1" * 64, 99, "hf://user/repo@main/m.bin", "abc")
    found = provenance_of(checkpoint(spec), (small, large))
    assert (found.source, found.source_sha256) == ("hf://user/repo@abc/m.bin", "1" * 64)
    web = FetchedFile(Path("m.bin"), "1" * 64, 99, "https://host/m.bin", None)
    assert provenance_of(checkpoint(spec), (web,)).source == "https://host/m.bin"


def test_a_file_that_is_used_where_it_lies_is_hashed_and_a_folder_is_not(spec, tmp_path):
    (tmp_path / "m.pth").write_bytes(b"tensors")
    assert provenance_of_file(tmp_path / "m.pth", checkpoint(spec)).source_sha256
    assert provenance_of_file(tmp_path, checkpoint(spec)).source_sha256 is None


def test_only_addresses_on_the_hub_have_a_revision():
    assert without_revision("hf://user/repo@v1.0/a/b.bin") == "hf://user/repo/a/b.bin"
    assert without_revision("hf://user/repo/b@c.bin") == "hf://user/repo/b@c.bin"
    assert without_revision("https://me@host/b.bin") == "https://me@host/b.bin"
