"""What a user can choose, as frozen records with their defaults.

Torch-free, so that the command line can show defaults without loading anything. Each stage
takes the one record that concerns it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from vswin_cli.errors import OptionError
from vswin_cli.label_options import (
    LabelDuration,
    LabelGroup,
    LabelOnset,
    as_durations,
    as_groups,
    as_onsets,
)
from vswin_cli.quantities import (
    Stride,
    as_stride,
    as_texts,
    check_numbers,
    is_length,
    parse_frame_rate,
    parse_seconds,
)

__all__ = [
    "MAX_FRAME_RATE",
    "Decoder",
    "EngineOptions",
    "LabelDuration",
    "LabelGroup",
    "LabelOnset",
    "Precision",
    "SamplingOptions",
    "SegmentOptions",
    "Stride",
    "parse_frame_rate",
    "parse_seconds",
]

Decoder = Literal["auto", "software", "nvdec"]
Precision = Literal["auto", "float32", "tf32", "bfloat16", "float16"]

MAX_FRAME_RATE = 1000
"""Frames per second that are sampled at most."""

_DEVICE = re.compile(r"auto|(cpu|cuda|mps)(:\d+)?")


@dataclass(frozen=True, slots=True)
class SamplingOptions:
    """Which clips to take from a video. `None` means: as the weights were trained.

    Raises:
        OptionError: a value is out of its range or of another type, or two of them contradict.
    """

    frame_rate: float | None = None
    """Sampled frames per second of presentation time."""
    frame_interval: int | None = None
    """Sample every n-th source frame instead (the paper's protocol)."""
    stride: Stride | str | float | None = None
    """Distance between clip starts: `Stride(50, "%")`, `"50%"` and `0.5` are half a clip, `"1.5s"`
    is 1.5 seconds, `"16f"` 16 sampled frames. It becomes a `Stride`, see `clip_stride`."""
    crops: Literal[1, 3] | None = None
    """Spatial crops per clip: the centre, or three along the longer side. `None`: as the engine
    was made, which is the centre by default."""
    start_seconds: float | None = None
    """Start of the part to analyse, also as text: `"1:30"`."""
    end_seconds: float | None = None
    """End of the part to analyse, exclusive."""
    input_frame_rate: float | None = None
    """Frames per second of a stream without timestamps, in place of what FFmpeg assumes."""

    def __post_init__(self) -> None:
        for name in ("start_seconds", "end_seconds"):
            given = getattr(self, name)
            if isinstance(given, str):
                object.__setattr__(self, name, parse_seconds(given))
        check_numbers(
            self,
            "frame_rate",
            "frame_interval",
            "start_seconds",
            "end_seconds",
            "input_frame_rate",
        )
        if self.stride is not None:
            object.__setattr__(self, "stride", as_stride(self.stride))
        self._check_rates()
        if self.crops not in (None, 1, 3):
            raise OptionError(
                f"crops takes 1 or 3, got {self.crops!r}",
                hint="1 is the centre, 3 are crops along the longer side",
            )
        start, end = self.start_seconds, self.end_seconds
        if start is not None and start < 0:
            raise OptionError(f"the start must not be negative, got {start:g} s")
        if end is not None and end <= (start or 0.0):
            raise OptionError(
                f"the end ({end:g} s) must come after the start ({start or 0:g} s)",
                hint="both are times in the video; the end is not a duration",
            )

    def _check_rates(self) -> None:
        if self.frame_rate is not None and not 0 < self.frame_rate <= MAX_FRAME_RATE:
            raise OptionError(
                f"frames per second must be in (0, {MAX_FRAME_RATE}], got {self.frame_rate:g}",
                hint="leave --fps out to sample as the weights were trained",
            )
        if self.input_frame_rate is not None and not 0 < self.input_frame_rate <= MAX_FRAME_RATE:
            raise OptionError(
                f"the input's frames per second must be in (0, {MAX_FRAME_RATE}], "
                f"got {self.input_frame_rate:g}",
                hint="leave --input-fps out for files that have timestamps",
            )
        if self.frame_interval is not None and self.frame_interval < 1:
            raise OptionError(
                f"frame interval must be at least 1, got {self.frame_interval}",
                hint="1 takes every frame, 2 every other one",
            )
        if self.frame_rate is not None and self.frame_interval is not None:
            raise OptionError(
                "give frames per second or a frame interval, not both",
                hint="--fps samples by time, --frame-interval by counting frames: leave one out",
            )

    @property
    def clip_stride(self) -> Stride | None:
        """The stride as a record, `None` for that of the weights."""
        return None if self.stride is None else as_stride(self.stride)


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Where and how the network runs."""

    device: str = "auto"
    """`auto` (cuda, then mps, then cpu) or a torch device such as `cuda:1`."""
    precision: Precision = "auto"
    """Arithmetic of the network; scores always leave it in float32."""
    batch_size: int | None = None
    """Views per forward pass; `None` picks by device."""
    decoder: Decoder = "auto"
    """`software`, or `nvdec` for the GPU's video decoder beside it; `auto` is `nvdec` on CUDA."""

    def __post_init__(self) -> None:
        if not (isinstance(self.device, str) and _DEVICE.fullmatch(self.device)):
            raise OptionError(
                f"unknown device {self.device!r}", hint="give auto, cpu, cuda, cuda:1 or mps"
            )
        for name, known in (("precision", get_args(Precision)), ("decoder", get_args(Decoder))):
            value = getattr(self, name)
            if value not in known:
                raise OptionError(f"unknown {name} {value!r}", hint=f"give {', '.join(known)}")
        check_numbers(self, "batch_size")
        if self.batch_size is not None and self.batch_size < 1:
            raise OptionError(f"batch size must be at least 1, got {self.batch_size}")


class _RemembersGiven:
    """Base of a frozen record that keeps which values it was made with, beside its defaults."""

    __slots__ = ("given",)
    given: frozenset[str]
    """Names of the fields that the caller gave, be they equal to the defaults or not."""

    def __new__(cls, *values: object, **named: object) -> Any:  # noqa: ANN401  # of the subclass
        record = super().__new__(cls)
        fields = cls.__match_args__  # type: ignore[attr-defined]  # of every dataclass
        object.__setattr__(record, "given", frozenset((*fields[: len(values)], *named)))
        return record

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as the call that made the record, so that `given` stays."""
        return _remake, (type(self), {name: getattr(self, name) for name in sorted(self.given)})


def _remake(cls: type[Any], values: dict[str, object]) -> object:
    return cls(**values)


_NUMBERS = (
    "onset", "offset", "min_duration_seconds", "merge_gap_seconds", "max_labels", "smooth_seconds",
    "min_margin", "max_entropy", "max_alternatives",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SegmentOptions(_RemembersGiven):
    """How scores over time become segments.

    A value that is given overrides only itself, as on the command line: for all others the model's
    advice counts, and the defaults below where it has none (see `over`). `dataclasses.replace`
    gives all values. Labels may be given as a list, or one alone as a text; `groups`, `onsets`
    and `min_durations` also as `{"racket": ["tennis", "squash"]}` and `{"cut": 0.3}`.

    Raises:
        OptionError: a value is out of its range or of another type, or two of them contradict.
    """

    onset: float = 0.4
    """Score at which a segment begins."""
    offset: float = 0.2
    """Score below which a segment ends."""
    min_duration_seconds: float = 1.0
    """Shorter segments are dropped."""
    merge_gap_seconds: float = 1.0
    """Segments of one label closer than this become one."""
    max_labels: int = 1
    """Most labels reported at the same time; 0 for any number."""
    include: tuple[str, ...] = ()
    """Only these labels; empty for all."""
    exclude: tuple[str, ...] = ()
    """None of these labels."""
    groups: tuple[LabelGroup, ...] = ()
    """Labels reported together: scores are summed (softmax) or the largest counts (sigmoid)."""
    smooth_seconds: float = 0.5
    """Width of the moving average along time; 0 for none beyond the overlap of clips."""
    min_margin: float = 0.0
    """Nothing holds where the best label leads the second by less than this (softmax only)."""
    max_entropy: float = 1.0
    """Nothing holds where the scores' entropy, as a part of its maximum, exceeds this."""
    max_alternatives: int = 3
    """Runners-up kept with each segment."""
    instants: tuple[str, ...] = ()
    """Labels of moments, such as a cut: one segment of one time step at each peak of the score,
    neither smoothed nor merged, and not counted by `max_labels`."""
    boundaries: tuple[str, ...] = ()
    """Labels of moments that nothing lasts beyond, such as a cut: where the score peaks, at the
    label's onset or above, the segments of all other labels end and begin anew. They count even if
    they are not reported themselves."""
    background: tuple[str, ...] = ()
    """Labels that mean none of the others: they compete, and are reported only if `include` names
    them."""
    onsets: tuple[LabelOnset, ...] = ()
    """Labels with an onset of their own. Where it is below `offset`, it is their offset, too."""
    min_durations: tuple[LabelDuration, ...] = ()
    """Labels with a minimum duration of their own."""

    def __post_init__(self) -> None:
        check_numbers(self, *_NUMBERS)
        for name in ("include", "exclude", "instants", "boundaries", "background"):
            object.__setattr__(self, name, as_texts(name, getattr(self, name)))
        object.__setattr__(self, "groups", as_groups(self.groups))
        object.__setattr__(self, "onsets", as_onsets(self.onsets))
        object.__setattr__(self, "min_durations", as_durations(self.min_durations))
        # A lone threshold beyond the other default moves that one along, as in `over`.
        if "offset" not in self.given and 0 <= self.onset < self.offset:
            object.__setattr__(self, "offset", self.onset)
        elif "onset" not in self.given and self.onset < self.offset <= 1:
            object.__setattr__(self, "onset", self.offset)
        if not 0 <= self.offset <= self.onset <= 1:
            raise OptionError(
                f"thresholds must satisfy 0 <= offset <= onset <= 1, "
                f"got onset {self.onset:g}, offset {self.offset:g}",
                hint="--onset is the score at which a segment begins, --offset the one below "
                "which it ends",
            )
        if not (is_length(self.min_duration_seconds) and is_length(self.merge_gap_seconds)):
            raise OptionError(
                f"minimum duration and merge gap must be seconds from 0 up, "
                f"got {self.min_duration_seconds:g} and {self.merge_gap_seconds:g}",
                hint="--min-duration 0 drops nothing, --merge-gap 0 joins nothing",
            )
        if self.max_labels < 0:
            raise OptionError(
                f"max labels must not be negative, got {self.max_labels}",
                hint="--max-labels 0 allows any number",
            )
        if not (is_length(self.smooth_seconds) and self.max_alternatives >= 0):
            raise OptionError(
                f"smoothing and the number of alternatives must be finite and not negative, "
                f"got {self.smooth_seconds:g} s and {self.max_alternatives}",
                hint="--smooth 0 switches smoothing off",
            )
        if not (0 <= self.min_margin <= 1 and 0 <= self.max_entropy <= 1):
            raise OptionError(
                f"minimum margin and maximum entropy must be in 0..1, "
                f"got {self.min_margin:g} and {self.max_entropy:g}",
                hint="--min-margin 0 and --max-entropy 1 turn them off",
            )

    def onset_of(self, label: str) -> float:
        """Score at which a label's segments begin."""
        return next((own.onset for own in self.onsets if own.label == label), self.onset)

    def min_duration_of(self, label: str) -> float:
        """Seconds that a label's segments last at least."""
        own = (one.min_duration_seconds for one in self.min_durations if one.label == label)
        return next(own, self.min_duration_seconds)

    def over(self, advised: SegmentOptions) -> SegmentOptions:
        """Put the values that were given over those that the weights or an earlier run advise.

        A lone threshold beyond the other advised one moves that one along: an onset of 0.2 must
        not fail because the weights advise an offset of 0.3. An onset or a minimum duration holds
        for all labels, also for those that the weights advise another for.

        Raises:
            OptionError: the values contradict each other.
        """
        values = {name: getattr(self, name) for name in self.given}
        if "onset" in values:
            values = {"offset": min(advised.offset, self.onset), "onsets": (), **values}
        elif "offset" in values:
            values["onset"] = max(advised.onset, self.offset)
        if "min_duration_seconds" in values:
            values = {"min_durations": (), **values}
        return replace(advised, **values)
