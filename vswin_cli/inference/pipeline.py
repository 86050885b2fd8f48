"""Analyse one video from end to end: the only place where the stages meet.

source → clips → logits → score track → segments → timeline. Nothing here decodes, computes or
writes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

from vswin_cli.config import SamplingOptions, SegmentOptions
from vswin_cli.errors import DecodeError, OptionError
from vswin_cli.inference.scorer import Scorer
from vswin_cli.models.checkpoints.load import LoadedModel
from vswin_cli.storage.humanize import counted
from vswin_cli.storage.sources import VideoSource
from vswin_cli.timeline.record import (
    Coverage,
    GapRecord,
    ModelRecord,
    Notice,
    PostprocessRecord,
    SamplingRecord,
    Timeline,
    VideoRecord,
    with_segments,
)
from vswin_cli.timeline.scores import ScoreTrack
from vswin_cli.timeline.selection import check_selection
from vswin_cli.timeline.track_builder import TrackBuilder
from vswin_cli.video.clips import Clip, open_clips
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.decoder_pool import DecoderPool
from vswin_cli.video.info import DecodeReport, VideoInfo
from vswin_cli.video.sampling import SamplingPlan, describe_rounding
from vswin_cli.video.stream import VideoStream

__all__ = ["OnProgress", "analyze_video"]

_CUT = "cut"
"""Label, in models that have it, of a boundary between two shots."""

OnProgress = Callable[[float, "float | None"], None]
"""Called with the seconds of video analysed and, if the container says, their total."""


def analyze_video(
    source: VideoSource | str | os.PathLike[str],
    engine: Scorer,
    sampling: SamplingOptions = SamplingOptions(),
    segments: SegmentOptions | None = None,
    *,
    on_progress: OnProgress | None = None,
    save_scores: Path | None = None,
    top_classes: int = 0,
    decoders: int | None = None,
    decoder_pool: DecoderPool | None = None,
) -> Timeline:
    """Tag one video.

    Args:
        source: the video, its path or its address.
        engine: the model, ready to run.
        sampling: which clips to take.
        segments: how scores become segments; by default as the weights advise.
        on_progress: called as the video is worked through; with 0 seconds while it arrives.
        save_scores: where to keep the score track, to be segmented again later.
        top_classes: fill `windows` with this many classes of each clip.
        decoders: how many may work on the video at once; by default as many as the engine leaves
            cores to.
        decoder_pool: where decoder processes come from; by default one is started for this video.

    Raises:
        SourceError: the video cannot be opened, or not one frame could be decoded.
        OptionError: an argument is of the wrong type, or the options do not fit the weights.
        DeviceError: the device is out of memory.
        OutputError: the scores cannot be saved.
    """
    _check_types(source, engine, sampling, segments)
    card = engine.model.card
    segments = card.segments if segments is None else segments
    check_selection(card.labels, card.activation, segments)
    source = source if isinstance(source, VideoSource) else VideoSource.of(source)
    if sampling.crops not in (None, engine.crops):
        engine = engine.with_crops(sampling.crops)
    decode = DecodeOptions(decoders=decoders or engine.spare_decoders)
    on_bytes = None if on_progress is None else lambda *_: on_progress(0.0, None)
    with open_clips(
        source, card.input, sampling, decode, pool=decoder_pool, on_bytes=on_bytes
    ) as stream:
        step_seconds = _step_seconds(stream.plan, stream.info)
        builder = TrackBuilder(
            card.labels,
            card.activation,
            step_seconds,
            instants=card.segments.instants,
            start_seconds=sampling.start_seconds or 0.0,
        )
        for logits in engine.score(_watched(stream, on_progress)):
            builder.add(logits)
        report = stream.report
        builder.mark(_CUT, report.shape_changes_seconds)
    if report.status == "failed":
        raise DecodeError(
            f"no frame of {source.uri} could be decoded",
            hint=f"`vswin probe --scan {source.uri}` shows what is wrong with the file",
        )
    with builder.finish(report.end_seconds, report.gaps) as track:
        bare = Timeline(
            video=_video_record(source, stream.info, report),
            model=_model_record(engine.model),
            sampling=_sampling_record(engine, sampling, stream.plan, step_seconds),
            postprocess=PostprocessRecord.of(card.activation, segments),
            coverage=_coverage(report, track),
            warnings=(
                *_notices(report),
                *_rounded(describe_rounding(card.input, sampling, stream.plan)),
                *_unseen(stream.plan, report, track),
                *_too_slow(stream.plan, report, stream.info),
            ),
            status=report.status,
        )
        timeline = with_segments(bare, track, segments, top_classes=top_classes)
        if save_scores is not None:
            from vswin_cli.timeline.score_files import save_track

            save_track(track, timeline, save_scores)
    return timeline


def _check_types(source: object, engine: object, sampling: object, segments: object) -> None:
    """Refuse arguments in each other's place before anything is opened."""
    if not isinstance(source, (VideoSource, str, os.PathLike)):
        raise _wrong_type("source", "a path, an address or a VideoSource", source)
    if not hasattr(engine, "score"):  # `Scorer` is a protocol: the batch has a scorer of its own
        hint = 'make one: Engine(load_model("camera-motion"))'
        raise _wrong_type("engine", "an Engine", engine, hint)
    if not isinstance(sampling, SamplingOptions):
        hint = "name the argument: segments=SegmentOptions(...)"
        is_swapped = isinstance(sampling, SegmentOptions)
        raise _wrong_type("sampling", "SamplingOptions", sampling, hint if is_swapped else None)
    if not (segments is None or isinstance(segments, SegmentOptions)):
        raise _wrong_type("segments", "SegmentOptions or None", segments)


def _wrong_type(name: str, wanted: str, value: object, hint: str | None = None) -> OptionError:
    got = repr(value) if isinstance(value, str) else type(value).__name__
    return OptionError(f"the argument `{name}` takes {wanted}, got {got}", hint=hint)


def _watched(stream: VideoStream[Clip], on_progress: OnProgress | None) -> Iterator[Clip]:
    total = stream.plan.end_seconds or stream.info.declared_duration_seconds
    for clip in stream:
        yield clip
        if on_progress is not None:
            on_progress(float(clip.step_edges_seconds[-1]), total)


def _notices(report: DecodeReport) -> tuple[Notice, ...]:
    """What was noticed in decoding; that something is missing comes first."""
    notices = [Notice(w.code, w.message) for w in report.warnings]
    if report.status == "ok":
        return tuple(notices)
    text = f"{report.coverage:.1%} could be analysed"
    if report.gaps:
        shown = [f"{gap.start_seconds:.2f}-{gap.end_seconds:.2f} s" for gap in report.gaps[:3]]
        more = f" and {len(report.gaps) - 3} more" if len(report.gaps) > 3 else ""
        text += f"; missing: {', '.join(shown)}{more} ({report.gaps[0].reason.replace('_', ' ')})"
    elif report.bad_packets:
        text += f"; {counted(report.bad_packets, 'damaged packet')}"
    elif report.end_reason not in ("end", "stopped"):
        text += f"; in the end: {report.end_reason.replace('_', ' ')}"
    return (Notice("PARTIAL", text), *notices)


def _rounded(text: str | None) -> tuple[Notice, ...]:
    """Wrap what is said about a stride that was rounded far."""
    return () if text is None else (Notice("STRIDE", text),)


def _unseen(plan: SamplingPlan, report: DecodeReport, track: ScoreTrack) -> Iterator[Notice]:
    """What a stride beyond the clip's length leaves out, which segments nevertheless span."""
    if plan.sparse and report.analysed_seconds:
        share = min(1.0, track.analysed_seconds / report.analysed_seconds)
        yield Notice(
            "SPARSE",
            "the stride exceeds the clip length: only "
            f"{share:.0%} of the time was looked at, and segments bridge the rest",
        )


def _too_slow(plan: SamplingPlan, report: DecodeReport, info: VideoInfo) -> Iterator[Notice]:
    """Tell of a time-lapse: a clip that repeats every frame shows no motion between repeats."""
    rate = report.frame_rate or info.frame_rate
    sampled = plan.positions_per_second / plan.positions_per_tick
    if plan.by == "time" and rate and rate < sampled / 2:
        yield Notice(
            "LOW_FRAME_RATE",
            f"the video has {rate:g} frames per second, less than half of the {sampled:g} that the "
            "model samples: frames repeat, and what happens between them is not seen",
        )


def _step_seconds(plan: SamplingPlan, info: VideoInfo) -> float:
    """Length of one model time step, which becomes the resolution of the score track."""
    rate = plan.positions_per_second if plan.by == "time" else info.frame_rate or 25.0
    return plan.alignment / rate


def _video_record(source: VideoSource, info: VideoInfo, report: DecodeReport) -> VideoRecord:
    # A declared rate is believed only where too few frames tell; several containers state none
    # that is true, and of a variable rate the usual one says more.
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


def _model_record(model: LoadedModel) -> ModelRecord:
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


def _coverage(report: DecodeReport, track: ScoreTrack) -> Coverage:
    return Coverage(
        fraction=report.coverage,
        analysed_seconds=track.analysed_seconds,
        num_clips=len(track.clip_starts_seconds),
        bad_packets=report.bad_packets,
        gaps=tuple(GapRecord.of(gap) for gap in track.gaps),
    )
