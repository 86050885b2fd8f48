"""Analyse one video with several models from one decoding."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vswin_cli.config import SamplingOptions, SegmentOptions
from vswin_cli.errors import OptionError
from vswin_cli.inference.arguments import check_arguments, check_source
from vswin_cli.inference.description import describe_analysis
from vswin_cli.inference.model_threads import score_with_models
from vswin_cli.inference.pipeline import (
    OnProgress,
    decode_options,
    finished_track,
    report_of,
    timeline_of,
    track_builder,
    with_crops,
)
from vswin_cli.inference.scorer import Scorer
from vswin_cli.quantities import as_several, wrong_type
from vswin_cli.storage.files import as_path
from vswin_cli.storage.sources import VideoSource
from vswin_cli.timeline.record import Timeline
from vswin_cli.timeline.selection import check_selection, selection_per_model
from vswin_cli.video.clips import PlannedClip, open_planned_clips
from vswin_cli.video.decoder_pool import DecoderPool
from vswin_cli.video.sampling import plan_sampling
from vswin_cli.video.stream import VideoStream

__all__ = ["analyze_video_with_models", "check_models"]


def analyze_video_with_models(
    source: VideoSource | str | os.PathLike[str],
    engines: Sequence[Scorer],
    sampling: SamplingOptions = SamplingOptions(),
    segments: SegmentOptions | None = None,
    *,
    on_progress: OnProgress | None = None,
    save_scores: Sequence[str | os.PathLike[str]] | None = None,
    top_classes: int = 0,
    decoders: int | None = None,
    decoder_threads: int | None = None,
    decoder_pool: DecoderPool | None = None,
) -> Timeline:
    """Tag one video with several models, and decode it once.

    The timeline is that of the first model, and its `tracks` hold what the others found;
    `timeline.each_model()` gives a timeline per model, each as from `analyze_video` with this
    model alone, down to the last digit of the scores on a CPU.

    Args:
        source: the video, its path or its address.
        engines: the models, ready to run; the first one's result is that of the timeline.
        sampling: which clips to take, for all models; what is not given is as each one's weights
            were trained.
        segments: how scores become segments, for all models; values that are not given are those
            recommended for each one's weights. A label counts for the models that have it.
        on_progress: called with the seconds of video done and the total, `None` if that is not
            known; with 0 seconds during a download.
        save_scores: a file (`.npz`) for the scores of each model, in the order of `engines`.
        top_classes: fill `windows` of each model with this many classes of each clip.
        decoders: how many may run in parallel; by default as many as every engine leaves cores to.
        decoder_threads: of a decoder that works on the whole video, at most; by default one more
            than there are cores.
        decoder_pool: where decoder processes come from; by default one is started for this video.

    Raises:
        SourceError: the video cannot be opened, or not one frame could be decoded.
        OptionError: an argument is of the wrong type, the options do not fit the weights of a
            model, or two models have the same name.
        DeviceError: the device is out of memory.
        OutputError: the scores cannot be saved.
    """
    check_source(source)
    engines = _checked(engines, sampling, segments)
    files = _score_files(save_scores, len(engines))
    if not isinstance(top_classes, int):
        raise wrong_type("top_classes", "a number of classes", top_classes)
    chosen = _options_per_model(engines, segments)
    _check_sampling(engines, sampling)
    source = source if isinstance(source, VideoSource) else VideoSource.of(source)
    engines = [with_crops(engine, sampling) for engine in engines]
    decode = decode_options(engines, sampling, decoders, decoder_threads)
    on_bytes = None if on_progress is None else lambda *_: on_progress(0.0, None)
    specs = [engine.model.card.input for engine in engines]
    with open_planned_clips(
        source, specs, sampling, decode, pool=decoder_pool, on_bytes=on_bytes
    ) as stream:
        pairs = zip(engines, stream.plans, strict=True)
        tracks = [track_builder(engine, plan, stream.info) for engine, plan in pairs]
        score_with_models(_watched(stream, on_progress), engines, tracks)
    report = report_of(stream, source)
    timelines = []
    for i, engine in enumerate(engines):
        with finished_track(tracks[i], report) as track:
            about = describe_analysis(source, engine, sampling, stream, track, stream.plans[i])
            timeline = timeline_of(about, track, chosen[i], top_classes=top_classes)
            if files:
                from vswin_cli.timeline.score_files import save_track

                save_track(track, timeline, files[i])
        timelines.append(timeline)
    return timelines[0].with_tracks(timelines[1:])


def _options_per_model(
    engines: Sequence[Scorer], segments: SegmentOptions | None
) -> list[SegmentOptions]:
    """Return all options of each model: those given over those that its weights advise.

    Raises:
        SelectionError: a label is of no model, or a model has none of those to report.
    """
    cards = [engine.model.card for engine in engines]
    labels = {card.id: card.labels for card in cards}
    own = [None] * len(cards) if segments is None else selection_per_model(segments, labels)
    chosen = []
    for card, given in zip(cards, own, strict=True):
        options = card.segments if given is None else given.over(card.segments)
        with _naming(card.id):
            check_selection(card.labels, card.activation, options)
        chosen.append(options)
    return chosen


def _check_sampling(engines: Sequence[Scorer], sampling: SamplingOptions) -> None:
    """Check that sampling options fit the weights of every model.

    Raises:
        OptionError: they do not; the model is named.
    """
    for engine in engines:
        with _naming(engine.model.card.id):
            plan_sampling(engine.model.card.input, sampling)


@contextmanager
def _naming(model: str) -> Iterator[None]:
    """Put the name of the model that options do not fit ahead of the message of the error."""
    try:
        yield
    except OptionError as error:
        raise type(error)(f"{model}: {error.message}", hint=error.hint) from error


def check_models(ids: Sequence[str]) -> None:
    """Check that models can be told apart by their names.

    Raises:
        OptionError: two have the same name.
    """
    twice = next((id for i, id in enumerate(ids) if id in ids[:i]), None)
    if twice is not None:
        raise OptionError(
            f"two models have the name {twice}", hint="results are told apart by it: name each once"
        )


def _checked(engines: object, sampling: object, segments: object) -> list[Scorer]:
    several = list(as_several("engines", engines))
    if not several:
        raise wrong_type("engines", "at least one Engine", several)
    for engine in several:
        check_arguments(engine, sampling, segments)
    check_models([engine.model.card.id for engine in several])
    return several


def _score_files(save_scores: object, count: int) -> list[Path]:
    if save_scores is None:
        return []
    files = [as_path(path, "save_scores") for path in as_several("save_scores", save_scores)]
    if len(files) != count or len(set(files)) != count:
        raise OptionError(
            f"save_scores takes a path of its own for each of {count} models",
            hint='write save_scores=["a.npz", "b.npz"], in the order of the engines',
        )
    return files


def _watched(
    stream: VideoStream[PlannedClip], on_progress: OnProgress | None
) -> Iterator[PlannedClip]:
    total = stream.plan.end_seconds or stream.info.declared_duration_seconds
    done = 0.0
    for planned in stream:
        yield planned
        if on_progress is not None:
            done = max(done, float(planned.clip.step_edges_seconds[-1]))
            on_progress(done, total)
