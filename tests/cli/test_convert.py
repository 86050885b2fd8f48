import json
import os

import pytest
import torch

from tests.support.golden import (
    TOLERANCE,
    golden_input,
    golden_network,
    golden_state,
    write_tf_bundle,
)
from tests.support.layout_files import (
    LAYOUT_WRITERS,
    image_swin_file,
    image_swin_state,
    mmaction2_file,
    official_file,
)
from vswin_cli.cli.app import run
from vswin_cli.models.checkpoints.load import build_model, read_checkpoint


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("".join(f"action {i}\n" for i in range(10)))
    return path


@pytest.fixture
def official(tmp_path):
    return official_file(tmp_path / "weights.pth", golden_state("w877"), (8, 7, 7))


def convert(*arguments: object) -> int:
    return run(["convert", *map(str, arguments)])


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    code = convert(*arguments)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    return code, printed.err


@pytest.mark.parametrize("layout", LAYOUT_WRITERS)
def test_each_layout_becomes_our_folder(tmp_path, labels, capsys, layout):
    file = LAYOUT_WRITERS[layout](tmp_path / "in.pth", golden_state("w877"))
    out = tmp_path / "out"
    assert convert(file, out, "--labels", labels) == 0
    assert capsys.readouterr().out == f"{out}\n"
    checkpoint = read_checkpoint(out)
    assert checkpoint.card is not None
    assert checkpoint.card.id == "out"
    assert checkpoint.card.labels[3] == "action 3"
    assert checkpoint.card.provenance.source == str(file)
    assert checkpoint.card.provenance.layout == layout
    assert str(checkpoint.card.provenance.converted_by).startswith("vswin ")
    expected = golden_state("w877")
    assert all(torch.equal(checkpoint.state[name], expected[name]) for name in expected)


@pytest.mark.slow
def test_a_tensorflow_folder_becomes_a_model_with_tensorflow_s_logits(tmp_path, labels):
    write_tf_bundle(tmp_path / "saved" / "variables")
    assert convert(tmp_path / "saved", tmp_path / "out", "--labels", labels, "-q") == 0
    checkpoint = read_checkpoint(tmp_path / "out")
    assert checkpoint.card is not None
    model = build_model(checkpoint, checkpoint.card)
    (case,) = golden_network("tf").cheapest(1)
    with torch.inference_mode():
        logits = model.network(golden_input(case.size))[0]
    torch.testing.assert_close(logits, case.logits, atol=TOLERANCE, rtol=0)


def test_all_layouts_become_the_same_bytes(tmp_path, labels):
    for layout, write in LAYOUT_WRITERS.items():
        file = write(tmp_path / f"{layout}.pth", golden_state("w877"))
        convert(file, tmp_path / layout, "--labels", labels, "-q")
    weights = {(tmp_path / layout / "model.safetensors").read_bytes() for layout in LAYOUT_WRITERS}
    assert len(weights) == 1


@pytest.mark.slow
def test_name_and_input_can_be_given(tmp_path, official, labels):
    options = ["--labels", labels, "--name", "mine", "--num-frames", 16, "--fps", 7.5]
    assert convert(official, tmp_path / "out", *options) == 0
    card = read_checkpoint(tmp_path / "out").card
    assert card is not None
    assert (card.id, card.input.num_frames, card.input.frame_rate) == ("mine", 16, 7.5)


@pytest.mark.slow
def test_our_own_folder_can_get_other_labels(tmp_path, official, labels):
    assert convert(official, tmp_path / "a") == 0
    assert convert(tmp_path / "a", tmp_path / "b", "--labels", labels) == 0
    assert json.loads((tmp_path / "a" / "config.json").read_text())["labels"] == []
    assert len(json.loads((tmp_path / "b" / "config.json").read_text())["labels"]) == 10


def test_missing_labels_are_mentioned(tmp_path, official, capsys):
    assert convert(official, tmp_path / "out") == 0
    assert "10 classes without names" in capsys.readouterr().err


@pytest.mark.parametrize("image_window", [7, 12])
def test_an_image_swin_is_inflated_to_a_start_without_head(tmp_path, capsys, image_window):
    file = image_swin_file(tmp_path / "in.pth", image_swin_state(image_window))
    assert convert(file, tmp_path / "out", "--inflate", "--window", "16,7,7") == 0
    assert "no head" in capsys.readouterr().err
    checkpoint = read_checkpoint(tmp_path / "out")
    assert checkpoint.architecture.window_size == (16, 7, 7)
    assert checkpoint.num_classes == 0


def test_an_image_swin_without_inflate_is_refused(tmp_path, capsys):
    file = image_swin_file(tmp_path / "in.pth", image_swin_state(7))
    code, text = refused(capsys, file, tmp_path / "out")
    assert code == 5
    assert "2D Swin Transformer for images" in text
    assert "vswin convert --inflate" in text


def test_an_inflated_model_cannot_tag(tmp_path, capsys):
    file = image_swin_file(tmp_path / "in.pth", image_swin_state(7))
    convert(file, tmp_path / "out", "--inflate", "-q")
    capsys.readouterr()
    (tmp_path / "a.mp4").write_bytes(b"")
    assert run(["tag", str(tmp_path / "a.mp4"), "--weights", str(tmp_path / "out")]) == 5
    assert "the network has no head" in capsys.readouterr().err


def test_a_video_network_with_inflate_is_refused(tmp_path, official, capsys):
    code, text = refused(capsys, official, tmp_path / "out", "--inflate")
    assert code == 5
    assert "only a 2D image Swin can be inflated" in text


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--window", "8,7,7"], "belongs to `--inflate`"),
        (["--inflate", "--window", "8x7x7"], "cannot read the window '8x7x7'"),
        (["--inflate", "--window", "8,0,0"], "cannot read the window"),
        (["--inflate", "--labels", "kinetics-400"], "an inflated network has no head"),
        (["--fps", "0"], "frames per second must be in (0, 1000], got 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path, official, capsys, options, problem):
    code, text = refused(capsys, official, tmp_path / "out", *options)
    assert code == 2
    assert problem in text


@pytest.mark.slow
@pytest.mark.parametrize("source", ["kinetics-400", "file"])
def test_labels_of_another_width_are_refused(tmp_path, official, capsys, source):
    (tmp_path / "two.txt").write_text("a\nb\n")
    labels = tmp_path / "two.txt" if source == "file" else source
    code, text = refused(capsys, official, tmp_path / "out", "--labels", labels)
    assert code == 5
    assert "expected 10" in text


@pytest.mark.slow
def test_an_existing_folder_is_kept_unless_forced(tmp_path, official, labels, capsys):
    convert(official, tmp_path / "out", "-q")
    capsys.readouterr()
    code, text = refused(capsys, official, tmp_path / "out", "--labels", labels)
    assert code == 8
    assert "--force" in text
    assert convert(official, tmp_path / "out", "--labels", labels, "--force") == 0


def test_a_foreign_folder_is_kept_even_if_forced(tmp_path, official, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "photo.jpg").write_bytes(b"x")
    code, text = refused(capsys, official, tmp_path / "out", "--force")
    assert code == 8
    assert "not a model folder" in text
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["photo.jpg"]


@pytest.mark.parametrize(
    ("card", "others"),
    [
        ('{"model_type": "bert"}', ["model.safetensors"]),
        ('{"schema": "vswin.model/1"}', ["model.safetensors", "notes.txt"]),
        ("{ // mine", []),
    ],
    ids=["of-another-program", "with-notes", "alone"],
)
def test_a_folder_that_holds_more_than_a_model_is_kept_even_if_forced(
    tmp_path, official, capsys, card, others
):
    out = tmp_path / "out"
    out.mkdir()
    (out / "config.json").write_text(card)
    for name in others:
        (out / name).write_bytes(b"x")
    code, text = refused(capsys, official, out, "--force")
    assert code == 8
    assert "not a model folder" in text
    assert {path.name for path in out.iterdir()} == {"config.json", *others}


@pytest.mark.slow
def test_a_checkpoint_inside_the_folder_to_be_replaced_is_kept(tmp_path, official, capsys):
    out = tmp_path / "out"
    assert convert(official, out, "-q") == 0
    before = (out / "model.safetensors").read_bytes()
    capsys.readouterr()
    for source in (out, out / "model.safetensors", tmp_path / "x" / ".." / "out"):
        (tmp_path / "x").mkdir(exist_ok=True)
        code, text = refused(capsys, source, out, "--force", "--num-frames", 16)
        assert code == 2
        assert "which is to be replaced" in text
    assert (out / "model.safetensors").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("card", ["{", None], ids=["damaged", "whole"])
def test_a_damaged_model_gives_way_to_a_forced_one(tmp_path, official, card):
    assert convert(official, tmp_path / "out", "-q") == 0
    if card is not None:
        (tmp_path / "out" / "config.json").write_text(card)
    assert convert(official, tmp_path / "out", "-q", "--force") == 0
    assert read_checkpoint(tmp_path / "out").card is not None


class Attack:
    """Runs a command when it is unpickled by anything less careful."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.target}",)


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path, capsys):
    meta = {"hidden": Attack(str(tmp_path / "attacked"))}
    file = mmaction2_file(tmp_path / "in.pth", golden_state("w877"), meta=meta)
    code, text = refused(capsys, file, tmp_path / "out")
    assert code == 5
    assert ".system` while loading" in text
    assert not (tmp_path / "attacked").exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "is empty"), (b"hello", "unknown data"), (None, "no such file")],
)
def test_what_is_no_checkpoint_is_refused(tmp_path, capsys, content, problem):
    file = tmp_path / "in.pth"
    if content is not None:
        file.write_bytes(content)
    code, text = refused(capsys, file, tmp_path / "out")
    assert code == 5
    assert problem in text


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        (("--fps", "nan"), "frames per second must be in (0, 1000], got nan"),
        (("--fps", "inf"), "got inf"),
        (("--fps", "1e9"), "got 1e+09"),
        (("--num-frames", "7"), "a clip must have an even number of frames, got 7"),
    ],
)
def test_an_input_that_could_never_tag_is_refused(tmp_path, official, capsys, option, complaint):
    code, text = refused(capsys, official, tmp_path / "out", *option)
    assert code == 2
    assert complaint in text
    assert "hint: leave --" in text
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_raw_or_averaged_weights_can_be_chosen(tmp_path, official, labels, capsys):
    raw = torch.load(official)["state_dict"]
    average = {name: t + 1 if t.is_floating_point() else t for name, t in raw.items()}
    both = tmp_path / "both.pth"
    torch.save({"state_dict": raw, "state_dict_ema": average}, both)
    found = {}
    for name, option in (("default", []), ("raw", ["--no-ema"]), ("average", ["--ema"])):
        assert convert(both, tmp_path / name, "--labels", labels, *option) == 0
        found[name] = read_checkpoint(tmp_path / name).state["norm.bias"]
    assert "--ema takes state_dict_ema" in capsys.readouterr().err
    assert torch.equal(found["default"], found["raw"])
    assert torch.equal(found["average"], found["raw"] + 1)
    code, error = refused(capsys, official, tmp_path / "no", "--ema")
    assert code == 5
    assert "no averaged weights" in error


@pytest.mark.parametrize(
    "command", ["tag video.mp4", "evaluate topk x.csv", "evaluate windows x.csv"]
)
def test_ema_is_refused_where_no_checkpoint_is_given(capsys, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("path,label\n")
    assert run([*command.split(), "--ema"]) == 2
    assert "belong to --weights" in capsys.readouterr().err
    assert run([*command.split(), "--model", "swin-t-k400", "--no-ema"]) == 2
    assert "`vswin download --ema`" in capsys.readouterr().err
