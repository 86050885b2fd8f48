"""Compile the C sources of this package for this CPU on first use, and cache the result.

A wheel has no compiled part, and a machine without a C compiler only loses speed: there is no
library then and the caller uses PyTorch. `VSWIN_NATIVE=0` turns compiled code off.

Loading a library runs code, so a cached one is used only if no other user can have written it, and
if it is complete: a truncated one would end the process with a bus error.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from threading import Lock

from vswin_cli.storage.files import is_private
from vswin_cli.storage.user_config import cache_folder

__all__ = ["describe_cpu", "native_library"]

# Not -ffast-math: it would change how the whole process treats the smallest numbers.
_FLAGS = (
    "-O3",
    "-march=native",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-shared",
    "-fPIC",
)
_COMPILE_SECONDS = 60
_HASH_BYTES = hashlib.sha256().digest_size
_lock = Lock()


def native_library(source: Path) -> ctypes.CDLL | None:
    """Load the compiled library of a C file, compiling it if needed.

    It is cached under a name that depends on the source, the flags and the CPU, so that machines
    may share the cache folder.

    Args:
        source: the C file.

    Returns:
        The library; `None` if it cannot be compiled or loaded here, or is turned off.
    """
    with _lock:
        return _load(source)


@lru_cache(maxsize=8)
def _load(source: Path) -> ctypes.CDLL | None:
    if os.environ.get("VSWIN_NATIVE") == "0":
        return None
    text = source.read_bytes()
    marks = (text, " ".join(_FLAGS).encode(), describe_cpu().encode())
    name = f"{source.stem}-{hashlib.sha256(b'|'.join(marks)).hexdigest()[:20]}.so"
    path = cache_folder() / "native" / name
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if is_private(path.parent):
            if not (is_private(path) and _is_complete(path)):
                _compile(source, path)
            return ctypes.CDLL(str(path))
        with tempfile.TemporaryDirectory() as folder:  # only this user may enter it
            _compile(source, Path(folder) / name)
            return ctypes.CDLL(str(Path(folder) / name))
    except (OSError, subprocess.SubprocessError):
        return None  # no compiler, a compiler too old, a CPU too narrow, a full or read-only disk


def _is_complete(path: Path) -> bool:
    """Return whether a library ends with the hash of its content, appended by `_compile`."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return hashlib.sha256(content[:-_HASH_BYTES]).digest() == content[-_HASH_BYTES:]


def _compile(source: Path, path: Path) -> None:
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise FileNotFoundError("no C compiler")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        part = Path(folder) / path.name
        subprocess.run(
            [*compiler.split(), *_FLAGS, "-o", str(part), str(source)],
            check=True,
            timeout=_COMPILE_SECONDS,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        part.chmod(0o700)
        with part.open("r+b") as file:  # loaders ignore data after the last section
            file.write(hashlib.sha256(file.read()).digest())
        part.replace(path)


def describe_cpu() -> str:
    """Describe this CPU by its name and instruction set."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    model = [line for line in lines if line.startswith(("model name", "flags", "Features"))][:2]
    return "\n".join([platform.system(), platform.machine(), platform.processor(), *model])
