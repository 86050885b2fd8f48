"""Open a container, choose the stream to decode and describe it, with warnings."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from vswin_cli.errors import DecodeError, NotAVideoError, NoVideoStreamError, SourceNotFoundError
from vswin_cli.storage.humanize import counted
from vswin_cli.video.formats import ALLOWED_FORMATS, refused_format
from vswin_cli.video.frame_rate import usual_interval
from vswin_cli.video.frames import quarter_turn
from vswin_cli.video.info import DurationSource, MediaWarning, VideoInfo
from vswin_cli.video.playlist import is_playlist, lacks_segments, open_ended, verify_playlist
from vswin_cli.video.raw_streams import has_no_timestamps, no_timestamps_warning
from vswin_cli.video.structure import is_animated_webp, is_cut_off, second_movie
from vswin_cli.video.timecode import start_timecode
from vswin_cli.video.timestamps import RESET_SECONDS

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream
    from av.codec.hwaccel import HWAccel
    from av.container import InputContainer

__all__ = [
    "DEFAULT_TIME_BASE",
    "best_stream",
    "chain_consuming",
    "container_name",
    "declared_duration",
    "describe_video",
    "find_origin",
    "measured_interval",
    "no_frame_error",
    "nominal_interval",
    "open_container",
    "scan_timestamps",
]

T = TypeVar("T")

DEFAULT_TIME_BASE = Fraction(1, 90_000)
"""Seconds per tick where a stream states none: that of MPEG streams."""

_SAFE_OPTIONS = {
    "protocol_whitelist": "file,crypto,data",  # not the network: a file may contain addresses
    "format_whitelist": ",".join(sorted(ALLOWED_FORMATS)),
    "pattern_type": "none",  # `image%03d.png` is the name of a file and not of a sequence
}
_FALLBACK_RATE = Fraction(25)  # for raw streams that state no rate at all
_SQUARE_WITHIN = Fraction(1, 50)  # 399:400 comes of rounding a width to whole blocks
_HDR_TRANSFERS = (16, 18)  # PQ and HLG, ITU-T H.273
_STATING_DURATION = {"mov", "matroska", "avi", "flv", "asf", "mxf", "rm", "ivf"}
_DURATION_TAG = re.compile(r"(\d+):(\d{2}):(\d{2}(?:\.\d+)?)")
_PACKETS_PER_STEP = 2000  # read in well under a second
_MICROSECONDS = 1_000_000  # FFmpeg's unit for the duration of a container


def open_container(path: Path, hardware: HWAccel | None = None) -> InputContainer:
    """Open a file for reading.

    Args:
        path: the file.
        hardware: what decodes its video streams, if not FFmpeg's software.

    Raises:
        SourceNotFoundError: no such file, or it may not be read.
        NotAVideoError: empty, a folder, or in no format that FFmpeg supports and that may be
            opened.
    """
    import av

    _verify_readable(path)
    if is_playlist(path):
        verify_playlist(path)
    try:
        if is_playlist(path) and (whole := open_ended(path)) is not None:
            return av.open(
                whole, mode="r", format="hls", metadata_errors="ignore", options=_SAFE_OPTIONS
            )
        # a relative name with a colon would be taken for an address
        name = str(path.absolute())
        return av.open(
            name, mode="r", metadata_errors="ignore", options=_SAFE_OPTIONS, hwaccel=hardware
        )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise refused_format(path) or NotAVideoError(
            f"{path} is not a video that FFmpeg can open", hint=_opening_hint(path)
        ) from error


def _verify_readable(path: Path) -> None:
    """Check a file before FFmpeg, whose errors do not distinguish permissions from damage."""
    try:
        if path.is_dir():
            raise NotAVideoError(
                f"{path} is a folder",
                hint="name a file in it, or use `vswin batch` for all of them",
            )
        if path.stat().st_size == 0:
            raise NotAVideoError(
                f"{path} is empty (0 bytes)", hint="the download or copy did not finish"
            )
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise SourceNotFoundError(f"no such file: {path}", hint="check the spelling") from error
    except PermissionError as error:
        raise SourceNotFoundError(
            f"not allowed to read {path}", hint="check the file's permissions"
        ) from error
    except OSError as error:
        raise NotAVideoError(
            f"{path} cannot be read ({error})", hint="is the disk sound?"
        ) from error


def _opening_hint(path: Path) -> str:
    if is_cut_off(path):
        return "the end of the file is missing, and with it the index; fetch the file again"
    return "check that it is a video file and that it was copied completely"


def _moving_streams(container: InputContainer) -> list[VideoStream]:
    """Return the video streams that are neither cover art nor thumbnails."""
    from av.stream import Disposition

    still = Disposition.attached_pic | Disposition.timed_thumbnails
    return [stream for stream in container.streams.video if not stream.disposition & still]


def best_stream(container: InputContainer, path: Path) -> VideoStream:
    """Return the stream that FFmpeg would play, ignoring cover art.

    Raises:
        NoVideoStreamError: no video stream that has a decoder.
    """
    moving = _moving_streams(container)
    streams = [stream for stream in moving if stream.codec_context is not None]
    if moving and not streams:
        raise NoVideoStreamError(
            f"the video in {path} uses a codec that this FFmpeg cannot decode",
            hint="convert the file to a common codec such as H.264",
        )
    if not streams:
        kinds = sorted({str(stream.type) for stream in container.streams})
        raise NoVideoStreamError(
            f"{path} has no video stream, only: {', '.join(kinds) or 'nothing'}",
            hint="choose a file with video",
        )
    best = container.streams.best("video")
    for stream in streams:
        if best is not None and stream.index == best.index:
            return stream
    return max(streams, key=lambda stream: stream.width * stream.height)


def declared_duration(
    container: InputContainer, stream: VideoStream, origin: Fraction
) -> tuple[float, DurationSource] | None:
    """Return the declared duration from the first frame on, in seconds, and its source.

    Args:
        container: opened for reading.
        stream: its video stream.
        origin: presentation time of the first frame in the container; audio may begin before.
    """
    name = container_name(container)
    is_stated = name in _STATING_DURATION
    if stream.duration is not None and stream.time_base is not None and stream.duration > 0:
        ticks = stream.duration
        if name == "avi":  # where the index is missing, FFmpeg guesses a shorter one by the bytes
            ticks = max(ticks, stream.frames)
        return float(ticks * stream.time_base), "stream" if is_stated else "estimate"
    # mkvmerge and FFmpeg write a tag with the end of each stream, counted from time 0 of the
    # container, not from the first frame.
    tag = _DURATION_TAG.fullmatch(stream.metadata.get("DURATION", ""))
    if name == "matroska" and tag is not None:
        seconds = 3600 * int(tag[1]) + 60 * int(tag[2]) + float(tag[3]) - float(origin)
        return (seconds, "stream") if seconds > 0 else None
    if not container.duration or container.duration < 0:
        return None
    start = 0 if name == "matroska" else container.start_time or 0
    seconds = (start + container.duration) / _MICROSECONDS - float(origin)
    return (seconds, "container" if is_stated else "estimate") if seconds > 0 else None


def container_name(container: InputContainer) -> str:
    """Return the first of FFmpeg's names for the format."""
    return container.format.name.split(",")[0]


def scan_timestamps(path: Path, stream: VideoStream) -> Generator[None, None, bool]:
    """Return whether a stream's timestamps are continuous, so that no time occurs in it twice.

    Reads all packets without decoding; yields now and then.
    """
    import av

    with open_container(path) as container:
        newest: float | None = None
        try:
            for number, packet in enumerate(container.demux(container.streams[stream.index])):
                if packet.dts is not None and packet.time_base is not None:
                    seconds = float(packet.dts * packet.time_base)
                    if newest is not None and newest - seconds > RESET_SECONDS:
                        return False
                    newest = seconds if newest is None else max(newest, seconds)
                if number % _PACKETS_PER_STEP == 0:
                    yield
        except (IndexError, av.error.FFmpegError):
            return False
    return True


def describe_video(
    path: Path,
    container: InputContainer,
    stream: VideoStream,
    first: VideoFrame,
    *,
    origin: Fraction,
    interval: float | None,
    input_rate: Fraction | None = None,
) -> VideoInfo:
    """Collect the metadata of a video after its first frame was decoded.

    Args:
        path: the file.
        container: opened from it.
        stream: the one that is decoded.
        first: its first frame.
        origin: presentation time of that frame in the container, in seconds.
        interval: usual distance between the first packets' timestamps, in seconds.
        input_rate: at which frames are counted, if the user gave it.
    """
    pixels = getattr(first, "sw_format", None) or first.format  # of a frame that is on a device
    ratio, rate = stream.sample_aspect_ratio or 1, stream.average_rate or stream.guessed_rate
    rate = input_rate or rate
    declared = None if input_rate else declared_duration(container, stream, origin)
    # The sum of a playlist's segments is exact enough only to show that some are missing: it may
    # be rounded to a second for each of them.
    if declared and is_playlist(path) and lacks_segments(path):
        declared = declared[0], "stream"
    timecode = start_timecode(
        [stream.metadata, container.metadata, *(other.metadata for other in container.streams)]
    )
    info = VideoInfo(
        size_bytes=path.stat().st_size,
        container=_displayed_container_name(container, path),
        codec=stream.codec_context.codec.canonical_name,
        width=first.width,
        height=first.height,
        rotation_degrees=quarter_turn(first.rotation),
        sample_aspect_ratio=f"{ratio.numerator}:{ratio.denominator}",
        pixel_format=pixels.name,
        bit_depth=pixels.components[0].bits,
        time_base_seconds=float(stream.time_base or DEFAULT_TIME_BASE),
        start_seconds=float(origin),
        declared_frame_rate=str(rate) if rate else None,
        measured_frame_rate=1.0 / interval if interval else None,
        declared_duration_seconds=declared[0] if declared else None,
        duration_source=declared[1] if declared else None,
        seekable=first.pts is not None and container.duration is not None and not input_rate,
        cut_off=is_cut_off(path),
        lead_seconds=_lead_seconds(container, origin),
        num_video_streams=len(_moving_streams(container)),
        stream_index=stream.index,
        start_timecode=str(timecode) if timecode else None,
    )
    # With an impossible duration, a sparse plan would seek through years without frames.
    is_possible = (info.declared_duration_seconds or 0.0) <= info.longest_seconds
    return replace(
        info,
        seekable=info.seekable and is_possible,
        warnings=_media_warnings(path, info, first, input_rate),
    )


def find_origin(
    stream: VideoStream, first_pts: int | None, first_packet_pts: int | None, *, is_damaged: bool
) -> Fraction:
    """Return the timestamp of the first frame in the file, in seconds.

    Normally that of the first decoded frame. If packets before it could not be decoded, the start
    time of the stream, provided that a packet has it, too: some headers are wrong.

    Args:
        stream: the one that is decoded.
        first_pts: of the first frame.
        first_packet_pts: the earliest of the first packets.
        is_damaged: whether packets before the first frame could not be decoded.
    """
    if first_pts is None:
        return Fraction(0)
    start, time_base = stream.start_time, stream.time_base or DEFAULT_TIME_BASE
    is_confirmed = is_damaged and start is not None and first_packet_pts == start
    return (start if is_confirmed and start is not None else first_pts) * time_base


def _displayed_container_name(container: InputContainer, path: Path) -> str:
    """Return the name of the format that equals the file's suffix, or its first name."""
    names = container.format.name.split(",")
    suffix = path.suffix.lower().removeprefix(".")
    return suffix if suffix in names else names[0]


def _lead_seconds(container: InputContainer, origin: Fraction) -> float:
    """Return the seconds from the start of the container to the first frame.

    Args:
        container: opened for reading.
        origin: presentation time of the first frame in the container.
    """
    if container.start_time is None:
        return 0.0
    return max(0.0, float(origin) - container.start_time / _MICROSECONDS)


def nominal_interval(stream: VideoStream) -> float:
    """Return the seconds between frames according to the header, or a default."""
    rate = stream.guessed_rate or stream.average_rate or _FALLBACK_RATE
    return float(1 / rate) if rate > 0 else float(1 / _FALLBACK_RATE)


def measured_interval(timestamps: Sequence[int], time_base: Fraction) -> float | None:
    """Return the usual interval between timestamps in seconds; `None` for fewer than three."""
    distinct = sorted(set(timestamps))
    if len(distinct) < 3:
        return None
    return usual_interval([float((b - a) * time_base) for a, b in pairwise(distinct)])


def _media_warnings(
    path: Path, info: VideoInfo, first: VideoFrame, input_rate: Fraction | None
) -> tuple[MediaWarning, ...]:
    """List the warnings that are known before decoding."""
    found = []
    if info.num_video_streams > 1:
        found.append(
            MediaWarning(
                "SEVERAL_VIDEO_STREAMS",
                f"{info.num_video_streams} video streams; stream {info.stream_index} "
                f"({info.width}×{info.height}) is used",
            )
        )
    if abs(Fraction(info.sample_aspect_ratio.replace(":", "/")) - 1) > _SQUARE_WITHIN:
        found.append(
            MediaWarning(
                "NON_SQUARE_PIXELS",
                f"pixels are {info.sample_aspect_ratio}; the model takes them as square, "
                "as in its training",
            )
        )
    if (second := second_movie(path)) is not None:
        message = "a second movie is joined to the file"
        if not second.can_be_read:
            message += "; it is not read"
        found.append(MediaWarning("SECOND_MOVIE", message))
    if first.interlaced_frame:
        found.append(MediaWarning("INTERLACED", "interlaced video; fields are not separated"))
    if first.color_trc in _HDR_TRANSFERS:
        found.append(MediaWarning("HDR", "high dynamic range video; no tone mapping is applied"))
    if first.pts is None or has_no_timestamps(info.container):
        found.append(no_timestamps_warning(input_rate))
    return tuple(found)


def chain_consuming(head: deque[T], rest: Iterator[T]) -> Iterator[T]:
    """Yield the items of `head`, removing them to free their memory, then the rest."""
    while head:
        yield head.popleft()
    yield from rest


def no_frame_error(path: Path, bad_packets: int) -> DecodeError:
    """Return the error for a file without a single decodable frame."""
    if is_animated_webp(path):
        return DecodeError(
            f"{path} is an animated WebP, for which FFmpeg has no decoder here",
            hint="convert it first, to WebM, MP4 or GIF",
        )
    return DecodeError(
        f"no frame of {path} could be decoded ({counted(bad_packets, 'damaged packet')})",
        hint="the file is damaged or incomplete; copy or download it again",
    )
