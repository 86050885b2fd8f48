"""Compute top-1 and top-5 accuracy of a model on a labelled list of videos.

A video that cannot be decoded is counted and named and never ends the run. While the network
works on one video, the next ones are decoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from vswin_cli.errors import OptionError, VswinError
from vswin_cli.evaluation.accuracy import (
    INTERVAL,
    Confusion,
    Failure,
    Rate,
    confusions,
    mean_class_accuracy,
    rank_of,
)
from vswin_cli.evaluation.class_figures import (
    ClassFigures,
    ReliabilityBin,
    TopRate,
    calibration_error,
    class_figures,
    reliability,
)
from vswin_cli.evaluation.protocols import Protocol
from vswin_cli.evaluation.video_list import LabelledVideo
from vswin_cli.evaluation.views import VideoViews, read_views
from vswin_cli.models.architecture import Activation, InputSpec
from vswin_cli.storage.humanize import counted
from vswin_cli.storage.json_records import named
from vswin_cli.timeline.scores import activate
from vswin_cli.video.read_ahead import read_ahead

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vswin_cli.inference.engine import Engine

__all__ = [
    "Outcome",
    "TopkReport",
    "all_scores",
    "classify",
    "evaluate_videos",
    "parse_top",
    "summarise",
    "view_logits",
]

_KEPT_CLASSES = 5
_SCORE_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one video of the list."""

    uri: str
    truth: int
    """Right class."""
    rank: int | None = None
    """Its rank among the model's scores, from 1; `None` if the video failed."""
    best: tuple[int, ...] = ()
    """The five best classes, or fewer."""
    scores: tuple[float, ...] = ()
    """Theirs."""
    all_scores: tuple[float, ...] | None = field(default=None, metadata=named(is_optional=True))
    """Scores of all classes, to six decimals; `None` in logs of earlier versions."""
    problem: str | None = None
    """Why the video failed, or what was missing from it."""


@dataclass(frozen=True, slots=True)
class TopkReport:
    """Accuracy on a list, with what is needed to repeat the test."""

    model: str
    weights_sha256: str
    protocol: str
    description: str
    """The protocol in words."""
    precision: str
    """Arithmetic of the network."""
    num_videos: int = field(metadata=named("videos"))
    top1: Rate
    """Over the videos that could be decoded."""
    top5: Rate
    mean_class_accuracy: float = field(metadata=named(digits=6))
    confusions: tuple[Confusion, ...]
    damaged: tuple[Failure, ...]
    """Videos that were scored although something was missing from them."""
    failures: tuple[Failure, ...]
    interval: str = INTERVAL
    """Confidence and method of the bounds in `top1` and `top5`."""
    top: tuple[TopRate, ...] = ()
    """Top-k accuracy for each k that was asked for."""
    classes: tuple[ClassFigures, ...] = ()
    """Per class that occurs, in the order of the labels."""
    mean_average_precision: float | None = field(default=None, metadata=named(digits=6))
    """Mean over these classes; `None` where an earlier version kept too few scores."""
    calibration_error: float = field(default=0.0, metadata=named(digits=6))
    """Expected calibration error (ECE) of the best scores, from `reliability`."""
    reliability: tuple[ReliabilityBin, ...] = ()


def evaluate_videos(
    videos: Sequence[LabelledVideo], engine: Engine, protocol: Protocol, *, workers: int = 2
) -> Iterator[Outcome]:
    """Test the model on each video, in order.

    Args:
        videos: the list.
        engine: the model, with as many crops as the protocol has.
        protocol: which views.
        workers: videos that are decoded at the same time.

    Raises:
        DeviceError: the device is out of memory.
    """
    if engine.crops != protocol.crops:
        raise ValueError(f"{engine.crops = } differs from {protocol.crops = }")
    spec, activation = engine.model.card.input, engine.model.card.activation
    read = partial(_read, spec=spec, protocol=protocol)
    # As many as the workers: while the network runs on one more, all of them decode. No more, as
    # the images of a video may take hundreds of megabytes. After an error or Ctrl-C the videos
    # being decoded are not needed.
    loaded = read_ahead(read, videos, workers=workers, ahead=workers, waits=False)
    for video, views in zip(videos, loaded, strict=True):
        if isinstance(views, VideoViews):
            scores = classify(view_logits(views, engine), activation)
            yield _scored(video, scores, _damage(views))
        else:
            yield Outcome(video.source.uri, video.class_id, problem=views)


def view_logits(views: VideoViews, engine: Engine) -> NDArray[np.float32]:
    """Run a video's clips through the network: (num_clips, crops, K)."""
    logits = [clip.logits.mean(axis=1) for clip in engine.score(views.clips)]  # each (V, K)
    return np.stack(logits)


def classify(logits: NDArray[np.float32], activation: Activation) -> NDArray[np.float32]:
    """Average the scores of all views, (K,): the authors' `average_clips='prob'`."""
    scores = activate(logits, activation)
    return np.asarray(scores.mean(axis=(0, 1)), np.float32)


def parse_top(text: str) -> tuple[int, ...]:
    """Read the values of k for top-k accuracy, such as `1,5,10`; they are sorted.

    Raises:
        OptionError: not whole numbers from 1.
    """
    try:
        values = sorted({int(part) for part in text.split(",")})
    except ValueError:
        values = [0]
    if values[0] < 1:
        raise OptionError(
            f"--top takes whole numbers from 1, got {text!r}",
            hint="separate them by commas: 1,5,10",
        )
    return tuple(values)


def summarise(
    outcomes: Iterable[Outcome],
    engine: Engine,
    protocol: Protocol,
    *,
    num_confusions: int = 10,
    top: Sequence[int] = (1, 5),
) -> TopkReport:
    """Compute accuracy, confusions and reliability of outcomes.

    Args:
        outcomes: of all videos.
        engine: the model.
        protocol: which views were taken.
        num_confusions: most mistakes to list.
        top: values of k for top-k accuracy.
    """
    outcomes = list(outcomes)
    labels = engine.model.card.labels
    scored = [outcome for outcome in outcomes if outcome.rank is not None]
    ranks = [outcome.rank for outcome in scored if outcome.rank is not None]
    truth, hits = [outcome.truth for outcome in scored], [rank == 1 for rank in ranks]
    classes = class_figures(labels, truth, hits, all_scores(scored))
    precisions = [one.average_precision for one in classes if one.average_precision is not None]
    bins = reliability([outcome.scores[0] for outcome in scored], hits)
    pairs = [(labels[outcome.truth], labels[outcome.best[0]]) for outcome in scored]
    return TopkReport(
        model=engine.model.card.id,
        weights_sha256=engine.model.weights_sha256,
        protocol=protocol.name,
        description=protocol.description,
        precision=engine.precision,
        num_videos=len(outcomes),
        top1=Rate.within(ranks, 1),
        top5=Rate.within(ranks, 5),
        mean_class_accuracy=mean_class_accuracy(truth, hits),
        top=tuple(TopRate(k, Rate.within(ranks, k)) for k in top),
        classes=classes,
        mean_average_precision=sum(precisions) / len(precisions) if precisions else None,
        calibration_error=calibration_error(bins),
        reliability=bins,
        confusions=confusions(pairs, num_confusions),
        damaged=tuple(
            Failure(outcome.uri, outcome.problem) for outcome in scored if outcome.problem
        ),
        failures=tuple(
            Failure(outcome.uri, outcome.problem or "")
            for outcome in outcomes
            if outcome.rank is None
        ),
    )


def all_scores(scored: Sequence[Outcome]) -> NDArray[np.float32] | None:
    """Return the scores (N, K) of outcomes, or `None` if a log of an earlier version lacks some."""
    rows = [outcome.all_scores for outcome in scored if outcome.all_scores is not None]
    return np.array(rows, np.float32) if rows and len(rows) == len(scored) else None


def _read(video: LabelledVideo, spec: InputSpec, protocol: Protocol) -> VideoViews | str:
    """Decode the views of a video, or return why there are none."""
    try:
        return read_views(video.source, spec, protocol)
    except VswinError as error:
        return error.message
    except Exception as error:  # an unforeseen error in one file must not end the run
        return f"internal error: {type(error).__name__}: {error}"


def _damage(views: VideoViews) -> str | None:
    report = views.report
    if report.status == "ok":
        return None
    return (
        f"{100 * report.coverage:.1f} % of it could be decoded, "
        f"{counted(report.bad_packets, 'damaged packet')}"
    )


def _scored(video: LabelledVideo, scores: NDArray[np.float32], problem: str | None) -> Outcome:
    best = np.argsort(-scores, kind="stable")[:_KEPT_CLASSES]
    return Outcome(
        uri=video.source.uri,
        truth=video.class_id,
        rank=rank_of(scores, video.class_id),
        best=tuple(int(i) for i in best),
        scores=tuple(float(scores[i]) for i in best),
        all_scores=tuple(round(float(score), _SCORE_DIGITS) for score in scores),
        problem=problem,
    )
