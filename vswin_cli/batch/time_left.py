"""Estimate when a batch will be done, from the sizes of its files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import median

from vswin_cli.batch.activity import Activity
from vswin_cli.batch.inputs import BatchInput
from vswin_cli.batch.outcome import Outcome

__all__ = ["TimeLeft"]


class TimeLeft:
    """Estimates from bytes per second, once enough bytes are done to know that rate.

    A failure takes a moment whatever the size of the file, and an empty or tiny file says nothing
    about the speed, so there is no estimate before half of a usual file is done.

    Args:
        inputs: all inputs of the batch.
    """

    def __init__(self, inputs: Sequence[BatchInput]) -> None:
        self._sizes = _estimated_sizes(inputs)
        sizes = [size for size in self._sizes.values() if size]
        self._enough = median(sizes) / 2 if sizes else 0.0
        self._began: float | None = None
        self._bytes_done = 0.0
        self._video_seconds = 0.0

    def begin(self, now: float) -> None:
        """Note that a worker has begun its first video; what it took to start does not count."""
        if self._began is None:
            self._began = now

    def add(self, outcome: Outcome) -> None:
        """Count a video that is done."""
        if outcome.status != "failed":
            self._bytes_done += self._sizes[outcome.entry]
            self._video_seconds += outcome.duration_seconds or 0.0

    def seconds(
        self, now: float, done: Collection[str], activities: Iterable[Activity]
    ) -> float | None:
        """Estimate the time until all videos are done.

        Args:
            now: time on the clock of `begin`.
            done: entries with an outcome, of this run or an earlier one.
            activities: what the workers do.

        Returns:
            Seconds; `None` if too little is done to tell.
        """
        if self._began is None or self._bytes_done < self._enough or not self._bytes_done:
            return None
        running = sum(self._running(activities).values())
        pending = sum(size for entry, size in self._sizes.items() if entry not in done) - running
        # Time per byte so far, in which the bytes of videos that are under way count as done.
        return (now - self._began) * max(0.0, pending) / (self._bytes_done + running)

    def _running(self, activities: Iterable[Activity]) -> Mapping[str, float]:
        """Estimate how many bytes are done of each video that is not done."""
        if not self._video_seconds:
            return {}
        rate = self._bytes_done / self._video_seconds
        done: dict[str, float] = {}
        for activity in activities:
            size = self._sizes.get(activity.entry or "", 0.0)
            reached = done.get(activity.entry or "", 0.0) + activity.done_seconds * rate
            done[activity.entry or ""] = min(size, reached)
        return done


def _estimated_sizes(inputs: Sequence[BatchInput]) -> dict[str, float]:
    """Return the size of each input by entry.

    A remote file of unknown size counts as much as the average of the others.
    """
    known = [item.size_bytes for item in inputs if item.size_bytes]
    unknown = sum(known) / len(known) if known else 1.0
    return {
        item.entry: float(item.size_bytes or (unknown if item.source.path is None else 0))
        for item in inputs
    }
