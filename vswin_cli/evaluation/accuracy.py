"""Compute accuracy, its confidence interval and the commonest confusions from ranks of labels."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vswin_cli.storage.json_records import named

__all__ = [
    "INTERVAL",
    "Confusion",
    "Failure",
    "Rate",
    "confusions",
    "mean_class_accuracy",
    "rank_of",
    "wilson_interval",
]

_Z95 = 1.959963984540054  # 97.5 % quantile of the normal distribution
INTERVAL = "95 % Wilson"
"""Confidence and method of the intervals of `Rate`."""


def wilson_interval(hits: int, total: int) -> tuple[float, float]:
    """Compute the 95 % score interval of a share (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927).

    Its ends are the true shares p at which `hits` would be 1.96 standard deviations off.

    Args:
        hits: successes.
        total: trials; without any the interval is 0..1.
    """
    if total == 0:
        return 0.0, 1.0
    # Wilson, not share ± z·sqrt(share(1 - share)/total): that has width zero where all or none are
    # right, leaves 0..1, and covers too little with few videos.
    share, spread = hits / total, _Z95 * _Z95 / total
    middle = (share + spread / 2) / (1 + spread)
    half = _Z95 / (1 + spread) * math.sqrt(share * (1 - share) / total + spread / (4 * total))
    # Exactly 0 and 1 by the formula, were it not for rounding.
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    return low, 1.0 if hits == total else min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of videos with its 95 % interval by Wilson's method."""

    hits: int
    total: int
    share: float = field(metadata=named(digits=6))
    """Of 1; 0 without any video."""
    low: float = field(metadata=named(digits=6))
    high: float = field(metadata=named(digits=6))

    @classmethod
    def of(cls, hits: int, total: int) -> Rate:
        """Make a rate of counts."""
        low, high = wilson_interval(hits, total)
        return cls(hits, total, hits / total if total else 0.0, low, high)

    @classmethod
    def within(cls, ranks: Sequence[int], k: int) -> Rate:
        """Compute top-k accuracy of ranks that count from 1."""
        return cls.of(sum(rank <= k for rank in ranks), len(ranks))

    def __str__(self) -> str:
        percent = (100 * value for value in (self.share, self.low, self.high))
        return "{:.2f} % ({}: {:.2f} to {:.2f})".format(next(percent), INTERVAL, *percent)


def rank_of(scores: NDArray[np.floating], class_id: int) -> int:
    """Return the rank of a class, from 1; of equal scores the lower index comes first."""
    own = scores[class_id]
    ahead = np.count_nonzero(scores > own) + np.count_nonzero(scores[:class_id] == own)
    return int(ahead) + 1


def mean_class_accuracy(truth: Sequence[int], hits: Sequence[bool]) -> float:
    """Average top-1 accuracy over classes, so that large classes do not dominate."""
    by_class: dict[int, list[bool]] = defaultdict(list)
    for class_id, hit in zip(truth, hits, strict=True):
        by_class[class_id].append(hit)
    shares = [sum(group) / len(group) for group in by_class.values()]
    return sum(shares) / len(shares) if shares else 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A video or window without a result."""

    video: str
    problem: str


@dataclass(frozen=True, slots=True)
class Confusion:
    """Number of videos of one class that were taken for another."""

    truth: str
    predicted: str
    count: int
    of: int
    """Videos of the true class."""


def confusions(pairs: Iterable[tuple[str, str]], most: int = 10) -> tuple[Confusion, ...]:
    """Count mistakes among (truth, predicted), most frequent first, then by name."""
    counted = Counter(pairs)
    totals: Counter[str] = Counter()
    for (truth, _), count in counted.items():
        totals[truth] += count
    found = [
        Confusion(truth, predicted, count, totals[truth])
        for (truth, predicted), count in counted.items()
        if truth != predicted
    ]
    return tuple(sorted(found, key=lambda pair: (-pair.count, pair.truth, pair.predicted))[:most])
