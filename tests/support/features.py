"""Feature files for tests: small, without a model."""

from pathlib import Path

import numpy as np

from vswin_cli.timeline.feature_files import FeatureFile
from vswin_cli.timeline.features import FeatureRecord
from vswin_cli.timeline.record import Coverage, ModelRecord, SamplingRecord, VideoRecord

STEP = 0.25
CLIP_STEPS = 8
CLIP_STRIDE = 4


def feature_record(uri: str = "a.mp4", model: str = "m", duration: float = 10.0) -> FeatureRecord:
    """Provenance of features that some model computed at one row per `STEP`."""
    return FeatureRecord(
        video=VideoRecord(uri=uri, duration_seconds=duration, frame_rate_rational="25/1",
            variable_frame_rate=False),
        model=ModelRecord(id=model, weights_sha256=f"hash of {model}"),
        sampling=SamplingRecord(num_frames=16, frame_rate=8.0, clip_seconds=CLIP_STEPS * STEP,
            stride_seconds=CLIP_STRIDE * STEP, step_seconds=STEP),
        coverage=Coverage(fraction=1.0, analysed_seconds=duration),
    )  # fmt: skip


def feature_file(rows: np.ndarray, *, uri: str = "a.mp4", model: str = "m") -> FeatureFile:
    """A file that holds these rows, and clips of eight of them at every fourth."""
    starts = np.arange(len(rows), dtype=np.float64) * STEP
    firsts = np.arange(0, max(1, len(rows) - CLIP_STEPS + 1), CLIP_STRIDE)
    clips = [rows[first : first + CLIP_STEPS].mean(axis=0) for first in firsts]
    lasts = np.minimum(firsts + CLIP_STEPS, len(rows)) - 1
    return FeatureFile(
        path=Path(f"{uri}.npz"),
        features=rows.astype(np.float16),
        start_seconds=starts,
        end_seconds=starts + STEP,
        clip_features=np.array(clips, np.float16),
        clip_start_seconds=starts[firsts],
        clip_end_seconds=starts[lasts] + STEP,
        record=feature_record(uri, model, float(starts[-1] + STEP)),
    )


def smooth_rows(count: int, width: int = 16, seed: int = 0) -> np.ndarray:
    """Random features (n, C) that change slowly, as those of a video do."""
    draw = np.random.default_rng(seed).standard_normal((count + 4, width))
    sums = np.sum([draw[i : i + count] for i in range(5)], axis=0)
    return np.asarray(sums, np.float32)
