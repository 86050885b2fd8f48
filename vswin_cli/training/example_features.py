"""Compute the features of examples, and keep them for the next run.

Features are cached by the content of the video, the part of it, the weights, the precision and the
version: an example that was moved or relabelled is not computed again. The cache is bounded.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vswin_cli._version import __version__
from vswin_cli.config import SamplingOptions
from vswin_cli.errors import OptionError, OutputError, SourceError
from vswin_cli.inference.pipeline import analyze_features
from vswin_cli.inference.scorer import Scorer
from vswin_cli.storage.bounded_folder import mark_used, remove_unused
from vswin_cli.storage.files import file_sha256, is_file, writing
from vswin_cli.storage.user_config import cache_folder
from vswin_cli.timeline.feature_files import load_features, save_features
from vswin_cli.training.progress import OnTraining, TrainingProgress, no_progress
from vswin_cli.training.records import Example, none_readable
from vswin_cli.video.decoder_pool import DecoderPool

__all__ = ["ExampleFeatures", "compute_features"]

_MOST_ROWS = 4000  # of all examples, so that the fit stays fast
_MOST_ROWS_EACH = 8
_MOST_CACHE_BYTES = 2_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class ExampleFeatures:
    """Features of examples, some rows for each that could be read."""

    rows: NDArray[np.float32]
    """(R, C), each a mean over some time steps in a row."""
    example_of: NDArray[np.intp]
    """(R,) position of the row's example, rising."""
    content_sha256: tuple[str | None, ...]
    """Of each example's file; `None` for an address, and for what could not be read."""
    problems: tuple[tuple[str, str], ...]
    """(example, what is wrong) of each that could not be read."""


def compute_features(
    examples: Sequence[Example], engine: Scorer, *, on_progress: OnTraining = no_progress
) -> ExampleFeatures:
    """Compute the features of examples, or take them from the cache.

    Args:
        examples: what to read.
        engine: the model whose features are wanted.
        on_progress: called after each example.

    Raises:
        SourceError: not one example could be read.
        DeviceError: the device is out of memory.
    """
    most = min(max(_MOST_ROWS // max(1, len(examples)), 1), _MOST_ROWS_EACH)
    rows: list[NDArray[np.float32]] = []
    digests: list[str | None] = []
    problems: list[tuple[Example, SourceError | OptionError]] = []
    reader = _Reader(engine)
    with DecoderPool() as pool:
        for done, example in enumerate(examples):
            on_progress(TrainingProgress("computing features", done, len(examples)))
            try:
                found = reader.read(example, pool)
            except (SourceError, OptionError) as problem:
                problems.append((example, problem))
                found = np.zeros((0, 0), np.float32)
            rows.append(_means(found, most))
            digests.append(reader.digest_of(example) if len(found) else None)
    remove_unused(reader.folder, _MOST_CACHE_BYTES)
    named = tuple((str(example), problem.message) for example, problem in problems)
    if len(problems) == len(examples):
        raise none_readable(named, problems[0][1].hint)
    example_of = np.repeat(np.arange(len(rows)), [len(each) for each in rows])
    joined = np.concatenate([each for each in rows if len(each)])
    return ExampleFeatures(joined, example_of, tuple(digests), named)


def _means(rows: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """Average rows (n, C) in at most `most` groups that follow each other in time."""
    if len(rows) == 0:
        return rows
    parts = np.array_split(rows, min(most, len(rows)))
    return np.stack([part.mean(axis=0) for part in parts])


class _Reader:
    """Read the features of one example after the other."""

    def __init__(self, engine: Scorer) -> None:
        self._engine = engine
        self._digests: dict[str, str | None] = {}
        self.folder = cache_folder() / "features"

    def digest_of(self, example: Example) -> str | None:
        """Hash the example's file; `None` for an address."""
        place, path = example.source.place, example.source.path
        if place not in self._digests:
            self._digests[place] = None if path is None or not is_file(path) else file_sha256(path)
        return self._digests[place]

    def read(self, example: Example, pool: DecoderPool) -> NDArray[np.float32]:
        """Return features (n, C), one row per time step.

        Raises:
            SourceError: the video cannot be read, or has no frames in this part.
        """
        digest = self.digest_of(example)
        kept = None if digest is None else self._kept_at(digest, example)
        if kept is not None and is_file(kept):
            with suppress(SourceError):  # a damaged file is computed again
                mark_used(kept)
                return np.asarray(load_features(kept).features, np.float32)
        sampling = SamplingOptions(
            start_seconds=example.start_seconds or None, end_seconds=example.end_seconds
        )
        with analyze_features(example.source, self._engine, sampling, decoder_pool=pool) as track:
            found = track.features
            if not len(found):
                raise SourceError(
                    "no frame lies in this part of the video",
                    hint="`vswin probe VIDEO` says how long the video is",
                )
            if kept is not None:
                with suppress(OutputError), writing(f"{kept.parent}"):
                    kept.parent.mkdir(parents=True, exist_ok=True)
                    save_features(track, kept)
        return found

    def _kept_at(self, digest: str, example: Example) -> Path:
        model = self._engine.model
        key = [
            digest,
            example.start_seconds,
            example.end_seconds,
            model.features_sha256,
            self._engine.precision,
            self._engine.crops,
            __version__,
        ]
        return self.folder / f"{sha256(json.dumps(key).encode()).hexdigest()[:32]}.npz"
