"""Find segments in scores that do not end, and report each as soon as it cannot change any more.

The scores of the last minutes are kept, as logits of clips, and segmented again and again as those
of a whole video are. A segment is reported once it ends before everything that later clips can
change.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from vswin_cli.config import SegmentOptions
from vswin_cli.models.card import ModelCard
from vswin_cli.timeline.scores import ClipLogits, Gap
from vswin_cli.timeline.segments import Segment, segment_track
from vswin_cli.timeline.track_builder import TrackBuilder

__all__ = ["LiveSegment", "LiveSegments"]

_EVERY_SECONDS = 2.0
_LONGEST_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class LiveSegment:
    """A segment of a live stream, or a part of a long one."""

    segment: Segment
    continues: bool
    """Whether it goes on: its rest follows as another segment."""


class LiveSegments:
    """Segments of a stream, from the logits of its clips in time order; memory is bounded.

    Args:
        card: of the model.
        options: how scores become segments.
        step_seconds: length of a time step of the network.
        longest_seconds: a segment that is longer is reported in parts.
    """

    def __init__(
        self,
        card: ModelCard,
        options: SegmentOptions,
        step_seconds: float,
        *,
        longest_seconds: float = _LONGEST_SECONDS,
    ) -> None:
        self._card = card
        self._options = options
        self._step = step_seconds
        self._longest = longest_seconds
        # What is older cannot change any more: smoothing and merging reach no further back.
        self._margin = options.smooth_seconds + options.merge_gap_seconds + 2 * step_seconds
        self._clips: deque[ClipLogits] = deque()
        self._gaps: deque[Gap] = deque()
        self._start = 0.0  # of what is kept, on the grid of steps
        self._updated = 0.0
        self._reported: dict[str, float] = {}  # where the last segment of each label ended

    @property
    def num_clips(self) -> int:
        """Number of clips that are kept."""
        return len(self._clips)

    def add_gap(self, gap: Gap) -> None:
        """Note that frames are missing."""
        if gap.end_seconds > gap.start_seconds:
            self._gaps.append(gap)

    def add(self, clip: ClipLogits) -> list[LiveSegment]:
        """Add the logits of the next clip; returns the segments that are closed now."""
        self._clips.append(clip)
        here = float(clip.step_edges_seconds[0])
        if here - self._updated < _EVERY_SECONDS:
            return []
        self._updated = here
        return self._closed(here - self._margin)

    def finish(self) -> list[LiveSegment]:
        """Return the segments that are still open."""
        found = self._segments() if self._clips else ()
        return [LiveSegment(segment, False) for segment in self._new(found)]

    def _closed(self, until: float) -> list[LiveSegment]:
        """Return new segments that end before a time, and drop what is no longer needed."""
        reported, oldest = [], until
        for segment in self._new(self._segments()):
            if segment.end_seconds <= until:
                reported.append(LiveSegment(segment, False))
            elif until - segment.start_seconds > self._longest:
                part = replace(segment, end_seconds=until)
                reported.append(LiveSegment(part, True))
            else:
                oldest = min(oldest, segment.start_seconds)
        for one in reported:
            self._reported[one.segment.label] = one.segment.end_seconds
        self._forget(oldest)
        return reported

    def _segments(self) -> Sequence[Segment]:
        card = self._card
        builder = TrackBuilder(
            card.labels,
            card.activation,
            self._step,
            instants=card.segments.instants,
            start_seconds=self._start,
        )
        for clip in self._clips:
            builder.add(clip)
        end = max(float(clip.step_edges_seconds[clip.num_valid_steps]) for clip in self._clips)
        with builder.finish(end, self._gaps) as track:
            return segment_track(track, self._options).segments

    def _new(self, found: Sequence[Segment]) -> Iterator[Segment]:
        """Leave out what was reported, and of a segment the part that was."""
        for segment in found:
            done = self._reported.get(segment.label, -math.inf)
            # Reported already, but for one step at most.
            if segment.end_seconds <= done + self._step:
                continue
            yield replace(segment, start_seconds=max(segment.start_seconds, done))

    def _forget(self, oldest: float) -> None:
        """Drop clips that lie before everything that can still be reported."""
        # Each cell is a mean over all clips that cover it, so clips are kept for a clip longer.
        length = max(float(c.step_edges_seconds[-1] - c.step_edges_seconds[0]) for c in self._clips)
        needed = oldest - length - self._margin
        self._start = max(self._start, math.floor(needed / self._step) * self._step)
        while self._clips[0].step_edges_seconds[0] < self._start - self._step / 2:
            self._clips.popleft()
        while self._gaps and self._gaps[0].end_seconds <= self._start:
            self._gaps.popleft()
