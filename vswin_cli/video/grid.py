"""Map the display times of frames to positions of a sampling plan.

Pure arithmetic on times and positions, without frames or files. Decides where runs of clips begin
and end and, for sparse plans, which part of the video is needed next.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from vswin_cli.video.sampling import RunEnd, SamplingPlan

__all__ = ["GridWalker"]


class GridWalker:
    """Find the positions that each frame fills.

    A dense plan has one run per part of the video without a gap. A sparse one, whose clips leave
    time between them, has one run per clip: clip span i covers the T ticks from i·stride on.

    Args:
        plan: the grid.
        tolerance_seconds: a frame that is late by no more than this still counts as on time.
        total_seconds: declared duration of the video, used by sparse plans only: a last clip
            that would reach beyond it is moved back to end there.
    """

    def __init__(
        self, plan: SamplingPlan, tolerance_seconds: float, total_seconds: float | None = None
    ) -> None:
        self._plan = plan
        self._tolerance = tolerance_seconds
        self._next = 0  # first position that is not yet filled or passed
        self._base: int | None = None  # where the open run starts
        self._span_start = 0
        self._span_stop = plan.clip_positions if plan.sparse else sys.maxsize
        self._final_start = self._start_of_final_span(total_seconds)

    @property
    def run_is_open(self) -> bool:
        """Whether positions were filled since the last end of a run."""
        return self._base is not None

    @property
    def wanted_from_seconds(self) -> float:
        """Time of the next position that a clip may use; by time only."""
        return self._plan.seconds_at(max(self._next, self._span_start))

    def has_position(self, begin_seconds: float, end_seconds: float) -> bool:
        """Return whether a position lies in `[begin_seconds, end_seconds)`, filled or not."""
        first, stop = (
            self._plan.first_position_from(seconds, self._tolerance)
            for seconds in (begin_seconds, end_seconds)
        )
        return first < stop

    def show(self, begin_seconds: float, end_seconds: float) -> Iterator[range | RunEnd]:
        """Fill the positions at which a frame is on display: `[begin_seconds, end_seconds)`.

        Yields:
            Ranges of positions that the frame fills and that a clip may use, and the ends of
            runs that this completes.
        """
        positions = self._on_display(begin_seconds, end_seconds)
        first, stop = positions.start, positions.stop
        # By index every frame advances the grid, also one between the clips of a sparse plan.
        self._next = max(self._next, stop if self._plan.by == "index" else 0)
        while first < stop:
            if self._base is None:
                first = self._first_of_run(first)
                if first >= stop:
                    return
                self._base = first
            # A still frame may outlast a clip span of a sparse plan: fill each span in turn.
            chunk = range(first, min(stop, self._span_stop))
            first = self._next = chunk.stop
            if any(self._plan.is_wanted(position - self._base) for position in chunk):
                yield chunk
            if first == self._span_stop:
                by_time = self._plan.by == "time"
                yield RunEnd(self._plan.seconds_at(first) if by_time else end_seconds)
                self._base = None
                self._next_span()

    def end_run(self, end_seconds: float) -> Iterator[RunEnd]:
        """Close the run: frames are missing from `end_seconds` on, or the video ends there."""
        if self._base is not None:
            limit = self._plan.end_seconds
            yield RunEnd(end_seconds if limit is None else min(end_seconds, limit))
            self._base = None

    def _on_display(self, begin: float, end: float) -> range:
        """Return the positions within `[begin, end)` that are not filled yet, if analysed."""
        plan = self._plan
        limit = sys.float_info.max if plan.end_seconds is None else plan.end_seconds
        # By index the tolerance applies to the edges of the analysed part, not to positions.
        if plan.by == "index":
            inside = plan.start_seconds - self._tolerance <= begin < limit - self._tolerance
            return range(self._next, self._next + inside)
        # Starting at `_next` keeps every position filled exactly once: with rounded timestamps
        # two neighbouring frames could otherwise both fill one, or neither.
        first = max(self._next, plan.first_position_from(begin, self._tolerance))
        stop = plan.first_position_from(min(end, limit + self._tolerance), self._tolerance)
        return range(first, stop)

    def _first_of_run(self, position: int) -> int:
        """Return the earliest position at or after this one at which a run can start."""
        if not self._plan.sparse:
            return self._aligned(position)
        while True:
            start = self._aligned(max(position, self._span_start))
            if start < self._span_stop:
                return start
            self._next_span()

    def _aligned(self, position: int) -> int:
        """Align a run's start to the network's time steps; by index runs start anywhere."""
        return self._plan.aligned(position) if self._plan.by == "time" else position

    def _next_span(self) -> None:
        plan = self._plan
        before = self._span_stop
        start = self._span_start + plan.stride * plan.positions_per_tick
        # As in a dense run, the last clip is moved back to end with the video.
        final = self._final_start
        if final is not None and before <= final < start < final + plan.clip_positions:
            start = final
        self._span_start = start
        self._span_stop = start + plan.clip_positions

    def _start_of_final_span(self, total_seconds: float | None) -> int | None:
        """Return the first position of a clip that ends at the declared end of the video."""
        plan = self._plan
        if not plan.sparse or total_seconds is None or plan.by == "index":
            return None
        end = total_seconds if plan.end_seconds is None else min(total_seconds, plan.end_seconds)
        last = plan.first_position_from(end, self._tolerance) - plan.clip_positions
        return max(0, last // plan.alignment * plan.alignment)
