"""Was it found, and about when: F1 of events whose ends may be off by a collar.

Follows the event-based measure of sound event detection (Mesaros, Heittola and Virtanen,
Applied Sciences 6, 2016; sed_eval): a prediction is right if its label is, its start lies
within the collar of the true one, and its end within the collar or within a share of the true
event's length, whichever is more. Of labels of moments, such as cuts, only starts are compared.
Each event is matched once, so that as many as possible are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

from vswin_cli.errors import OptionError
from vswin_cli.evaluation.annotations import AnnotatedVideo, Annotations, Interval
from vswin_cli.evaluation.segmental import Counts
from vswin_cli.storage.json_records import named

__all__ = [
    "Collar",
    "Doubts",
    "EventReport",
    "LabelEvents",
    "VideoEvents",
    "event_report",
    "most_matches",
]

_FUZZ = 1e-9  # seconds; times are decimal fractions


@dataclass(frozen=True, slots=True)
class Collar:
    """How far the ends of an event may be off.

    Raises:
        OptionError: a collar that is negative or endless, or a share outside 0..1.
    """

    seconds: float = 1.0
    """For starts, and for ends at least."""
    share_of_length: float = 0.5
    """For ends: of the true event's length."""

    def __post_init__(self) -> None:
        if not (0 <= self.seconds < inf and 0 <= self.share_of_length <= 1):
            raise OptionError(
                f"the collar must be seconds from 0 up and its share must be in 0..1, got "
                f"{self.seconds:g} s and {self.share_of_length:g}",
                hint="--collar takes seconds, --collar-share a part of the event's length",
            )

    def allows(self, predicted: Interval, true: Interval, *, is_moment: bool = False) -> bool:
        """Whether the times fit, of moments the starts; labels are not looked at."""
        end_limit = max(self.seconds, self.share_of_length * true.seconds)
        start_error = abs(predicted.start_seconds - true.start_seconds)
        if is_moment:
            return start_error <= self.seconds + _FUZZ
        end_error = abs(predicted.end_seconds - true.end_seconds)
        return start_error <= self.seconds + _FUZZ and end_error <= end_limit + _FUZZ


@dataclass(frozen=True, slots=True)
class LabelEvents:
    """F1 of one label's events."""

    label: str
    f1: float = field(metadata=named(digits=6))
    precision: float = field(metadata=named(digits=6))
    recall: float = field(metadata=named(digits=6))
    true_positives: int
    false_positives: int
    false_negatives: int

    @classmethod
    def of(cls, label: str, counts: Counts) -> LabelEvents:
        """Counts to F1."""
        return cls(label, *counts.figures)


@dataclass(frozen=True, slots=True)
class VideoEvents:
    """F1 of one video's events, whatever their label."""

    video: str
    f1: float = field(metadata=named(digits=6))
    precision: float = field(metadata=named(digits=6))
    recall: float = field(metadata=named(digits=6))
    true_positives: int
    false_positives: int
    false_negatives: int

    @classmethod
    def of(cls, video: str, counts: Counts) -> VideoEvents:
        """Counts to F1."""
        return cls(video, *counts.figures)


@dataclass(frozen=True, slots=True)
class EventReport:
    """F1 of all events together, and label by label."""

    collar_seconds: float
    collar_share: float
    overall: LabelEvents
    """All labels together (micro average)."""
    labels: tuple[LabelEvents, ...]
    videos: tuple[VideoEvents, ...]


@dataclass(frozen=True, slots=True)
class Doubts:
    """What a ground truth leaves open."""

    moments: frozenset[str] = frozenset()
    """Labels whose events have a start only."""
    ignored: str | None = None
    """The label of stretches where nothing is settled: a prediction that begins there and meets
    no true event counts neither way."""


def event_report(
    prediction: Annotations, truth: Annotations, collar: Collar, doubts: Doubts = Doubts()
) -> EventReport:
    """Match events video by video and label by label."""
    nothing = AnnotatedVideo("")
    by_label: dict[str, Counts] = {}
    by_video: dict[str, Counts] = {}
    for name in sorted({*truth.videos, *prediction.videos}):
        found = _by_label(prediction.videos.get(name, nothing))
        wanted = _by_label(truth.videos.get(name, nothing))
        open_to_doubt = wanted.pop(doubts.ignored, []) if doubts.ignored is not None else []
        for label in {*found, *wanted}:
            counts = _count(
                found.get(label, []),
                wanted.get(label, []),
                open_to_doubt,
                (collar, label in doubts.moments),
            )
            by_label[label] = by_label.get(label, Counts()) + counts
            by_video[name] = by_video.get(name, Counts()) + counts
    overall = sum(by_label.values(), Counts())
    return EventReport(
        collar.seconds,
        collar.share_of_length,
        LabelEvents.of("all", overall),
        tuple(LabelEvents.of(label, counts) for label, counts in sorted(by_label.items())),
        tuple(VideoEvents.of(name, counts) for name, counts in by_video.items()),
    )


def _count(
    predicted: Sequence[Interval],
    true: Sequence[Interval],
    open_to_doubt: Sequence[Interval],
    measure: tuple[Collar, bool],
) -> Counts:
    """Counts of one label in one video."""
    right = most_matches(predicted, true, *measure)
    settled = [
        one
        for one in predicted
        if not any(d.start_seconds <= one.start_seconds < d.end_seconds for d in open_to_doubt)
    ]
    # some largest matching has as many of the settled ones as any matching has
    wrong = len(settled) - most_matches(settled, true, *measure)
    return Counts(right, wrong, len(true) - right)


def _by_label(video: AnnotatedVideo) -> dict[str, list[Interval]]:
    groups: dict[str, list[Interval]] = {}
    for one in video.intervals:
        groups.setdefault(one.label, []).append(one)
    return groups


def most_matches(
    predicted: Sequence[Interval],
    truth: Sequence[Interval],
    collar: Collar,
    is_moment: bool = False,
) -> int:
    """Size of the largest one-to-one matching, by augmenting paths (Kuhn 1955)."""
    options = [
        [j for j, t in enumerate(truth) if collar.allows(p, t, is_moment=is_moment)]
        for p in predicted
    ]
    owner: dict[int, int] = {}
    return sum(_place(i, options, owner) for i in range(len(predicted)))


def _place(start: int, options: Sequence[Sequence[int]], owner: dict[int, int]) -> bool:
    """Give a prediction a true event, moving others to their alternatives; breadth first."""
    came_from: dict[int, int] = {}  # true event -> prediction that reached for it
    queue = [start]
    for i in queue:
        for j in options[i]:
            if j in came_from:
                continue
            came_from[j] = i
            if j not in owner:
                _shift(j, start, came_from, owner)
                return True
            queue.append(owner[j])
    return False


def _shift(free: int, start: int, came_from: dict[int, int], owner: dict[int, int]) -> None:
    """Hand events along the path that ends at a free one."""
    event: int | None = free
    while event is not None:
        taker = came_from[event]
        given_up = next((j for j, i in owner.items() if i == taker), None)
        owner[event] = taker
        event = None if taker == start else given_up
