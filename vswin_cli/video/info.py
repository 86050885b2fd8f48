"""Records about a video: `VideoInfo` before decoding, `DecodeReport` after it.

Independent of PyAV, so that the pipeline, the timeline and the command line can use them. All
times are in seconds from the first frame of the video.
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

_ANY_FILE_SECONDS = 3600.0  # longest plausible duration of the smallest file, and ...
_SECONDS_PER_BYTE = 0.02  # ... of each further byte: no video has fewer than 400 bit/s
_SEVERAL_FILES = ("hls", "dash", "concat")  # the file itself is only a list
ENOUGH_COVERAGE = 0.98
"""Less than this share analysed makes a result partial."""


@dataclass(frozen=True, slots=True)
class MediaWarning:
    """A property of a video that may affect results, although nothing was lost by it."""

    code: str
    """Stable upper-case word, for programs."""
    message: str
    """One sentence, for people."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A half-open interval `[start_seconds, end_seconds)` without frames."""

    start_seconds: float
    end_seconds: float
    reason: GapReason = "decode_error"

    @property
    def seconds(self) -> float:
        """Duration of the gap."""
        return self.end_seconds - self.start_seconds


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Metadata of the best video stream of a container, checked against the first packets.

    Frame rates and durations serve display and progress only; no time in a result is computed
    from them.
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
    """Timestamp of the first frame in the container; subtracted everywhere else."""
    declared_frame_rate: str | None
    """Frame rate in the container's header, as a ratio such as `30000/1001`."""
    measured_frame_rate: float | None
    """Frame rate from the timestamps of the first packets."""
    declared_duration_seconds: float | None
    """Duration in the container's header, or FFmpeg's estimate; often wrong."""
    duration_source: DurationSource | None
    """Where it comes from: the header of the video stream, that of the container (which may be
    the duration of the audio), or an estimate for a format that does not store it."""
    seekable: bool
    """Whether decoding may begin elsewhere than at the start."""
    cut_off: bool | None
    """Whether bytes are missing at the end of the file; `None` if its format stores no lengths."""
    lead_seconds: float = 0.0
    """Time from the start of the container, mostly of audio, to its first frame."""
    num_video_streams: int = 1
    """Number of video streams without cover art and thumbnails."""
    stream_index: int = 0
    """Index of this stream in the container."""
    start_timecode: str | None = None
    """Timecode of the first frame, `10:00:00:00` or in drop-frame `10:00:00;00`."""
    warnings: tuple[MediaWarning, ...] = ()
    """Warnings known before decoding."""

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
        """Longest plausible duration of a file of this size, whatever it declares.

        Work and memory grow with the duration, and a few damaged bytes can declare years.
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
    """Summary of decoding a video, or a part of it."""

    end_reason: EndReason
    """Why decoding stopped: `end` of the stream, `stopped` at the requested end, or a fault."""
    start_seconds: float
    """Start of the analysed part."""
    end_seconds: float
    """End of the part to analyse: the requested end, the last frame's end, or the declared end
    of a file that is cut off."""
    duration_seconds: float
    """End of the last frame shown, or the declared end of a file that is cut off. For a part of
    a video the declared duration if there is one."""
    frames_decoded: int
    """Frames that were decoded, or skipped because no clip and no other frame needs them."""
    frames_sampled: int = 0
    """Frames that were converted for clips, counted for each plan that they were sampled for."""
    bad_packets: int = 0
    """Packets that the container marks as damaged or the decoder rejected."""
    corrupt_frames: int = 0
    """Frames that the decoder marked as damaged; they are used. Many make a result partial."""
    out_of_order_frames: int = 0
    """Frames whose time did not advance; they are dropped."""
    gaps: tuple[Gap, ...] = ()
    """Sorted, disjoint, inside `[start_seconds, end_seconds)`."""
    usual_interval_seconds: float | None = None
    """Usual time between two frames."""
    variable_frame_rate: bool = False
    """Whether intervals differ by more than rounding explains, or frames lie on no grid."""
    constant_frame_rate: str | None = None
    """Rate of the regular grid on which all frames lie, as a ratio; `None` if there is none, or
    too few frames."""
    shape_changes_seconds: tuple[float, ...] = ()
    """Times of the first frames after a change of the upright frame's proportions."""
    sampled_sparsely: bool = False
    """Whether single clips were reached by seeking, so that time between them was not decoded."""
    warnings: tuple[MediaWarning, ...] = field(default=())
    """All warnings, including those of `VideoInfo`."""

    @property
    def analysed_seconds(self) -> float:
        """Time that had frames."""
        lost = sum(gap.seconds for gap in self.gaps)
        return max(0.0, self.end_seconds - self.start_seconds - lost)

    @property
    def coverage(self) -> float:
        """Share of the video that was analysed, in [0, 1].

        Analysed time over the duration of the part, times the share of frames that were not
        dropped: where all timestamps are equal, one frame would otherwise count for all of them.
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
        # A recording that begins within a group of frames has a few damaged ones.
        many_frames = self.corrupt_frames > (1 - ENOUGH_COVERAGE) * self.frames_decoded
        damaged = self.bad_packets or self.gaps or many_frames
        faulty = self.end_reason not in ("end", "stopped")
        if damaged or faulty or self.coverage < ENOUGH_COVERAGE:
            return "partial"
        return "ok"

    @property
    def frame_rate(self) -> float | None:
        """Usual frames per second, measured."""
        usual = self.usual_interval_seconds
        return 1.0 / usual if usual else None
