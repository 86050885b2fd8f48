"""Describe an analysis for its result: video, model, sampling, coverage and warnings."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

from vswin_cli.config import SamplingOptions
from vswin_cli.inference.scorer import Scorer
from vswin_cli.models.checkpoints.load import LoadedModel
from vswin_cli.storage.humanize import counted
from vswin_cli.storage.json_records import fingerprint, to_json
from vswin_cli.storage.sources import VideoSource
from vswin_cli.timeline.cells import AveragedCells
from vswin_cli.timeline.features import FeatureRecord
from vswin_cli.timeline.record import (
    Coverage,
    GapRecord,
    ModelRecord,
    Notice,
    SamplingRecord,
    VideoRecord,
)
from vswin_cli.video.info import DecodeReport, VideoInfo
from vswin_cli.video.sampling import SamplingPlan, describe_rounding
from vswin_cli.video.stream import VideoStream

__all__ = [
    "decode_notices",
    "describe_analysis",
    "feature_settings",
    "model_record",
    "seconds_per_step",
]


def describe_analysis(
    source: VideoSource,
    engine: Scorer,
    sampling: SamplingOptions,
    stream: VideoStream[Any],
    cells: AveragedCells,
    plan: SamplingPlan | None = None,
) -> FeatureRecord:
    """Collect the records of the video, the model, the sampling and the coverage.

    Args:
        source: the video.
        engine: the model.
        sampling: the user's sampling options.
        stream: read to its end.
        cells: the time that clips cover.
        plan: of this model, where the stream is sampled for several; by default that of the stream.
    """
    report, plan = stream.report, plan or stream.plan
    analysed = math.fsum(end - start for start, end in cells.spans)
    step_seconds = seconds_per_step(plan, stream.info)
    return FeatureRecord(
        video=_video_record(source, stream.info, report),
        model=model_record(engine.model),
        sampling=_sampling_record(engine, sampling, plan, step_seconds),
        coverage=_coverage(report, analysed, len(cells.clip_starts_seconds)),
        warnings=(
            *decode_notices(report),
            *_rounded(describe_rounding(engine.model.card.input, sampling, plan)),
            *_unseen(plan, report, analysed),
            *_too_slow(plan, report, stream.info),
        ),
        status=report.status,
        identity=source.identity,
        settings=feature_settings(engine, sampling),
        features_sha256=engine.model.features_sha256,
    )


def feature_settings(engine: Scorer, sampling: SamplingOptions) -> str:
    """Compute the fingerprint of everything but the video that features depend on."""
    card = engine.model.card
    return fingerprint(
        engine.model.features_sha256,
        to_json(card.input),
        to_json(replace(sampling, crops=sampling.crops or engine.crops)),
        engine.precision,
        engine.decoder,
    )


def decode_notices(report: DecodeReport) -> tuple[Notice, ...]:
    """Convert the warnings of decoding; that something is missing comes first."""
    notices = [Notice(w.code, w.message) for w in report.warnings]
    if report.status == "ok":
        return tuple(notices)
    text = f"{report.coverage:.1%} could be analysed"
    if report.gaps:
        shown = [f"{gap.start_seconds:.2f}-{gap.end_seconds:.2f} s" for gap in report.gaps[:3]]
        more = f" and {len(report.gaps) - 3} more" if len(report.gaps) > 3 else ""
        text += f"; missing: {', '.join(shown)}{more} ({report.gaps[0].reason.replace('_', ' ')})"
    elif report.bad_packets:  # ahead of the share, which may be 100.0%
        text = f"{counted(report.bad_packets, 'damaged packet')}; {text}"
    elif report.corrupt_frames:
        text = f"{counted(report.corrupt_frames, 'damaged frame')}; {text}"
    elif report.end_reason not in ("end", "stopped"):
        text += f"; in the end: {report.end_reason.replace('_', ' ')}"
    return (Notice("PARTIAL", text), *notices)


def _rounded(text: str | None) -> tuple[Notice, ...]:
    """Make the notice about a stride that was rounded far, if there is one."""
    return () if text is None else (Notice("STRIDE", text),)


def _unseen(plan: SamplingPlan, report: DecodeReport, analysed_seconds: float) -> Iterator[Notice]:
    """Make the notice about time that no clip covers although segments bridge it."""
    if plan.sparse and report.analysed_seconds:
        share = min(1.0, analysed_seconds / report.analysed_seconds)
        yield Notice(
            "SPARSE",
            "the stride exceeds the clip length: only "
            f"{share:.0%} of the time was analysed, and segments bridge the rest",
        )


def _too_slow(plan: SamplingPlan, report: DecodeReport, info: VideoInfo) -> Iterator[Notice]:
    """Make the notice about a frame rate so low, as in a time-lapse, that clips repeat frames."""
    rate = report.frame_rate or info.frame_rate
    sampled = plan.positions_per_second / plan.positions_per_tick
    if plan.by == "time" and rate and rate < sampled / 2:
        yield Notice(
            "LOW_FRAME_RATE",
            f"the video has {rate:g} frame{'' if rate == 1 else 's'} per second, less than half of "
            f"the {sampled:g} that the model samples: frames repeat, and what happens between them "
            "is missed",
        )


def seconds_per_step(plan: SamplingPlan, info: VideoInfo) -> float:
    """Return the duration of a model time step, which is the resolution of the score track."""
    rate = plan.positions_per_second if plan.by == "time" else info.frame_rate or 25.0
    return plan.alignment / rate


def _video_record(source: VideoSource, info: VideoInfo, report: DecodeReport) -> VideoRecord:
    # The declared rate is used only where there are too few frames to measure one: several
    # containers declare a wrong rate, and for a variable one the usual rate is more informative.
    rate = report.constant_frame_rate or info.declared_frame_rate
    measured = report.frame_rate or info.frame_rate
    is_grid = not report.variable_frame_rate
    return VideoRecord(
        uri=source.uri,
        size_bytes=info.size_bytes,
        container=info.container,
        codec=info.codec,
        width=info.width,
        height=info.height,
        rotation=info.rotation_degrees,
        duration_seconds=report.duration_seconds,
        start_time_seconds=info.start_seconds,
        lead_seconds=info.lead_seconds,
        average_frame_rate=float(Fraction(rate)) if rate and is_grid else measured,
        frame_rate_rational=rate,
        variable_frame_rate=report.variable_frame_rate,
        frames_decoded=report.frames_decoded,
        start_timecode=info.start_timecode,
    )


def model_record(model: LoadedModel) -> ModelRecord:
    """Make the record of a model."""
    card = model.card
    return ModelRecord(
        id=card.id,
        architecture=card.architecture.name,
        dataset=card.dataset,
        num_classes=len(card.labels),
        weights_sha256=model.weights_sha256,
        labels_sha256=card.labels_sha256,
        source=card.provenance.source,
    )


def _sampling_record(
    engine: Scorer, options: SamplingOptions, plan: SamplingPlan, step_seconds: float
) -> SamplingRecord:
    ticks_to_seconds = step_seconds / 2
    return SamplingRecord(
        num_frames=plan.num_frames,
        frame_rate=1 / ticks_to_seconds if plan.by == "time" else None,
        clip_seconds=plan.num_frames * ticks_to_seconds,
        stride_seconds=plan.stride * ticks_to_seconds,
        resize=plan.short_side,
        crops=engine.crops,
        short=plan.short,
        precision=engine.precision,
        frame_interval=options.frame_interval,
        step_seconds=step_seconds,
        start_seconds=options.start_seconds,
        end_seconds=options.end_seconds,
    )


def _coverage(report: DecodeReport, analysed_seconds: float, num_clips: int) -> Coverage:
    gaps = sorted(report.gaps, key=lambda gap: (gap.start_seconds, gap.end_seconds))
    return Coverage(
        fraction=report.coverage,
        analysed_seconds=analysed_seconds,
        num_clips=num_clips,
        bad_packets=report.bad_packets,
        gaps=tuple(GapRecord.of(gap) for gap in gaps),
    )
