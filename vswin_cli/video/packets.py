"""Read the packets of a file's best video stream, even if the file is damaged.

Packets and bytes are counted here; nothing is decoded.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
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
from vswin_cli.video.frames import CountedStamps, DecodingOrderStamps
from vswin_cli.video.memory_limit import limit_threads
from vswin_cli.video.raw_streams import rate_for

if TYPE_CHECKING:
    from av import Packet, VideoStream
    from av.codec.hwaccel import HWAccel
    from av.stream import Stream

    VideoPacket: TypeAlias = Packet[VideoStream]

__all__ = ["PacketReader", "before_keyframe"]

_WITHOUT_TRAILER = {
    *("mpegts", "mpeg", "ogg", "nut", "flv", "h264", "hevc", "mjpeg", "mpegvideo", "m4v", "obu"),
}
"""Formats of one file whose packets extend to its end, without an index or the like after them."""
_MAX_PIXELS = 1 << 28  # or a damaged header could request tens of gigabytes
_LEAST_UNREAD_BYTES = 4096  # fewer are tables, padding or an end code
_REORDERING_CODECS = ("h264", "hevc")  # AVI stores no presentation times for them
_BLOCK_BYTES = 1 << 20
_MAX_DEMUX_ERRORS = 16  # in a row, before a file counts as unreadable from there on


class PacketReader:
    """An open file and the video stream that is decoded.

    Attributes:
        container: the open file; another object after `reopen`.
        stream: its best video stream, see `best_stream`.
        read_failed: whether reading ended with an error.
        read_bytes: offset in the file at which the furthest packet of the stream ends.
        demuxed_bytes: the same, including audio, subtitles and data.

        rate: at which frames are counted, if the user gave it.

    Args:
        path: the video.
        frames_per_second: rate of a stream without timestamps, in place of what FFmpeg assumes.
        hardware: what decodes the stream, if not FFmpeg's software.

    Raises:
        SourceError: as for `open_container` and `best_stream`.
        OptionError: a rate is given for a file that has timestamps.
    """

    def __init__(
        self,
        path: Path,
        frames_per_second: float | None = None,
        hardware: HWAccel | None = None,
    ) -> None:
        self.path, self._hardware = path, hardware
        self._frames_per_second = frames_per_second
        self.read_failed = False
        self.read_bytes = 0
        self.demuxed_bytes = 0
        self._newest_bytes = 0  # size of the newest packet of the stream ...
        self._largest_bytes = 0  # ... and of the largest before it
        self._open()

    def _open(self) -> None:
        self.container = open_container(self.path, self._hardware)
        try:
            self.rate = rate_for(self.path, self.format_name, self._frames_per_second)
            self.stream = best_stream(self.container, self.path)
        except BaseException:
            self.container.close()
            raise

    def configure_decoder(self, threads: int | None, *, is_strict: bool) -> None:
        """Set up the decoder; before its first packet.

        Args:
            threads: at most; `None` for one more than there are cores.
            is_strict: whether to conceal no damage.
        """
        options = {"max_pixels": str(_MAX_PIXELS)}
        self.stream.thread_type = "AUTO"
        limit_threads(self.stream.codec_context, threads)
        if is_strict:
            options["err_detect"] = "explode"
        self.stream.codec_context.options = options

    @property
    def format_name(self) -> str:
        """FFmpeg's short name of the container format."""
        return container_name(self.container)

    @property
    def has_decoding_order(self) -> bool:
        """Whether the file stores only decoding times of packets, not presentation times."""
        return self.format_name == "avi" and self.stream.codec_context.name in _REORDERING_CODECS

    def new_stamps(self) -> CountedStamps | DecodingOrderStamps | None:
        """Return what gives frames their timestamps; `None` where their packets state them."""
        if self.rate:
            return CountedStamps()
        context = self.stream.codec_context
        return DecodingOrderStamps(context.reorder_depth) if self.has_decoding_order else None

    @property
    def time_base(self) -> Fraction:
        """Seconds per timestamp tick."""
        return 1 / self.rate if self.rate else self.stream.time_base or DEFAULT_TIME_BASE

    def packets(self) -> Iterator[VideoPacket]:
        """Yield packets from the container's position on, past read errors unless they persist."""
        errors = number = 0
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
                            packet.pts = packet.dts  # FFmpeg's is wrong for reordered frames
                        if self.rate:
                            packet.pts = packet.dts = number
                            packet.time_base, packet.duration = self.time_base, 1
                            number += 1
                        yield cast("VideoPacket", packet)
                return
            except IndexError:
                return  # PyAV raises this at the end of a file that gained streams meanwhile
            except av.error.FFmpegError:
                # The demuxer often resynchronizes after damage.
                errors += 1
        self.read_failed = True

    def _count(self, packet: Packet[Stream], *, is_ours: bool) -> None:
        """Update the offsets up to which the file was read."""
        # Packets of raw streams have no offsets, but follow one another.
        end = packet.size + (self.demuxed_bytes if packet.pos is None else packet.pos)
        if is_ours:
            self.read_bytes = max(self.read_bytes, end)
            self._largest_bytes = max(self._largest_bytes, self._newest_bytes)
            self._newest_bytes = packet.size
        # Other video streams do not count: where the codec changes midway, FFmpeg starts a new
        # stream, and its bytes are video that was not read.
        if is_ours or packet.stream.type != "video":
            self.demuxed_bytes = max(self.demuxed_bytes, end)

    @property
    def unread_bytes(self) -> int:
        """Bytes at the end of the file without packets, in formats without an index.

        Parsers of raw streams append whatever follows to the last packet: its excess over the
        largest packet before it does not count as read, nor do zeros at the end of the file.
        """
        if self.format_name not in _WITHOUT_TRAILER:
            return 0
        size = self.path.stat().st_size
        appended = max(0, self._newest_bytes - self._largest_bytes)
        read = self.demuxed_bytes - (appended if self._largest_bytes else 0)
        unread = size - min(read, size - _zeros_at_end(self.path))
        return unread if unread >= _LEAST_UNREAD_BYTES else 0

    def seek(self, timestamp: int, *, backward: bool = True) -> bool:
        """Seek to a key frame at or before a timestamp (or after it); return whether it worked."""
        try:
            self.container.seek(timestamp, stream=self.stream, backward=backward)
        except av.error.FFmpegError:
            return False
        return True

    def has_keyframe_between(self, begin: int, end: int) -> bool | None:
        """Return whether the index lists a key frame in `(begin, end]`, in ticks.

        `None` if the container has no index, or none that reaches to `end`.
        """
        index = self.stream.index_entries
        if not len(index) or index[len(index) - 1].timestamp < end:
            return None
        keyframe = index.search_timestamp(end)
        return keyframe >= 0 and index[keyframe].timestamp > begin

    def reopen(self) -> None:
        """Return to the start by opening the file again, which works for every format.

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


def before_keyframe(
    packets: Iterable[VideoPacket], last: int
) -> Generator[VideoPacket, None, bool]:
    """Yield the packets of all frames shown before the key frame with the timestamp `last`.

    Frames shown before a key frame may come after it and refer to it (leading frames of an
    open group): only then its own packet is yielded. Their packets come directly after it.

    Args:
        packets: in decoding order, from a key frame on.
        last: presentation timestamp of a later key frame.

    Returns:
        Whether all of these packets came, and that of the key frame was left out.
    """
    keyframe: VideoPacket | None = None
    for packet in packets:
        if packet.pts is not None and packet.pts > last:
            return keyframe is not None
        if keyframe is not None:
            yield keyframe
            keyframe = None
        if packet.pts == last and packet.is_keyframe:
            keyframe = packet
        else:
            yield packet
    if keyframe is not None:  # the file ends with it
        yield keyframe
    return False


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
