"""Tests that need an NVIDIA GPU: `pytest -m gpu`, at most three minutes.

Without one they are skipped; with `VSWIN_REQUIRE_GPU=1` they fail instead, so that a machine that
is meant to have a GPU cannot pass by having none.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.gpu)


@pytest.fixture(autouse=True)
def gpu() -> torch.device:
    """The first GPU; without one the test is skipped or fails."""
    if not torch.cuda.is_available():
        if os.environ.get("VSWIN_REQUIRE_GPU") == "1":
            pytest.fail("VSWIN_REQUIRE_GPU=1, but PyTorch finds no CUDA device")
        pytest.skip("needs an NVIDIA GPU")
    return torch.device("cuda:0")
