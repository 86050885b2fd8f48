"""Where Triton kernels run in tests: on a GPU if there is one, else in Triton's interpreter.

Import this before anything imports Triton: kernels are made for the interpreter, or not, when their
modules load. The interpreter computes with NumPy, which has no bfloat16, and is slow.
"""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module

import pytest
import torch

__all__ = ["MARKS", "ON_GPU", "TRITON_DEVICE", "TYPES"]

ON_GPU = torch.cuda.is_available()
TRITON_DEVICE = torch.device("cuda" if ON_GPU else "cpu")
TYPES = [torch.float32, torch.float16, *([torch.bfloat16] if ON_GPU else [])]
"""Types in which kernels can be tested here."""
MARKS = [pytest.mark.gpu] if ON_GPU else []
"""For modules of tests that use a GPU where there is one."""

with pytest.MonkeyPatch.context() as patch:
    if not ON_GPU:
        patch.setitem(os.environ, "TRITON_INTERPRET", "1")
    pytest.importorskip("triton", reason="Triton is for Linux on x86-64")
    import_module("vswin_cli.models.network.triton_kernels")
    import_module("vswin_cli.video.nv12_kernel")
    with suppress(ImportError):  # newer versions load this on the first launch
        import_module("triton.experimental.gluon")
