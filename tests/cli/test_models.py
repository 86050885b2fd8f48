"""`vswin models` and `vswin labels` as a user sees them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.support.golden import golden_network, golden_state
from vswin_cli.cli.app import run
from vswin_cli.models.card import ModelCard
from vswin_cli.models.labels import LabelMap, bundled_label_sets
from vswin_cli.models.weights.registry import all_specs, get_spec
from vswin_cli.models.weights.store import model_folder, remember_commit
from vswin_cli.storage.user_config import set_default_model


@pytest.fixture(autouse=True)
def _empty_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("VSWIN_CACHE", str(tmp_path / "vswin"))


def install(name: str, labels: tuple[str, ...] = tuple("abcdefghij")) -> ModelCard:
    from vswin_cli.models.checkpoints.load import save_model

    network = golden_network("w877")
    card = ModelCard(name, network.architecture, network.num_classes, labels, dataset="ten")
    save_model(model_folder(name), golden_state("w877"), card)
    return card


def read(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(list(arguments)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_list_has_a_row_for_every_name(capsys):
    out = read(capsys, "models")
    assert out == read(capsys, "models", "list")
    header, *rows = out.splitlines()
    titles = ["name", "dataset", "classes", "params", "top-1", "download", "installed"]
    assert header.split() == titles
    names = ["camera-motion", *(spec.name for spec in all_specs())]
    assert [row.split()[0] for row in rows] == names
    assert " 400 " in rows[1]
    assert "28.2 M" in rows[1]
    assert "78.8" in rows[1]
    assert "113 MB" in rows[1]
    assert not rows[1].rstrip().endswith("yes")


def test_json_in_the_wrong_place_is_not_passed_over(capsys):
    assert run(["models", "--json", "list"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "--json comes after `list`" in err


def test_list_marks_the_default(capsys):
    def marked() -> list[str]:
        rows = read(capsys, "models").splitlines()
        document = json.loads(read(capsys, "models", "--json"))
        names = [one["name"] for one in document["models"] if one["default"]]
        names += [one["card"]["id"] for one in document["others"] if one["default"]]
        (row,) = [row for row in rows if "default" in row]
        assert names == [row.split()[0]]
        return row.split()

    assert marked()[-2:] == ["yes,", "default"]
    set_default_model("swin-s-k400")
    assert marked()[0] == "swin-s-k400"
    assert marked()[-1] == "default"
    install("swin-s-k400")
    assert marked()[-2:] == ["yes,", "default"]
    card = install("user/repo@" + "c" * 40)
    remember_commit("hf://user/repo", "c" * 40)
    set_default_model("user/repo")
    assert marked()[0] == card.id


@pytest.mark.parametrize("width", [50, 75, 80])
def test_no_number_is_cut_on_a_narrow_terminal(monkeypatch, capsys, width):
    monkeypatch.setattr("vswin_cli.cli.console.stdout_is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "dumb")
    lines = read(capsys, "models").splitlines()
    assert max(map(len, lines)) <= max(width, 75)
    tiny = next(line for line in lines if line.startswith("swin-b-k400-in1k"))
    assert tiny.split()[-5:] == ["88.0", "M", "80.6", "352", "MB"]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_list_fits_the_terminal(monkeypatch, capsys, width):
    monkeypatch.setattr("vswin_cli.cli.console.stdout_is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "dumb")
    lines = read(capsys, "models").splitlines()
    assert max(map(len, lines)) <= width
    assert ("dataset" in lines[0]) == (width >= 80)
    assert "default" in lines[1]
    assert len({line.split()[0] for line in lines[1:]}) == len(all_specs()) + 1


def test_list_marks_what_is_here_and_shows_other_weights(capsys):
    install("swin-t-k400")
    install("user/repo@" + "c" * 40)
    rows = read(capsys, "models").splitlines()
    assert rows[2].rstrip().endswith("yes")
    assert rows[-1].startswith("user/repo@ccc")
    assert rows[-1].rstrip().endswith("yes")


def test_damaged_card_does_not_hide_the_others(capsys):
    install("one")
    install("two")
    (model_folder("one") / "config.json").write_text("{")
    rows = read(capsys, "models").splitlines()
    assert rows[-1].startswith("two")
    assert not any(row.startswith("one") for row in rows)


def test_list_as_json_holds_the_whole_table(capsys):
    install("swin-t-k400")
    install("other")
    body = json.loads(read(capsys, "models", "--json"))
    assert body == json.loads(read(capsys, "models", "list", "--json"))
    assert body["schema"] == "vswin.models/1"
    tiny = body["models"][0]
    assert tiny["parameters"] == 28_158_070
    assert tiny["folder"] == str(model_folder("swin-t-k400"))
    assert body["models"][1]["folder"] is None
    assert tiny["sources"][1]["files"][0]["sha256"]["hex"].startswith("9950e3be")
    assert tiny["accuracy"][0]["protocol"]
    assert [other["card"]["id"] for other in body["others"]] == ["camera-motion", "other"]


@pytest.mark.parametrize("spec", all_specs(), ids=lambda spec: spec.name)
def test_card_of_every_name_prints(capsys, spec):
    out = read(capsys, "models", "show", spec.name)
    assert spec.name in out
    assert f"{spec.parameters:,}" in out
    assert spec.licence in out
    for result in spec.accuracy:
        assert result.protocol in out
    for source in spec.sources:
        assert source.uri in out
    assert f"`vswin download {spec.name}`" in out


def test_card_states_how_something_something_is_sampled(capsys):
    assert "spread over the clip" in read(capsys, "models", "show", "swin-b-ssv2")


def test_card_as_json_names_the_folder(capsys):
    install("swin-t-k400")
    body = json.loads(read(capsys, "models", "show", "swin-t-k400", "--json"))
    assert body["name"] == "swin-t-k400"
    assert body["folder"] == str(model_folder("swin-t-k400"))
    assert body["sources"][0]["uri"].startswith("hf://innat/videoswin/")


def test_card_of_an_unknown_name_suggests(capsys):
    assert run(["models", "show", "swin-t-k4000"]) == 5
    out, err = capsys.readouterr()
    assert out == ""
    assert "did you mean swin-t-k400" in err


def test_card_of_weights_that_are_in_no_table_prints_where_they_are_here(capsys, tmp_path):
    card = install("user/repo@" + "c" * 40)
    remember_commit("hf://user/repo", "c" * 40)
    for name in ("user/repo", str(model_folder(card.id))):
        assert f"name         {card.id}" in read(capsys, "models", "show", name)
        assert json.loads(read(capsys, "models", "show", name, "--json"))["id"] == card.id


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        (
            "user/other",
            "user/other is not downloaded yet",
            "`vswin download user/other` fetches both",
        ),
        ("./none", "none: no such file", "check the path"),
        ("./weights.pth", "not a folder in vswin's format, so it has no card", "`vswin convert`"),
    ],
)
def test_what_has_no_card_says_why(capsys, tmp_path, monkeypatch, name, message, hint):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.pth").write_bytes(b"x")
    assert run(["models", "show", name]) == 5
    err = capsys.readouterr().err
    assert message in err
    assert hint in err


def test_labels_are_numbered_lines(capsys):
    lines = read(capsys, "labels", "swin-b-k600").splitlines()
    assert lines[0] == "0\tabseiling"
    assert len(lines) == 600
    expected = LabelMap.bundled(get_spec("swin-b-k600").labels).names
    assert tuple(line.split("\t")[1] for line in lines) == expected


def test_labels_can_be_searched(capsys):
    out = read(capsys, "labels", "swin-b-k600", "--grep", "AMERICAN")
    assert len(out.splitlines()) == 3
    assert "308\tpassing American football (in game)" in out


def test_labels_as_json(capsys):
    body = json.loads(read(capsys, "labels", "kinetics-400", "--grep", "yoga", "--json"))
    assert body == [{"class_id": 398, "label": "yoga"}]


def test_search_without_a_hit_says_so_on_stderr(capsys):
    assert run(["labels", "kinetics-400", "--grep", "zebra crossing"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "no label of kinetics-400 contains 'zebra crossing'" in err


def test_labels_of_a_file_and_of_a_model_folder(capsys, tmp_path):
    (tmp_path / "mine.txt").write_text("walk\nrun\n")
    assert read(capsys, "labels", str(tmp_path / "mine.txt")) == "0\twalk\n1\trun\n"
    install("ten")
    assert read(capsys, "labels", str(model_folder("ten"))).startswith("0\ta\n1\tb\n")


def test_labels_of_nothing_known_fails(capsys):
    assert run(["labels", "kinetics-40"]) == 5
    said = capsys.readouterr().err
    assert "no weights or label list is called 'kinetics-40'" in said
    assert "did you mean kinetics-400" in said
    assert run(["labels", "zebra"]) == 5
    said = capsys.readouterr().err
    assert all(name in said for name in bundled_label_sets())
    assert run(["labels", "mine.txt"]) == 5
    assert "mine.txt: no such label file" in capsys.readouterr().err


def test_weights_without_labels_say_so(capsys):
    card = install("unnamed", ())
    assert replace(card, labels=()) == card
    assert run(["labels", str(model_folder("unnamed"))]) == 5
    assert "its 10 classes have no names" in capsys.readouterr().err
