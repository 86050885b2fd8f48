"""Videos with scores for tests of reports: random, but the same on every run."""

import json
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from tests.support.timelines import STEP, timeline, track_of
from tests.support.videos import VideoRecipe, make_video
from vswin_cli.config import SegmentOptions
from vswin_cli.report import ReportSource
from vswin_cli.timeline.record import Coverage, GapRecord, Timeline, VideoRecord, with_segments
from vswin_cli.timeline.score_files import save_track
from vswin_cli.timeline.scores import Gap, ScoreTrack

NAMES = ("archery", "arm wrestling", "baking <b>cookies</b>", "bowling", "schöne Grüße & mehr")


@dataclass(frozen=True)
class ReportVideo:
    """A timeline, the scores behind it and, if made, the video."""

    timeline: Timeline
    scores: Path
    video: Path | None

    def source(self) -> ReportSource:
        return ReportSource(self.timeline, self.scores, self.video)


def random_scores(rng: np.random.Generator, cells: int, classes: int) -> np.ndarray:
    """Scores (cells, classes) that add up to one, with events of all lengths that overlap."""
    logits = rng.normal(0, 1, (cells, classes))
    for _ in range(max(2, cells // 25)):
        start, length = int(rng.integers(cells)), int(rng.exponential(12)) + 1
        logits[start : start + length, rng.integers(classes)] += rng.uniform(1, 6)
    powers = np.exp(logits)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def random_track(seed: int, *, cells: int = 240, classes: int = 5, gaps: bool = True) -> ScoreTrack:
    """A track that may have a gap, may begin late, and may have cells of no round length."""
    rng = np.random.default_rng(seed)
    scores = random_scores(rng, cells, classes)
    lost = []
    if gaps and rng.random() < 0.7:
        start = float(rng.uniform(0, cells * STEP))
        lost.append(Gap(start, start + float(rng.uniform(0.05, 4))))
    track = track_of(scores, gaps=lost, start=float(rng.choice([0.0, 3.7])))
    return stretched(track, 16 / 15) if rng.random() < 0.5 else track


def stretched(track: ScoreTrack, factor: float) -> ScoreTrack:
    """The same scores over a time that is longer by a factor."""
    gaps = [(one.start_seconds * factor, one.end_seconds * factor) for one in track.gaps]
    return replace(
        track,
        start_seconds=track.start_seconds * factor,
        step_seconds=track.step_seconds * factor,
        end_seconds=track.end_seconds * factor,
        spans=tuple((start * factor, end * factor) for start, end in track.spans),
        gaps=tuple(Gap(*gap) for gap in gaps),
        clip_starts_seconds=track.clip_starts_seconds * factor,
        clip_ends_seconds=track.clip_ends_seconds * factor,
    )


def make_report_video(
    folder: Path,
    name: str = "video.webm",
    *,
    seconds: float = 30.0,
    seed: int = 1,
    gaps: tuple[Gap, ...] = (),
    with_video: bool = True,
    labels: tuple[str, ...] = NAMES,
    options: SegmentOptions = SegmentOptions(),
) -> ReportVideo:
    """Scores on disk, their timeline, and a video of 8 frames a second as long as they are."""
    video = folder / name
    if with_video:
        recipe = VideoRecipe(
            num_frames=round(seconds * 8),
            rate=Fraction(8),
            codec="libvpx",
            gop=16,
            options={"deadline": "realtime", "cpu-used": "8"},
        )
        make_video(video, recipe)
    rng = np.random.default_rng(seed)
    cells = round(seconds / STEP)
    lost = sum(gap.end_seconds - gap.start_seconds for gap in gaps)
    with track_of(random_scores(rng, cells, len(labels)), labels=labels, gaps=gaps) as track:
        bare = timeline(
            video=VideoRecord(uri=str(video), width=64, height=64, duration_seconds=seconds),
            coverage=Coverage(
                1 - lost / seconds,
                track.analysed_seconds,
                num_clips=cells,
                gaps=tuple(GapRecord.of(gap) for gap in gaps),
            ),
            warnings=(),
            segments=(),
            status="partial" if gaps else "ok",
        )
        full = with_segments(bare, track, options)
        scores = folder / f"{name}.npz"
        save_track(track, full, scores)
    return ReportVideo(full, scores, video if with_video else None)


def content_of(page: str) -> dict[str, object]:
    """The data that a page holds for its script."""
    (found,) = re.findall(r'<script type="application/json" id="content">(.*?)</script>', page)
    content: dict[str, object] = json.loads(found)
    return content
