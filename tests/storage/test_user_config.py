import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from vswin_cli.cli.app import run
from vswin_cli.errors import OptionError
from vswin_cli.models.weights.store import embedded_folder
from vswin_cli.storage.user_config import default_model, set_default_model, settings_path


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
    text = own_settings.read_text()
    assert text.count("swin-t-k400") == 1
    assert "# mine\nother = 3\n[table]\n" in text
    own_settings.write_text(text.partition("\n")[0])
    assert default_model() == "swin-t-k400"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('modle = "swin-t-k400"\n', "unknown key `modle`"),
        ('model = "x"\n[tag]\nonset = 0.3\n', "unknown section `tag`"),
        ('MODEL = "x"\n', "unknown key `MODEL`"),
    ],
)
def test_an_unknown_key_is_rejected_by_name(own_settings, content, named, capfd):
    own_settings.parent.mkdir()
    own_settings.write_text(content)
    with pytest.raises(OptionError, match=re.escape(named)):
        default_model()
    assert run(["models", "default"]) == 2
    assert named in capfd.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        "model = \n",
        "model = 3\n",
        "\xff",
        f"model = {'9' * 5000}\n",
        f"model = {'[' * 50_000}\n",
        f"model = {'{a=' * 20_000}\n",
        "\0" * 1000,
    ],
    ids=["nothing", "number", "bytes", "digits", "lists", "tables", "zeros"],
)
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


@pytest.mark.parametrize(
    "content",
    ['"model" = "old"\n', "'model'='old'\n", '\ufeffmodel = "old"\n', "# a\nmodel\t= 'old'"],
)
def test_a_model_that_is_written_otherwise_is_changed(own_settings, content):
    own_settings.parent.mkdir()
    own_settings.write_text(content)
    assert default_model() == "old"
    set_default_model("new")
    assert default_model() == "new"


def test_a_model_over_several_lines_is_left_to_the_user(own_settings):
    own_settings.parent.mkdir()
    content = 'model = """\nold"""\n'
    own_settings.write_text(content)
    with pytest.raises(OptionError, match="over several lines") as caught:
        set_default_model("new")
    assert 'model = "new"' in str(caught.value.hint)
    assert own_settings.read_text() == content


@pytest.mark.slow
@pytest.mark.parametrize("name", ["model", "🎬"])
def test_a_path_is_the_default_in_every_folder(own_settings, tmp_path, monkeypatch, capfd, name):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(embedded_folder(), tmp_path / name)
    assert run(["models", "default", f"./{name}"]) == 0
    assert "vswin download" not in capfd.readouterr().err
    assert default_model() == str(tmp_path / name)
    shutil.rmtree(tmp_path / name)
    assert run(["models", "default", f"./{name}"]) == 5
    (tmp_path / "videos").mkdir()
    assert run(["models", "default", str(tmp_path / "videos")]) == 5
    assert "not a folder in vswin's format" in capfd.readouterr().err
    (tmp_path / "video.mp4").write_bytes(b"")
    capfd.readouterr()
    assert run(["tag", "video.mp4"]) == 5
    assert "it is your default model" in capfd.readouterr().err


def test_a_path_that_is_not_utf8_is_rejected(own_settings, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    strange = os.fsdecode(b"caf\xe9")
    shutil.copytree(embedded_folder(), strange)
    assert run(["models", "default", f"./{strange}"]) == 2
    assert "is not UTF-8" in capfd.readouterr().err
    assert default_model() is None


@pytest.mark.skipif(sys.platform == "win32", reason="XDG folders")
def test_the_order_is_option_variable_file_embedded(own_settings, monkeypatch):
    from vswin_cli.cli.model_choice import ModelChoice

    assert ModelChoice(None, None, None).reference == "camera-motion"
    set_default_model("swin-s-k400")
    assert ModelChoice(None, None, None).reference == "swin-s-k400"
    assert ModelChoice("swin-b-k400", None, None).reference == "swin-b-k400"
