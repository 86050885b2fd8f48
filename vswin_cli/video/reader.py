"""Decode a video file to frames with trustworthy times, whatever state the file is in.

Times are presentation timestamps minus the first one, on one clock; frame counts, average rates
and declared durations are reported but never used. A packet that cannot be decoded is counted and
passed over. PyAV's log level is left alone: raising it can deadlock with frame threads on damaged
streams.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Generator, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from types import TracebackType

import av

from vswin_cli.video.container import (
    describe_video,
    examine_clock,
    find_origin,
    giving_up,
    measured_interval,
    no_frame_error,
    nominal_interval,
)
from vswin_cli.video.frames import DecodingOrderStamps, TimedFrame, in_order, quarter_turn
from vswin_cli.video.info import MediaWarning, VideoInfo
from vswin_cli.video.memory_limit import limit_threads
from vswin_cli.video.packets import PacketReader
from vswin_cli.video.seek import SeekPlanner
from vswin_cli.video.skip import IsWanted, SkippedFrame, frame_skipping_for
from vswin_cli.video.timestamps import RESET_SECONDS, Clock

__all__ = ["TimedFrame", "VideoReader", "probe"]

_HEAD_PACKETS = 48  # looked at before decoding: enough for rates, few enough to keep in memory
_MAX_PIXELS = 1 << 28  # a damaged header must not ask for tens of gigabytes


class VideoReader:
    """Read one video: its facts at once, its frames one after the other.

    Attributes:
        path: the file.
        info: what is known before decoding.
        is_strict: see below.
        is_wanted: what `decode_only` was told; `None` before.
        bad_packets: packets marked as damaged or refused so far.
        corrupt_frames: frames marked as damaged so far.
        out_of_order_frames: frames dropped so far because time did not advance.

    Args:
        path: the file.
        strict: decode with one thread and patch up no damage, so that a part of the video comes
            out as it would in the midst of the whole or with damage counted.

    Raises:
        SourceNotFoundError: no such file, or it may not be read.
        NotAVideoError: no container that FFmpeg knows.
        NoVideoStreamError: no video stream, or none but cover art.
        DecodeError: not one frame could be decoded.
    """

    def __init__(self, path: Path, *, strict: bool = False) -> None:
        self.path = path
        self.is_strict = strict
        self.is_wanted: IsWanted | None = None
        self.bad_packets = 0
        self.corrupt_frames = 0
        self.out_of_order_frames = 0
        self._newest_seconds = 0.0
        self._last_pts: int | None = None
        self._undecoded: list[int] = []  # timestamps of packets without a frame so far
        self._file = PacketReader(path)
        try:
            self._prepare()
        except BaseException:
            self._file.close()
            raise

    def _prepare(self) -> None:
        """Decode the first frame, and find out from it and its packets what the video is."""
        self._configure()
        self._time_base = self._file.time_base
        packets = self._packets()
        head = deque(islice(packets, _HEAD_PACKETS))
        times = [packet.pts for packet in head if packet.pts is not None and not packet.is_discard]
        first_packet_pts = min(times, default=None)
        interval = measured_interval(times, self._time_base)
        self._clock = Clock(interval or nominal_interval(self._file.stream))
        self._decoded = self._decode(giving_up(head, packets))
        self._pending = deque(islice(self._decoded, 1))
        if not self._pending:
            raise no_frame_error(self.path, self.bad_packets)
        first = self._pending[0]
        assert isinstance(first, av.VideoFrame)  # nothing is skipped before
        stream, is_damaged = self._file.stream, self.bad_packets > 0
        self._origin = find_origin(stream, first.pts, first_packet_pts, is_damaged=is_damaged)
        self.info = describe_video(
            self.path, self._file.container, stream, first, origin=self._origin, interval=interval
        )
        self._clock.longest_jumps_seconds = self.info.longest_seconds
        self._planner = SeekPlanner(self.info, self._file.format_name)

    def _configure(self) -> None:
        """Set up the decoder; before its first packet."""
        stream, options = self._file.stream, {"max_pixels": str(_MAX_PIXELS)}
        stream.thread_type = "AUTO"
        limit_threads(stream.codec_context)
        if self.is_strict:
            stream.codec_context.thread_count = 1
            options["err_detect"] = "explode"
        stream.codec_context.options = options

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
        self._file.close()

    @property
    def warnings(self) -> tuple[MediaWarning, ...]:
        """What was noticed since `info` was made."""
        return self._clock.warnings

    @property
    def read_failed(self) -> bool:
        """Whether the container broke off with an error."""
        return self._file.read_failed

    @property
    def is_sound(self) -> bool:
        """Whether nothing odd was noticed so far."""
        oddities = self.bad_packets + self.corrupt_frames + self.out_of_order_frames
        return oddities == 0 and not self.read_failed and not self.warnings

    @property
    def unread_share(self) -> float:
        """Share of the file behind the last packet of the stream."""
        return max(0.0, 1.0 - self._file.read_bytes / self.info.size_bytes)

    @property
    def unread_bytes(self) -> int:
        """Bytes at the end of the file that held nothing to read, see `PacketReader`."""
        return self._file.unread_bytes

    @property
    def packets_behind(self) -> int:
        """Packets given to the decoder that are shown after the last frame that came out."""
        return len(self._undecoded)

    @property
    def format_name(self) -> str:
        """FFmpeg's short name of the container format."""
        return self._file.format_name

    @property
    def has_one_clock(self) -> bool | None:
        """Whether the file's clock runs through; `None` before `examine_clock`."""
        return self._planner.has_one_clock

    @property
    def next_seconds(self) -> float | None:
        """Time of the frame that `frames` begins with; `None` at the end."""
        frame = self._next()
        return None if frame is None else self._stamp(frame) or 0.0

    def decode_only(self, is_wanted: IsWanted) -> None:
        """Skip frames that are not wanted where that changes no other frame.

        They are given all the same, without pixels. Takes effect from the next packet on; ends
        at the first sign of damage.
        """
        self.is_wanted = is_wanted

    def stop_after(self, seconds: float) -> None:
        """Decode no packet whose frame is shown after `seconds`; takes effect with `seek`.

        The packets up to the key frame shown at `seconds` include all that are shown before it.
        """
        self._last_pts = self._timestamp(seconds)

    def frames(self) -> Iterator[TimedFrame]:
        """Yield frames in presentation order, from where the reader stands to the end."""
        guessed = self.format_name == "avi"
        last_seconds: float | None = None
        for frame in in_order(self._timed(), guessed=guessed):
            if last_seconds is not None and frame.seconds <= last_seconds:
                self.out_of_order_frames += 1
                continue
            last_seconds = frame.seconds
            yield frame

    def _timed(self) -> Iterator[TimedFrame]:
        """Yield frames as the decoder gives them, on one clock."""
        self._clock.restart()
        self._newest_seconds = 0.0
        while self._next() is not None:
            frame = self._pending.popleft()
            self.corrupt_frames += frame.is_corrupt
            seconds, is_break = self._clock.time_of_next(self._stamp(frame), self._next_stamp)
            self._newest_seconds = max(self._newest_seconds, seconds)
            pixels = None if isinstance(frame, SkippedFrame) else frame
            declared = float((frame.duration or 0) * (frame.time_base or self._time_base))
            yield TimedFrame(seconds, declared, quarter_turn(frame.rotation), pixels, is_break)

    def _next(self) -> av.VideoFrame | SkippedFrame | None:
        """Return the frame that comes next, which stays where it is; `None` at the end."""
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
        landings = self._planner.landings(seconds)
        if not any(self._seek_once(landing, seconds) for landing in landings):
            self.reopen()
        if self._pending:
            self._planner.note_landing(here, self._stamp(self._pending[0]) or 0.0)

    def examine_clock(self) -> Iterator[None]:
        """Find out, once, whether the file's clock runs through; else a seek may land wrongly.

        May read the whole file; yields now and then.
        """
        if self._planner.has_one_clock is None:
            is_one = yield from examine_clock(self.path, self._file.stream)
            self._planner.has_one_clock = is_one

    def worth_seeking(self, here_seconds: float, target_seconds: float) -> bool:
        """Return whether seeking is likely to be cheaper than decoding on from `here_seconds`."""
        begin = self._timestamp(here_seconds + self._clock.interval_seconds)
        between = self._file.has_keyframe_between(begin, self._timestamp(target_seconds))
        return self._planner.worth_seeking(here_seconds, target_seconds, keyframe_between=between)

    def keyframe_from(self, seconds: float) -> float | None:
        """Return the time of the first key frame from `seconds` on, `None` if none is found.

        The reader stands behind that key frame afterwards: `seek` before `frames`.
        """
        if not self._file.seek(self._timestamp(seconds), backward=False):
            return None
        packet = next(self._file.packets(), None)
        if packet is None or packet.pts is None or not packet.is_keyframe or packet.is_corrupt:
            return None
        return float(packet.pts * self._time_base - self._origin)

    def _seek_once(self, landing_seconds: float, latest_seconds: float) -> bool:
        """Seek and decode one frame; return whether it comes no later than asked."""
        bad_packets = self.bad_packets
        if not self._file.seek(self._timestamp(landing_seconds)):
            return False
        self._restart()
        # Frames that refer to others before the landing point are no damage.
        self.bad_packets = bad_packets
        landed = self._stamp(self._pending[0]) if self._pending else None
        return landed is not None and landed <= latest_seconds

    def reopen(self) -> None:
        """Go back to the start, or open the file again after `close`.

        Raises:
            SourceError: the file is gone or has changed.
        """
        self._decoded.close()
        self._file.reopen()
        self._configure()
        self._restart()

    def _restart(self) -> None:
        """Decode anew from where the container stands."""
        self._decoded.close()
        self._decoded = self._decode(self._packets())
        self._pending = deque(islice(self._decoded, 1))

    def _timestamp(self, seconds: float) -> int:
        return round((Fraction(seconds) + self._origin) / self._time_base)

    def _packets(self) -> Iterator[av.Packet[av.VideoStream]]:
        """Yield the packets to decode, and count the damaged ones."""
        for packet in self._file.packets():
            self.bad_packets += packet.is_corrupt
            last, here = self._last_pts, packet.pts
            if last is not None and here is not None and here > last:
                return
            yield packet

    def _decode(
        self, packets: Iterator[av.Packet[av.VideoStream]]
    ) -> Generator[av.VideoFrame | SkippedFrame, None, None]:
        """Yield every frame that the decoder gives for the packets, in its order."""
        self._undecoded = []
        depth = self._file.stream.codec_context.reorder_depth
        stamps = DecodingOrderStamps(depth) if self._file.has_decoding_order else None
        skipped: list[SkippedFrame] = []  # due before the next frame with a later time
        rotation: int | None = None  # unknown before the first frame
        for packet, is_spare in self._with_spare(packets):
            # Damage spreads through references in ways that depend on all that was decoded
            # before, so that from its first sign on every packet is decoded.
            if packet and is_spare and rotation is not None and not self._is_damaged:
                insort(skipped, SkippedFrame.of(packet, self._time_base, rotation))
                continue
            if packet and packet.pts is not None and not packet.is_discard:
                self._undecoded.append(packet.pts)
                if stamps:
                    stamps.add(packet.pts)
            for frame in self._decode_packet(packet):
                rotation = frame.rotation
                self._note_decoded(frame)
                if stamps and frame.pts is not None:
                    frame.pts = stamps.take(frame.pts)
                while skipped and frame.pts is not None and skipped[0].pts < frame.pts:
                    yield skipped.pop(0)
                yield frame
        yield from skipped

    def _note_decoded(self, frame: av.VideoFrame) -> None:
        """Forget packets up to a frame: what is shown before it and did not come is bad already."""
        shown = frame.pts
        if shown is not None:
            self._undecoded = [pts for pts in self._undecoded if pts > shown]

    def _with_spare(
        self, packets: Iterator[av.Packet[av.VideoStream]]
    ) -> Iterator[tuple[av.Packet[av.VideoStream] | None, bool]]:
        """Yield packets, and `None` behind the last, with whether they can be skipped."""
        step_back = int(RESET_SECONDS / self._time_base)
        skipping = frame_skipping_for(self._file.stream, self.format_name, step_back, self._shows)
        if skipping is None:
            yield from ((packet, False) for packet in packets)
        else:
            yield from skipping.examine(packets)
        yield None, False

    def _shows(self, pts: int, next_pts: int) -> bool:
        """Return whether the frame of a packet, on display until the next, is wanted."""
        if self.is_wanted is None:
            return True
        begin, end = (float(ticks * self._time_base - self._origin) for ticks in (pts, next_pts))
        return self.is_wanted(begin, end)

    @property
    def _is_damaged(self) -> bool:
        return self.bad_packets + self.corrupt_frames > 0

    def _decode_packet(self, packet: av.Packet[av.VideoStream] | None) -> list[av.VideoFrame]:
        try:
            return self._file.stream.decode(packet)
        except av.error.EOFError:
            return []
        except av.error.FFmpegError:
            self.bad_packets += 1
            return []

    def _stamp(self, frame: av.VideoFrame | SkippedFrame) -> float | None:
        """Return the time of a frame on the file's clock; `None` where it has no timestamp."""
        if frame.pts is None:
            return None
        return float(frame.pts * (frame.time_base or self._time_base) - self._origin)


def probe(path: Path) -> VideoInfo:
    """Open a video, decode its first frame and say what it is.

    Raises:
        SourceError: as for `VideoReader`.
    """
    with VideoReader(path) as reader:
        return reader.info
