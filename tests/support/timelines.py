"""Clips, tracks and timelines for tests: small, exact, without a model."""

import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vswin_cli.export import FORMATS, render_timelines, write_timelines
from vswin_cli.timeline.record import (
    Coverage,
    GapRecord,
    ModelRecord,
    Notice,
    PostprocessRecord,
    SamplingRecord,
    Timeline,
    ToolRecord,
    VideoRecord,
)
from vswin_cli.timeline.scores import ClipLogits, Gap, ScoreTrack
from vswin_cli.timeline.segments import Alternative, Segment
from vswin_cli.timeline.track_builder import TrackBuilder

GOLDEN = Path(__file__).parents[1] / "data" / "export"
STEP = 0.125
"""A power of two, so that times of cells are exact."""


def logit_rows(scores: np.ndarray) -> np.ndarray:
    """Logits (n, K) whose softmax is `scores`."""
    return np.asarray(np.log(np.maximum(scores, 1e-6)), np.float32)


def clip(
    scores: np.ndarray, start: float = 0.0, *, step: float = STEP, index: int = 0, valid=None
) -> ClipLogits:
    """One clip with the given scores (D, K) per step, one view."""
    steps = len(scores)
    return ClipLogits(
        index=index,
        step_edges_seconds=start + np.arange(steps + 1, dtype=np.float64) * step,
        logits=logit_rows(scores)[None],
        num_valid_steps=steps if valid is None else valid,
    )


def track_of(
    scores: np.ndarray,
    *,
    labels: Sequence[str] | None = None,
    gaps: Iterable[Gap] = (),
    start: float = 0.0,
    end: float | None = None,
    activation="softmax",
) -> ScoreTrack:
    """A track whose cells hold `scores` (N, K), but for those inside a gap."""
    gaps = list(gaps)
    cells, classes = scores.shape
    names = tuple(labels or (f"label {i}" for i in range(classes)))
    builder = TrackBuilder(names, activation, STEP, start_seconds=start)
    logits = logit_rows(scores)
    if activation == "sigmoid":
        bounded = np.clip(scores, 1e-6, 1 - 1e-6)
        logits = np.log(bounded / (1 - bounded)).astype(np.float32)
    for i in range(cells):
        left = start + i * STEP
        if any(gap.start_seconds < left + STEP and gap.end_seconds > left for gap in gaps):
            continue
        edges = np.array([left, left + STEP])
        builder.add(ClipLogits(i, edges, logits[None, i : i + 1], 1))
    return builder.finish(start + cells * STEP if end is None else end, gaps)


def columns(*parts: tuple[int, float], rest: int = 2) -> np.ndarray:
    """Scores (N, 1+rest): label 0 has the given (cells, score), the rest share what is left."""
    first = np.concatenate([np.full(count, score) for count, score in parts])
    return np.column_stack([first, *[(1 - first) / rest] * rest])


def timeline(**changes: object) -> Timeline:
    """A full timeline at 29.97 frames per second with three segments, two of them overlapping."""
    fields: dict[str, object] = {
        "video": VideoRecord(
            uri="/videos/a b.mp4",
            size_bytes=734003200,
            container="mov,mp4,m4a,3gp,3g2,mj2",
            codec="h264",
            width=1920,
            height=1080,
            duration_seconds=4000.0,
            average_frame_rate=29.97003,
            frame_rate_rational="30000/1001",
            variable_frame_rate=False,
            frames_decoded=119880,
        ),
        "model": ModelRecord(id="swin-t-k400", architecture="swin3d_tiny", num_classes=400),
        "sampling": SamplingRecord(num_frames=32, frame_rate=15.0, clip_seconds=2.133333),
        "postprocess": PostprocessRecord("softmax"),
        "coverage": Coverage(
            0.9975, 3990.0, num_clips=1875, gaps=(GapRecord(812.3, 822.3, "decode_error"),)
        ),
        "segments": (
            segment(1.0, 3.5, "archery", 5),
            segment(3.0, 5.0, "arm --> wrestling & <fun>", 7),
            segment(3600.0, 3661.033, "schöne Grüße", 9),
        ),
        "warnings": (Notice("GAPS", "10.0 s could not be decoded"),),
        "status": "partial",
        "tool": ToolRecord("vswin", "1.2.3"),
        "created": "2026-11-22T11:02:33Z",
    }
    return Timeline(**(fields | changes))  # type: ignore[arg-type]


def segment(start: float, end: float, label: str, class_id: int | None = 0) -> Segment:
    return Segment(
        start_seconds=start,
        end_seconds=end,
        label=label,
        class_id=class_id,
        score=0.8341,
        score_max=0.97,
        peak_seconds=round((start + end) / 2, 6),
        num_clips=3,
        alternatives=(Alternative("throwing axe", 341, 0.06),),
    )


def of_two_models() -> Timeline:
    """A timeline of `swin-t-k400` with a track of `moves`, which found one segment."""
    moves = timeline(model=ModelRecord(id="moves"), segments=(segment(2.0, 9.0, "pan", 1),))
    return timeline().with_tracks([moves])


def named(uri: str) -> Timeline:
    """The same timeline of another video."""
    return timeline(video=replace(timeline().video, uri=uri))


def written(fmt: str, *timelines: Timeline) -> str:
    """Text of timelines in a format, by default of `timeline()`; of a workbook, its XML.

    Of an image, that it is one.
    """
    if FORMATS[fmt].is_binary:
        content = render_timelines(timelines or [timeline()], fmt)
        if content.startswith(b"\x89PNG"):
            return "PNG"
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            parts = sorted(name for name in book.namelist() if name.startswith("xl/work"))
            return "\n".join(book.read(part).decode() for part in [*parts, "xl/sharedStrings.xml"])
    text = io.StringIO()
    write_timelines(timelines or [timeline()], fmt, text)
    return text.getvalue()


def build(clips, *, labels=("a", "b"), end=None, gaps=(), step=STEP, start=0.0, **options):
    """A track of the given clips, whose scores compete."""
    builder = TrackBuilder(labels, "softmax", step, start_seconds=start, **options)
    for one in clips:
        builder.add(one)
    last = max(one.step_edges_seconds[one.num_valid_steps] for one in clips)
    return builder.finish(last if end is None else end, gaps)


def pairs(*first):
    """Scores (n, 2) from those of the first label."""
    return np.column_stack([first, 1 - np.array(first)])
