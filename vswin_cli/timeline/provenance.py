"""Records of where a timeline comes from: tool, video, model, sampling, post-processing.

Parts of the schema `vswin.timeline/1`; the record of the whole is in `vswin_cli.timeline.record`.
"""

from __future__ import annotations

import re
import reprlib
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any

from vswin_cli._version import __version__
from vswin_cli.config import LabelDuration, LabelGroup, LabelOnset, SegmentOptions
from vswin_cli.errors import SourceError
from vswin_cli.models.architecture import Activation
from vswin_cli.storage.json_records import named
from vswin_cli.video.raw_streams import has_no_timestamps
from vswin_cli.video.timecode import parse_timecode

__all__ = [
    "GroupRecord",
    "ModelRecord",
    "OnsetRecord",
    "PostprocessRecord",
    "SamplingRecord",
    "ToolRecord",
    "VideoRecord",
]

_RATIO = re.compile(r"\d{1,18}(?:\.\d{1,12}|/0*[1-9]\d{0,17})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ToolRecord:
    """The program that wrote the timeline."""

    name: str = "vswin"
    version: str = __version__


@dataclass(frozen=True, slots=True)
class VideoRecord:
    """The analysed file: metadata of its container and results of decoding; `None` is unknown."""

    uri: str
    """Path or address as given by the user."""
    size_bytes: int | None = field(default=None, metadata=named("size"))
    container: str | None = None
    codec: str | None = None
    width: int | None = None
    """Pixels, before rotation."""
    height: int | None = None
    rotation: int = 0
    """Degrees by which a player turns the frames counter-clockwise."""
    duration_seconds: float = field(default=0.0, metadata=named("duration", digits=6))
    start_time_seconds: float = field(default=0.0, metadata=named("start_time", digits=6))
    """First presentation time in the file, subtracted from all other times here."""
    lead_seconds: float = field(default=0.0, metadata=named("lead", digits=6))
    """Time before the first frame in which a player only plays audio."""
    average_frame_rate: float | None = field(default=None, metadata=named("fps", digits=6))
    frame_rate_rational: str | None = field(default=None, metadata=named("fps_rational"))
    variable_frame_rate: bool | None = field(default=None, metadata=named("vfr"))
    frames_decoded: int | None = None
    start_timecode: str | None = None
    """Timecode of the first frame, `10:00:00:00` or in drop-frame `10:00:00;00`."""

    def __post_init__(self) -> None:
        if self.frame_rate_rational is not None:
            # Checked first: Fraction("1e99999999") would compute a hundred million digits.
            found = _RATIO.fullmatch(self.frame_rate_rational)
            if found is None or not Fraction(found[0]):
                raise SourceError(
                    "`video.fps_rational` must be a positive fraction, "
                    f"got {reprlib.repr(self.frame_rate_rational)}"
                )
        if self.start_timecode is not None and parse_timecode(self.start_timecode) is None:
            raise SourceError(
                "`video.start_timecode` must be HH:MM:SS:FF, below 24 hours, "
                f"got {reprlib.repr(self.start_timecode)}"
            )

    @property
    def constant_frame_rate(self) -> Fraction | None:
        """The frame rate, if a single rate numbers all frames by time, else `None`."""
        if self.variable_frame_rate is not False or self.frame_rate_rational is None:
            return None
        return Fraction(self.frame_rate_rational)

    @property
    def counted_frame_rate(self) -> float | None:
        """The rate at which frames of a stream without timestamps were counted, else `None`."""
        if self.container is None or not has_no_timestamps(self.container):
            return None
        return self.average_frame_rate


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """The weights: name, origin and hashes."""

    id: str
    architecture: str | None = field(default=None, metadata=named("arch"))
    dataset: str | None = None
    num_classes: int | None = None
    weights_sha256: str | None = None
    """Of `model.safetensors` as `vswin convert` writes it (float32), whatever file was read."""
    labels_sha256: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class SamplingRecord:
    """How clips were sampled and run."""

    num_frames: int = field(metadata=named("clip_len"))
    frame_rate: float | None = field(default=None, metadata=named("sample_fps", digits=6))
    """Sampled frames per second; `None` when sampling by frame index."""
    clip_seconds: float | None = field(default=None, metadata=named("window", digits=6))
    stride_seconds: float | None = field(default=None, metadata=named("stride", digits=6))
    resize: int | None = None
    crops: int = 1
    tail: str = "shift"
    short: str = "loop"
    precision: str | None = None
    frame_interval: int | None = None
    """Source frames between sampled ones, when sampling by frame index."""
    step_seconds: float | None = field(default=None, metadata=named("step", digits=6))
    """Resolution of the score track."""
    start_seconds: float | None = field(default=None, metadata=named("start", digits=6))
    """Start of the requested part."""
    end_seconds: float | None = field(default=None, metadata=named("end", digits=6))


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """A named group of labels that were reported as one."""

    name: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OnsetRecord:
    """A label with an onset of its own."""

    label: str
    onset: float = field(metadata=named("on", digits=6))


@dataclass(frozen=True, slots=True)
class DurationRecord:
    """A label with a minimum duration of its own."""

    label: str
    min_duration_seconds: float = field(metadata=named("min_duration", digits=6))


@dataclass(frozen=True, slots=True)
class PostprocessRecord:
    """The options that turned scores into segments."""

    activation: Activation
    weighting: str = field(default="hamming", metadata=named("smooth"))
    """Weight of a clip's steps where clips overlap."""
    smooth_seconds: float = field(default=0.0, metadata=named(digits=6))
    """Width of the moving average along time."""
    onset: float = field(default=0.4, metadata=named("on", digits=6))
    offset: float = field(default=0.2, metadata=named("off", digits=6))
    min_duration_seconds: float = field(default=1.0, metadata=named("min_duration", digits=6))
    merge_gap_seconds: float = field(default=1.0, metadata=named("merge_gap", digits=6))
    max_labels: int = 1
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    groups: tuple[GroupRecord, ...] = ()
    min_margin: float = field(default=0.0, metadata=named(digits=6))
    max_entropy: float = field(default=1.0, metadata=named(digits=6))
    max_alternatives: int = field(default=3, metadata=named("alternatives"))
    instants: tuple[str, ...] = ()
    """Labels of instants: one segment per peak, neither smoothed nor merged."""
    boundaries: tuple[str, ...] = ()
    """Labels of boundaries, at which segments of other labels end."""
    background: tuple[str, ...] = ()
    """Labels that mean none of the others."""
    onsets: tuple[OnsetRecord, ...] = ()
    """Labels with an onset of their own."""
    min_durations: tuple[DurationRecord, ...] = ()
    """Labels with a minimum duration of their own."""
    gated_seconds: float = field(default=0.0, metadata=named("gated", digits=6))
    """Analysed time without segments because of margin or entropy."""

    @classmethod
    def of(
        cls, activation: Activation, options: SegmentOptions, gated_seconds: float = 0.0
    ) -> PostprocessRecord:
        """Make the record of a run with these options."""
        return cls(
            activation=activation,
            groups=tuple(GroupRecord(group.name, group.members) for group in options.groups),
            onsets=tuple(OnsetRecord(own.label, own.onset) for own in options.onsets),
            min_durations=tuple(
                DurationRecord(own.label, own.min_duration_seconds) for own in options.min_durations
            ),
            gated_seconds=gated_seconds,
            **_plain_options(options),
        )

    def options(self) -> SegmentOptions:
        """Return the options of this record, to segment again in the same way."""
        return SegmentOptions(
            groups=tuple(LabelGroup(group.name, group.members) for group in self.groups),
            onsets=tuple(LabelOnset(own.label, own.onset) for own in self.onsets),
            min_durations=tuple(
                LabelDuration(own.label, own.min_duration_seconds) for own in self.min_durations
            ),
            **_plain_options(self),
        )


def _plain_options(record: SegmentOptions | PostprocessRecord) -> dict[str, Any]:
    """Return the fields that options and record have in common, without the nested ones."""
    nested = ("groups", "onsets", "min_durations")
    names = (option.name for option in fields(SegmentOptions) if option.name not in nested)
    return {name: getattr(record, name) for name in names}
