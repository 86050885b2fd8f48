import sys
from pathlib import Path

import pytest

from vswin_cli.cli.app import run
from vswin_cli.errors import OptionError
from vswin_cli.settings import default_model, set_default_model, settings_path


@pytest.fixture(autouse=True)
def own_settings(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path: Path = tmp_path / "vswin" / "config.toml"
    return path


def test_without_a_file_nothing_is_settled(own_settings):
    assert settings_path() == own_settings
    assert default_model() is None


def test_a_settled_model_is_found_again_and_the_rest_stays(own_settings):
    own_settings.parent.mkdir()
    own_settings.write_text('# mine\nother = 3\n[table]\nmodel_size = "x"\n')
    set_default_model('a "quoted" name')
    set_default_model("swin-t-k400")
    assert default_model() == "swin-t-k400"
    text = own_settings.read_text()
    assert text.count("swin-t-k400") == 1
    assert "# mine\nother = 3\n[table]\n" in text


@pytest.mark.parametrize("content", ["model = \n", "model = 3\n", "\xff"])
def test_an_unreadable_file_is_named_and_kept(own_settings, content):
    own_settings.parent.mkdir()
    own_settings.write_bytes(content.encode("latin-1"))
    with pytest.raises(OptionError, match=r"config\.toml"):
        default_model()
    if content != "model = 3\n":
        with pytest.raises(OptionError):
            set_default_model("x")
        assert own_settings.read_bytes() == content.encode("latin-1")


def test_the_command_shows_and_sets_the_default(own_settings, capfd):
    assert run(["models", "default"]) == 0
    assert capfd.readouterr().out == "camera-motion\n"
    assert run(["models", "default", "swin-b-k600"]) == 0
    assert str(own_settings) in capfd.readouterr().err
    assert run(["models", "default"]) == 0
    assert capfd.readouterr().out == "swin-b-k600\n"
    assert run(["models", "default", "swin-b-k60"]) == 5


@pytest.mark.skipif(sys.platform == "win32", reason="XDG folders")
def test_the_order_is_option_variable_file_embedded(own_settings, monkeypatch):
    from vswin_cli.cli.model_choice import ModelChoice

    assert ModelChoice(None, None, None).reference == "camera-motion"
    set_default_model("swin-s-k400")
    assert ModelChoice(None, None, None).reference == "swin-s-k400"
    assert ModelChoice("swin-b-k400", None, None).reference == "swin-b-k400"
