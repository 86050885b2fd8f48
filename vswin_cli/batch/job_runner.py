"""Run one job: analyse a video, write the result to the journal and return a summary.

Runs in the process that holds the network. A video that cannot be analysed gives a failed
outcome; an error that would affect every video is raised.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from vswin_cli.batch.job import EngineSetup, Job, Part, PartDone, Task, TooLong
from vswin_cli.batch.journal import Journal, unlink_link
from vswin_cli.batch.outcome import Outcome
from vswin_cli.config import SamplingOptions
from vswin_cli.errors import (
    CheckpointError,
    DeviceError,
    InstallationError,
    ModelError,
    OutputError,
    VswinError,
)
from vswin_cli.inference.engine import Engine
from vswin_cli.inference.pipeline import analyze_video
from vswin_cli.inference.scorer import Scorer
from vswin_cli.timeline.record import Timeline
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.decoder_pool import DecoderPool
from vswin_cli.video.sampling import plan_sampling
from vswin_cli.video.stream import open_video

__all__ = ["JobRunner", "load_engine"]

_SPLIT_FROM_BYTES = 16 << 20
"""Smaller files are not opened to learn their duration: half an hour of video is larger."""

_FOR_ALL = (OutputError, DeviceError, ModelError, InstallationError)
"""Errors that every video would meet."""

OnSeconds = Callable[[float], None]


class JobRunner:
    """Runs jobs of one batch on an engine.

    Args:
        engine: scores the clips.
        task: what the jobs have in common.
        decoders: where decoder processes come from.
        cores: that decoding one video may use; by default it has one decoder, with as many
            threads as the decoder chooses.
    """

    def __init__(
        self, engine: Scorer, task: Task, decoders: DecoderPool, *, cores: int | None = None
    ) -> None:
        self._engine = engine
        self._task = task
        self._decoders = decoders
        self._cores = cores
        self._journal = Journal(task.journal)

    @property
    def device(self) -> str:
        """Device of the network."""
        return str(self._engine.device)

    def run(self, job: Job, on_seconds: OnSeconds) -> Outcome | TooLong | PartDone:
        """Run a job; its result is in the journal when this returns.

        Args:
            job: the video, or the part of one.
            on_seconds: called often with the position in the video.

        Raises:
            OutputError: the disk is full or read-only.
            DeviceError: the device is out of memory.
            ModelError: the weights cannot be used.
        InstallationError: the decoder's packages cannot be loaded.
        """
        begin = time.monotonic()
        if job.part is not None:
            has_scores = self._score_part(job, job.part, on_seconds)
            return PartDone(has_scores, time.monotonic() - begin, self.device)
        blank = replace(job.blank(self._task), device=self.device)
        try:
            too_long = self._plan_split(job)
            if too_long is not None:
                return too_long
            return self._tag(job, blank, begin, on_seconds)
        except _FOR_ALL:
            raise
        except VswinError as problem:
            failed = replace(blank.of_problem(problem), elapsed_seconds=time.monotonic() - begin)
            self._journal.record(failed)
            return failed

    def _tag(self, job: Job, blank: Outcome, begin: float, on_seconds: OnSeconds) -> Outcome:
        scores = self._task.scores_path(job.entry)
        features = self._task.features_path(job.entry)
        timeline = self._analyze(job, self._task.sampling, scores, on_seconds, features)
        outcome = replace(
            blank.of_timeline(timeline),
            elapsed_seconds=time.monotonic() - begin,
            scores=None if scores is None else str(scores),
            features=None if features is None else str(features),
            has_evidence=self._task.evidence or None,
        )
        self._journal.record(outcome, timeline)
        return outcome

    def _score_part(self, job: Job, part: Part, on_seconds: OnSeconds) -> bool:
        """Score a part of a video; returns whether its scores are on disk."""
        path = self._journal.part_path(
            job.entry, job.identity, self._task.scoring, part.start_seconds, part.count
        )
        sampling = replace(
            self._task.sampling, start_seconds=part.start_seconds, end_seconds=part.end_seconds
        )
        try:
            self._analyze(job, sampling, path, on_seconds)
        except _FOR_ALL:
            raise
        except VswinError:
            return False
        return True

    def _analyze(
        self,
        job: Job,
        sampling: SamplingOptions,
        scores: Path | None,
        on_seconds: OnSeconds,
        features: Path | None = None,
    ) -> Timeline:
        for path in (scores, features):
            if path is not None:
                unlink_link(path)
        return analyze_video(
            job.source,
            self._engine,
            sampling,
            self._task.segments,
            on_progress=lambda done, _: on_seconds(done),
            save_scores=scores,
            save_features=features,
            evidence=self._task.evidence,
            decoders=self._cores or 1,  # the other cores are for other videos
            decoder_threads=self._cores,
            decoder_pool=self._decoders,
        )

    def _plan_split(self, job: Job) -> TooLong | None:
        """Return duration and clip grid of a video that should be split, else `None`."""
        limit, sampling = self._task.split_seconds, self._task.sampling
        if limit is None or not job.may_split or job.source.path is None:
            return None
        if job.size_bytes < _SPLIT_FROM_BYTES and limit > 60:
            return None
        plan = plan_sampling(self._engine.model.card.input, sampling)
        if plan.by == "index" or plan.sparse or sampling.start_seconds or sampling.end_seconds:
            # The seams between parts need clips at known times that overlap; with `start` or `end`
            # the grid is not that of the parts.
            return None
        decode = DecodeOptions(input_frame_rate=sampling.input_frame_rate)
        with open_video(job.source, plan, decode, pool=self._decoders) as stream:
            seconds = stream.info.declared_duration_seconds
        if seconds is None or seconds < 2 * limit:
            return None
        tick = plan.positions_per_tick / plan.positions_per_second
        return TooLong(seconds, plan.stride * tick, plan.num_frames * tick, 2 * tick)


def load_engine(setup: EngineSetup) -> Engine:
    """Load the network, which takes seconds.

    Raises:
        ModelError: the weights cannot be loaded, or are not those of the other workers.
        DeviceError: the device does not exist here.
    """
    import torch

    from vswin_cli.models.labels import LabelMap
    from vswin_cli.models.weights.loading import load_model

    if setup.num_threads is not None:
        torch.set_num_threads(setup.num_threads)
    labels = None if setup.labels is None else LabelMap.from_file(setup.labels)
    model = load_model(setup.reference, labels=labels, ema=setup.ema)
    if model.weights_sha256 != setup.weights_sha256:
        raise CheckpointError(
            f"{setup.reference} has sha256 {model.weights_sha256[:12]} on this machine and "
            f"{setup.weights_sha256[:12]} on the one that started the batch",
            hint="use the same weights on all machines: run `vswin download --force`, or give "
            "--weights on a shared disk",
        )
    return Engine(model, setup.options, crops=setup.crops)
