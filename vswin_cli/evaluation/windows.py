"""Test which label scores highest in each labelled window of a list.

A window's score of a label is the mean of the score track over it, before any threshold or
smoothing, so the test is of the model and not of how its scores become segments. Videos that fail
are named and left out.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from vswin_cli.errors import SourceError
from vswin_cli.evaluation.accuracy import INTERVAL, Confusion, Failure, Rate, confusions
from vswin_cli.evaluation.window_list import LabelledWindow, WindowList
from vswin_cli.storage.json_records import named
from vswin_cli.video.decoder_pool import DecoderPool

if TYPE_CHECKING:
    from vswin_cli.config import SegmentOptions
    from vswin_cli.inference.engine import Engine
    from vswin_cli.timeline.scores import ScoreTrack

__all__ = [
    "ScoredWindow",
    "WindowLabel",
    "WindowReport",
    "WindowTest",
    "evaluate_windows",
    "pieces_of",
    "score_window",
]

_FUZZ = 1e-6  # seconds

Floats = NDArray[np.floating[Any]]
OnDone = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class WindowTest:
    """Labels that compete in a window, and their thresholds."""

    names: tuple[str, ...]
    """Labels that may lead, in the order of the model."""
    columns: tuple[int, ...]
    """Their rows of the head."""
    onsets: tuple[float, ...]
    """Score at which each would be reported."""
    background: str | None = None
    """The label of windows in which nothing happens, such as `static`."""
    piece_seconds: float = 2.0
    """Length of the windows of a row about a whole video."""

    @classmethod
    def of(
        cls,
        labels: Sequence[str],
        segments: SegmentOptions,
        background: str | None = None,
        piece_seconds: float = 2.0,
    ) -> WindowTest:
        """Make a test of the labels that `segments` does not exclude and that are not moments."""
        excluded = {*segments.exclude, *segments.instants}
        columns = tuple(i for i, label in enumerate(labels) if label not in excluded)
        names = tuple(labels[i] for i in columns)
        onsets = tuple(segments.onset_of(name) for name in names)
        return cls(names, columns, onsets, background, piece_seconds)


@dataclass(frozen=True, slots=True)
class ScoredWindow:
    """Scores of one window."""

    video: str
    start_seconds: float = field(metadata=named("start", digits=3))
    end_seconds: float = field(metadata=named("end", digits=3))
    label: str
    """The dominant true label."""
    others: tuple[str, ...]
    """Other true labels."""
    predicted: str
    """The label with the highest mean score."""
    score: float = field(metadata=named(digits=4))
    """Of the true label."""
    predicted_score: float = field(metadata=named(digits=4))
    false_alarm: str | None = None
    """The highest of the false labels above their onset; the background label never counts."""

    @property
    def is_right(self) -> bool:
        """Whether the dominant label scores highest."""
        return self.predicted == self.label

    @property
    def is_true(self) -> bool:
        """Whether some true label scores highest."""
        return self.is_right or self.predicted in self.others


@dataclass(frozen=True, slots=True)
class WindowLabel:
    """The windows of one label."""

    label: str
    num_windows: int = field(metadata=named("windows"))
    right: int
    """The label scores highest."""
    some_true: int
    """The label or another true one scores highest."""
    false_alarms: int
    """A false label would be reported."""


@dataclass(frozen=True, slots=True)
class WindowReport:
    """Share of windows in which the right label scores highest."""

    model: str
    weights_sha256: str
    num_videos: int = field(metadata=named("videos"))
    num_windows: int = field(metadata=named("windows"))
    num_unsure: int = field(metadata=named("unsure"))
    """Left out because the viewer was not sure."""
    num_excluded: int = field(metadata=named("excluded"))
    """Left out because of their label."""
    background: str | None
    right: Rate
    """The dominant label scores highest; over the windows that are not background."""
    some_true: Rate
    """The same, for any true label."""
    background_right: Rate
    """The background label scores highest; over the windows of background."""
    background_alarms: Rate
    """A label would be reported in them nevertheless."""
    labels: tuple[WindowLabel, ...]
    confusions: tuple[Confusion, ...]
    mistakes: tuple[ScoredWindow, ...]
    """Windows where another label scores highest, or a false one would be reported."""
    failures: tuple[Failure, ...]
    """Videos that could not be scored, and windows that no clip covers."""
    interval: str = INTERVAL
    """Confidence and method of the bounds."""


def evaluate_windows(
    listed: WindowList, engine: Engine, test: WindowTest, *, on_done: OnDone | None = None
) -> WindowReport:
    """Score every video of the list once and evaluate its windows.

    Args:
        listed: windows, of any number of videos.
        engine: the model, ready to run.
        test: which labels compete.
        on_done: called with the number of videos done and of all videos.
    """
    by_video: dict[str, list[LabelledWindow]] = {}
    for window in listed.windows:
        by_video.setdefault(window.source.place, []).append(window)
    scored: list[ScoredWindow] = []
    failures: list[Failure] = []
    with DecoderPool() as pool:
        for done, windows in enumerate(by_video.values(), 1):
            try:
                for result in _score_video(windows, engine, test, pool):
                    if isinstance(result, ScoredWindow):
                        scored.append(result)
                    else:
                        failures.append(result)
            except SourceError as error:
                failures.append(Failure(windows[0].source.uri, error.message))
            if on_done is not None:
                on_done(done, len(by_video))
    return _report(listed, engine, test, scored, failures, len(by_video))


def _score_video(
    windows: Sequence[LabelledWindow], engine: Engine, test: WindowTest, pool: DecoderPool
) -> Iterator[ScoredWindow | Failure]:
    from vswin_cli.inference.pipeline import analyze_video
    from vswin_cli.timeline.score_files import load_track

    with tempfile.TemporaryDirectory(prefix="vswin-") as folder:
        path = Path(folder) / "scores.npz"
        analyze_video(windows[0].source, engine, save_scores=path, decoder_pool=pool)
        track, _ = load_track(path)
        with track:
            for window in windows:
                for piece in pieces_of(window, track.end_seconds, test.piece_seconds):
                    yield score_window(track, piece, test)


def pieces_of(
    window: LabelledWindow, end_seconds: float, piece_seconds: float
) -> Iterator[LabelledWindow]:
    """Yield the window itself, or pieces of equal length of the rest of its video; at least one."""
    if window.end_seconds is not None:
        yield window
        return
    start = window.start_seconds
    count = max(1, int((end_seconds - start) / piece_seconds + _FUZZ))
    for i in range(count):
        at = start + i * piece_seconds
        yield replace(window, start_seconds=at, end_seconds=at + piece_seconds)


def score_window(
    track: ScoreTrack, window: LabelledWindow, test: WindowTest
) -> ScoredWindow | Failure:
    """Score one window that has an end, or say why it cannot be scored."""
    start, end = window.start_seconds, cast(float, window.end_seconds)
    means = _means(track, start, end)
    if means is None:
        return Failure(window.source.uri, f"no clip covers {start:g} to {end:g} s")
    means = means[list(test.columns)]
    best = int(means.argmax())
    true = {*window.true_labels, test.background}
    alarms = [
        i for i, name in enumerate(test.names) if name not in true and means[i] >= test.onsets[i]
    ]
    return ScoredWindow(
        video=window.source.uri,
        start_seconds=start,
        end_seconds=min(end, track.end_seconds),
        label=window.label,
        others=window.others,
        predicted=test.names[best],
        score=float(means[test.names.index(window.label)]),
        predicted_score=float(means[best]),
        false_alarm=test.names[max(alarms, key=lambda i: means[i])] if alarms else None,
    )


def _means(track: ScoreTrack, start_seconds: float, end_seconds: float) -> Floats | None:
    """Average the scores (K,) of the steps whose middle lies in `[start_seconds, end_seconds)`.

    `None` where no clip covers any of them.
    """
    first, stop = track.cells_of(start_seconds, end_seconds)
    # By their middles, so that neighbouring windows share no step.
    middles = track.start_seconds + (np.arange(first, stop) + 0.5) * track.step_seconds
    inside = (middles >= start_seconds) & (middles < end_seconds) & track.valid[first:stop]
    if not inside.any():
        return None
    return np.asarray(track.read(first, stop)[inside].mean(axis=0, dtype=np.float64))


def _report(
    listed: WindowList,
    engine: Engine,
    test: WindowTest,
    scored: Sequence[ScoredWindow],
    failures: Sequence[Failure],
    num_videos: int,
) -> WindowReport:
    moving = [window for window in scored if window.label != test.background]
    still = [window for window in scored if window.label == test.background]
    pairs = ((window.label, window.predicted) for window in scored)
    return WindowReport(
        model=engine.model.card.id,
        weights_sha256=engine.model.weights_sha256,
        num_videos=num_videos,
        num_windows=len(scored),
        num_unsure=listed.num_unsure,
        num_excluded=listed.num_excluded,
        background=test.background,
        right=_rate(window.is_right for window in moving),
        some_true=_rate(window.is_true for window in moving),
        background_right=_rate(window.is_right for window in still),
        background_alarms=_rate(window.false_alarm is not None for window in still),
        labels=tuple(_by_label(scored, test.names)),
        confusions=confusions(pairs),
        mistakes=tuple(window for window in scored if not window.is_right or window.false_alarm),
        failures=tuple(failures),
    )


def _rate(hits: Iterable[bool]) -> Rate:
    counted = list(hits)
    return Rate.of(sum(counted), len(counted))


def _by_label(scored: Sequence[ScoredWindow], names: Sequence[str]) -> Iterator[WindowLabel]:
    for name in names:
        own = [window for window in scored if window.label == name]
        if own:
            yield WindowLabel(
                label=name,
                num_windows=len(own),
                right=sum(window.is_right for window in own),
                some_true=sum(window.is_true for window in own),
                false_alarms=sum(window.false_alarm is not None for window in own),
            )
