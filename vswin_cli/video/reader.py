"""Decode a video file to frames with reliable times, even if the file is damaged.

Times are presentation timestamps minus the first one, on one timeline; frame counts, average rates
and declared durations are reported but never used. A packet that cannot be decoded is counted and
skipped. PyAV's log level stays as it is: raising it can deadlock with frame threads on damaged
streams.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Generator, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import av

from vswin_cli.video.container import (
    chain_consuming,
    describe_video,
    find_origin,
    measured_interval,
    no_frame_error,
    nominal_interval,
    scan_timestamps,
)
from vswin_cli.video.frames import TimedFrame, in_order, quarter_turn
from vswin_cli.video.info import MediaWarning
from vswin_cli.video.joins import JoinDetector
from vswin_cli.video.outstanding import OutstandingPackets
from vswin_cli.video.packets import PacketReader, before_keyframe
from vswin_cli.video.resize import colour_tags
from vswin_cli.video.seek import SeekPlanner
from vswin_cli.video.skip import IsWanted, SkippedFrame, frame_skipping_for
from vswin_cli.video.timestamps import RESET_SECONDS, TimestampUnwrapper, to_seconds

if TYPE_CHECKING:
    from av.codec.hwaccel import HWAccel

    from vswin_cli.video.packets import VideoPacket

__all__ = ["TimedFrame", "VideoReader"]

_HEAD_PACKETS = 48  # read before decoding: enough for rates, few enough to keep in memory


class VideoReader:
    """Read one video: its metadata at once, its frames one after the other.

    Attributes:
        path, is_strict: the file, and whether no damage is concealed.
        info: metadata, before decoding.
        colours: of the first frame, see `colour_tags`.
        is_wanted: the argument of `decode_only`; `None` before.
        bad_packets: packets marked as damaged or refused so far.
        undecoded: packets sent to the decoder that gave no frame yet.
        joins: where recordings were joined, so far; packets marked for that are not bad.
        corrupt_frames: frames marked as damaged so far.
        out_of_order_frames: frames dropped so far because time did not advance.
        reached_last_keyframe: whether all packets up to that of `stop_after` were read.

    Args:
        path: the file.
        strict: decode with one thread and conceal no damage, so that a part of the video is
            either decoded as within the whole or counted as damaged.
        input_frame_rate: of a stream without timestamps, in frames per second.
        threads: of the decoder at most; by default one more than there are cores.
        hardware: what decodes, if not FFmpeg's software; frames stay on its device if it says so.

    Raises:
        SourceNotFoundError: no such file, or it may not be read.
        NotAVideoError: no container that FFmpeg supports.
        NoVideoStreamError: no video stream, or none but cover art.
        OptionError: a frame rate is given for a file that has timestamps.
        DecodeError: not one frame could be decoded.
    """

    def __init__(
        self,
        path: Path,
        *,
        strict: bool = False,
        input_frame_rate: float | None = None,
        threads: int | None = None,
        hardware: HWAccel | None = None,
    ) -> None:
        self.path, self.is_strict = path, strict
        self._threads = 1 if strict else threads
        self.is_wanted: IsWanted | None = None
        self.bad_packets = self.corrupt_frames = self.out_of_order_frames = 0
        self._newest_seconds = 0.0
        self._last_pts: int | None = None
        self.reached_last_keyframe = False
        self._file = PacketReader(path, input_frame_rate, hardware)
        self.joins = JoinDetector(self._file.format_name)
        try:
            self._prepare()
        except BaseException:
            self._file.close()
            raise

    def _prepare(self) -> None:
        """Decode the first frame, and describe the video from it and the first packets."""
        self._file.configure_decoder(self._threads, is_strict=self.is_strict)
        self._time_base = self._file.time_base
        self.undecoded = OutstandingPackets(self._time_base)
        packets = self._packets()
        # Packets first: the declared rate is often wrong, and the usual interval between them is
        # needed before the first frame gets its time.
        head = deque(islice(packets, _HEAD_PACKETS))
        times = [packet.pts for packet in head if packet.pts is not None and not packet.is_discard]
        stream, interval = self._file.stream, measured_interval(times, self._time_base)
        self._unwrapper = TimestampUnwrapper(interval or nominal_interval(stream))
        self._decoded = self._decode(chain_consuming(head, packets))
        self._pending = deque(islice(self._decoded, 1))
        if not self._pending:
            raise no_frame_error(self.path, self.bad_packets)
        first, is_damaged = self._pending[0], self.bad_packets > 0
        assert isinstance(first, av.VideoFrame)  # nothing is skipped before
        self.colours = colour_tags(first)
        earliest = min(times, default=None)
        self._origin = find_origin(stream, first.pts, earliest, is_damaged=is_damaged)
        self.info = describe_video(
            *(self.path, self._file.container, stream, first),
            origin=self._origin,
            interval=interval,
            input_rate=self._file.rate,
        )
        self._unwrapper.longest_jumps_seconds = self.info.longest_seconds
        self._planner = SeekPlanner(self.info, self._file.format_name)

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the decoder and the file; PyAV leaks both otherwise."""
        self._decoded.close()
        self._file.close()

    @property
    def warnings(self) -> tuple[MediaWarning, ...]:
        """Warnings that are not in `info` because they arose later."""
        return self._unwrapper.warnings

    @property
    def read_failed(self) -> bool:
        """Whether the container broke off with an error."""
        return self._file.read_failed

    @property
    def is_sound(self) -> bool:
        """Whether no damage and no irregular timestamps were met so far."""
        oddities = self.bad_packets + self.corrupt_frames + self.out_of_order_frames
        return oddities == 0 and not self.read_failed and not self.warnings

    @property
    def unread_share(self) -> float:
        """Share of the file after the last packet of the stream."""
        return max(0.0, 1.0 - self._file.read_bytes / self.info.size_bytes)

    @property
    def unread_bytes(self) -> int:
        """Bytes at the end of the file without packets, see `PacketReader`."""
        return self._file.unread_bytes

    @property
    def undecoded_until(self) -> float:
        """Time of the last packet that gave no frame, in seconds; 0 if there is none."""
        latest = self.undecoded.latest_pts
        return 0.0 if latest is None else to_seconds(latest, self._time_base, self._origin)

    @property
    def format_name(self) -> str:
        """FFmpeg's short name of the container format."""
        return self._file.format_name

    @property
    def has_continuous_timestamps(self) -> bool | None:
        """Whether no time occurs twice in the file; `None` before `scan_timestamps`."""
        return self._planner.has_continuous_timestamps

    @property
    def next_seconds(self) -> float | None:
        """Time of the frame that `frames` begins with; `None` at the end."""
        return None if (frame := self._next()) is None else self._stamp(frame) or 0.0

    def decode_only(self, is_wanted: IsWanted) -> None:
        """Skip the decoding of unwanted frames where that changes no other frame.

        They are yielded all the same, without pixels. Takes effect with the next packet and ends
        with the first damage.
        """
        self.is_wanted = is_wanted

    def stop_after(self, seconds: float) -> None:
        """Decode only what is shown before the key frame at `seconds`; takes effect with `seek`.

        In decoding order, the packets up to this key frame and its leading ones include all that
        are shown before it. The key frame itself is decoded only if leading frames refer to it.
        """
        self._last_pts = self._timestamp(seconds)

    def frames(self) -> Iterator[TimedFrame]:
        """Yield frames in presentation order, from the reader's position to the end."""
        guessed = self.format_name == "avi"
        last_seconds: float | None = None
        for frame in in_order(self._timed(), guessed=guessed):
            if last_seconds is not None and frame.seconds <= last_seconds:
                self.out_of_order_frames += 1
                continue
            last_seconds = frame.seconds
            yield frame

    def _timed(self) -> Iterator[TimedFrame]:
        """Yield frames in the decoder's order, with unwrapped times."""
        self._unwrapper.restart()
        self._newest_seconds = 0.0
        while self._next() is not None:
            frame = self._pending.popleft()
            if num_before := self._unwrapper.num_before(self._stamp(frame), self._next_stamps):
                self._pending.insert(num_before, frame)
                continue
            self.corrupt_frames += frame.is_corrupt
            seconds, is_break = self._unwrapper.time_of_next(self._stamp(frame), self._next_stamps)
            self._newest_seconds = max(self._newest_seconds, seconds)
            pixels = None if isinstance(frame, SkippedFrame) else frame
            tick = frame.time_base or self._time_base
            declared = (frame.duration or 0) * tick.numerator / tick.denominator
            yield TimedFrame(seconds, declared, quarter_turn(frame.rotation), pixels, is_break)

    def _next(self) -> av.VideoFrame | SkippedFrame | None:
        """Return the next frame without taking it; `None` at the end."""
        if not self._pending:
            self._pending.extend(islice(self._decoded, 1))
        return self._pending[0] if self._pending else None

    def _next_stamps(self, count: int) -> list[float | None]:
        """Return the times in the file of so many next frames, fewer at the end."""
        self._pending.extend(islice(self._decoded, max(0, count - len(self._pending))))
        return [self._stamp(frame) for frame in islice(self._pending, count)]

    def seek(self, seconds: float) -> None:
        """Continue from a frame at or before `seconds`, or from the start if no seek gets there.

        Call `frames` again afterwards. Seeks in some containers land after the requested time;
        then they are repeated from further back.
        """
        for _ in self.scan_timestamps():
            pass
        here, landings = self._newest_seconds, self._planner.landings(seconds)
        if not any(self._seek_once(landing, seconds) for landing in landings):
            self.reopen()
        if self._pending:
            self._planner.record_landing(here, self._stamp(self._pending[0]) or 0.0)

    def scan_timestamps(self) -> Iterator[None]:
        """Determine, once, whether timestamps are continuous, without which a seek is unsafe.

        May read the whole file; yields now and then.
        """
        if self._planner.has_continuous_timestamps is None:
            is_continuous = yield from scan_timestamps(self.path, self._file.stream)
            self._planner.has_continuous_timestamps = is_continuous

    def worth_seeking(self, here_seconds: float, target_seconds: float) -> bool:
        """Return whether seeking is likely to be cheaper than decoding on from `here_seconds`."""
        begin = self._timestamp(here_seconds + self._unwrapper.interval_seconds)
        between = self._file.has_keyframe_between(begin, self._timestamp(target_seconds))
        return self._planner.worth_seeking(here_seconds, target_seconds, keyframe_between=between)

    def keyframe_from(self, seconds: float) -> float | None:
        """Return the time of the first key frame from `seconds` on, `None` if none is found.

        This moves the reader's position: call `seek` before `frames`.
        """
        if not self._file.seek(self._timestamp(seconds), backward=False):
            return None
        packet = next(self._file.packets(), None)
        if packet is None or packet.pts is None or not packet.is_keyframe or packet.is_corrupt:
            return None
        return to_seconds(packet.pts, self._time_base, self._origin)

    def _seek_once(self, landing_seconds: float, latest_seconds: float) -> bool:
        """Seek and decode one frame; return whether it is at or before `latest_seconds`."""
        bad_packets = self.bad_packets
        if not self._file.seek(self._timestamp(landing_seconds)):
            return False
        self._restart()
        # Frames that refer to others before the landing point fail, but are not damaged.
        self.bad_packets = bad_packets
        landed = self._stamp(self._pending[0]) if self._pending else None
        return landed is not None and landed <= latest_seconds

    def reopen(self) -> None:
        """Return to the start, or open the file again after `close`.

        Raises:
            SourceError: the file is gone or has changed.
        """
        self._decoded.close()
        self._file.reopen()
        self._file.configure_decoder(self._threads, is_strict=self.is_strict)
        self._restart()

    def _restart(self) -> None:
        """Restart the decoder at the container's position."""
        self._decoded.close()
        self._decoded = self._decode(self._packets())
        self._pending = deque(islice(self._decoded, 1))

    def _timestamp(self, seconds: float) -> int:
        return round((Fraction(seconds) + self._origin) / self._time_base)

    def _packets(self) -> Iterator[VideoPacket]:
        """Yield the packets to decode, and count the damaged ones."""
        packets = self._counted(self._file.packets())
        self.reached_last_keyframe = False
        if (last := self._last_pts) is None:
            yield from packets
        else:
            self.reached_last_keyframe = yield from before_keyframe(packets, last)

    def _counted(self, packets: Iterator[VideoPacket]) -> Iterator[VideoPacket]:
        for packet, is_damaged in self.joins.examine(packets):
            self.bad_packets += is_damaged
            yield packet

    def _decode(
        self, packets: Iterator[VideoPacket]
    ) -> Generator[av.VideoFrame | SkippedFrame, None, None]:
        """Yield every frame of the packets, decoded or skipped, in the decoder's order."""
        self.undecoded.clear()
        stamps = self._file.new_stamps()
        skipped: list[SkippedFrame] = []  # to be yielded before the next frame with a later time
        rotation: int | None = None  # unknown before the first frame
        for packet, is_spare in self._with_spare(packets):
            # Damage spreads through references, in ways that depend on everything decoded before.
            # Once there is any, every packet is decoded, so that results stay reproducible.
            if packet and is_spare and rotation is not None and not self._is_damaged:
                insort(skipped, SkippedFrame.of(packet, self._time_base, rotation))
                continue
            if packet and packet.pts is not None and not packet.is_discard:
                self.undecoded.add(packet.pts, (packet.pos or 0) + packet.size)
                if stamps:
                    stamps.add(packet.pts)
            for frame in self._decode_packet(packet):
                rotation = frame.rotation
                if (shown := frame.pts) is not None:
                    self.undecoded.remove(shown)
                    if stamps:
                        frame.pts = stamps.take(shown)
                while skipped and frame.pts is not None and skipped[0].pts < frame.pts:
                    yield skipped.pop(0)
                yield frame
        yield from skipped

    def _with_spare(
        self, packets: Iterator[VideoPacket]
    ) -> Iterator[tuple[VideoPacket | None, bool]]:
        """Yield packets with whether they can be skipped, and last `None` to flush the decoder."""
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
        tick, origin = self._time_base, self._origin
        return self.is_wanted(to_seconds(pts, tick, origin), to_seconds(next_pts, tick, origin))

    @property
    def _is_damaged(self) -> bool:
        return self.bad_packets + self.corrupt_frames > 0

    def _decode_packet(self, packet: VideoPacket | None) -> list[av.VideoFrame]:
        try:
            return self._file.stream.decode(packet)
        except av.error.EOFError:
            return []
        except av.error.FFmpegError:
            self.bad_packets += 1
            return []

    def _stamp(self, frame: av.VideoFrame | SkippedFrame) -> float | None:
        """Return the file's time of a frame, from the origin; `None` without a timestamp."""
        if frame.pts is None:
            return None
        return to_seconds(frame.pts, frame.time_base or self._time_base, self._origin)
