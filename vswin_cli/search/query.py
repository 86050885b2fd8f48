"""The moment that is searched for: a stretch of features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vswin_cli.errors import OptionError
from vswin_cli.search.moments import unit_rows
from vswin_cli.timeline.features import FeatureRecord

__all__ = ["Query", "make_query"]

_SAME_STEP = 0.01  # relative difference of two steps that count as equal


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """Features of a part of a video, a row per time step."""

    units: NDArray[np.float32]
    """(m, C), each of length 1."""
    step_seconds: float
    """Time of a row."""
    start_seconds: float
    """Part of the video, half-open."""
    end_seconds: float
    record: FeatureRecord
    """Provenance of the features."""

    def with_step(self, step_seconds: float) -> Query:
        """Return the query with another time per row, each row the nearest of these."""
        if abs(step_seconds / self.step_seconds - 1) < _SAME_STEP:
            return self
        count = max(1, round(len(self.units) * self.step_seconds / step_seconds))
        middles = (np.arange(count) + 0.5) * len(self.units) / count
        rows = self.units[middles.astype(np.intp)]
        return Query(rows, step_seconds, self.start_seconds, self.end_seconds, self.record)


def make_query(
    features: NDArray[np.floating],
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    record: FeatureRecord,
    *,
    start_seconds: float | None = None,
    end_seconds: float | None = None,
) -> Query:
    """Make the query of a part of a video.

    Args:
        features: (n, C), a row per time step.
        starts: (n,) time in seconds of each row.
        ends: (n,) exclusive.
        record: provenance of the features.
        start_seconds: start of the part; by default that of the video.
        end_seconds: end of the part, exclusive; by default that of the video.

    Raises:
        OptionError: no time step lies in the part.
    """
    middles = (starts + ends) / 2
    start = 0.0 if start_seconds is None else start_seconds
    end = np.inf if end_seconds is None else end_seconds
    chosen = np.flatnonzero((middles >= start) & (middles < end))
    if not len(chosen):
        duration = record.video.duration_seconds
        until = "the end" if end_seconds is None else f"{end_seconds:g} s"
        raise OptionError(
            f"no clip of {record.video.uri} lies between {start:g} s and {until}",
            hint=f"the video lasts {duration:.1f} s; give a part of it that could be analysed",
        )
    return Query(
        units=unit_rows(features[chosen[0] : chosen[-1] + 1]),
        step_seconds=float(np.median(ends - starts)),
        start_seconds=float(starts[chosen[0]]),
        end_seconds=float(ends[chosen[-1]]),
        record=record,
    )
