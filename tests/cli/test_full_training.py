import json

import pytest

from tests.support.moving_squares import write_table
from vswin_cli.cli.app import run


@pytest.fixture(scope="module")
def squares(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("squares"), 4)


def train(*arguments: object) -> int:
    return run(["train", *map(str, arguments)])


@pytest.mark.slow
def test_a_whole_network_is_trained_and_tags(squares, tmp_path, capfd):
    model = tmp_path / "mine"
    options = ("--full", "--epochs", 2, "--clips-per-step", 3, "--batch-size", 2, "--held-out", 0.5)
    assert train(squares, "-o", model, *options) == 0
    out, err = capfd.readouterr()
    assert out == f"{model}\n"
    assert "All weights fine-tuned from camera-motion, trained on 8 examples of 8 videos" in err
    assert "Accuracy on 4 held-out examples" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"]  # no state is left
    record = json.loads((model / "training.json").read_text())
    assert record["method"] == "full"
    assert record["options"]["steps"] == "2"
    assert {each["side"] for each in record["examples"]} == {"train", "held-out"}
    assert run(["tag", str(squares.parent / "up-0.mp4"), "--model", str(model), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["model"]["id"] == "mine"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--epochs", 3), "`--epochs` belongs to `--full`"),
        (("--no-flip",), "`--flip` belongs to `--full`"),
        (("--full", "--head"), "exclude each other"),
        (("--full", "--drop-path", 1), "drop_path must be in [0, 1)"),
        (("--full", "--precision", "float16"), "cannot be trained in float16"),
    ],
)
def test_options_that_do_not_fit_are_refused(squares, tmp_path, capfd, options, message):
    assert train(squares, "-o", tmp_path / "mine", *options) == 2
    assert message in capfd.readouterr().err
    assert not (tmp_path / "mine").exists()
