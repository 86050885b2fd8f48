"""Measure how much memory tagging a video takes, from outside the process that does it.

The video is tagged once more in a fresh process, because this one holds several networks and peers.
On Linux its memory and that of its decoders is sampled while it runs; elsewhere the process reports
its own peak at the end.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from vswin_cli.bench.record import Memory
from vswin_cli.storage.child_python import python_command

__all__ = ["MemoryRequest", "measure_memory", "parse_request"]

_PROC = Path("/proc")
_SAMPLE_SECONDS = 0.02
_MAIN = "from vswin_cli.bench.memory_process import main; main(sys.argv[1])"


@dataclass(frozen=True, slots=True)
class MemoryRequest:
    """Settings of the tagging that the fresh process runs."""

    subject: str
    """Name of the weights or of the architecture."""
    random: bool
    """Whether it is an architecture, filled with random weights."""
    video: str
    device: str
    precision: str
    batch_size: int | None
    threads: int


def parse_request(text: str) -> MemoryRequest:
    """Read the request that `measure_memory` passed on the command line."""
    return MemoryRequest(**json.loads(text))


def measure_memory(request: MemoryRequest, notes: list[str]) -> Memory | None:
    """Tag a video in a process of its own and report the most memory it took.

    Args:
        request: what to run.
        notes: if it fails, the reason is appended; the result is `None` then.
    """
    command = python_command(_MAIN, json.dumps(asdict(request)))
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        with subprocess.Popen(command, stdout=stdout, stderr=stderr) as process:
            peak = _watch(process)
        stdout.seek(0)
        if process.returncode:
            stderr.seek(0)
            lines = stderr.read().decode("utf-8", "replace").strip().splitlines()
            lines = [line for line in lines if not line.startswith("hint: ")]
            reason = lines[-1] if lines else f"exit code {process.returncode}"
            notes.append(f"peak memory could not be measured: {reason}")
            return None
        own = json.loads(stdout.read())
    if not peak.total:
        main, decoder = own["main_bytes"], own["decoder_bytes"]
        return Memory(main, decoder, main + decoder, own["device_bytes"])
    return Memory(peak.main, peak.others, peak.total, own["device_bytes"])


@dataclass(slots=True)
class _Peak:
    """Largest amounts so far, in bytes."""

    main: int = 0
    others: int = 0
    total: int = 0


def _watch(process: subprocess.Popen[bytes]) -> _Peak:
    """Sample the memory of a process and its descendants until it ends."""
    peak = _Peak()
    while process.poll() is None:
        main = _peak_bytes(process.pid)
        others = sum(_peak_bytes(pid) for pid in _descendants(process.pid))
        peak.main, peak.others = max(peak.main, main), max(peak.others, others)
        # A sum of peaks, each of its own moment: never less than the true total.
        peak.total = max(peak.total, main + others)
        time.sleep(_SAMPLE_SECONDS)
    return peak


def _peak_bytes(pid: int) -> int:
    """Return the peak resident memory of a process so far; 0 where it is not known."""
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def _descendants(pid: int) -> list[int]:
    """List the processes below a process, through the children of each of its threads."""
    found: list[int] = []
    # Linux lists a child under the thread that started it, not under the process.
    for task in (_PROC / str(pid) / "task").glob("*"):
        try:
            children = [int(word) for word in (task / "children").read_text().split()]
        except OSError:  # the thread has ended meanwhile
            continue
        for child in children:
            found += [child, *_descendants(child)]
    return found
