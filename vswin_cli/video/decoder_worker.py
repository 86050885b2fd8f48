"""Decode videos, one after the other, in a process of its own.

Started by `vswin_cli.video.decoder_pool`; reads lines on standard input that say what to
decode and writes events to standard output. Loads PyAV and NumPy, nothing heavier. Ends by itself
when its parent is gone or when a native call does not return.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from typing import IO

from vswin_cli.errors import VswinError
from vswin_cli.video.decoder_protocol import Request, decode_request, write_error, write_event
from vswin_cli.video.memory_limit import limit_memory

__all__ = ["main"]

_STDIN, _STDOUT, _STDERR = 0, 1, 2
_CHUNK_BYTES = 1 << 16


def main(stall_timeout_seconds: float) -> None:
    """Decode what standard input asks for until it ends, then exit without clean-up.

    Args:
        stall_timeout_seconds: end the process if decoding makes no step for longer than this.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    limit_memory()
    pipe = os.fdopen(os.dup(_STDOUT), "wb", buffering=0)
    os.dup2(_STDERR, _STDOUT)  # whatever a library prints must not mix with the events
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    while True:
        request = decode_request(requests.get())
        try:
            _decode(request, pipe, stall_timeout_seconds)
        except BrokenPipeError:
            os._exit(0)
        except VswinError as error:
            _set_alarm(0)
            write_error(pipe, error)


def _decode(request: Request, pipe: IO[bytes], limit_seconds: float) -> None:
    from vswin_cli.video.sampler import decode_samples

    _set_alarm(limit_seconds)
    for event in decode_samples(*request):
        _set_alarm(0)  # writing may wait for the parent as long as the parent likes
        write_event(pipe, event)
        _set_alarm(limit_seconds)
    _set_alarm(0)


def _read_requests(requests: queue.SimpleQueue[bytes]) -> None:
    """Queue lines until standard input closes, which the parent's death does, too."""
    unread = b""
    while chunk := os.read(_STDIN, _CHUNK_BYTES):
        *lines, unread = (unread + chunk).split(b"\n")
        for line in lines:
            requests.put(line)
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
