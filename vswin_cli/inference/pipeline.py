"""Analyse one video from end to end: the only module that connects the stages.

source → clips → logits → score track → segments → timeline. The work of each stage is done in its
own package.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from vswin_cli.config import SamplingOptions, SegmentOptions
from vswin_cli.errors import DecodeError
from vswin_cli.inference.arguments import check_arguments, check_source
from vswin_cli.inference.description import describe_analysis, seconds_per_step
from vswin_cli.inference.scorer import Scorer
from vswin_cli.quantities import wrong_type
from vswin_cli.storage.files import as_path
from vswin_cli.storage.sources import VideoSource
from vswin_cli.timeline.evidence_builder import EvidenceBuilder
from vswin_cli.timeline.features import FeatureBuilder, FeatureRecord, FeatureTrack
from vswin_cli.timeline.record import (
    PostprocessRecord,
    Timeline,
    with_segments,
)
from vswin_cli.timeline.scores import ScoreTrack
from vswin_cli.timeline.selection import LabelView, check_selection
from vswin_cli.timeline.track_builder import TrackBuilder
from vswin_cli.video.clips import Clip, open_clips
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.decoder_pool import DecoderPool
from vswin_cli.video.info import DecodeReport, VideoInfo
from vswin_cli.video.sampling import SamplingPlan
from vswin_cli.video.stream import VideoStream

__all__ = [
    "OnProgress",
    "analyze_features",
    "analyze_video",
    "decode_options",
    "evidence_classes",
    "finished_track",
    "report_of",
    "timeline_of",
    "track_builder",
    "with_crops",
]

_CUT = "cut"
"""Label, in models that have it, of a boundary between two shots."""

OnProgress = Callable[[float, "float | None"], None]
"""Called with the seconds of video analysed and, if the container declares it, the total."""


def analyze_video(
    source: VideoSource | str | os.PathLike[str],
    engine: Scorer,
    sampling: SamplingOptions = SamplingOptions(),
    segments: SegmentOptions | None = None,
    *,
    on_progress: OnProgress | None = None,
    save_scores: str | os.PathLike[str] | None = None,
    save_features: str | os.PathLike[str] | None = None,
    top_classes: int = 0,
    evidence: bool = False,
    decoders: int | None = None,
    decoder_threads: int | None = None,
    decoder_pool: DecoderPool | None = None,
) -> Timeline:
    """Tag one video.

    Args:
        source: the video, its path or its address.
        engine: the model, ready to run.
        sampling: which clips to take.
        segments: how scores become segments; values that are not given are those recommended for
            the weights.
        on_progress: called with the seconds of video done and the total, `None` if that is not
            known; with 0 seconds during a download.
        save_scores: file (`.npz`) for the scores, which `load_scores` and `segment_scores` read.
        save_features: file (`.npz`) for the features from which they were computed, see
            `load_features`.
        top_classes: fill `Timeline.windows` with this many classes of each clip.
        evidence: fill the segments' `evidence`: where in the frame their logits come from.
        decoders: how many may run in parallel; by default the engine's `spare_decoders`.
        decoder_threads: of a decoder that works on the whole video, at most; by default one more
            than there are cores.
        decoder_pool: where decoder processes come from; by default one is started for this video.

    Raises:
        SourceError: the video cannot be opened, or not one frame could be decoded.
        OptionError: an argument is of the wrong type, or the options do not fit the weights.
        DeviceError: the device is out of memory.
        OutputError: the scores or features cannot be saved.
    """
    check_source(source)
    check_arguments(engine, sampling, segments)
    for name, path in (("save_scores", save_scores), ("save_features", save_features)):
        if path is not None:
            as_path(path, name)
    if not isinstance(top_classes, int):
        raise wrong_type("top_classes", "a number of classes", top_classes)
    card = engine.model.card
    segments = card.segments if segments is None else segments.over(card.segments)
    check_selection(card.labels, card.activation, segments)
    cells = _evidence_builder(engine, segments) if evidence else None
    source = source if isinstance(source, VideoSource) else VideoSource.of(source)
    engine = with_crops(engine if save_features is None else engine.with_features(), sampling)
    engine = engine if cells is None else engine.with_cells(cells.classes.tolist())
    decode = decode_options([engine], sampling, decoders, decoder_threads)
    with _opened(source, engine, sampling, decode, decoder_pool, on_progress) as stream:
        scores = track_builder(engine, stream.plan, stream.info)
        features = None if save_features is None else _feature_builder(engine, sampling, stream)
        for clip in engine.score(_watched(stream, on_progress)):
            scores.add(clip)
            if features is not None:
                features.add(clip)
            if cells is not None:
                cells.add(clip)
    report = report_of(stream, source)
    with finished_track(scores, report) as track:
        about = describe_analysis(source, engine, sampling, stream, track)
        timeline = timeline_of(about, track, segments, top_classes=top_classes)
        if cells is not None:
            with closing(cells):
                shown = cells.attach(timeline.segments, track.step_seconds)
            timeline = replace(timeline, segments=shown)
        if save_scores is not None:
            from vswin_cli.timeline.score_files import save_track

            save_track(track, timeline, as_path(save_scores, "save_scores"))
    if features is not None and save_features is not None:
        from vswin_cli.timeline.feature_files import save_features as write_features

        averages = features.average(report.end_seconds)
        with features.finish(averages, report.gaps, about) as kept:
            write_features(kept, as_path(save_features, "save_features"))
    return timeline


def analyze_features(
    source: VideoSource | str | os.PathLike[str],
    engine: Scorer,
    sampling: SamplingOptions = SamplingOptions(),
    *,
    on_progress: OnProgress | None = None,
    decoders: int | None = None,
    decoder_pool: DecoderPool | None = None,
) -> FeatureTrack:
    """Compute the features of one video on a time axis; the caller closes the track.

    `track.features` is (n, C), one row per time step that a clip covers, with its times in
    `track.edges_seconds`; `track.clip_features` is (M, C), one row per clip.

    Args:
        source: the video, its path or its address.
        engine: the model, ready to run.
        sampling: which clips to take.
        on_progress: called with the seconds of video done and the total, `None` if that is not
            known; with 0 seconds during a download.
        decoders: how many may work on the video at once; by default as many as the engine leaves
            cores to.
        decoder_pool: where decoder processes come from; by default one is started for this video.

    Raises:
        SourceError: the video cannot be opened, or not one frame could be decoded.
        OptionError: an argument is of the wrong type, or the options do not fit the weights.
        DeviceError: the device is out of memory.
    """
    check_source(source)
    check_arguments(engine, sampling)
    source = source if isinstance(source, VideoSource) else VideoSource.of(source)
    engine = with_crops(engine.with_features(), sampling)
    decode = decode_options([engine], sampling, decoders)
    with _opened(source, engine, sampling, decode, decoder_pool, on_progress) as stream:
        features = _feature_builder(engine, sampling, stream)
        for clip in engine.score(_watched(stream, on_progress)):
            features.add(clip)
    report = report_of(stream, source)
    cells = features.average(report.end_seconds)
    about = describe_analysis(source, engine, sampling, stream, cells)
    return features.finish(cells, report.gaps, about)


def with_crops(engine: Scorer, sampling: SamplingOptions) -> Scorer:
    """Return the engine with the number of views that the options ask for, if they do."""
    same = sampling.crops in (None, engine.crops)
    return engine if same else engine.with_crops(sampling.crops or 1)


def decode_options(
    engines: Sequence[Scorer],
    sampling: SamplingOptions,
    decoders: int | None,
    threads: int | None = None,
) -> DecodeOptions:
    """Choose how a video is decoded for the models that score it.

    Args:
        engines: the models.
        sampling: which clips to take.
        decoders: how many may run in parallel; by default as many as every engine leaves cores to.
        threads: of a decoder that works on the whole video, at most.
    """
    kinds = {engine.decoder for engine in engines}
    return DecodeOptions(
        decoders=decoders or min(engine.spare_decoders for engine in engines),
        # Software unless all engines agree: hardware rounds differently.
        decoder=engines[0].decoder if len(kinds) == 1 else "software",
        device_index=engines[0].device.index or 0,
        threads=threads,
        input_frame_rate=sampling.input_frame_rate,
    )


@contextmanager
def _opened(
    source: VideoSource,
    engine: Scorer,
    sampling: SamplingOptions,
    decode: DecodeOptions,
    pool: DecoderPool | None,
    on_progress: OnProgress | None,
) -> Iterator[VideoStream[Clip]]:
    """Open the video as clips for the engine's weights."""
    on_bytes = None if on_progress is None else lambda *_: on_progress(0.0, None)
    spec = engine.model.card.input
    with open_clips(source, spec, sampling, decode, pool=pool, on_bytes=on_bytes) as stream:
        yield stream


def _feature_builder(
    engine: Scorer, sampling: SamplingOptions, stream: VideoStream[Clip]
) -> FeatureBuilder:
    return FeatureBuilder(
        engine.model.card.architecture.num_features,
        seconds_per_step(stream.plan, stream.info),
        start_seconds=sampling.start_seconds or 0.0,
    )


def evidence_classes(engine: Scorer, segments: SegmentOptions | None) -> list[int]:
    """Return the classes whose cells `analyze_video` needs for evidence."""
    advised = engine.model.card.segments
    chosen = advised if segments is None else segments.over(advised)
    return [int(i) for i in _evidence_builder(engine, chosen).classes]


def _evidence_builder(engine: Scorer, segments: SegmentOptions) -> EvidenceBuilder:
    card = engine.model.card
    return EvidenceBuilder(LabelView.of(card.labels, card.activation, segments), segments)


def track_builder(engine: Scorer, plan: SamplingPlan, info: VideoInfo) -> TrackBuilder:
    """Return the builder of a model's track from clips of a plan."""
    card = engine.model.card
    return TrackBuilder(
        card.labels,
        card.activation,
        seconds_per_step(plan, info),
        instants=card.segments.instants,
        start_seconds=plan.start_seconds,
    )


def finished_track(scores: TrackBuilder, report: DecodeReport) -> ScoreTrack:
    """Finish a track once its video was decoded; the caller closes it."""
    scores.mark(_CUT, report.shape_changes_seconds)
    return scores.finish(report.end_seconds, report.gaps)


def timeline_of(
    about: FeatureRecord, track: ScoreTrack, segments: SegmentOptions, *, top_classes: int
) -> Timeline:
    """Make the timeline of one model from its track.

    Args:
        about: video, model, sampling and coverage.
        track: the scores.
        segments: how scores become segments, all values set.
        top_classes: listed for each clip; 0 to list no clips.
    """
    bare = Timeline(
        video=about.video,
        model=about.model,
        sampling=about.sampling,
        postprocess=PostprocessRecord.of(track.activation, segments),
        coverage=about.coverage,
        warnings=about.warnings,
        status=about.status,
    )
    return with_segments(bare, track, segments, top_classes=top_classes)


def report_of(stream: VideoStream[Any], source: VideoSource) -> DecodeReport:
    """Return what decoding came to.

    Raises:
        DecodeError: not one frame could be decoded.
    """
    if stream.report.status == "failed":
        raise DecodeError(
            f"no frame of {source.uri} could be decoded",
            hint=f"`vswin probe --scan {source.uri}` shows what is wrong with the file",
        )
    return stream.report


def _watched(stream: VideoStream[Clip], on_progress: OnProgress | None) -> Iterator[Clip]:
    total = stream.plan.end_seconds or stream.info.declared_duration_seconds
    for clip in stream:
        yield clip
        if on_progress is not None:
            on_progress(float(clip.step_edges_seconds[-1]), total)
