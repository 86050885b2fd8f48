"""Records of what is known of a video: `VideoInfo` before decoding, `DecodeReport` after.

Records only, free of PyAV, so that the pipeline, the timeline and the command line can hold
them. Seconds are on the video's own clock: 0 is when its first frame is shown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

__all__ = [
    "DecodeReport",
    "DecodeStatus",
    "DurationSource",
    "EndReason",
    "Gap",
    "GapReason",
    "MediaWarning",
    "VideoInfo",
]

GapReason = Literal[
    "decode_error", "missing_frames", "truncated", "read_error", "decode_timeout", "decode_crashed"
]
EndReason = Literal["end", "stopped", "truncated", "read_error", "decode_timeout", "decode_crashed"]
DurationSource = Literal["stream", "container", "estimate"]
DecodeStatus = Literal["ok", "partial", "failed"]

_ANY_FILE_SECONDS = 3600.0  # that the smallest file may claim to last, and ...
_SECONDS_PER_BYTE = 0.02  # ... this much more: fewer than 400 bit/s is no video
_SEVERAL_FILES = ("hls", "dash", "concat")  # whose size is that of a list
ENOUGH_COVERAGE = 0.98
"""Less than this share analysed makes a result partial."""


@dataclass(frozen=True, slots=True)
class MediaWarning:
    """Something about a video that a careful user wants to know; nothing was lost by it."""

    code: str
    """Stable upper-case word for programs."""
    message: str
    """One sentence for people."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A half-open stretch `[start_seconds, end_seconds)` without frames."""

    start_seconds: float
    end_seconds: float
    reason: GapReason = "decode_error"

    @property
    def seconds(self) -> float:
        """Length of the stretch."""
        return self.end_seconds - self.start_seconds


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a container says of its best video stream, checked against the first packets.

    Frame rates and durations are for display and for progress; no time in a result comes from
    them.
    """

    size_bytes: int
    """Size of the file."""
    container: str
    """Short name of the container format, `mp4`, `matroska`, ..."""
    codec: str
    """Name of the codec, `h264`, `hevc`, `av1`, ..."""
    width: int
    """Coded width in pixels, before rotation."""
    height: int
    """Coded height in pixels, before rotation."""
    rotation_degrees: int
    """Counter-clockwise rotation that puts a frame upright: 0, 90, 180 or 270."""
    sample_aspect_ratio: str
    """Width over height of a pixel, `1:1` for square ones."""
    pixel_format: str
    """FFmpeg's name of the pixel layout, `yuv420p10le`, ..."""
    bit_depth: int
    """Bits of the first component."""
    time_base_seconds: float
    """Length of one timestamp tick."""
    start_seconds: float
    """Timestamp of the first frame on the container's clock; subtracted everywhere else."""
    declared_frame_rate: str | None
    """What the container says, as a ratio such as `30000/1001`."""
    measured_frame_rate: float | None
    """From the timestamps of the first packets."""
    declared_duration_seconds: float | None
    """What the container says, or FFmpeg's estimate; often wrong."""
    duration_source: DurationSource | None
    """Who says so: the header of the video stream, that of the container (then it may be the
    sound that lasts so long), or an estimate from a format that does not write it down."""
    seekable: bool
    """Whether decoding may begin elsewhere than at the start."""
    cut_off: bool | None
    """Whether bytes are missing at the end of the file; `None` if its format cannot tell."""
    lead_seconds: float = 0.0
    """How long the container plays, sound mostly, before its first frame."""
    num_video_streams: int = 1
    """Video streams, cover art and thumbnails aside."""
    stream_index: int = 0
    """Which stream of the container this is."""
    start_timecode: str | None = None
    """Timecode of the first frame, `10:00:00:00` or in drop-frame `10:00:00;00`."""
    warnings: tuple[MediaWarning, ...] = ()
    """Known before decoding."""

    @property
    def display_width(self) -> int:
        """Width of an upright frame in pixels."""
        return self.height if self.rotation_degrees % 180 else self.width

    @property
    def display_height(self) -> int:
        """Height of an upright frame in pixels."""
        return self.width if self.rotation_degrees % 180 else self.height

    @property
    def longest_seconds(self) -> float:
        """How long the file can last at the most, whatever it declares.

        Work and memory grow with the time of a result, and a few damaged bytes can claim years.
        """
        if self.container in _SEVERAL_FILES:
            return math.inf
        return _ANY_FILE_SECONDS + _SECONDS_PER_BYTE * self.size_bytes

    @property
    def frame_rate(self) -> float | None:
        """Best guess at frames per second: measured, otherwise declared."""
        if self.measured_frame_rate is not None:
            return self.measured_frame_rate
        return float(Fraction(self.declared_frame_rate)) if self.declared_frame_rate else None


@dataclass(frozen=True, slots=True)
class DecodeReport:
    """What decoding a video, or a part of it, turned out to give."""

    end_reason: EndReason
    """Why decoding stopped: `end` of the stream, `stopped` at the requested end, or a fault."""
    start_seconds: float
    """Start of the analysed part."""
    end_seconds: float
    """End of what should have been analysed: the requested end, the last frame's end, or the
    declared end of a file that is cut off."""
    duration_seconds: float
    """End of the last frame shown, or the declared end of a file that is cut off. For a part of
    a video the declared duration if there is one."""
    frames_decoded: int
    """Frames that came out of the decoder, or were skipped because nothing needs them."""
    frames_sampled: int = 0
    """Frames that were converted for clips."""
    bad_packets: int = 0
    """Packets that the container calls damaged or the decoder refused."""
    corrupt_frames: int = 0
    """Frames that the decoder marked as damaged; they are used."""
    out_of_order_frames: int = 0
    """Frames whose time did not advance; they are dropped."""
    gaps: tuple[Gap, ...] = ()
    """Sorted, disjoint, inside `[start_seconds, end_seconds)`."""
    usual_interval_seconds: float | None = None
    """Usual time between two frames."""
    variable_frame_rate: bool = False
    """Whether intervals differ by more than rounding explains, or frames lie on no grid."""
    constant_frame_rate: str | None = None
    """Rate of the regular grid on which all frames lie, as a ratio; `None` where there is none or
    too few frames tell."""
    shape_changes_seconds: tuple[float, ...] = ()
    """Times of the first frames after a change of the upright frame's proportions."""
    sampled_sparsely: bool = False
    """Whether clips were sought one by one, so that the time between them was not looked at."""
    warnings: tuple[MediaWarning, ...] = field(default=())
    """Everything noticed, including what `VideoInfo` already said."""

    @property
    def analysed_seconds(self) -> float:
        """Time that had frames."""
        lost = sum(gap.seconds for gap in self.gaps)
        return max(0.0, self.end_seconds - self.start_seconds - lost)

    @property
    def coverage(self) -> float:
        """Share of the video that was analysed, in [0, 1].

        Analysed time over the time that there should be, less the share of frames that were
        dropped: where all timestamps are equal, one frame stands for all of them.
        """
        expected = self.end_seconds - self.start_seconds
        if expected <= 0:
            return 0.0
        kept = self.frames_decoded / max(1, self.frames_decoded + self.out_of_order_frames)
        return min(1.0, self.analysed_seconds / expected) * kept

    @property
    def status(self) -> DecodeStatus:
        """`ok`, `partial` if anything was lost or damaged, `failed` without a single frame."""
        if self.frames_decoded == 0:
            return "failed"
        damaged = self.bad_packets or self.gaps
        faulty = self.end_reason not in ("end", "stopped")
        if damaged or faulty or self.coverage < ENOUGH_COVERAGE:
            return "partial"
        return "ok"

    @property
    def frame_rate(self) -> float | None:
        """Usual frames per second, measured."""
        usual = self.usual_interval_seconds
        return 1.0 / usual if usual else None
