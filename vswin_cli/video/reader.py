"""From a file to decoded frames with trustworthy times, whatever state the file is in.

Times are presentation timestamps minus the first one, on one clock; frame counts, average rates
and declared durations are reported but never used. A packet that cannot be decoded is counted and
passed over. PyAV's log level is left alone: raising it can deadlock with frame threads on damaged
streams.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from types import TracebackType

import av

from vswin_cli.errors import DecodeError
from vswin_cli.storage.humanize import counted
from vswin_cli.video.container import (
    best_stream,
    container_name,
    declared_duration,
    displayed_container_name,
    examine_clock,
    giving_up,
    lead_seconds,
    measured_interval,
    media_warnings,
    moving_streams,
    nominal_interval,
    open_container,
)
from vswin_cli.video.frames import TimedFrame, in_order, quarter_turn
from vswin_cli.video.info import MediaWarning, VideoInfo
from vswin_cli.video.skip import IsWanted, Omitted, omission_for
from vswin_cli.video.structure import is_cut_off
from vswin_cli.video.timestamps import RESET_SECONDS, Clock

__all__ = ["TimedFrame", "VideoReader", "probe"]

_HEAD_PACKETS = 48  # looked at before decoding: enough for rates, few enough to keep in memory
_MAX_DEMUX_ERRORS = 16  # in a row, before a file counts as unreadable from there on
_MAX_PIXELS = 1 << 28  # a damaged header must not ask for tens of gigabytes
_SEEK_MARGINS_SECONDS = (0.0, 1.0, 3.0, 10.0, 60.0)  # further back each time a seek lands too late
_BLIND_SEEK_SECONDS = 10.0  # without an index, shorter ways are decoded ...
_BLIND_SEEK_PENALTY = 4.0  # ... and this much longer ones after a seek that went backwards
_INDEXED = ("mov", "matroska", "avi")  # others keep no index and may be joined recordings
_SHORTEST_SEEK_SECONDS = 2.0


class VideoReader:
    """An open video: its facts at once, its frames one after the other.

    Attributes:
        info: what is known before decoding.
        bad_packets: packets marked as damaged or refused so far.
        corrupt_frames: pictures marked as damaged so far.
        out_of_order_frames: pictures left out so far because time did not advance.
        read_failed: whether the container broke off with an error.
        has_one_clock: whether the file's clock runs through; `None` before `examine_clock`.

    Raises:
        SourceNotFoundError: no such file, or it may not be read.
        NotAVideoError: no container that FFmpeg knows.
        NoVideoStreamError: no stream with moving pictures.
        DecodeError: not one frame could be decoded.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._container = open_container(path)
        try:
            self._stream = best_stream(self._container, path)
            self._prepare()
        except BaseException:
            self._container.close()
            raise

    def _prepare(self) -> None:
        self.bad_packets = 0
        self.corrupt_frames = 0
        self.out_of_order_frames = 0
        self.read_failed = False
        self._newest_seconds = 0.0
        self._read_bytes = 0  # where in the file the furthest packet ended
        self._blind_seek_seconds = _BLIND_SEEK_SECONDS
        self._is_wanted: IsWanted | None = None
        self.has_one_clock = True if container_name(self._container) in _INDEXED else None
        self._configure()
        self._time_base = self._stream.time_base or Fraction(1, 90_000)
        packets = self._demux()
        head = deque(islice(packets, _HEAD_PACKETS))
        times = [packet.pts for packet in head if packet.pts is not None and not packet.is_discard]
        self._first_packet_pts = min(times, default=None)
        self._head_interval = measured_interval(times, self._time_base)
        self._clock = Clock(self._head_interval or nominal_interval(self._stream))
        self._decoded = self._decode(giving_up(head, packets))
        self._pending = deque(islice(self._decoded, 1))
        if not self._pending:
            raise DecodeError(
                f"not one frame of {self._path} could be decoded "
                f"({counted(self.bad_packets, 'damaged packet')})",
                hint="the file is damaged or was only partly copied; fetch it again",
            )
        first = self._pending[0]
        assert isinstance(first, av.VideoFrame)  # nothing is left out before
        self._origin = self._find_origin(first)
        self.info = self._describe(first)

    def _configure(self) -> None:
        """Set up the decoder; before its first packet."""
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.options = {"max_pixels": str(_MAX_PIXELS)}

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the decoder and the file; PyAV leaks both otherwise."""
        self._decoded.close()
        self._container.close()

    @property
    def warnings(self) -> tuple[MediaWarning, ...]:
        """What was noticed since `info` was made."""
        return self._clock.warnings

    @property
    def unread_share(self) -> float:
        """Share of the file behind the last packet of the stream."""
        return max(0.0, 1.0 - self._read_bytes / self.info.size_bytes)

    def decode_only(self, is_wanted: IsWanted) -> None:
        """Leave out pictures that are not wanted where that changes no other picture.

        They are given all the same, without pixels. Takes effect from the next packet on; ends
        at the first sign of damage.
        """
        self._is_wanted = is_wanted

    def frames(self) -> Iterator[TimedFrame]:
        """Frames in presentation order, from where the reader stands to the end."""
        guessed = container_name(self._container) == "avi"
        last_seconds: float | None = None
        for frame in in_order(self._timed(), guessed=guessed):
            if last_seconds is not None and frame.seconds <= last_seconds:
                self.out_of_order_frames += 1
                continue
            last_seconds = frame.seconds
            yield frame

    def _timed(self) -> Iterator[TimedFrame]:
        """Frames as the decoder gives them, on one clock."""
        self._clock.restart()
        self._newest_seconds = 0.0
        while self._next() is not None:
            frame = self._pending.popleft()
            self.corrupt_frames += frame.is_corrupt
            seconds, is_break = self._clock.place(self._stamp(frame), self._next_stamp)
            self._newest_seconds = max(self._newest_seconds, seconds)
            pixels = None if isinstance(frame, Omitted) else frame
            yield TimedFrame(
                seconds, self._declared(frame), quarter_turn(frame.rotation), pixels, is_break
            )

    def _next(self) -> av.VideoFrame | Omitted | None:
        """The frame that comes next, which stays where it is; none at the end."""
        if not self._pending:
            self._pending.extend(islice(self._decoded, 1))
        return self._pending[0] if self._pending else None

    def _next_stamp(self) -> float | None:
        frame = self._next()
        return None if frame is None else self._stamp(frame)

    def seek(self, seconds: float) -> None:
        """Continue from a frame at or before `seconds`, or from the start if need be.

        Call `frames` anew afterwards. Some containers land after the time that was asked for;
        then the seek is repeated from further back.
        """
        for _ in self.examine_clock():
            pass
        here = self._newest_seconds
        margins = (margin for margin in _SEEK_MARGINS_SECONDS if margin < seconds)
        landings = (self._seek_once(seconds - margin, seconds) for margin in margins)
        if not (self.has_one_clock and any(landings)):
            self._reopen()
        if self._pending and (self._stamp(self._pending[0]) or 0.0) < here:
            self._blind_seek_seconds *= _BLIND_SEEK_PENALTY

    def examine_clock(self) -> Iterator[None]:
        """Find out, once, whether the file's clock runs through; else a seek may land wrongly.

        May read the whole file; yields now and then.
        """
        if self.has_one_clock is None:
            self.has_one_clock = yield from examine_clock(self._path, self._stream)

    def worth_seeking(self, here_seconds: float, target_seconds: float) -> bool:
        """Whether seeking is likely to be cheaper than decoding on from `here_seconds`."""
        way = target_seconds - here_seconds
        near_end = target_seconds >= (self.info.declared_duration_seconds or 0.0)
        is_possible = self.info.seekable and self.has_one_clock is not False
        if not is_possible or way < _SHORTEST_SEEK_SECONDS or near_end:
            return False
        index = self._stream.index_entries
        target = self._timestamp(target_seconds)
        is_complete = len(index) and index[len(index) - 1].timestamp >= target
        if not is_complete or container_name(self._container) not in _INDEXED:
            return way > self._blind_seek_seconds
        keyframe = index.search_timestamp(target)
        beyond = self._timestamp(here_seconds + self._clock.interval_seconds)
        return keyframe >= 0 and index[keyframe].timestamp > beyond

    def keyframe_from(self, seconds: float) -> float | None:
        """Time of the first key frame from `seconds` on, if one is found; then `seek` elsewhere."""
        try:
            target = self._timestamp(seconds)
            self._container.seek(target, stream=self._stream, backward=False)
            packet = next(iter(self._container.demux(self._stream)), None)
        except av.error.FFmpegError:
            return None
        if packet is None or packet.pts is None or not packet.is_keyframe or packet.is_corrupt:
            return None
        return float(packet.pts * self._time_base - self._origin)

    def _seek_once(self, landing_seconds: float, latest_seconds: float) -> bool:
        """Seek and decode one frame; whether it comes no later than asked."""
        bad_packets = self.bad_packets
        try:
            self._container.seek(self._timestamp(landing_seconds), stream=self._stream)
        except av.error.FFmpegError:
            return False
        self._restart()
        # Frames that refer to others before the landing point are no damage.
        self.bad_packets = bad_packets
        landed = self._stamp(self._pending[0]) if self._pending else None
        return landed is not None and landed <= latest_seconds

    def _reopen(self) -> None:
        """Go back to the start by opening the file again, which works for every format."""
        self.close()
        self._container = open_container(self._path)
        self._stream = best_stream(self._container, self._path)
        self._configure()
        self._restart()

    def _restart(self) -> None:
        """Decode anew from where the container stands."""
        self._decoded.close()
        self._decoded = self._decode(self._demux())
        self._pending = deque(islice(self._decoded, 1))

    def _timestamp(self, seconds: float) -> int:
        return round((Fraction(seconds) + self._origin) / self._time_base)

    def _demux(self) -> Iterator[av.Packet[av.VideoStream]]:
        """Packets of the stream; read errors end it only when they do not stop."""
        errors = 0
        while errors < _MAX_DEMUX_ERRORS:
            try:
                for packet in self._container.demux(self._stream):
                    if packet.size:
                        errors = 0
                        self.bad_packets += packet.is_corrupt
                        self._read_bytes = max(self._read_bytes, (packet.pos or 0) + packet.size)
                        yield packet
                return
            except IndexError:
                return  # PyAV at the end of a file in which more streams turned up on the way
            except av.error.FFmpegError:
                errors += 1
        self.read_failed = True

    def _decode(
        self, packets: Iterator[av.Packet[av.VideoStream]]
    ) -> Generator[av.VideoFrame | Omitted, None, None]:
        """Every frame that the decoder gives for the packets, in its order."""
        omitted: list[Omitted] = []  # due before the next frame with a later time
        rotation: int | None = None  # unknown before the first frame
        for packet, is_spare in self._examine(packets):
            if packet and is_spare and rotation is not None and not self._is_damaged:
                insort(omitted, Omitted.of(packet, self._time_base, rotation))
                continue
            for frame in self._decode_packet(packet):
                rotation = frame.rotation
                while omitted and frame.pts is not None and omitted[0].pts < frame.pts:
                    yield omitted.pop(0)
                yield frame
        yield from omitted

    def _examine(
        self, packets: Iterator[av.Packet[av.VideoStream]]
    ) -> Iterator[tuple[av.Packet[av.VideoStream] | None, bool]]:
        """Packets, and `None` behind the last, with whether they can be left out."""
        step_back = int(RESET_SECONDS / self._time_base)
        container = container_name(self._container)
        omission = omission_for(self._stream, container, step_back, self._shows)
        if omission is None:
            yield from ((packet, False) for packet in packets)
        else:
            yield from omission.examine(packets)
        yield None, False

    def _shows(self, pts: int, next_pts: int) -> bool:
        """Whether someone wants to see the picture of a packet."""
        if self._is_wanted is None:
            return True
        begin, end = (float(ticks * self._time_base - self._origin) for ticks in (pts, next_pts))
        return self._is_wanted(begin, end)

    @property
    def _is_damaged(self) -> bool:
        return self.bad_packets + self.corrupt_frames > 0

    def _decode_packet(self, packet: av.Packet[av.VideoStream] | None) -> list[av.VideoFrame]:
        try:
            return self._stream.decode(packet)
        except av.error.EOFError:
            return []
        except av.error.FFmpegError:
            self.bad_packets += 1
            return []

    def _stamp(self, frame: av.VideoFrame | Omitted) -> float | None:
        """Time of a frame on the file's clock; none where it has no timestamp."""
        if frame.pts is None:
            return None
        return float(frame.pts * (frame.time_base or self._time_base) - self._origin)

    def _declared(self, frame: av.VideoFrame | Omitted) -> float:
        return float((frame.duration or 0) * (frame.time_base or self._time_base))

    def _find_origin(self, first: av.VideoFrame) -> Fraction:
        """Timestamp of the first picture that the file holds, in seconds.

        Normally that of the first frame. Where packets before it could not be decoded, the
        start of the stream, provided that a packet confirms it.
        """
        if first.pts is None:
            return Fraction(0)
        shown = first.pts * self._time_base
        start = self._stream.start_time
        if not self.bad_packets or start is None:
            return shown
        return start * self._time_base if self._first_packet_pts == start else shown

    def _describe(self, first: av.VideoFrame) -> VideoInfo:
        stream, container = self._stream, self._container
        ratio, rate = stream.sample_aspect_ratio or 1, stream.average_rate or stream.guessed_rate
        declared = declared_duration(container, stream, self._origin)
        info = VideoInfo(
            size_bytes=self._path.stat().st_size,
            container=displayed_container_name(container, self._path),
            codec=stream.codec_context.codec.canonical_name,
            width=first.width,
            height=first.height,
            rotation_degrees=quarter_turn(first.rotation),
            sample_aspect_ratio=f"{ratio.numerator}:{ratio.denominator}",
            pixel_format=first.format.name,
            bit_depth=first.format.components[0].bits,
            time_base_seconds=float(self._time_base),
            start_seconds=float(self._origin),
            declared_frame_rate=str(rate) if rate else None,
            measured_frame_rate=1.0 / self._head_interval if self._head_interval else None,
            declared_duration_seconds=declared[0] if declared else None,
            duration_source=declared[1] if declared else None,
            seekable=first.pts is not None and container.duration is not None,
            cut_off=is_cut_off(self._path),
            lead_seconds=lead_seconds(container, self._origin),
            num_video_streams=len(moving_streams(container)),
            stream_index=stream.index,
        )
        return replace(info, warnings=media_warnings(info, first))


def probe(path: Path) -> VideoInfo:
    """Open a video, decode its first frame and say what it is.

    Raises:
        SourceError: as for `VideoReader`.
    """
    with VideoReader(path) as reader:
        return reader.info
