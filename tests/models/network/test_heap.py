import subprocess
import sys

import pytest

from vswin_cli.models.network.heap import keep_freed_memory

pytestmark = pytest.mark.slow

FAULTS = """
import ctypes, resource, sys
from vswin_cli.models.network.heap import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
def touch():
    blocks = [library.malloc(ctypes.c_size_t(30 << 20)) for _ in range(3)]
    for block in blocks:
        ctypes.memset(block, 1, 30 << 20)
    for block in blocks:
        library.free(ctypes.c_void_p(block))
touch()
touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    touch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

pytestmark = pytest.mark.skipif(not keep_freed_memory(), reason="no GNU C library, or told not to")


def faults(mode: str) -> int:
    command = [sys.executable, "-c", FAULTS, mode]
    return int(subprocess.run(command, capture_output=True, check=True).stdout)


@pytest.mark.slow
def test_freed_blocks_are_used_again_without_new_pages():
    assert faults("kept") < 100 < faults("given back")


def test_the_users_own_choice_is_respected(monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1000000")
    assert not keep_freed_memory.__wrapped__()


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory.__wrapped__()
