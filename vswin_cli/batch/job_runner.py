"""The work itself: one job in, its outcome in the journal and in brief as an answer.

Runs wherever the network is, in this process or in a worker. A video that cannot be analysed is
an outcome; what would fail every video is raised.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

from vswin_cli.batch.job import Job, Part, PartDone, Setup, Task, TooLong
from vswin_cli.batch.journal import Journal
from vswin_cli.batch.outcome import Outcome
from vswin_cli.errors import CheckpointError, DeviceError, ModelError, OutputError, VswinError
from vswin_cli.inference.engine import Engine
from vswin_cli.inference.pipeline import analyze_video
from vswin_cli.video.decoder_process import decode_isolated
from vswin_cli.video.info import VideoInfo
from vswin_cli.video.sampling import SamplingPlan, plan_sampling

__all__ = ["Analyst", "load_engine"]

_SPLIT_FROM_BYTES = 16 << 20
"""Smaller files are not looked into: half an hour of video is larger."""

OnSeconds = Callable[[float], None]


class Analyst:
    """An engine with the task of a batch."""

    def __init__(self, engine: Engine, task: Task) -> None:
        self._engine = engine
        self._task = task
        self._journal = Journal(task.journal)

    @property
    def device(self) -> str:
        """Where the network runs."""
        return str(self._engine.device)

    def run(self, job: Job, on_seconds: OnSeconds) -> Outcome | TooLong | PartDone:
        """Do one job; its result is in the journal when this returns.

        Args:
            job: what to do.
            on_seconds: called with the position in the video as work goes on.

        Raises:
            OutputError: the disk is full or read-only.
            DeviceError: the device is out of memory.
            ModelError: the weights cannot be used.
        """
        begin = time.monotonic()
        if job.part is not None:
            has_scores = self._score_part(job, job.part, on_seconds)
            return PartDone(has_scores, time.monotonic() - begin, self.device)
        blank = replace(job.blank(self._task), device=self.device)
        try:
            too_long = self._measure(job)
            if too_long is not None:
                return too_long
            return self._tag(job, blank, begin, on_seconds)
        except (OutputError, DeviceError, ModelError):
            raise
        except VswinError as problem:
            failed = replace(blank.of_problem(problem), elapsed_seconds=time.monotonic() - begin)
            self._journal.record(failed)
            return failed

    def _tag(self, job: Job, blank: Outcome, begin: float, on_seconds: OnSeconds) -> Outcome:
        scores = self._task.scores_path(job.entry)
        timeline = analyze_video(
            job.source,
            self._engine,
            self._task.sampling,
            self._task.segments,
            on_progress=lambda done, _: on_seconds(done),
            save_scores=scores,
            decoders=1,  # other videos take the other cores
        )
        outcome = replace(
            blank.of_timeline(timeline),
            elapsed_seconds=time.monotonic() - begin,
            scores=None if scores is None else str(scores),
        )
        self._journal.record(outcome, timeline)
        return outcome

    def _score_part(self, job: Job, part: Part, on_seconds: OnSeconds) -> bool:
        """Whether there are scores for the part, damaged or not."""
        path = self._journal.part_path(
            job.entry, job.identity, self._task.scoring, part.start_seconds, part.count
        )
        sampling = replace(
            self._task.sampling, start_seconds=part.start_seconds, end_seconds=part.end_seconds
        )
        try:
            analyze_video(
                job.source,
                self._engine,
                sampling,
                self._task.segments,
                on_progress=lambda done, _: on_seconds(done),
                save_scores=path,
                decoders=1,
            )
        except (OutputError, DeviceError, ModelError):
            raise
        except VswinError:
            return False
        return True

    def _measure(self, job: Job) -> TooLong | None:
        """How long the video is, if it should be divided."""
        limit, sampling = self._task.split_seconds, self._task.sampling
        if limit is None or not job.may_split or job.source.path is None:
            return None
        if job.size_bytes < _SPLIT_FROM_BYTES and limit > 60:
            return None
        plan = plan_sampling(self._engine.model.card.input, sampling)
        if plan.by == "index" or plan.sparse or sampling.start_seconds or sampling.end_seconds:
            return None  # clips lie where frames do, or nowhere near each other
        seconds = _declared_seconds(job, plan)
        if seconds is None or seconds < 2 * limit:
            return None
        tick = plan.positions_per_tick / plan.positions_per_second
        return TooLong(seconds, plan.stride * tick, plan.num_frames * tick, 2 * tick)


def _declared_seconds(job: Job, plan: SamplingPlan) -> float | None:
    with job.source.local() as path, closing(decode_isolated(path, plan)) as events:
        info = next(events)
        assert isinstance(info, VideoInfo)  # a decoder's first word
        return info.declared_duration_seconds


def load_engine(setup: Setup) -> Engine:
    """Load the network; takes seconds.

    Raises:
        ModelError: the weights cannot be had here, or are not those of the other workers.
        DeviceError: the device does not exist here.
    """
    import torch

    from vswin_cli.models.labels import LabelMap
    from vswin_cli.models.weights.loading import load_model

    if setup.num_threads is not None:
        torch.set_num_threads(setup.num_threads)
    labels = None if setup.labels is None else LabelMap.from_file(setup.labels)
    model = load_model(setup.reference, labels=labels)
    if model.weights_sha256 != setup.weights_sha256:
        raise CheckpointError(
            f"{setup.reference} is here sha256 {model.weights_sha256[:12]}, "
            f"elsewhere {setup.weights_sha256[:12]}",
            hint="give all machines the same weights: `vswin download --force`, or --weights on "
            "a shared disk",
        )
    return Engine(model, setup.options, crops=setup.crops)
