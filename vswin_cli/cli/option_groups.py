"""Groups of options that several commands share, each a record that a command takes whole.

A command decorated with `with_option_groups` annotates a parameter with one of these records;
every field of the record becomes an option of the command.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import wraps
from typing import Annotated, Any, Literal, cast, get_type_hints

from vswin_cli.cli.options import (
    DeviceOption,
    ExcludeOption,
    IncludeOption,
    InputFrameRateOption,
    OnsetOption,
    running_option,
    sampling_option,
    segment_option,
)
from vswin_cli.config import (
    Decoder,
    EngineOptions,
    LabelGroup,
    Precision,
    SamplingOptions,
    SegmentOptions,
    Stride,
    parse_frame_rate,
    parse_seconds,
)
from vswin_cli.errors import OptionError

__all__ = [
    "EngineChoice",
    "ExactEngineChoice",
    "SamplingChoice",
    "SegmentChoice",
    "VideoEngineChoice",
    "shows_saved_settings",
    "with_option_groups",
]

PrecisionOption = Annotated[
    str,
    running_option("--precision", metavar="TYPE", help="auto, float32, tf32, bfloat16 or float16."),
]
_BY_WEIGHTS = "set by the weights"


@dataclass(frozen=True, slots=True)
class SamplingChoice:
    """Options that say which clips are taken from a video."""

    fps: Annotated[
        float | None,
        sampling_option(
            "--fps",
            metavar="RATE",
            help="Sampled frames per second of video.",
            show_default="as the weights were trained",
        ),
    ] = None
    frame_interval: Annotated[
        int | None,
        sampling_option(
            "--frame-interval",
            metavar="COUNT",
            help="Sample every n-th frame instead, as the paper does.",
        ),
    ] = None
    stride: Annotated[
        str | None,
        sampling_option(
            "--stride",
            metavar="LENGTH",
            help="Distance between clip starts: seconds (1.5s), percent of a clip (50%) or frames "
            "(16f).",
            show_default=_BY_WEIGHTS,
        ),
    ] = None
    crops: Annotated[
        int,
        sampling_option(
            "--crops",
            metavar="1|3",
            help="1 covers the centre of the frame (56% of 16:9), 3 cover all of it.",
        ),
    ] = 1
    start: Annotated[
        str | None,
        sampling_option("--start", metavar="TIME", help="Start here: 90, 1:30 or 00:01:30.5."),
    ] = None
    end: Annotated[
        str | None, sampling_option("--end", metavar="TIME", help="End here (exclusive).")
    ] = None
    input_fps: InputFrameRateOption = None

    def options(self) -> SamplingOptions:
        """Parse them into the library's record.

        Raises:
            OptionError: a value cannot be read, or two exclude each other.
        """
        return SamplingOptions(
            frame_rate=self.fps,
            frame_interval=self.frame_interval,
            stride=None if self.stride is None else Stride.parse(self.stride),
            crops=cast("Literal[1, 3]", self.crops),
            start_seconds=None if self.start is None else parse_seconds(self.start),
            end_seconds=None if self.end is None else parse_seconds(self.end),
            input_frame_rate=None if self.input_fps is None else parse_frame_rate(self.input_fps),
        )


@dataclass(frozen=True, slots=True)
class SegmentChoice:
    """Options that say how scores become segments.

    Raises:
        OptionError: a value is out of range, or two contradict each other.
    """

    onset: OnsetOption = None
    offset: Annotated[
        float | None,
        segment_option(
            "--offset",
            metavar="SCORE",
            help="Threshold: score below which a segment ends.",
            show_default=_BY_WEIGHTS,
        ),
    ] = None
    min_duration: Annotated[
        float | None,
        segment_option(
            "--min-duration",
            metavar="SECONDS",
            help="Drop shorter segments.",
            show_default=_BY_WEIGHTS,
        ),
    ] = None
    merge_gap: Annotated[
        float | None,
        segment_option(
            "--merge-gap",
            metavar="SECONDS",
            help="Join segments of one label that are closer than this.",
            show_default=_BY_WEIGHTS,
        ),
    ] = None
    max_labels: Annotated[
        int | None,
        segment_option(
            "--max-labels",
            metavar="COUNT",
            help="Maximum number of labels at the same time; 0 for no limit.",
            show_default=_BY_WEIGHTS,
        ),
    ] = None
    include: IncludeOption = None
    exclude: ExcludeOption = None
    group: Annotated[
        list[str] | None,
        segment_option(
            "--group",
            metavar="NAME=LABEL,...",
            help="Report several labels as one; * matches any text. Repeatable.",
        ),
    ] = None
    smooth: Annotated[
        float | None,
        segment_option(
            "--smooth",
            metavar="SECONDS",
            help="Average scores over this time; 0 for none.",
            show_default=_BY_WEIGHTS,
        ),
    ] = None
    min_margin: Annotated[
        float | None,
        segment_option(
            "--min-margin",
            metavar="SCORE",
            help="Report nothing where the best label leads by less than this.",
            show_default="no limit",
        ),
    ] = None
    max_entropy: Annotated[
        float | None,
        segment_option(
            "--max-entropy",
            metavar="SHARE",
            help="Report nothing where the scores are less certain than this: 0 certain, 1 "
            "uniform.",
            show_default="no limit",
        ),
    ] = None

    def __post_init__(self) -> None:
        # The weights are not loaded yet; most mistakes are found with the default settings, too.
        options = self.over(SegmentOptions())
        for group in options.groups if options.include else ():
            patterns = (pattern.casefold() for pattern in options.include)
            if not any(fnmatchcase(group.name.casefold(), pattern) for pattern in patterns):
                raise OptionError(
                    f"--include leaves out the group `{group.name}`",
                    hint=f'add --include "{group.name}", or omit its --group',
                )

    def over(self, advised: SegmentOptions) -> SegmentOptions:
        """Replace advised options, of the weights or an earlier run, by those that were given.

        Raises:
            OptionError: the values contradict each other.
        """
        return self.given().over(advised)

    def given(self) -> SegmentOptions:
        """Return the options of which only the values that were given count, see `SegmentOptions`.

        Raises:
            OptionError: the values contradict each other.
        """
        chosen: dict[str, Any] = {
            "onset": self.onset,
            "offset": self.offset,
            "min_duration_seconds": self.min_duration,
            "merge_gap_seconds": self.merge_gap,
            "max_labels": self.max_labels,
            "include": tuple(self.include or ()) or None,
            "exclude": tuple(self.exclude or ()) or None,
            "groups": tuple(LabelGroup.parse(text) for text in self.group or ()) or None,
            "smooth_seconds": self.smooth,
            "min_margin": self.min_margin,
            "max_entropy": self.max_entropy,
        }
        return SegmentOptions(**{name: one for name, one in chosen.items() if one is not None})


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """Options that say where and how the network runs."""

    device: DeviceOption = "auto"
    precision: PrecisionOption = "auto"
    batch_size: Annotated[
        int | None,
        running_option(
            "--batch-size",
            min=1,
            metavar="COUNT",
            help="Views per forward pass.",
            show_default="by device",
        ),
    ] = None

    def options(self) -> EngineOptions:
        """Make the library's record of them.

        Raises:
            OptionError: a value names no device or no precision.
        """
        return EngineOptions(self.device, cast(Precision, self.precision), self.batch_size)


@dataclass(frozen=True, slots=True)
class VideoEngineChoice(EngineChoice):
    """The same, with what decodes the videos."""

    decoder: Annotated[
        str,
        running_option(
            "--decoder",
            metavar="auto|software|nvdec",
            help="What decodes videos: FFmpeg's software, or the GPU's NVDEC beside it.",
            show_default="NVDEC too, on CUDA beside up to 8 software decoders",
        ),
    ] = "auto"

    def options(self) -> EngineOptions:
        """Make the library's record of them; raises as `EngineChoice.options`, or for a decoder."""
        return replace(EngineChoice.options(self), decoder=cast(Decoder, self.decoder))


@dataclass(frozen=True, slots=True)
class ExactEngineChoice(EngineChoice):
    """The same, in float32 by default: accuracy is stated for the weights, not for rounding."""

    precision: PrecisionOption = "float32"


def shows_saved_settings(command: Callable[..., None]) -> Callable[..., None]:
    """State in a command's help that the defaults are the settings of the saved run.

    Args:
        command: decorated with `with_option_groups`; the options of `SegmentChoice` are meant.
    """
    names = {field.name for field in dataclasses.fields(SegmentChoice)}
    parameters = []
    for parameter in inspect.signature(command).parameters.values():
        hint = parameter.annotation
        if parameter.name in names and isinstance(hint.__metadata__[0].show_default, str):
            option = copy(hint.__metadata__[0])  # the other commands share the original
            option.show_default = "as in the saved run"
            parameter = parameter.replace(annotation=Annotated[hint.__origin__, option])
        parameters.append(parameter)
    return _with_signature(command, parameters)


def _with_signature(
    command: Callable[..., None], parameters: list[inspect.Parameter]
) -> Callable[..., None]:
    """Give a command the signature and the annotations that Typer is to read."""
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {item.name: item.annotation for item in parameters}
    return command


def with_option_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Turn the fields of each parameter that is a record into options of the command.

    Typer reads a command's options from its signature, so the result has one with every field
    in its record's place; called with the options, it builds the records.
    """
    hints = get_type_hints(command, include_extras=True)
    parameters: list[inspect.Parameter] = []
    groups: dict[str, Any] = {}
    for parameter in inspect.signature(command).parameters.values():
        hint = hints[parameter.name]
        if dataclasses.is_dataclass(hint):
            groups[parameter.name] = hint
            parameters += inspect.signature(cast(type, hint), eval_str=True).parameters.values()
        else:
            parameters.append(parameter.replace(annotation=hint))

    @wraps(command)
    def expanded(**given: object) -> None:
        for name, record in groups.items():
            fields = [field.name for field in dataclasses.fields(record)]
            given[name] = record(**{field: given.pop(field) for field in fields})
        command(**given)

    keyword = inspect.Parameter.KEYWORD_ONLY  # allows one without a default after one with
    return _with_signature(expanded, [item.replace(kind=keyword) for item in parameters])
