"""Entry point of a decoder process, which decodes one video after the other.

Started by `vswin_cli.video.decoder_pool`; reads requests, one a line, from standard input and
writes events to standard output. Imports PyAV and NumPy, nothing heavier. Exits by itself when its
parent has ended or when a native call does not return.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from typing import IO

from vswin_cli.errors import VswinError
from vswin_cli.video.decoder_protocol import (
    Request,
    decode_request,
    set_capacity,
    write_error,
    write_event,
)
from vswin_cli.video.image_slots import ImageSlots
from vswin_cli.video.memory_limit import limit_memory

__all__ = ["main"]

_STDIN, _STDOUT, _STDERR = 0, 1, 2
_CHUNK_BYTES = 1 << 16
_SMALL_PIPE_BYTES = 1 << 12  # about 100 messages about images in slots: it bounds their number


def main(stall_timeout_seconds: float, shared_memory: int | None = None) -> None:
    """Decode the videos requested on standard input until it closes, then exit without clean-up.

    Args:
        stall_timeout_seconds: exit if decoding yields no event for longer than this.
        shared_memory: descriptor of the memory for images that is shared with the parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    limit_memory()
    pipe = os.fdopen(os.dup(_STDOUT), "wb", buffering=0)
    os.dup2(_STDERR, _STDOUT)  # anything that a library prints must not mix with the events
    slots = None
    if shared_memory is not None:
        slots = ImageSlots(shared_memory)
        os.close(shared_memory)
        set_capacity(pipe, _SMALL_PIPE_BYTES)
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    while True:
        request = decode_request(requests.get())
        try:
            _decode(request, pipe, slots, stall_timeout_seconds)
        except BrokenPipeError:
            os._exit(0)
        except VswinError as error:
            _set_alarm(0)
            write_error(pipe, error)


def _decode(
    request: Request, pipe: IO[bytes], slots: ImageSlots | None, limit_seconds: float
) -> None:
    try:
        from vswin_cli.video.sampler import decode_samples
    except ImportError:
        raise
    except Exception as error:  # what a damaged package raises: the parent must not blame the video
        raise ImportError(f"{type(error).__name__}: {error}") from error
    _set_alarm(limit_seconds)
    for event in decode_samples(*request):
        _set_alarm(0)  # writing blocks while the parent is busy, which is no stall
        write_event(pipe, event, slots)
        _set_alarm(limit_seconds)
    _set_alarm(0)


def _read_requests(requests: queue.SimpleQueue[bytes]) -> None:
    """Queue lines until standard input closes, as it does when the parent ends in any way."""
    unread = b""
    while chunk := os.read(_STDIN, _CHUNK_BYTES):
        *lines, unread = (unread + chunk).split(b"\n")
        for line in lines:
            requests.put(line)
    os._exit(0)


def _set_alarm(seconds: float) -> None:
    """Have the kernel kill this process after a while, even if a native call never returns.

    Normally the parent kills a decoder that hangs. Once the parent has ended, a decoder that hangs
    while it holds the interpreter's lock could not even notice the closed pipe: only a POSIX timer
    without a Python handler ends it. 0 seconds cancel the timer.
    """
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


if __name__ == "__main__":
    main(float(sys.argv[1]))
