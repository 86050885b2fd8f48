"""The program that decodes one video in a process of its own.

Started by `vswin_cli.isolation`; reads one line on standard input that says what to decode and
writes events to standard output. Loads PyAV and NumPy, nothing heavier. Ends by itself when its
parent is gone or when a native call does not return.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import IO

from vswin_cli.errors import VswinError
from vswin_cli.sampling import SamplingPlan
from vswin_cli.wire import decode_plan, write_error, write_event

__all__ = ["main"]

_STDIN, _STDOUT, _STDERR = 0, 1, 2


def main(stall_timeout_seconds: float) -> None:
    """Decode what standard input asks for, then leave without clean-up.

    Args:
        stall_timeout_seconds: end the process if decoding makes no step for longer than this.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    pipe = os.fdopen(os.dup(_STDOUT), "wb", buffering=0)
    os.dup2(_STDERR, _STDOUT)  # whatever a library prints must not mix with the events
    path, plan = decode_plan(_read_line())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _decode(Path(path), plan, pipe, stall_timeout_seconds)
    except BrokenPipeError:
        os._exit(0)
    except VswinError as error:
        write_error(pipe, error)
    os._exit(0)


def _decode(path: Path, plan: SamplingPlan, pipe: IO[bytes], limit_seconds: float) -> None:
    from vswin_cli.decoding import decode_samples

    _set_alarm(limit_seconds)
    for event in decode_samples(path, plan):
        _set_alarm(0)  # writing may wait for the parent as long as the parent likes
        write_event(pipe, event)
        _set_alarm(limit_seconds)


def _read_line() -> bytes:
    """One line from standard input, without the buffering that would hide its end."""
    line = bytearray()
    while not line.endswith(b"\n"):
        chunk = os.read(_STDIN, 1)
        if not chunk:
            os._exit(0)
        line += chunk
    return bytes(line)


def _end_with_parent() -> None:
    """Wait for standard input to close, which happens at the latest when the parent dies."""
    while os.read(_STDIN, 1):
        pass
    os._exit(0)


def _set_alarm(seconds: float) -> None:
    """Have the kernel end this process after a while, even if a native call never returns.

    The parent kills a decoder that hangs. This is for a decoder that hangs while holding the
    interpreter's lock after its parent is gone; without POSIX timers it would be left behind.
    """
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


if __name__ == "__main__":
    main(float(sys.argv[1]))
