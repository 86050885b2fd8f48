"""Train a whole network on a user's own examples.

examples → those that can be read → split by video → fine-tuning → calibration → model folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from vswin_cli._version import __version__
from vswin_cli.config import EngineOptions
from vswin_cli.errors import SourceError
from vswin_cli.inference.engine import Engine
from vswin_cli.inference.precision import choose_precision
from vswin_cli.models.card import ModelCard
from vswin_cli.models.checkpoints.load import Checkpoint, LoadedModel, build_model
from vswin_cli.storage.files import as_path
from vswin_cli.storage.plain_text import text_sha256
from vswin_cli.training.calibration import Calibrated, calibrate
from vswin_cli.training.example_features import compute_features
from vswin_cli.training.fine_tune import FineTuning, RunPlace
from vswin_cli.training.full_options import FullOptions
from vswin_cli.training.initial import initial_network
from vswin_cli.training.processes import ProcessGroup, join_processes
from vswin_cli.training.progress import OnTraining, no_progress
from vswin_cli.training.readable import ReadableExamples, check_readable
from vswin_cli.training.recipe import Recipe
from vswin_cli.training.record import ExampleRecord, OptionRecord, TrainingRecord
from vswin_cli.training.records import (
    Example,
    ExampleSet,
    check_examples,
    check_labels,
    notes_on_counts,
)
from vswin_cli.training.run_state import checkpoint_path
from vswin_cli.training.split import Split, split_examples
from vswin_cli.training.trained import TrainedModel
from vswin_cli.training.trained_card import (
    UNMEASURED,
    classes_of,
    trained_card,
    usable_examples,
)
from vswin_cli.training.training_clips import ClipMaker, TrainingData
from vswin_cli.video.decoder_pool import DecoderPool

__all__ = ["train_full"]

_FREE = ("name", "checkpoint_seconds", "clips_at_once")  # may differ when a run goes on
_METHOD = "examples of videos that were not trained on"


def train_full(
    found: ExampleSet,
    base: LoadedModel,
    options: FullOptions = FullOptions(),
    *,
    device: torch.device | None = None,
    folder: str | os.PathLike[str] | None = None,
    resume: bool = True,
    on_progress: OnTraining = no_progress,
) -> TrainedModel | None:
    """Train all weights of a network.

    Started by `torchrun`, several processes train together; on CUDA each takes one GPU.

    Args:
        found: labelled examples, from `read_examples` and `add_background`.
        base: the network to begin with, from `load_model` or `load_initial`.
        options: how.
        device: where; by default the CPU.
        folder: the model folder to be, beside which the state of the run is kept until the
            result is saved there. Without it, an interrupted run begins again.
        resume: go on with the run whose state is there.
        on_progress: called after each step.

    Returns:
        The network, its card with what was measured on held-out videos, and a record of the run;
        `None` in all processes but the first.

    Raises:
        SourceError: no examples, one class only, labels that differ only in spelling, or not one
            example can be read.
        OptionError: several labels at once without `multi_label`, or too many processes.
        CheckpointError: the kept state is of another run.
        DeviceError: out of memory.
        VswinError: the loss is no longer a number.
    """
    check_examples(found)
    usable, notes = usable_examples(found, multi_label=options.multi_label)
    check_labels(usable)
    with join_processes(device or torch.device("cpu")) as (group, place), DecoderPool() as pool:
        spec = base.card.input
        read = check_readable(usable, spec, pool, group=group, on_progress=on_progress)
        check_labels(read.examples, (*found.problems, *read.problems))
        side = _Sides.of(read.examples, options)
        data = TrainingData(
            *side.examples(read.examples),
            classes_of(check_labels(read.examples), read.examples, multi_label=options.multi_label),
            options.activation,
        )
        state_file = None if folder is None else checkpoint_path(as_path(folder, "folder"))
        run = _make_run(base, data, read, options, pool, place, group, state_file, resume)
        run.run(on_progress)
        if not group.is_first:
            return None
        found = replace(found, notes=(*found.notes, *notes, *side.notes))
        return _finish(run, base, data, read, side.split, found, options, place, on_progress)


@dataclass(frozen=True, slots=True)
class _Sides:
    """The split, and remarks on it."""

    split: Split
    notes: tuple[str, ...]

    @classmethod
    def of(cls, examples: Sequence[Example], options: FullOptions) -> _Sides:
        """Split by video; all examples are trained on where there is only one video."""
        try:
            split = split_examples(examples, share=options.held_out, seed=options.seed)
        except SourceError:
            if len({each.video for each in examples}) > 1:
                raise
            return cls(Split(tuple(range(len(examples))), ()), (UNMEASURED,))
        return cls(split, ())

    def examples(self, examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
        """Return the examples to train on, and those to measure on."""
        return [examples[i] for i in self.split.train], [examples[i] for i in self.split.held_out]


def _make_run(
    base: LoadedModel,
    data: TrainingData,
    read: ReadableExamples,
    options: FullOptions,
    pool: DecoderPool,
    device: torch.device,
    group: ProcessGroup,
    state_file: Path | None,
    resume: bool,
) -> FineTuning:
    architecture, spec = base.card.architecture, base.card.input
    batch_size = min(options.clips_per_step, len(data.train))
    recipe = Recipe.of(options, architecture, batch_size)
    network = initial_network(
        base, data.labels, from_scratch=options.from_scratch, seed=options.seed
    )
    clips = ClipMaker(data, spec, architecture, options, drop_path=recipe.drop_path, pool=pool)
    if state_file is not None and not resume:
        group.wait()
        if group.is_first:
            state_file.unlink(missing_ok=True)
        group.wait()
    place = RunPlace(
        device,
        group,
        choose_precision(options.precision, device, base.card).dtype,
        state_file,
        _fingerprint(base, data, read, options),
    )
    return FineTuning(network, data, clips, options, recipe, place)


def _fingerprint(
    base: LoadedModel, data: TrainingData, read: ReadableExamples, options: FullOptions
) -> str:
    """Hash what must be the same when an interrupted run goes on."""
    content = [
        {name: value for name, value in asdict(options).items() if name not in _FREE},
        [base.weights_sha256, data.labels, read.digests, __version__],
        [[str(each), each.labels] for side in (data.train, data.held_out) for each in side],
        len(data.train),
    ]
    return text_sha256(json.dumps(content, sort_keys=True))


def _finish(
    run: FineTuning,
    base: LoadedModel,
    data: TrainingData,
    read: ReadableExamples,
    split: Split,
    found: ExampleSet,
    options: FullOptions,
    device: torch.device,
    on_progress: OnTraining,
) -> TrainedModel:
    """Calibrate and measure the network, and describe it."""
    state = {name: tensor.detach().cpu() for name, tensor in run.result.state_dict().items()}
    calibrated = None
    if data.held_out:
        engine = Engine(
            _as_model(state, base.card, data), EngineOptions(precision="float32"), device=device
        )
        features = compute_features(data.held_out, engine, on_progress=on_progress)
        head = (state["head.weight"], state["head.bias"])
        calibrated = calibrate(features, head, data, method=_METHOD)
        state |= {name: state[name] / calibrated.temperature for name in _HEAD}
    record = replace(
        _record(run, base, data, read, split, options, calibrated),
        left_out=(*found.problems, *read.problems),
        notes=(*found.notes, *notes_on_counts(read.examples)),
    )
    onset = None if calibrated is None else calibrated.onset
    card = trained_card(base.card, record, read.examples, options.name, options.activation, onset)
    return TrainedModel(state, card, record)


_HEAD = ("head.weight", "head.bias")


def _as_model(state: dict[str, Tensor], card: ModelCard, data: TrainingData) -> LoadedModel:
    named = replace(
        card, num_classes=len(data.labels), labels=data.labels, activation=data.activation
    )
    checkpoint = Checkpoint(
        Path("trained"),
        "vswin",
        {name: tensor.clone() for name, tensor in state.items()},
        card.architecture,
        len(data.labels),
    )
    return build_model(checkpoint, named)


def _record(
    run: FineTuning,
    base: LoadedModel,
    data: TrainingData,
    read: ReadableExamples,
    split: Split,
    options: FullOptions,
    calibrated: Calibrated | None,
) -> TrainingRecord:
    given = {
        **{name: value for name, value in asdict(options).items() if name not in ("name", "seed")},
        **asdict(run.recipe),
        "steps": run.total_steps,
        "precision": str(run.place.dtype).removeprefix("torch."),
        "device": run.place.device,
        "processes": run.place.group.count,
        "epoch_losses": " ".join(f"{entry['loss']:.6g}" for entry in run.history),
    }
    if calibrated is not None:
        given["temperature"] = f"{calibrated.temperature:.6g}"
    held_out = set(split.held_out)
    return TrainingRecord(
        method="full",
        model=base.card.id,
        model_sha256=base.weights_sha256,
        labels=data.labels,
        seed=options.seed,
        options=tuple(OptionRecord(name, str(value)) for name, value in given.items()),
        examples=tuple(
            ExampleRecord.of(each, digest, "held-out" if i in held_out else "train")
            for i, (each, digest) in enumerate(zip(read.examples, read.digests, strict=True))
        ),
        measures=None if calibrated is None else calibrated.measures,
    )
