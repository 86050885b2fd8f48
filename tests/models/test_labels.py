"""Label lists: the bundled ones by hash, a user's in every accepted form, and what is refused."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files

import pytest

from vswin_cli.errors import LabelsError
from vswin_cli.models.labels import LabelMap, bundled_label_sets

COUNTS = {
    "kinetics-400": 400,
    "kinetics-600": 600,
    "kinetics-700": 700,
    "kinetics-710": 710,
    "something-something-v2": 174,
}


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_bundled_list_has_every_class_once(name, count):
    labels = LabelMap.bundled(name)
    assert len(labels) == len(set(labels.names)) == count
    assert labels.source == name


def test_bundled_sets_are_all_tested():
    assert set(bundled_label_sets()) == set(COUNTS)


def test_bundled_hash_is_that_of_the_file():
    content = (files("vswin_cli") / "data" / "labels" / "k600.txt").read_bytes()
    assert LabelMap.bundled("kinetics-600").sha256 == hashlib.sha256(content).hexdigest()


def test_bundled_lists_have_the_published_order():
    k400, k600 = LabelMap.bundled("kinetics-400"), LabelMap.bundled("kinetics-600")
    assert k400.names[0] == "abseiling"
    assert k400.names[5] == "archery"
    assert k400.names[399] == "zumba"
    assert k600.names[598] == "yoga"
    assert LabelMap.bundled("something-something-v2").names[0].startswith("Approaching")


def test_kinetics_600_keeps_its_two_spellings_of_american_football():
    names = LabelMap.bundled("kinetics-600").names
    assert "passing American football (in game)" in names
    assert "passing american football (not in game)" in names


def test_kinetics_710_is_not_alphabetical():
    names = LabelMap.bundled("kinetics-710").names
    assert names != tuple(sorted(names))
    assert names[0] == "abseiling"


def test_something_something_keeps_labels_with_commas_whole():
    assert any("," in name for name in LabelMap.bundled("something-something-v2").names)


def test_unknown_bundled_list_names_the_existing_ones():
    with pytest.raises(LabelsError) as caught:
        LabelMap.bundled("kinetics-9000")
    assert "kinetics-9000" in caught.value.message
    assert "kinetics-600" in str(caught.value.hint)


def test_damaged_bundled_list_is_refused(monkeypatch, tmp_path):
    folder = tmp_path / "data" / "labels"
    folder.mkdir(parents=True)
    good = (files("vswin_cli") / "data" / "labels" / "k400.txt").read_bytes()
    (folder / "k400.txt").write_bytes(good.replace(b"yoga", b"joga"))
    monkeypatch.setattr("vswin_cli.models.labels.files", lambda _package: tmp_path)
    with pytest.raises(LabelsError, match="not the published list"):
        LabelMap.bundled("kinetics-400")


def test_missing_file_and_folder_and_binary_fail_clearly(tmp_path):
    (tmp_path / "weights.txt").write_bytes(b"\xff\xfe\x00\x81")
    for path, message in (
        (tmp_path / "absent.txt", "no such label file"),
        (tmp_path, "cannot be read"),
        (tmp_path / "weights.txt", "not UTF-8"),
    ):
        with pytest.raises(LabelsError, match=message):
            LabelMap.from_file(path)


def test_width_that_fits_passes():
    LabelMap("mine", ("a", "b")).check_width(2, "w.pth")


def test_wrong_width_states_got_expected_and_a_list_that_fits():
    with pytest.raises(LabelsError) as caught:
        LabelMap("mine.txt", ("a", "b")).check_width(600, "w.pth")
    assert "mine.txt: got 2 labels, expected 600" in caught.value.message
    assert "w.pth" in caught.value.message
    assert "kinetics-600" in str(caught.value.hint)


def test_search_ignores_case_and_keeps_indices():
    found = LabelMap.bundled("kinetics-600").search("AMERICAN football")
    assert found
    names = LabelMap.bundled("kinetics-600").names
    assert all(names[index] == name for index, name in found)


def test_hash_depends_on_order():
    assert LabelMap("a", ("x", "y")).sha256 == LabelMap("b", ("x", "y")).sha256
    assert LabelMap("a", ("x", "y")).sha256 != LabelMap("a", ("y", "x")).sha256


def test_own_listing_reads_back(tmp_path):
    labels = LabelMap.bundled("kinetics-710")
    path = tmp_path / "k710.tsv"
    path.write_text("".join(f"{i}\t{n}\n" for i, n in enumerate(labels.names)), encoding="utf-8")
    assert LabelMap.from_file(path).names == labels.names
    path = tmp_path / "k710.json"
    path.write_text(json.dumps(list(labels.names)), encoding="utf-8")
    assert LabelMap.from_file(path).sha256 == labels.sha256


def test_repr_shows_source_length_and_first_labels():
    shown = repr(LabelMap.bundled("kinetics-400"))
    assert shown.startswith("LabelMap('kinetics-400', 400 labels: 'abseiling', ")
    assert len(shown) < 120
    assert repr(LabelMap("mine", ("a", "b"))) == "LabelMap('mine', 2 labels: 'a', 'b')"


def test_lists_compare_and_hash_by_content():
    assert LabelMap("x", ("a", "b")) == LabelMap("x", ("a", "b"))
    assert LabelMap("x", ("a", "b")) != LabelMap("x", ("b", "a"))
    assert len({LabelMap("x", ("a",)), LabelMap("x", ("a",))}) == 1


def test_a_list_of_gigabytes_is_not_read(tmp_path):
    path = tmp_path / "labels.txt"
    with path.open("wb") as file:
        file.truncate(1 << 33)
    with pytest.raises(LabelsError, match="too large"):
        LabelMap.from_file(path)


def test_labels_are_given_as_a_list():
    labels = LabelMap.of(["walk", "run"])
    assert labels.names == tuple(labels) == ("walk", "run")
    assert labels[1] == "run"
    for wrong in ("walk", 3, ["walk", 3], [], ["a", "a"]):
        with pytest.raises(LabelsError):
            LabelMap.of(wrong)
