"""Read the times, frame rates and strides that users write, and check plain values of options."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Any, Literal, SupportsFloat

from vswin_cli.errors import OptionError

__all__ = [
    "Stride",
    "as_several",
    "as_stride",
    "as_texts",
    "check_numbers",
    "is_length",
    "parse_frame_rate",
    "parse_seconds",
    "wrong_type",
]

_STRIDE_HINT = "give seconds (1.5s), percent of a clip (50%) or sampled frames (16f)"
_STRIDE = re.compile(r"(?P<number>\d+(?:\.\d*)?|\.\d+)(?P<unit>s|%|f)?")
_RATE = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,9})?)(?:/(?P<per>\d{1,9}))?")
_CLOCK = re.compile(r"(?:(?:(?P<h>\d+):)?(?P<m>\d{1,2}):)?(?P<s>\d+(?:\.\d*)?|\.\d+)")


def parse_seconds(text: str) -> float:
    """Read a time on a video's clock: `90`, `1:30` or `00:01:30.5`.

    Raises:
        OptionError: the text is none of these.
    """
    match = _CLOCK.fullmatch(text.strip())
    hours, minutes, seconds = (float(match[unit] or 0) if match else inf for unit in "hms")
    total = 3600 * hours + 60 * minutes + seconds
    if match is None or (match["m"] and seconds >= 60) or (match["h"] and minutes >= 60):
        total = inf
    if total == inf:
        raise OptionError(
            f"cannot read the time {text!r}",
            hint="give seconds (90), minutes (1:30) or hours (00:01:30.5)",
        )
    return total


def parse_frame_rate(text: str) -> float:
    """Read frames per second: `40`, `29.97` or `30000/1001`.

    Raises:
        OptionError: the text is none of these.
    """
    match = _RATE.fullmatch(text.strip())
    if match is None or not float(match["per"] or 1):
        raise OptionError(
            f"cannot read the frame rate {text!r}", hint="write it as 40, 29.97 or 30000/1001"
        )
    return float(match["number"]) / float(match["per"] or 1)


@dataclass(frozen=True, slots=True)
class Stride:
    """Distance between the starts of neighbouring clips.

    Raises:
        OptionError: the distance is not positive.
    """

    amount: float
    """How much of `unit`."""
    unit: Literal["s", "%", "f"] = "%"
    """Seconds, percent of a clip, or sampled frames."""

    def __post_init__(self) -> None:
        if isinstance(self.amount, str) or self.unit not in ("s", "%", "f"):
            raise OptionError(
                f"a stride is a number and one of s, % and f, got {self.amount!r} and "
                f"{self.unit!r}",
                hint='write Stride(50, "%"), or Stride.parse("50%")',
            )
        if not 0 < self.amount < inf:
            raise OptionError(
                f"stride must be positive, got {self.amount:g}{self.unit}", hint=_STRIDE_HINT
            )

    @classmethod
    def parse(cls, text: str) -> Stride:
        """Read `1.5`, `1.5s`, `50%` or `16f`; a bare number means seconds.

        Raises:
            OptionError: the text is none of these.
        """
        match = _STRIDE.fullmatch(text.strip())
        if match is None:
            raise OptionError(
                f"cannot read the stride {text!r}",
                hint=_STRIDE_HINT,
            )
        unit = match["unit"] or "s"
        return cls(float(match["number"]), unit)  # type: ignore[arg-type]

    def frames(self, num_frames: int, frame_rate: float) -> int:
        """The same distance in sampled frames, at least one."""
        return max(1, round(self.exact_frames(num_frames, frame_rate)))

    def exact_frames(self, num_frames: int, frame_rate: float) -> float:
        """The same distance in sampled frames, before rounding."""
        per_unit = {"s": frame_rate, "%": num_frames / 100, "f": 1.0}[self.unit]
        return self.amount * per_unit

    def __str__(self) -> str:
        return f"{self.amount:g}{self.unit}"


def as_stride(value: object) -> Stride:
    """Take a stride as a record, a text (see `Stride.parse`) or a share of a clip, 0.5 for half.

    Raises:
        OptionError: it is none of these.
    """
    if isinstance(value, Stride):
        return value
    if isinstance(value, str):
        return Stride.parse(value)
    if isinstance(value, SupportsFloat) and not isinstance(value, bool) and 0 < float(value) <= 1:
        return Stride(100 * float(value), "%")
    raise OptionError(
        f"stride takes a share of a clip in (0, 1] or a text, got {value!r}",
        hint='write 0.5 or "50%" for half a clip, "1.5s" for seconds, "16f" for sampled frames',
    )


def check_numbers(record: object, *names: str) -> None:
    """Check that fields of a record are numbers or `None`.

    Raises:
        OptionError: one is not; it is named.
    """
    for name in names:
        value = getattr(record, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, SupportsFloat)):
            raise OptionError(f"{name} takes a number, got {value!r}", hint="such as 0.5")


def wrong_type(name: str, wanted: str, value: object, hint: str | None = None) -> OptionError:
    """Return the error for an argument of another type than a function takes.

    Args:
        name: of the argument.
        wanted: what it takes.
        value: what was given.
        hint: what to write.
    """
    is_short = value is None or isinstance(value, (str, bytes, int, float))
    got = repr(value) if is_short else type(value).__name__
    return OptionError(f"the argument `{name}` takes {wanted}, got {got}", hint=hint)


def is_length(seconds: float) -> bool:
    """Return whether a length of time is finite and not negative."""
    return 0 <= seconds < inf


def as_several(name: str, values: object) -> tuple[Any, ...]:
    """Return the items of a list or another collection.

    Raises:
        OptionError: it is not a collection.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise OptionError(
            f"{name} takes a list, got {values!r}", hint="put a single value in brackets"
        )
    return tuple(values)


def as_texts(name: str, values: object) -> tuple[str, ...]:
    """Return the texts of a list; a text alone counts as a list of one.

    Raises:
        OptionError: it is something else.
    """
    texts = (values,) if isinstance(values, str) else as_several(name, values)
    if not all(isinstance(text, str) for text in texts):
        raise OptionError(
            f"{name} takes labels as text, got {values!r}",
            hint="`vswin labels MODEL` lists a model's labels",
        )
    return texts
