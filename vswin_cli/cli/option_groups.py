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
    BatchSizeOption,
    CropsOption,
    DeviceOption,
    EndOption,
    ExcludeOption,
    FrameIntervalOption,
    FrameRateOption,
    GroupOption,
    IncludeOption,
    MaxEntropyOption,
    MaxLabelsOption,
    MergeGapOption,
    MinDurationOption,
    MinMarginOption,
    OffsetOption,
    OnsetOption,
    PrecisionOption,
    SmoothOption,
    StartOption,
    StrideOption,
)
from vswin_cli.config import (
    EngineOptions,
    LabelGroup,
    Precision,
    SamplingOptions,
    SegmentOptions,
    Stride,
    parse_seconds,
)
from vswin_cli.errors import OptionError

__all__ = [
    "EngineChoice",
    "SamplingChoice",
    "SegmentChoice",
    "shows_saved_settings",
    "with_option_groups",
]


@dataclass(frozen=True, slots=True)
class SamplingChoice:
    """Options that say which clips are taken from a video."""

    fps: FrameRateOption = None
    frame_interval: FrameIntervalOption = None
    stride: StrideOption = None
    crops: CropsOption = 1
    start: StartOption = None
    end: EndOption = None

    def options(self) -> SamplingOptions:
        """Parse them into the library's record.

        Raises:
            OptionError: a value cannot be read, or two exclude each other.
        """
        if self.crops not in (1, 3):
            raise OptionError(
                f"--crops takes 1 or 3, got {self.crops}",
                hint="1 uses the centre of the frame, 3 cover all of it",
            )
        return SamplingOptions(
            frame_rate=self.fps,
            frame_interval=self.frame_interval,
            stride=None if self.stride is None else Stride.parse(self.stride),
            crops=cast("Literal[1, 3]", self.crops),
            start_seconds=None if self.start is None else parse_seconds(self.start),
            end_seconds=None if self.end is None else parse_seconds(self.end),
        )


@dataclass(frozen=True, slots=True)
class SegmentChoice:
    """Options that say how scores become segments.

    Raises:
        OptionError: a value is out of range, or two contradict each other.
    """

    onset: OnsetOption = None
    offset: OffsetOption = None
    min_duration: MinDurationOption = None
    merge_gap: MergeGapOption = None
    max_labels: MaxLabelsOption = None
    include: IncludeOption = None
    exclude: ExcludeOption = None
    group: GroupOption = None
    smooth: SmoothOption = None
    min_margin: MinMarginOption = None
    max_entropy: MaxEntropyOption = None

    def __post_init__(self) -> None:
        # The weights are not loaded yet; most mistakes show against the defaults already.
        options = self.over(SegmentOptions())
        for group in options.groups if options.include else ():
            patterns = (pattern.casefold() for pattern in options.include)
            if not any(fnmatchcase(group.name.casefold(), pattern) for pattern in patterns):
                raise OptionError(
                    f"--include leaves out the group `{group.name}`",
                    hint=f'add --include "{group.name}", or omit its --group',
                )

    def over(self, advised: SegmentOptions) -> SegmentOptions:
        """Put what the user chose over what the weights or an earlier run advise.

        An onset holds for all labels, also for those that the weights advise another for.

        Raises:
            OptionError: the values contradict each other.
        """
        # A single threshold beyond the other advised one moves that one along: `--onset 0.2`
        # alone must not fail because the weights advise an offset of 0.3.
        low = advised.offset if self.onset is None else min(advised.offset, self.onset)
        high = advised.onset if self.offset is None else max(advised.onset, self.offset)
        chosen: dict[str, Any] = {
            "onset": high if self.onset is None else self.onset,
            "offset": low if self.offset is None else self.offset,
            "min_duration_seconds": self.min_duration,
            "merge_gap_seconds": self.merge_gap,
            "max_labels": self.max_labels,
            "smooth_seconds": self.smooth,
            "min_margin": self.min_margin,
            "max_entropy": self.max_entropy,
        }
        groups = tuple(LabelGroup.parse(text) for text in self.group or ())
        return replace(
            advised,
            **{name: value for name, value in chosen.items() if value is not None},
            include=tuple(self.include or advised.include),
            exclude=tuple(self.exclude or advised.exclude),
            groups=groups or advised.groups,
            onsets=advised.onsets if self.onset is None else (),
        )


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """Options that say where and how the network runs."""

    device: DeviceOption = "auto"
    precision: PrecisionOption = "auto"
    batch_size: BatchSizeOption = None

    def options(self) -> EngineOptions:
        """Make the library's record of them.

        Raises:
            OptionError: a value names no device or no precision.
        """
        return EngineOptions(self.device, cast(Precision, self.precision), self.batch_size)


def shows_saved_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Say in a command's help that the defaults are the settings that the saved run used.

    Args:
        command: decorated with `with_option_groups`; the options of `SegmentChoice` are meant.
    """
    names = {field.name for field in dataclasses.fields(SegmentChoice)}
    parameters = []
    for one in inspect.signature(command).parameters.values():
        hint = one.annotation
        if one.name in names and isinstance(hint.__metadata__[0].show_default, str):
            option = copy(hint.__metadata__[0])  # the other commands share the original
            option.show_default = "as in the saved run"
            one = one.replace(annotation=Annotated[hint.__origin__, option])
        parameters.append(one)
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
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
    parameters = [parameter.replace(kind=keyword) for parameter in parameters]
    expanded.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    expanded.__annotations__ = {one.name: one.annotation for one in parameters}
    return expanded
