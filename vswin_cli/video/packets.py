"""Read the packets of a file's best video stream, whatever state the file is in.

Packets and bytes are counted here; nothing is decoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import av

from vswin_cli.errors import SourceError
from vswin_cli.video.container import (
    DEFAULT_TIME_BASE,
    best_stream,
    container_name,
    open_container,
)

if TYPE_CHECKING:
    from av import Packet, VideoStream

    VideoPacket: TypeAlias = Packet[VideoStream]

__all__ = ["PacketReader"]

_MAX_DEMUX_ERRORS = 16  # in a row, before a file counts as unreadable from there on


class PacketReader:
    """An open file and the video stream that is decoded.

    Attributes:
        container: the open file; another object after `reopen`.
        stream: its best video stream, see `best_stream`.
        read_failed: whether the container broke off with an error.
        read_bytes: where in the file the furthest packet of the stream ended.

    Args:
        path: the video.

    Raises:
        SourceError: as for `open_container` and `best_stream`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read_failed = False
        self.read_bytes = 0
        self._open()

    def _open(self) -> None:
        self.container = open_container(self.path)
        try:
            self.stream = best_stream(self.container, self.path)
        except BaseException:
            self.container.close()
            raise

    @property
    def format_name(self) -> str:
        """FFmpeg's short name of the container format."""
        return container_name(self.container)

    @property
    def time_base(self) -> Fraction:
        """Seconds per timestamp tick."""
        return self.stream.time_base or DEFAULT_TIME_BASE

    def packets(self) -> Iterator[VideoPacket]:
        """Yield packets from where the container stands; read errors end it only if they last."""
        errors = 0
        while errors < _MAX_DEMUX_ERRORS:
            try:
                for packet in self.container.demux(self.stream):
                    if packet.size:
                        errors = 0
                        self.read_bytes = max(self.read_bytes, (packet.pos or 0) + packet.size)
                        yield packet
                return
            except IndexError:
                return  # PyAV at the end of a file in which more streams turned up on the way
            except av.error.FFmpegError:
                # The demuxer of a damaged file often finds its way again behind the damage.
                errors += 1
        self.read_failed = True

    def seek(self, timestamp: int, *, backward: bool = True) -> bool:
        """Go to a key frame at or before a timestamp (after it if not `backward`), if possible."""
        try:
            self.container.seek(timestamp, stream=self.stream, backward=backward)
        except av.error.FFmpegError:
            return False
        return True

    def has_keyframe_between(self, begin: int, end: int) -> bool | None:
        """Return whether the index lists a key frame in `(begin, end]`, in ticks.

        `None` if the container keeps no index, or none that reaches to `end`.
        """
        index = self.stream.index_entries
        if not len(index) or index[len(index) - 1].timestamp < end:
            return None
        keyframe = index.search_timestamp(end)
        return keyframe >= 0 and index[keyframe].timestamp > begin

    def reopen(self) -> None:
        """Go back to the start by opening the file again, which works for every format.

        Raises:
            SourceError: the file is gone or has changed.
        """
        self.close()
        try:
            self._open()
        except SourceError:
            self.read_failed = True
            raise

    def close(self) -> None:
        """Close the file."""
        self.container.close()
