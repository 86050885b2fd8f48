"""Entry point of the process that receives a live stream, samples its frames and sends them on.

It connects again whenever the stream breaks off, stalls, or is received more slowly than it is
sent. Times count from the first frame, by the frames' own timestamps within a connection and by
the clock between connections. Nothing is kept but the last frame.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from vswin_cli.errors import NoVideoStreamError, SourceError, VswinError, redacted
from vswin_cli.video.decoder_protocol import Event, write_error, write_event
from vswin_cli.video.formats import ALLOWED_FORMATS
from vswin_cli.video.grid import GridWalker
from vswin_cli.video.image_slots import ImageSlots
from vswin_cli.video.info import Gap
from vswin_cli.video.resize import ImageResizer
from vswin_cli.video.sampling import ROUNDING_SECONDS, Progress, SampledFrame, SamplingPlan

if TYPE_CHECKING:
    from av import VideoFrame

__all__ = ["main"]

_STDIN, _STDOUT, _STDERR = 0, 1, 2
_OPEN_SECONDS, _READ_SECONDS = 15.0, 10.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 30.0
_LONGEST_STEP_SECONDS = 2.0  # between frames; beyond it the sender's clock was set, or frames lost
_MOST_BEHIND_SECONDS = 10.0
_PROTOCOLS = "rtsp,rtsps,rtp,rtmp,rtmps,srt,udp,tcp,tls,http,https,httpproxy,crypto,data"
_OPTIONS = {
    "protocol_whitelist": _PROTOCOLS,  # not files: a playlist may contain paths
    "format_whitelist": ",".join(sorted({*ALLOWED_FORMATS, "rtsp", "rtp", "sdp"})),
    "rtsp_transport": "tcp",  # over UDP, lost packets are not reported
}


class _BehindError(Exception):
    """The frames are received so late that only a new connection catches up."""


def main(shared_memory: int | None = None) -> None:
    """Receive the stream that the first line of standard input names, until that closes.

    Args:
        shared_memory: descriptor of the memory for images that is shared with the parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    pipe = os.fdopen(os.dup(_STDOUT), "wb", buffering=0)
    os.dup2(_STDERR, _STDOUT)  # anything that a library prints must not mix with the events
    slots = None if shared_memory is None else ImageSlots(shared_memory)
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    receiver = _Receiver(request["address"], SamplingPlan(**request["plan"]), pipe, slots)
    try:
        receiver.run()
    except BrokenPipeError:
        os._exit(0)
    except VswinError as error:
        write_error(pipe, error)


def _exit_with_parent() -> None:
    while os.read(_STDIN, 1 << 10):
        pass
    os._exit(0)


class _Receiver:
    """Samples frames of one stream, over all its connections."""

    def __init__(
        self, address: str, plan: SamplingPlan, pipe: IO[bytes], slots: ImageSlots | None
    ) -> None:
        self._address = address
        self._plan = plan
        self._pipe = pipe
        self._slots = slots
        self._walker = GridWalker(plan, ROUNDING_SECONDS)
        self._origin: float | None = None  # the clock at the first frame
        self._end = 0.0  # where the last frame leaves the display
        self._num_frames = 0

    def run(self) -> None:
        """Receive until the process is ended.

        Raises:
            SourceError: the first connection fails.
        """
        pause = _FIRST_PAUSE_SECONDS
        while True:
            before = self._num_frames
            reason = self._connection()
            if self._origin is None:
                raise SourceError(
                    f"cannot receive {redacted(self._address)}: {reason}",
                    hint="check the address, the connection and the password in it",
                )
            self._send(*self._walker.end_run(self._end))
            self._send(Gap(self._end, self._end, "missing_frames"))  # the connection is lost
            pause = _FIRST_PAUSE_SECONDS if self._num_frames > before else pause * 2
            time.sleep(min(pause, _LONGEST_PAUSE_SECONDS))

    def _connection(self) -> str:
        """Connect and receive until the stream breaks off; returns the reason."""
        import av

        try:
            with av.open(
                self._address, options=_OPTIONS, timeout=(_OPEN_SECONDS, _READ_SECONDS)
            ) as container:
                if not container.streams.video:
                    raise NoVideoStreamError(
                        f"no video in {redacted(self._address)}",
                        hint="give the address of a stream that has video",
                    )
                self._receive(container.decode(container.streams.video[0]))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            return str(error)
        except _BehindError:
            return "received too slowly"
        return "the stream ended"

    def _receive(self, frames: Iterator[VideoFrame]) -> None:
        resizer = ImageResizer(self._plan.short_side)
        held: tuple[float, VideoFrame] | None = None
        shift = 0.0
        for frame in frames:
            if frame.time is None:
                continue
            self._num_frames += 1
            here = frame.time + shift
            if self._origin is None:
                self._origin, here = time.monotonic(), 0.0
                shift = -frame.time
            elif held is None or not 0 < here - held[0] <= _LONGEST_STEP_SECONDS:
                here = self._begin_run()
                shift = here - frame.time
            else:
                if (held[1].width, held[1].height) != (frame.width, frame.height):
                    self._send(*self._walker.end_run(here))
                self._show(held[1], held[0], here, resizer)
            held, self._end = (here, frame), here
            if time.monotonic() - self._origin - here > _MOST_BEHIND_SECONDS:
                raise _BehindError

    def _begin_run(self) -> float:
        """Return the time of a frame that does not follow the one before; sends the gap."""
        assert self._origin is not None
        here = max(time.monotonic() - self._origin, self._end)
        if here > self._end:
            self._send(*self._walker.end_run(self._end))
            self._send(Gap(self._end, here, "missing_frames"))
        return here

    def _show(self, frame: VideoFrame, since: float, until: float, resizer: ImageResizer) -> None:
        image = None
        for chunk in self._walker.show(since, until):
            if not isinstance(chunk, range):
                self._send(chunk)
                continue
            image = resizer.resize(frame, 0) if image is None else image
            self._send(SampledFrame(chunk.start, len(chunk), since, image))
        if image is None:
            self._send(Progress(until, self._num_frames, 0))

    def _send(self, *events: Event) -> None:
        for event in events:
            write_event(self._pipe, event, self._slots)
