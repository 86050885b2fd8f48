"""`vswin download` as a user sees it: stdout, stderr and exit code, against a real server."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.support.golden import golden_state, write_tf_bundle
from tests.support.hub_server import TOKEN, HubServer, Repo, hub_environment
from vswin_cli.cli.app import run
from vswin_cli.models.checkpoints.load import read_checkpoint
from vswin_cli.storage.user_config import default_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = write_tf_bundle(tmp_path_factory.mktemp("tf")).parent
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def server(monkeypatch, tmp_path, bundle):
    with HubServer() as server, hub_environment(monkeypatch, tmp_path, server.endpoint):
        server.repos["user/tf"] = Repo(bundle)
        yield server


def test_folder_goes_to_stdout_and_the_rest_to_stderr(server, capsys):
    assert run(["download", "user/tf"]) == 0
    out, err = capsys.readouterr()
    folder = Path(out.strip())
    assert out == f"{folder}\n"
    assert (folder / "model.safetensors").is_file()
    assert err.startswith("user/tf: 3 MB from hf://user/tf@")
    size, default = err.splitlines()
    assert size.startswith("user/tf: 3 MB from ")
    assert default == "user/tf has no labels, so it does not become the default model"
    assert default_model() is None


def test_the_first_weights_with_labels_become_the_default(server, capsys, tmp_path, bundle):
    write_tf_bundle(tmp_path / "tf")
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"{number} class {number}\n" for number in range(10)))
    assert (
        run(["convert", str(tmp_path / "tf"), str(tmp_path / "own"), "--labels", str(labels)]) == 0
    )
    names = ("model.safetensors", "config.json")
    server.repos["user/own"] = Repo(
        {name: (tmp_path / "own" / name).read_bytes() for name in names}
    )
    capsys.readouterr()
    assert run(["download", "user/tf", "user/own"]) == 0
    assert "user/own is now the default model (" in capsys.readouterr().err
    assert default_model() == "user/own"


def test_second_download_says_nothing_but_the_folder(server, capsys):
    run(["download", "user/tf"])
    first = capsys.readouterr().out
    assert run(["download", "user/tf"]) == 0
    assert capsys.readouterr() == (first, "")


def test_quiet_keeps_stderr_empty(server, capsys):
    assert run(["download", "user/tf", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert out
    assert err == ""


def test_dry_run_fetches_nothing(server, capsys, tmp_path):
    assert run(["download", "--dry-run", "user/tf", "swin-b-k600"]) == 0
    out, _ = capsys.readouterr()
    repo, name = out.splitlines()
    assert repo.startswith("user/tf\t3 MB\thf://user/tf@")
    assert name.startswith("swin-b-k600\t353 MB\thf://innat/videoswin/")
    assert name.endswith(f"\t{tmp_path / 'vswin' / 'models' / 'swin-b-k600'}")
    assert server.bodies() == []
    assert not (tmp_path / "vswin" / "models").exists()


def test_dry_run_says_what_is_here(server, capsys):
    run(["download", "user/tf"])
    folder = capsys.readouterr().out.strip()
    run(["download", "-n", "user/tf"])
    assert capsys.readouterr().out == f"user/tf\tis here\t{folder}\n"


def test_misspelt_last_name_stops_before_the_first_download(server, capsys):
    assert run(["download", "user/tf", "swin-b-k60"]) == 5
    _, err = capsys.readouterr()
    assert err.startswith(
        "error: there are no weights called 'swin-b-k60'\nhint: did you mean swin-b-k600"
    )
    assert server.log == []


def test_what_comes_inside_the_package_is_here_and_settles_nothing(capsys):
    assert run(["download", "camera-motion"]) == 0
    out, err = capsys.readouterr()
    assert Path(out.strip(), "config.json").is_file()
    assert err == ""
    assert default_model() is None


@pytest.mark.parametrize(
    ("arguments", "code", "message", "hint"),
    [
        (["camera-motion", "--force"], 2, "is part of vswin", "leave --source"),
        (["user/absent"], 5, "no such Hub repository", "HF_TOKEN"),
        (["user/tf@v9"], 5, "no revision 'v9'", "follows the @"),
        (["swin-t-k400", "--source", "mars"], 2, "has no source 'mars'", "hub, authors"),
        (["./w.pth"], 2, "a path needs no download", "--weights"),
        (["a/b/c"], 5, "neither a name", "vswin models"),
    ],
)
def test_errors_have_a_next_step_and_their_exit_code(
    server, capsys, arguments, code, message, hint
):
    assert run(["download", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert hint in err.splitlines()[-1]
    assert "Traceback" not in err


def test_gated_repository_opens_with_a_token(server, capsys, monkeypatch):
    server.repos["user/tf"].gated = True
    assert run(["download", "user/tf"]) == 5
    assert "accept its terms" in capsys.readouterr().err
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert run(["download", "user/tf"]) == 0


def test_unreachable_hub_is_named(capsys, monkeypatch, tmp_path):
    with hub_environment(monkeypatch, tmp_path, "http://127.0.0.1:9"):
        assert run(["download", "user/tf"]) == 5
    err = capsys.readouterr().err
    assert "cannot reach 127.0.0.1:9" in err
    assert "Traceback" not in err


def test_checkpoint_of_something_else_is_refused(server, capsys):
    server.repos["user/text"] = Repo({"pytorch_model.bin": b"not a checkpoint" * 1000})
    assert run(["download", "user/text"]) == 5
    err = capsys.readouterr().err
    assert "error: " in err
    assert "pytorch_model.bin" in err


def test_terminal_gets_a_progress_bar(server):
    server.repos["user/tf"] = Repo(
        {"w.data": os.urandom(3_000_000), **server.repos["user/tf"].files}
    )
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "vswin_cli", "download", "user/tf"],
        stdout=subprocess.PIPE,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"},
        text=True,
    )
    os.close(terminal)
    drawn = _read_all(controller)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert Path(out.strip()).is_dir()
    assert "\x1b[" in drawn
    assert "MB/s" in drawn or "2.6/2.6 MB" in drawn


def _read_all(handle: int) -> str:
    parts = []
    while True:
        try:
            part = os.read(handle, 65536)
        except OSError:  # the other side of a pseudo-terminal is gone
            break
        if not part:
            break
        parts.append(part)
    os.close(handle)
    return b"".join(parts).decode(errors="replace")


def test_downloaded_weights_hold_what_was_published(server, capsys):
    from safetensors.torch import load_file

    run(["download", "user/tf"])
    folder = Path(capsys.readouterr().out.strip())
    assert set(load_file(folder / "model.safetensors")) == set(golden_state("w877"))


def test_raw_or_averaged_weights_of_a_repository_can_be_chosen(server, capsys):
    raw = golden_state("w877")
    average = {name: t + 1 if t.is_floating_point() else t for name, t in raw.items()}
    file = io.BytesIO()
    torch.save({"state_dict": raw, "state_dict_ema": average}, file)
    server.repos["user/both"] = Repo({"both.pth": file.getvalue()})
    for option, values in (([], raw), (["--ema"], average), ([], average), (["--no-ema"], raw)):
        assert run(["download", "user/both", *option]) == 0
        out, err = capsys.readouterr()
        model = read_checkpoint(Path(out.strip()))
        assert torch.equal(model.state["norm.bias"], values["norm.bias"])
        kind = "averaged" if values is average else "raw"
        assert kind in " ".join(model.card.notes).casefold()
        assert not option or f"{kind} weights (" in err.casefold()
    assert run(["download", "user/tf", "--ema"]) == 5
    assert "no averaged weights" in capsys.readouterr().err
