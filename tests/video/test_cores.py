"""The number of cores follows the affinity of the process and the quota of its container."""

import os

import pytest

from vswin_cli.video import cores
from vswin_cli.video.cores import usable_cores


@pytest.mark.parametrize(
    ("content", "expected"),
    [("max 100000\n", 8), ("250000 100000\n", 3), ("1000 100000\n", 1), ("", 8), (None, 8)],
)
def test_a_quota_lowers_the_number_of_cores(tmp_path, monkeypatch, content, expected):
    file = tmp_path / "cpu.max"
    if content is not None:
        file.write_text(content)
    monkeypatch.setattr(cores, "_QUOTA_FILE", file)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert usable_cores() == expected
