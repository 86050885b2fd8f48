"""From a file to decoded frames with trustworthy times, whatever state the file is in.

The only module that talks to PyAV's containers. Times are presentation timestamps minus the
first one; frame counts, average rates and declared durations are reported but never used.
A packet that cannot be decoded is counted and passed over. PyAV's log level is left alone:
raising it can deadlock with frame threads on damaged streams.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from types import TracebackType

import av
from av.stream import Disposition

from vswin_cli.errors import DecodeError, NotAVideoError, NoVideoStreamError, SourceNotFoundError
from vswin_cli.media import MediaWarning, VideoInfo
from vswin_cli.structure import is_cut_off

__all__ = ["TimedFrame", "VideoReader", "probe"]

_HEAD_PACKETS = 48  # looked at before decoding: enough for rates, few enough to keep in memory
_MAX_DEMUX_ERRORS = 16  # in a row, before a file counts as unreadable from there on
_MAX_PIXELS = 1 << 28  # a damaged header must not ask for tens of gigabytes
_RESET_SECONDS = 0.5  # a step back in time by more than this is a new clock, not reordering
_FALLBACK_RATE = Fraction(25)  # for raw streams that state no rate at all
_HDR_TRANSFERS = (16, 18)  # PQ and HLG, ITU-T H.273


@dataclass(frozen=True, slots=True, eq=False)
class TimedFrame:
    """One decoded picture and when it is shown."""

    seconds: float
    """Presentation time on the video's own clock."""
    declared_seconds: float
    """How long the container wants it shown; 0 if it does not say."""
    rotation_degrees: int
    """Counter-clockwise turn that puts it upright."""
    frame: av.VideoFrame
    """Pixels as decoded, before rotation."""
    is_break: bool = False
    """Whether the clock was reset before this frame, so that it does not follow the last."""


class VideoReader:
    """An open video: its facts at once, its frames one after the other.

    Attributes:
        info: what is known before decoding.
        bad_packets: packets refused so far.
        corrupt_frames: pictures marked as damaged so far.
        out_of_order_frames: pictures left out so far because time did not advance.
        read_failed: whether the container broke off with an error.
        warnings: what was noticed since `info` was made.

    Raises:
        SourceNotFoundError: no such file, or it may not be read.
        NotAVideoError: no container that FFmpeg knows.
        NoVideoStreamError: no stream with moving pictures.
        DecodeError: not one frame could be decoded.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._container = _open_container(path)
        try:
            self._stream = _best_stream(self._container, path)
            self._prepare()
        except BaseException:
            self._container.close()
            raise

    def _prepare(self) -> None:
        self.bad_packets = 0
        self.corrupt_frames = 0
        self.out_of_order_frames = 0
        self.read_failed = False
        self.warnings: list[MediaWarning] = []
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.options = {"max_pixels": str(_MAX_PIXELS)}
        self._time_base = self._stream.time_base or Fraction(1, 90_000)
        self._packets = self._demux()
        head = list(islice(self._packets, _HEAD_PACKETS))
        times = [packet.pts for packet in head if packet.pts is not None and not packet.is_discard]
        self._first_packet_pts = min(times, default=None)
        self._head_interval = _median_interval(head, self._time_base)
        self._packets = _chain(head, self._packets)
        self._interval = self._head_interval or _nominal_interval(self._stream)
        self._decoded = self._decode()
        self._pending: deque[av.VideoFrame] = deque(islice(self._decoded, 1))
        if not self._pending:
            raise DecodeError(
                f"not one frame of {self._path} could be decoded "
                f"({self.bad_packets} damaged packets)",
                hint="the file is damaged or was only partly copied; fetch it again",
            )
        self._origin = self._find_origin(self._pending[0])
        self.info = self._describe(self._pending[0])

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

    def frames(self) -> Iterator[TimedFrame]:
        """Frames in presentation order, from where the reader stands to the end."""
        last_seconds: float | None = None
        shift = 0.0
        while True:
            frame = self._pending.popleft() if self._pending else next(self._decoded, None)
            if frame is None:
                return
            self.corrupt_frames += frame.is_corrupt
            seconds = self._seconds(frame, last_seconds, shift)
            is_break = False
            if last_seconds is not None and seconds <= last_seconds:
                if last_seconds - seconds < _RESET_SECONDS:
                    self.out_of_order_frames += 1
                    continue
                shift += last_seconds + self._interval - seconds
                seconds = last_seconds + self._interval
                is_break = True
                self._note_reset(seconds)
            last_seconds = seconds
            yield TimedFrame(
                seconds, self._declared(frame), frame.rotation % 360, frame, is_break
            )

    def _demux(self) -> Iterator[av.Packet]:
        """Packets of the stream; read errors end it only when they do not stop."""
        errors = 0
        while errors < _MAX_DEMUX_ERRORS:
            try:
                for packet in self._container.demux(self._stream):
                    if packet.size:
                        errors = 0
                        yield packet
                return
            except av.error.FFmpegError:
                errors += 1
        self.read_failed = True

    def _decode(self) -> Iterator[av.VideoFrame]:
        """Every frame that the decoder gives, in presentation order."""
        for packet in self._packets:
            yield from self._decode_packet(packet)
        yield from self._decode_packet(None)

    def _decode_packet(self, packet: av.Packet | None) -> list[av.VideoFrame]:
        try:
            return self._stream.decode(packet)
        except av.error.EOFError:
            return []
        except av.error.FFmpegError:
            self.bad_packets += 1
            return []

    def _seconds(self, frame: av.VideoFrame, last: float | None, shift: float) -> float:
        """Time of a frame; one interval after the last where the file has no timestamp."""
        if frame.pts is None:
            return 0.0 if last is None else last + self._interval
        base = frame.time_base or self._time_base
        return float(frame.pts * base - self._origin) + shift

    def _declared(self, frame: av.VideoFrame) -> float:
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

    def _note_reset(self, seconds: float) -> None:
        self.warnings.append(
            MediaWarning("TIMESTAMP_RESET", f"the file's clock starts anew at {seconds:.3f} s")
        )

    def _describe(self, first: av.VideoFrame) -> VideoInfo:
        stream, container = self._stream, self._container
        ratio = stream.sample_aspect_ratio or Fraction(1)
        rate = stream.average_rate or stream.guessed_rate
        info = VideoInfo(
            size_bytes=self._path.stat().st_size,
            container=container.format.name.split(",")[0],
            codec=stream.codec_context.codec.canonical_name,
            width=first.width,
            height=first.height,
            rotation_degrees=first.rotation % 360,
            sample_aspect_ratio=f"{ratio.numerator}:{ratio.denominator}",
            pixel_format=first.format.name,
            bit_depth=first.format.components[0].bits,
            time_base_seconds=float(self._time_base),
            start_seconds=float(self._origin),
            declared_frame_rate=str(rate) if rate else None,
            measured_frame_rate=1.0 / self._head_interval if self._head_interval else None,
            declared_duration_seconds=_declared_duration(container, stream),
            seekable=self._is_seekable(first),
            cut_off=is_cut_off(self._path),
            num_video_streams=len(_moving_streams(container)),
            stream_index=stream.index,
        )
        return replace(info, warnings=_warnings(info, first, ratio))

    def _is_seekable(self, first: av.VideoFrame) -> bool:
        return first.pts is not None and self._container.duration is not None


def probe(path: Path) -> VideoInfo:
    """Open a video, decode its first frame and say what it is.

    Raises:
        SourceError: as for `VideoReader`.
    """
    with VideoReader(path) as reader:
        return reader.info


def _open_container(path: Path) -> av.container.InputContainer:
    try:
        if path.stat().st_size == 0:
            raise NotAVideoError(
                f"{path} is empty (0 bytes)", hint="the download or copy did not finish"
            )
        return av.open(str(path), mode="r", metadata_errors="ignore")
    except FileNotFoundError as error:
        raise SourceNotFoundError(f"no such file: {path}", hint="check the spelling") from error
    except PermissionError as error:
        raise SourceNotFoundError(
            f"not allowed to read {path}", hint="check the file's permissions"
        ) from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise NotAVideoError(
            f"{path} is not a video that FFmpeg can open", hint=_opening_hint(path)
        ) from error


def _opening_hint(path: Path) -> str:
    if is_cut_off(path):
        return "the end of the file is missing, and with it the index; fetch the file again"
    return "check that it is a video file and that it was copied completely"


def _moving_streams(container: av.container.InputContainer) -> list[av.VideoStream]:
    """Video streams that are neither cover art nor thumbnails."""
    still = Disposition.attached_pic | Disposition.timed_thumbnails
    return [stream for stream in container.streams.video if not stream.disposition & still]


def _best_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    streams = [stream for stream in _moving_streams(container) if stream.codec_context is not None]
    if not streams:
        kinds = sorted({stream.type for stream in container.streams}) or ["no streams at all"]
        raise NoVideoStreamError(
            f"{path} has no moving pictures, only: {', '.join(kinds)}",
            hint="choose a file with a video stream",
        )
    best = container.streams.best("video")
    for stream in streams:
        if best is not None and stream.index == best.index:
            return stream
    return max(streams, key=lambda stream: stream.width * stream.height)


def _declared_duration(
    container: av.container.InputContainer, stream: av.VideoStream
) -> float | None:
    if stream.duration is not None and stream.time_base is not None and stream.duration > 0:
        return float(stream.duration * stream.time_base)
    return container.duration / 1_000_000 if container.duration else None


def _nominal_interval(stream: av.VideoStream) -> float:
    rate = stream.guessed_rate or stream.average_rate or _FALLBACK_RATE
    return float(1 / rate) if rate > 0 else float(1 / _FALLBACK_RATE)


def _median_interval(packets: list[av.Packet], time_base: Fraction) -> float | None:
    """Usual distance between the timestamps of packets, in seconds."""
    times = sorted({packet.pts for packet in packets if packet.pts is not None})
    if len(times) < 3:
        return None
    steps = [after - before for before, after in zip(times, times[1:], strict=False)]
    return float(statistics.median(steps) * time_base)


def _warnings(
    info: VideoInfo, first: av.VideoFrame, ratio: Fraction
) -> tuple[MediaWarning, ...]:
    found = []
    if info.num_video_streams > 1:
        found.append(
            MediaWarning(
                "SEVERAL_VIDEO_STREAMS",
                f"{info.num_video_streams} video streams; stream {info.stream_index} "
                f"({info.width}×{info.height}) is used",
            )
        )
    if ratio != 1:
        found.append(
            MediaWarning(
                "NON_SQUARE_PIXELS",
                f"pixels are {info.sample_aspect_ratio}; the model sees them as square, "
                "as in its training",
            )
        )
    if first.interlaced_frame:
        found.append(MediaWarning("INTERLACED", "interlaced video; fields are not separated"))
    if first.color_trc in _HDR_TRANSFERS:
        found.append(MediaWarning("HDR", "high dynamic range video; no tone mapping is applied"))
    if first.pts is None:
        found.append(
            MediaWarning(
                "NO_TIMESTAMPS", "the file has no timestamps; times are counted from its frame rate"
            )
        )
    return tuple(found)


def _chain(head: list[av.Packet], rest: Iterator[av.Packet]) -> Iterator[av.Packet]:
    """The head, given up piece by piece so that it does not stay in memory, then the rest."""
    queue = deque(head)
    head.clear()
    while queue:
        yield queue.popleft()
    yield from rest
