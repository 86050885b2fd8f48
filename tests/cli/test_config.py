import json
import re

import pytest

from vswin_cli.cli.app import run
from vswin_cli.cli.config import options_by_key
from vswin_cli.storage.user_config import SETTINGS, read_settings, settings_path


@pytest.fixture(autouse=True)
def own_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


# Options that name what one run reads or writes, or a part of it.
OF_ONE_RUN = {
    "out", "report", "save-scores", "save-features", "weights", "labels", "ema", "start", "end",
    "timecode-start", "excel", "shard", "merge", "watch", "live", "help",
}  # fmt: skip


def test_every_default_of_tag_and_batch_can_be_set(capfd):
    for command in ("tag", "batch"):
        assert run([command, "--help"]) == 0
        named = set(re.findall(r"[│|] *\*? *--([a-z][a-z-]+)", capfd.readouterr().out))
        assert len(named) > 30
        assert named - OF_ONE_RUN <= set(SETTINGS)
        assert not OF_ONE_RUN & set(SETTINGS)
    assert list(options_by_key()) == list(SETTINGS)


def test_a_value_is_set_shown_and_removed(capfd):
    assert run(["config", "set", "min-duration", "2"]) == 0
    assert run(["config", "set", "exclude", "static", "pan-*"]) == 0
    assert run(["config", "set", "retry-failed", "yes"]) == 0
    assert run(["config", "show", "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert shown["path"] == str(settings_path())
    set_values = {key: value for key, value in shown["settings"].items() if value is not None}
    assert set_values == {
        "min-duration": 2.0,
        "exclude": ["static", "pan-*"],
        "retry-failed": True,
    }
    assert run(["config", "show"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(SETTINGS)
    assert "min-duration    2.0" in lines
    assert "retry-failed    true  [batch only]" in lines
    assert "merge-gap       (set by the weights)" in lines
    assert run(["config", "unset", "exclude"]) == 0
    assert "exclude" not in read_settings()
    assert run(["config", "unset", "exclude"]) == 2
    assert "is not set" in capfd.readouterr().err


def test_the_path_is_printed_alone(capfd):
    assert run(["config", "path"]) == 0
    assert capfd.readouterr().out == f"{settings_path()}\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["min_duraton", "2"], "did you mean `min-duration`?"),
        (["colour", "red"], "possible keys: model, fps"),
        (["out", "x.csv"], "unknown key `out`"),
        (["crops", "1.5"], "`crops` cannot be '1.5'"),
        (["batch-size", "0"], "`batch-size` cannot be '0'"),
        (["stride", "50x"], "cannot read the stride '50x'"),
        (["stride", "1s", "2s"], "`stride` takes one value, got 2"),
        (["onset", "1.5"], "thresholds must satisfy"),
        (["device", "gpu"], "unknown device 'gpu'"),
        (["workers", "many"], "cannot read --workers 'many'"),
        (["timeout", "soon"], "'soon'"),
        (["quiet", "perhaps"], "`quiet` cannot be 'perhaps'"),
        (["format", "mp3"], "no format `mp3`"),
    ],
)
def test_a_value_that_no_run_could_take_is_refused(arguments, named, capfd):
    assert run(["config", "set", *arguments]) == 2
    assert named in capfd.readouterr().err
    assert not settings_path().exists()


def test_values_that_contradict_each_other_are_refused(capfd):
    assert run(["config", "set", "onset", "0.4"]) == 0
    assert run(["config", "set", "offset", "0.6"]) == 2
    assert "offset <= onset" in capfd.readouterr().err
    assert read_settings() == {"onset": 0.4}


def test_the_model_is_checked_as_by_models_default(capfd):
    assert run(["config", "set", "model", "swin-b-k60"]) == 5
    assert run(["config", "set", "model", "swin-b-k600"]) == 0
    assert run(["models", "default"]) == 0
    assert capfd.readouterr().out == "swin-b-k600\n"


def test_an_unknown_key_in_the_file_can_be_removed(capfd):
    settings_path().parent.mkdir()
    settings_path().write_text("colour = 'red'  # mine\nonset = 0.3\n")
    assert run(["config", "show"]) == 2
    assert "unknown key `colour`" in capfd.readouterr().err
    assert run(["config", "unset", "colour"]) == 0
    assert settings_path().read_text() == "onset = 0.3\n"
