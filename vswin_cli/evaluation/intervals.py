"""Labelled intervals of videos: records that every measure takes, whatever file they come from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from vswin_cli.storage.remote import is_remote
from vswin_cli.storage.sources import VIDEO_SUFFIXES

__all__ = ["AnnotatedVideo", "Annotations", "Interval", "sorted_intervals", "video_id"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A label that holds over `[start_seconds, end_seconds)`."""

    start_seconds: float
    end_seconds: float
    label: str
    score: float | None = None

    @property
    def seconds(self) -> float:
        """Length."""
        return self.end_seconds - self.start_seconds


@dataclass(frozen=True, slots=True)
class AnnotatedVideo:
    """Labelled intervals of one video."""

    id: str
    """File name without folders and ending."""
    intervals: tuple[Interval, ...] = ()
    """Sorted by start, then end, then label."""
    duration_seconds: float | None = None
    """Length of the video, if the file states it."""
    gaps: tuple[tuple[float, float], ...] = ()
    """Parts that could not be decoded, so that their labels are not known."""
    size_bytes: int | None = None
    """Of the video's file, if the annotations state it."""


@dataclass(frozen=True, slots=True)
class Annotations:
    """Labelled intervals of a file, video by video."""

    source: str
    """The file, for messages."""
    videos: Mapping[str, AnnotatedVideo] = field(default_factory=dict)
    """By id."""

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, sorted."""
        return tuple(
            sorted({interval.label for v in self.videos.values() for interval in v.intervals})
        )

    def renamed(self, names: Mapping[str, str]) -> Annotations:
        """Return a copy with labels replaced where `names` has them."""
        videos = {
            key: replace(
                video,
                intervals=sorted_intervals(
                    replace(interval, label=names.get(interval.label, interval.label))
                    for interval in video.intervals
                ),
            )
            for key, video in self.videos.items()
        }
        return replace(self, videos=videos)

    def only(self, ids: Collection[str]) -> Annotations:
        """Return a copy with some of the videos."""
        return replace(self, videos={key: one for key, one in self.videos.items() if key in ids})

    def without(self, labels: Collection[str]) -> Annotations:
        """Return a copy without the intervals of some labels."""
        videos = {
            key: replace(
                video,
                intervals=tuple(
                    interval for interval in video.intervals if interval.label not in labels
                ),
            )
            for key, video in self.videos.items()
        }
        return replace(self, videos=videos)


def video_id(name: str) -> str:
    """Return the id that videos are matched by: `clips/v_abc.mp4` and `abc` are the same."""
    address = name.split("?")[0] if is_remote(name) else name
    base = PurePosixPath(address.replace("\\", "/")).name
    stem, dot, ending = base.rpartition(".")
    if dot and f".{ending.lower()}" in VIDEO_SUFFIXES:
        base = stem
    return base.removeprefix("v_")  # as ActivityNet names its files


def sorted_intervals(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Sort intervals by start, then end, then label."""
    return tuple(
        sorted(
            intervals,
            key=lambda interval: (interval.start_seconds, interval.end_seconds, interval.label),
        )
    )
