"""What `--workers` says, and which devices follow from it."""

import pytest

from vswin_cli.cli.model_choice import ModelChoice
from vswin_cli.cli.workers import Workers, set_up_workers
from vswin_cli.config import EngineOptions
from vswin_cli.errors import OptionError
from vswin_cli.video.cores import usable_cores


@pytest.mark.parametrize(
    ("text", "kind", "count"),
    [
        ("auto", "auto", None),
        ("3", "local", 3),
        ("local", "local", None),
        ("ray:8", "ray", 8),
        ("ray:", "ray", None),
    ],
)
def test_workers_are_a_kind_and_maybe_a_number(text, kind, count):
    assert Workers.parse(text) == Workers(kind, count)


@pytest.mark.parametrize("text", ["", "0", "-1", "auto:2", "ray:0", "gpu", "2:3", "ray:x"])
def test_other_texts_are_refused(text):
    with pytest.raises(OptionError, match="cannot read --workers"):
        Workers.parse(text)


def set_up(text, device="cpu"):
    return set_up_workers(
        Workers.parse(text),
        ModelChoice("camera-motion"),
        EngineOptions(device),
        crops=1,
        ray_address=None,
        quiet=True,
    )


def test_this_process_does_the_work_unless_others_are_wanted():
    alone = set_up("auto")
    assert (alone.devices, alone.has_other_processes) == ((), False)
    assert alone.setup.num_threads is None
    assert alone.setup.weights_sha256 == alone.engine.model.weights_sha256


def test_processes_on_one_device_share_its_cores():
    several = set_up("2")
    assert several.devices == ("cpu", "cpu")
    assert several.setup.num_threads == max(1, usable_cores() // 2)
    assert several.setup.options.precision == several.precision == "float32"
