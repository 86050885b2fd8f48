"""`vswin doctor` as a user sees it."""

import json

import pytest
import torch

from vswin_cli.cli.app import run
from vswin_cli.models.network.attention import attention_kernel
from vswin_cli.storage.user_config import set_default_model, settings_path


@pytest.fixture(autouse=True)
def _kernel(own_folders):
    """Compile the kernel, or not, before a test names a cache folder that cannot be used.

    The result is kept for the process, so it would hold for later tests, too.
    """
    attention_kernel(torch.float32, 32)


def checks(capsys, code=0):
    assert run(["doctor", "--json"]) == code
    body = json.loads(capsys.readouterr().out)
    assert body["schema"] == "vswin.doctor/1"
    assert body["ok"] is (code == 0)
    return {check["name"]: check for check in body["checks"]}


def test_json_holds_what_the_text_says(capsys):
    found = checks(capsys)
    assert run(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for check in found.values():
        assert any(line.split()[:2] == [check["status"], check["name"]] for line in lines)
    assert {"h264", "hevc", "vp9"} <= set(found["codecs"]["facts"]["decodable"])
    assert found["weights"]["facts"]["model"] == "camera-motion"
    assert found["precision"]["facts"]["reason"]
    assert found["cache"]["facts"]["free_bytes"] > 0


def test_everything_that_is_not_ok_says_what_to_do(capsys):
    for check in checks(capsys).values():
        assert check["status"] == "ok" or check["advice"]


def test_weights_that_are_not_downloaded_are_absent(capsys):
    set_default_model("swin-t-k400")
    weights = checks(capsys)["weights"]
    assert weights["status"] == "absent"
    assert "vswin download swin-t-k400" in weights["advice"]


def test_a_broken_configuration_fails_and_other_checks_go_on(capsys):
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text("modle = 'x'\n")
    found = checks(capsys, code=1)
    assert found["configuration"]["status"] == "failed"
    assert "unknown key `modle`" in found["configuration"]["text"]
    assert found["codecs"]["status"] == "ok"


def test_a_cache_folder_in_a_file_fails(capsys, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VSWIN_CACHE", str(tmp_path / "file" / "cache"))
    assert checks(capsys, code=1)["cache"]["status"] == "failed"


@pytest.mark.parametrize("sizes", [(), (3, 4)])
def test_the_size_of_the_cache_counts_every_file(capsys, monkeypatch, tmp_path, sizes):
    monkeypatch.setenv("VSWIN_CACHE", str(tmp_path / "cache"))
    for size in sizes:
        (tmp_path / "cache" / str(size)).mkdir(parents=True)
        (tmp_path / "cache" / str(size) / "file").write_bytes(bytes(size))
    assert checks(capsys)["cache"]["facts"]["size_bytes"] == sum(sizes)
