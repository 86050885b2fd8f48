"""Make the clips of a run, with the random choices of the recipe, ready for the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vswin_cli.models.architecture import Activation, Architecture, InputSpec
from vswin_cli.training.augmentation import (
    CropBox,
    choose_crop,
    draw_choices,
    epoch_order,
    make_clip,
    tells_direction,
)
from vswin_cli.training.clip_reader import ClipReader
from vswin_cli.training.full_options import FullOptions
from vswin_cli.training.records import BACKGROUND, Example
from vswin_cli.video.decoder_pool import DecoderPool

__all__ = ["BatchPlan", "ClipMaker", "TrainingClip", "TrainingData", "stack_clips"]

_RESIZE = 256 / 224  # short side of a frame over the side of a crop, in the authors' pipeline


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """Examples, and the side of the split that each is on."""

    train: Sequence[Example]
    held_out: Sequence[Example]
    labels: tuple[str, ...]
    """Names of the K classes."""
    activation: Activation

    def target_of(self, example: Example) -> Tensor:
        """Return which classes hold: (K,) of 0 and 1; for a softmax one of them."""
        names = example.labels or (BACKGROUND,)
        return torch.tensor([float(label in names) for label in self.labels])


@dataclass(frozen=True, slots=True, eq=False)
class TrainingClip:
    """One clip with its target and with what the network leaves out for it."""

    pixels: Tensor
    """(3, T, S, S), normalised."""
    target: Tensor
    """(K,) of 0 and 1."""
    branch_scales: Tensor
    """(blocks, 2): 0 for a branch that is left out, else 1 over its chance to stay."""
    feature_scales: Tensor
    """(C,), the same for features."""


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """Which examples each step uses: all in random order, epoch after epoch.

    Examples that do not fill a batch are left out of an epoch; the next one has another order.
    """

    num_examples: int
    batch_size: int
    """At most the number of examples."""
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Batches of one epoch."""
        return self.num_examples // self.batch_size

    def batch(self, step: int) -> list[tuple[int, int]]:
        """Return (epoch, example) of each clip of a step."""
        epoch, number = divmod(step, self.steps_per_epoch)
        order = epoch_order(self.seed, epoch, self.num_examples)
        first = number * self.batch_size
        return [(epoch, int(i)) for i in order[first : first + self.batch_size]]


class ClipMaker:
    """Decode examples as random clips for training, or as middle clips for measuring.

    Args:
        data: the examples.
        spec: input of the network.
        architecture: of the network.
        options: how clips are varied.
        drop_path: chance that a branch of the last block is left out.
        pool: where decoder processes come from.
    """

    def __init__(
        self,
        data: TrainingData,
        spec: InputSpec,
        architecture: Architecture,
        options: FullOptions,
        *,
        drop_path: float,
        pool: DecoderPool,
    ) -> None:
        self._data, self._spec, self._options = data, spec, options
        self._num_features = architecture.num_features
        blocks = sum(architecture.depths)
        self._chances = np.linspace(0, drop_path, blocks)[:, None]  # (blocks, 1)
        self._varied = ClipReader(spec, pool, round(spec.crop_size * _RESIZE))
        self._plain = ClipReader(spec, pool)

    def random_clip(self, item: tuple[int, int]) -> TrainingClip:
        """Make the clip of an (epoch, example).

        Raises:
            SourceError: the video cannot be read.
        """
        epoch, number = item
        example = self._data.train[number]
        choices = draw_choices(
            self._options.seed,
            epoch,
            number,
            num_blocks=len(self._chances),
            num_features=self._num_features,
        )
        frames = self._varied.read(example, choices.start)
        box = choose_crop(
            frames.shape[1], frames.shape[2], choices.crops, self._options.smallest_crop
        )
        mirrored = (
            self._options.flip and choices.mirror < 0.5 and not tells_direction(example.labels)
        )
        return TrainingClip(
            make_clip(torch.from_numpy(frames), self._spec, box, mirrored=mirrored),
            self._data.target_of(example),
            _scales(choices.branches, self._chances),
            _scales(choices.features, np.float64(self._options.dropout)),
        )

    def middle_clip(self, example: Example) -> Tensor:
        """Make the clip in the middle of an example, its centre cut out: (3, T, S, S).

        Raises:
            SourceError: the video cannot be read.
        """
        frames = self._plain.read(example)
        height, width = frames.shape[1:3]
        side = min(self._spec.crop_size, height, width)
        box = CropBox((height - side) // 2, (width - side) // 2, side, side)
        return make_clip(torch.from_numpy(frames), self._spec, box, mirrored=False)


def _scales(numbers: NDArray[np.float64], chance: NDArray[np.float64] | np.float64) -> Tensor:
    """Return 0 where a number is below the chance, elsewhere what keeps the mean at 1."""
    kept = np.where(numbers < chance, 0.0, 1 / (1 - chance))
    return torch.from_numpy(kept.astype(np.float32))


def stack_clips(clips: Sequence[TrainingClip], device: torch.device) -> Iterator[Tensor]:
    """Yield pixels (B, 3, T, S, S), targets (B, K), branches (blocks, 2, B), features (B, C)."""
    yield torch.stack([clip.pixels for clip in clips]).to(device)
    yield torch.stack([clip.target for clip in clips]).to(device)
    yield torch.stack([clip.branch_scales for clip in clips], -1).to(device)
    yield torch.stack([clip.feature_scales for clip in clips]).to(device)
