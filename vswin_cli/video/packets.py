"""Read the packets of a file's best video stream, whatever state the file is in.

Packets and bytes are counted here; nothing is decoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

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
    from av.stream import Stream

    VideoPacket: TypeAlias = Packet[VideoStream]

__all__ = ["PacketReader"]

_WITHOUT_TRAILER = {
    *("mpegts", "mpeg", "ogg", "nut", "flv", "h264", "hevc", "mjpeg", "mpegvideo", "m4v", "obu"),
}
"""Formats of one file in which packets reach to the end: no index or the like comes last."""
_LEAST_UNREAD_BYTES = 4096  # fewer are tables, stuffing or an end code
_REORDERING_CODECS = ("h264", "hevc")  # which AVI was not made for
_BLOCK_BYTES = 1 << 20
_MAX_DEMUX_ERRORS = 16  # in a row, before a file counts as unreadable from there on


class PacketReader:
    """An open file and the video stream that is decoded.

    Attributes:
        container: the open file; another object after `reopen`.
        stream: its best video stream, see `best_stream`.
        read_failed: whether the container broke off with an error.
        read_bytes: where in the file the furthest packet of the stream ended.
        heard_bytes: the same, counting sound, subtitles and data.

    Args:
        path: the video.

    Raises:
        SourceError: as for `open_container` and `best_stream`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read_failed = False
        self.read_bytes = 0
        self.heard_bytes = 0
        self._newest_bytes = 0  # size of the newest packet of the stream ...
        self._largest_bytes = 0  # ... and of the largest before it
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
    def has_decoding_order(self) -> bool:
        """Whether the file states only when packets are decoded, not when frames are shown."""
        return self.format_name == "avi" and self.stream.codec_context.name in _REORDERING_CODECS

    @property
    def time_base(self) -> Fraction:
        """Seconds per timestamp tick."""
        return self.stream.time_base or DEFAULT_TIME_BASE

    def packets(self) -> Iterator[VideoPacket]:
        """Yield packets from where the container stands; read errors end it only if they last."""
        errors = 0
        while errors < _MAX_DEMUX_ERRORS:
            try:
                for packet in self.container.demux():
                    if not packet.size:
                        continue
                    errors = 0
                    is_ours = packet.stream_index == self.stream.index
                    self._count(packet, is_ours=is_ours)
                    if is_ours:
                        if self.has_decoding_order:
                            packet.pts = packet.dts  # a guess is wrong where frames are reordered
                        yield cast("VideoPacket", packet)
                return
            except IndexError:
                return  # PyAV at the end of a file in which more streams turned up on the way
            except av.error.FFmpegError:
                # The demuxer of a damaged file often finds its way again behind the damage.
                errors += 1
        self.read_failed = True

    def _count(self, packet: Packet[Stream], *, is_ours: bool) -> None:
        """Note up to where the file was read."""
        # Raw streams state no positions; then packets follow one another.
        end = packet.size + (self.heard_bytes if packet.pos is None else packet.pos)
        if is_ours:
            self.read_bytes = max(self.read_bytes, end)
            self._largest_bytes = max(self._largest_bytes, self._newest_bytes)
            self._newest_bytes = packet.size
        # Other video streams do not count: a codec that changes midway starts one.
        if is_ours or packet.stream.type != "video":
            self.heard_bytes = max(self.heard_bytes, end)

    @property
    def unread_bytes(self) -> int:
        """Bytes at the end of the file that hold nothing that was read, in formats without index.

        Parsers of raw streams append whatever follows to the last packet: what it has more than
        all before it does not count as read, nor do zeros at the end of the file.
        """
        if self.format_name not in _WITHOUT_TRAILER:
            return 0
        size = self.path.stat().st_size
        appended = max(0, self._newest_bytes - self._largest_bytes)
        read = self.heard_bytes - (appended if self._largest_bytes else 0)
        unread = size - min(read, size - _zeros_at_end(self.path))
        return unread if unread >= _LEAST_UNREAD_BYTES else 0

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


def _zeros_at_end(path: Path) -> int:
    """Count the zero bytes at the end of a file."""
    zeros, size = 0, path.stat().st_size
    with path.open("rb") as file:
        while zeros < size:
            begin = max(0, size - zeros - _BLOCK_BYTES)
            file.seek(begin)
            block = file.read(size - zeros - begin)
            rest = block.rstrip(b"\0")
            zeros += len(block) - len(rest)
            if rest or not block:
                break
    return zeros
