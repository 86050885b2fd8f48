"""Options that hold for single labels or for groups of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from vswin_cli.errors import OptionError
from vswin_cli.quantities import as_several, as_texts, check_numbers, is_length

__all__ = [
    "LabelDuration",
    "LabelGroup",
    "LabelOnset",
    "as_durations",
    "as_groups",
    "as_onsets",
]

_GROUPS_HINT = 'write groups={"racket sports": ["playing tennis", "playing squash*"]}'
_ONSETS_HINT = 'write onsets={"cut": 0.3}'
_DURATIONS_HINT = 'write min_durations={"pan-left": 1.0}'
_GROUP_HINT = "write it as NAME=LABEL,LABEL or NAME=PATTERN"


@dataclass(frozen=True, slots=True)
class LabelGroup:
    """Several labels that are reported as one, under a name of the user's choice.

    Raises:
        OptionError: there is no name or no member.
    """

    name: str
    """What the segments are called."""
    members: tuple[str, ...]
    """Labels or patterns such as `playing *`."""

    def __post_init__(self) -> None:
        if not self.name:
            members = ", ".join(self.members) or "nothing"
            raise OptionError(f"the label group of {members} has no name", hint=_GROUP_HINT)
        if not self.members or not all(self.members):
            raise OptionError(f"the label group `{self.name}` has no members", hint=_GROUP_HINT)

    @classmethod
    def parse(cls, text: str) -> LabelGroup:
        """Read `racket sports=playing tennis,playing squash or racquetball`.

        Labels that hold commas are written as patterns (`pull ups*`).

        Raises:
            OptionError: there is no name or no member.
        """
        name, _, members = text.partition("=")
        return cls(name.strip(), tuple(part.strip() for part in members.split(",") if part.strip()))


@dataclass(frozen=True, slots=True)
class LabelOnset:
    """A threshold of one label's own.

    Raises:
        OptionError: the threshold is not a score.
    """

    label: str
    onset: float
    """Score at which its segments begin."""

    def __post_init__(self) -> None:
        check_numbers(self, "onset")
        if not 0 <= self.onset <= 1:
            raise OptionError(f"the onset of {self.label!r} must be in 0..1, got {self.onset:g}")


@dataclass(frozen=True, slots=True)
class LabelDuration:
    """A minimum duration of one label's own.

    Raises:
        OptionError: the duration is negative or infinite.
    """

    label: str
    min_duration_seconds: float
    """Shorter segments of the label are dropped."""

    def __post_init__(self) -> None:
        check_numbers(self, "min_duration_seconds")
        if not is_length(self.min_duration_seconds):
            raise OptionError(
                f"the minimum duration of {self.label!r} must be seconds from 0 up, "
                f"got {self.min_duration_seconds:g}",
                hint="such as 1.0; 0 for none",
            )


_R = TypeVar("_R", LabelOnset, LabelDuration)


def as_groups(values: object) -> tuple[LabelGroup, ...]:
    """Take groups as records, texts or a mapping of names to members."""
    if isinstance(values, Mapping):
        return tuple(LabelGroup(name, as_texts("groups", one)) for name, one in values.items())
    several = [values] if isinstance(values, (str, LabelGroup)) else as_several("groups", values)
    groups = [LabelGroup.parse(one) if isinstance(one, str) else one for one in several]
    if not all(isinstance(one, LabelGroup) for one in groups):
        raise OptionError(f"groups takes LabelGroup, got {values!r}", hint=_GROUPS_HINT)
    return tuple(groups)


def as_onsets(values: object) -> tuple[LabelOnset, ...]:
    """Take onsets as records or as a mapping of labels to scores."""
    return _as_records("onsets", LabelOnset, values, _ONSETS_HINT)


def as_durations(values: object) -> tuple[LabelDuration, ...]:
    """Take minimum durations as records or as a mapping of labels to seconds."""
    return _as_records("min_durations", LabelDuration, values, _DURATIONS_HINT)


def _as_records(name: str, kind: type[_R], values: object, hint: str) -> tuple[_R, ...]:
    """Take records as such, or make them of a mapping of labels to numbers."""
    if isinstance(values, Mapping):
        return tuple(kind(label, number) for label, number in values.items())
    several = [values] if isinstance(values, kind) else as_several(name, values)
    if not all(isinstance(one, kind) for one in several):
        raise OptionError(f"{name} takes {kind.__name__}, got {values!r}", hint=hint)
    return tuple(several)
