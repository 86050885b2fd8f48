"""How much memory tagging a video takes, watched from outside.

The video is tagged once more in a fresh process, because this one holds several networks and peers.
On Linux its memory and that of its decoders is read while it runs; elsewhere it tells itself at the
end.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from vswin_cli.bench.record import Memory

__all__ = ["MemoryRequest", "measure_memory", "parse_request"]

_PROC = Path("/proc")
_LOOK_SECONDS = 0.02
_BOOTSTRAP = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from vswin_cli.bench.memory_process import main; main(sys.argv[2])"
)


@dataclass(frozen=True, slots=True)
class MemoryRequest:
    """What the fresh process does."""

    subject: str
    """Name of the weights or of the architecture."""
    random: bool
    """Which of the two it is."""
    video: str
    device: str
    precision: str
    batch_size: int | None
    threads: int


def parse_request(text: str) -> MemoryRequest:
    """The request that `measure_memory` passed on."""
    return MemoryRequest(**json.loads(text))


def measure_memory(request: MemoryRequest, notes: list[str]) -> Memory | None:
    """Tag a video in a process of its own and report the most memory it took.

    Args:
        request: what to run.
        notes: gets a sentence if it failed; the result is `None` then.
    """
    paths = json.dumps([str(Path(path).resolve()) for path in sys.path])
    command = [sys.executable, "-c", _BOOTSTRAP, paths, json.dumps(asdict(request))]
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complaints:
        with subprocess.Popen(command, stdout=said, stderr=complaints) as process:
            seen = _watch(process)
        said.seek(0)
        if process.returncode:
            complaints.seek(0)
            lines = complaints.read().decode("utf-8", "replace").strip().splitlines()
            reason = lines[-1] if lines else f"exit code {process.returncode}"
            notes.append(f"peak memory could not be measured: {reason}")
            return None
        told = json.loads(said.read())
    if not seen.total:
        main, decoder = told["main_bytes"], told["decoder_bytes"]
        return Memory(main, decoder, main + decoder, told["device_bytes"])
    return Memory(seen.main, seen.others, seen.total, told["device_bytes"])


@dataclass(slots=True)
class _Seen:
    """Largest amounts so far, in bytes."""

    main: int = 0
    others: int = 0
    total: int = 0


def _watch(process: subprocess.Popen[bytes]) -> _Seen:
    """Look at a process and its descendants until it ends."""
    seen = _Seen()
    while process.poll() is None:
        main = _peak_bytes(process.pid)
        others = sum(_peak_bytes(pid) for pid in _descendants(process.pid))
        seen.main, seen.others = max(seen.main, main), max(seen.others, others)
        seen.total = max(seen.total, main + others)
        time.sleep(_LOOK_SECONDS)
    return seen


def _peak_bytes(pid: int) -> int:
    """The most that a process has held so far, as the kernel keeps count; 0 if nobody knows."""
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for task in (_PROC / str(pid) / "task").glob("*"):
        try:
            children = [int(word) for word in (task / "children").read_text().split()]
        except OSError:  # the thread has ended meanwhile
            continue
        for child in children:
            found += [child, *_descendants(child)]
    return found
