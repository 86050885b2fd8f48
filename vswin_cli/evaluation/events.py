"""Compute F1 of events whose start and end may be off by a collar.

Follows the event-based measure of sound event detection (Mesaros, Heittola and Virtanen,
Applied Sciences 6, 2016; sed_eval): a prediction is right if its label is, its start lies
within the collar of the true one, and its end within the collar or within a share of the true
event's length, whichever is more. Of labels without duration, such as cuts, only starts are
compared. Each event is matched at most once, and the matching is as large as possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

from vswin_cli.errors import OptionError
from vswin_cli.evaluation.intervals import AnnotatedVideo, Annotations, Interval
from vswin_cli.evaluation.segmental import Counts, F1Figures, SegmentalReport
from vswin_cli.storage.json_records import named

__all__ = [
    "Collar",
    "EventReport",
    "F1Report",
    "LabelEvents",
    "SpecialLabels",
    "VideoEvents",
    "event_report",
    "most_matches",
]

_FUZZ = 1e-9  # seconds; times are decimal fractions


@dataclass(frozen=True, slots=True)
class Collar:
    """Tolerance for start and end of an event.

    Raises:
        OptionError: a collar that is negative or infinite, or a share outside 0..1.
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
        """Return whether the times match, of moments the starts only; labels are not compared."""
        # Ends of long events are less certain than their starts, so the tolerance grows with the
        # length (sed_eval's percentage of length).
        end_limit = max(self.seconds, self.share_of_length * true.seconds)
        start_error = abs(predicted.start_seconds - true.start_seconds)
        if is_moment:
            return start_error <= self.seconds + _FUZZ
        end_error = abs(predicted.end_seconds - true.end_seconds)
        return start_error <= self.seconds + _FUZZ and end_error <= end_limit + _FUZZ


@dataclass(frozen=True, slots=True)
class LabelEvents(F1Figures[str]):
    """F1 of one label's events."""

    group: str = field(metadata=named("label"))


@dataclass(frozen=True, slots=True)
class VideoEvents(F1Figures[str]):
    """F1 of one video's events, whatever their label."""

    group: str = field(metadata=named("video"))


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
class F1Report:
    """Segmental measures and F1 of events, for the same files."""

    segments: SegmentalReport | None
    """`None` where the ground truth has moments only."""
    events: EventReport
    num_left_out: int = field(default=0, metadata=named("videos_left_out"))
    """Number of videos of the prediction that the ground truth does not have."""


@dataclass(frozen=True, slots=True)
class SpecialLabels:
    """Labels of the ground truth with special rules: moments, and parts to ignore."""

    moments: frozenset[str] = frozenset()
    """Labels whose events have a start only."""
    ignored: str | None = None
    """The label of parts whose truth is uncertain: an unmatched prediction that begins there is
    not counted."""


def event_report(
    prediction: Annotations,
    truth: Annotations,
    collar: Collar,
    special: SpecialLabels = SpecialLabels(),
) -> EventReport:
    """Match events video by video and label by label."""
    nothing = AnnotatedVideo("")
    by_label: dict[str, Counts] = {}
    by_video: dict[str, Counts] = {}
    for name in sorted({*truth.videos, *prediction.videos}):
        found = _by_label(prediction.videos.get(name, nothing))
        wanted = _by_label(truth.videos.get(name, nothing))
        uncertain = wanted.pop(special.ignored, []) if special.ignored is not None else []
        for label in {*found, *wanted}:
            counts = _count(
                found.get(label, []),
                wanted.get(label, []),
                uncertain,
                (collar, label in special.moments),
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
    uncertain: Sequence[Interval],
    measure: tuple[Collar, bool],
) -> Counts:
    """Count one label's right, wrong and missed events in one video."""
    right = most_matches(predicted, true, *measure)
    certain = [
        event
        for event in predicted
        if not any(d.start_seconds <= event.start_seconds < d.end_seconds for d in uncertain)
    ]
    # Wrong are the predictions outside uncertain parts that the largest matching of these alone
    # leaves over. Some largest matching of all predictions has as many of them, since an augmenting
    # path never unmatches a prediction.
    wrong = len(certain) - most_matches(certain, true, *measure)
    return Counts(right, wrong, len(true) - right)


def _by_label(video: AnnotatedVideo) -> dict[str, list[Interval]]:
    groups: dict[str, list[Interval]] = {}
    for interval in video.intervals:
        groups.setdefault(interval.label, []).append(interval)
    return groups


def most_matches(
    predicted: Sequence[Interval],
    truth: Sequence[Interval],
    collar: Collar,
    is_moment: bool = False,
) -> int:
    """Return the size of the largest one-to-one matching, by augmenting paths (Kuhn 1955)."""
    # The largest one: with greedy matching the result would depend on the order of the events.
    options = [
        [j for j, t in enumerate(truth) if collar.allows(p, t, is_moment=is_moment)]
        for p in predicted
    ]
    owner: dict[int, int] = {}
    return sum(_assign(i, options, owner) for i in range(len(predicted)))


def _assign(start: int, options: Sequence[Sequence[int]], owner: dict[int, int]) -> bool:
    """Match a prediction to a true event, rematching others where needed; breadth first."""
    # Breadth first with a list: a chain of events, each near the next, may be longer than Python's
    # limit of recursion.
    came_from: dict[int, int] = {}  # true event -> prediction from which the search reached it
    queue = [start]
    for i in queue:
        for j in options[i]:
            if j in came_from:
                continue
            came_from[j] = i
            if j not in owner:
                _rematch(j, start, came_from, owner)
                return True
            queue.append(owner[j])
    return False


def _rematch(free: int, start: int, came_from: dict[int, int], owner: dict[int, int]) -> None:
    """Rematch events along the augmenting path that ends at a free one."""
    event: int | None = free
    while event is not None:
        prediction = came_from[event]
        released = next((j for j, i in owner.items() if i == prediction), None)
        owner[event] = prediction
        event = None if prediction == start else released
