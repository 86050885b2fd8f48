"""Fit all weights of a network to examples, step by step, and keep the state between steps."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from math import isfinite
from pathlib import Path
from time import monotonic

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vswin_cli.errors import DeviceError, OptionError, VswinError
from vswin_cli.models.architecture import Activation
from vswin_cli.models.network.swin3d import VideoSwin
from vswin_cli.training.full_options import FullOptions
from vswin_cli.training.processes import ProcessGroup
from vswin_cli.training.progress import OnTraining, TrainingProgress, no_progress
from vswin_cli.training.recipe import Recipe, Schedule, make_optimizer
from vswin_cli.training.run_state import RunState, read_state, write_state
from vswin_cli.training.training_clips import (
    BatchPlan,
    ClipMaker,
    TrainingClip,
    TrainingData,
    stack_clips,
)
from vswin_cli.video.read_ahead import read_ahead

__all__ = ["FineTuning", "RunPlace", "TrainingPass", "sum_of_losses"]

_SAVING_SHARE = 0.02  # of the time, at most
_MOST_WORKERS = 8


class TrainingPass(nn.Module):
    """A network's forward pass in training, with what is left out given from outside."""

    def __init__(self, network: VideoSwin, *, recompute: bool = False) -> None:
        super().__init__()
        self.network = network
        self._recompute = recompute

    def forward(
        self, pixels: Tensor, branch_scales: Tensor | None, feature_scales: Tensor
    ) -> Tensor:
        """Compute logits: (B, 3, T, S, S), (blocks, 2, B), (B, C) -> (B, K)."""
        features = self.network.plain_features(
            pixels, branch_scales=branch_scales, recompute=self._recompute
        )
        return self.network.head_of(features.mean((2, 3, 4)) * feature_scales)


@dataclass(frozen=True, slots=True)
class RunPlace:
    """Where a run computes, and where it keeps its state."""

    device: torch.device
    group: ProcessGroup
    dtype: torch.dtype = torch.float32
    """Of matrix products; weights are float32."""
    state_file: Path | None = None
    """Kept up to date during the run; `None` for a run that cannot go on."""
    fingerprint: str = ""
    """Of everything that must be the same when a run goes on."""


class FineTuning:
    """A training run: its network, optimiser and average, and the steps that are done.

    Args:
        network: to begin with, on the CPU; it is changed.
        data: the examples.
        clips: makes their clips.
        options: how.
        recipe: what they leave open.
        place: where it runs. An unfinished run that is kept there goes on.

    Raises:
        OptionError: more processes than clips per step.
        CheckpointError: the kept run cannot be read, or is another one.
    """

    def __init__(
        self,
        network: VideoSwin,
        data: TrainingData,
        clips: ClipMaker,
        options: FullOptions,
        recipe: Recipe,
        place: RunPlace,
    ) -> None:
        self._data, self._clips, self._options = data, clips, options
        self.recipe, self.place = recipe, place
        self._network = network.to(place.device).train()
        self._plan = BatchPlan(
            len(data.train), min(options.clips_per_step, len(data.train)), options.seed
        )
        if place.group.count > self._plan.batch_size:
            raise OptionError(
                f"{place.group.count} processes for {self._plan.batch_size} clips per step",
                hint="start fewer processes, or give a larger `--clips-per-step`",
            )
        self.total_steps = options.epochs * self._plan.steps_per_epoch
        self._schedule = Schedule(
            self.total_steps, options.warmup_epochs * self._plan.steps_per_epoch
        )
        self._optimizer = make_optimizer(self._network, recipe)
        self._uses_branches = recipe.drop_path > 0
        self._average = (
            copy.deepcopy(self._network).requires_grad_(False) if options.ema_decay else None
        )
        self.step = 0
        self._losses: list[float] = []
        self.history: list[dict[str, float]] = []
        self._restore()
        self._pass = place.group.wrap(
            TrainingPass(self._network, recompute=options.recompute), place.device
        )

    @property
    def result(self) -> VideoSwin:
        """The averaged network, or the last one without an average."""
        return self._network if self._average is None else self._average

    def run(self, on_progress: OnTraining = no_progress, *, until: int | None = None) -> None:
        """Train to the end.

        Args:
            on_progress: called after each step.
            until: stop after this step.

        Raises:
            SourceError: a video can no longer be read.
            DeviceError: out of memory.
            VswinError: the loss is no longer a number.
            OutputError: the state cannot be written.
        """
        end = self.total_steps if until is None else min(until, self.total_steps)
        saved, cost = monotonic(), 0.0
        for clips in self._batches(range(self.step, end)):
            self._losses.append(self._train_on(clips))
            self.step += 1
            if self.step % self._plan.steps_per_epoch == 0:
                self._end_epoch()
            self._report(on_progress)
            wait = max(self._options.checkpoint_seconds, cost / _SAVING_SHARE)
            if monotonic() - saved >= wait or self.step == end:
                began = monotonic()
                self._save()
                saved = monotonic()
                cost = saved - began

    def _batches(self, steps: range) -> Iterator[list[TrainingClip]]:
        """Yield this process's clips of each step, decoded ahead."""
        share = self.place.group.share
        # All steps have the same number of clips, and each process a share of every step.
        parts = [share(self._plan.batch(step)) for step in steps[:1]]
        size = len(parts[0]) if parts else 0
        items = (item for step in steps for item in share(self._plan.batch(step)))
        workers = min(_MOST_WORKERS, os.cpu_count() or 1)
        ahead = workers + self._options.clips_at_once
        clips = read_ahead(self._clips.random_clip, items, workers=workers, ahead=ahead)
        try:
            for _ in steps:
                yield list(islice(clips, size))
        finally:
            clips.close()

    def _train_on(self, clips: Sequence[TrainingClip]) -> float:
        """Do one step, and return the mean loss of its clips over all processes."""
        group, device = self.place.group, self.place.device
        self._set_rates()
        self._optimizer.zero_grad(set_to_none=True)
        size = self._options.clips_at_once
        total = 0.0
        for first in range(0, len(clips), size):
            is_last = first + size >= len(clips)
            with self._without_exchange() if not is_last else nullcontext():
                loss = self._loss(clips[first : first + size]) / self._plan.batch_size
                # Gradients are averaged over processes, but each has only its part of the sum.
                (loss * group.count).backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        total = group.total(total, device)
        if not isfinite(total):
            raise VswinError(
                f"the loss of step {self.step + 1} is not a number",
                hint="give a smaller `--learning-rate`, or `--precision float32`",
            )
        self._optimizer.step()
        self._update_average()
        return total

    def _without_exchange(self) -> nullcontext[None]:
        """Return a context in which gradients are only added up in this process."""
        if isinstance(self._pass, nn.parallel.DistributedDataParallel):
            return self._pass.no_sync()  # type: ignore[return-value]
        return nullcontext()

    def _loss(self, clips: Sequence[TrainingClip]) -> Tensor:
        """Compute the sum of the clips' losses."""
        device = self.place.device
        pixels, targets, branches, features = stack_clips(clips, device)
        try:
            with self._autocast():
                logits = self._pass(pixels, branches if self._uses_branches else None, features)
        except torch.OutOfMemoryError as cause:
            raise DeviceError(
                f"out of memory on {device} with {len(clips)} clips at once",
                hint="give a smaller `--batch-size`, or `--recompute`",
            ) from cause
        return sum_of_losses(logits.float(), targets, self._data.activation)

    def _autocast(self) -> torch.autocast:
        dtype = self.place.dtype
        enabled = dtype != torch.float32
        return torch.autocast(
            self.place.device.type, dtype=dtype if enabled else torch.bfloat16, enabled=enabled
        )

    def _set_rates(self) -> None:
        factor = self._schedule.factor(self.step)
        for group in self._optimizer.param_groups:
            group["lr"] = factor * group["full_rate"]

    @torch.no_grad()
    def _update_average(self) -> None:
        if self._average is None:
            return
        # Rises to the given decay, so that the initial weights do not stay in a short run.
        decay = min(self._options.ema_decay, (1 + self.step) / (10 + self.step))
        for mean, new in zip(self._average.parameters(), self._network.parameters(), strict=True):
            mean.lerp_(new, 1 - decay)

    def _end_epoch(self) -> None:
        entry = {"epoch": float(len(self.history) + 1)}
        entry["loss"] = sum(self._losses) / len(self._losses)
        if self._data.held_out:
            entry["accuracy"] = self._accuracy()
        self.history.append(entry)
        self._losses = []

    def _report(self, on_progress: OnTraining) -> None:
        last = self.history[-1] if self.history else {}
        loss = self._losses[-1] if self._losses else last.get("loss")
        on_progress(
            TrainingProgress(
                "training", self.step, self.total_steps, "steps", loss, last.get("accuracy")
            )
        )

    def _accuracy(self) -> float:
        """Measure the share of held-out examples whose middle clip gets the right labels."""
        device, group = self.place.device, self.place.group
        mine = group.share(list(self._data.held_out))
        clips = read_ahead(self._clips.middle_clip, mine, workers=2, ahead=3)
        network = self.result.eval()  # drops what is kept of earlier weights
        right = 0.0
        with torch.inference_mode(), self._autocast():
            for example, clip in zip(mine, clips, strict=True):
                logits = network(clip[None].to(device))[0].float().cpu()
                target = self._data.target_of(example)
                found = logits >= 0
                if self._data.activation == "softmax":
                    found = torch.arange(len(logits)) == logits.argmax()
                right += float(torch.equal(found, target > 0))
        self._network.train()
        return group.total(right, device) / len(self._data.held_out)

    def _save(self) -> None:
        if self.place.state_file is None or not self.place.group.is_first:
            return
        state = RunState(
            self.place.fingerprint,
            self.step,
            self._network.state_dict(),
            {} if self._average is None else self._average.state_dict(),
            self._optimizer.state_dict(),
            self._losses,
            self.history,
        )
        write_state(self.place.state_file, state)

    def _restore(self) -> None:
        file = self.place.state_file
        state = None if file is None else read_state(file, self.place.fingerprint)
        if state is None:
            return
        self._network.load_state_dict(state.network)
        if self._average is not None:
            self._average.load_state_dict(state.average)
        self._optimizer.load_state_dict(state.optimizer)
        self.step, self._losses, self.history = state.step, state.losses, state.history


def sum_of_losses(logits: Tensor, targets: Tensor, activation: Activation) -> Tensor:
    """Sum the losses of clips: cross-entropy, or a sigmoid's mean over classes.

    Args:
        logits: (B, K).
        targets: (B, K) of 0 and 1.
        activation: how logits become scores.
    """
    if activation == "softmax":
        return F.cross_entropy(logits, targets, reduction="sum")
    losses = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return losses.mean(1).sum()
