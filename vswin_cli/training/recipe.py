"""The recipe of fine-tuning: sizes, learning rate over time, weight decay by tensor.

Follows Liu et al., "Video Swin Transformer", CVPR 2022 (arXiv 2106.13230), section 4.1: AdamW, a
cosine with 2.5 epochs of linear warm-up, the backbone at a tenth of the head's rate, stochastic
depth and weight decay that grow with the network. A class of its own that a user adds is learned
from few examples, so that batches are smaller here and the rate follows them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn, optim

from vswin_cli.models.architecture import Architecture
from vswin_cli.training.full_options import FullOptions

__all__ = ["Recipe", "Schedule", "make_optimizer"]

_RATE = 1e-3  # of the head, at the paper's batch of 64 clips
_PAPER_BATCH = 64
_WARMUP_START = 0.1  # of the rate
_LARGE_WIDTH, _TINY_BLOCKS = 128, 12


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the options leave to the network's size and to the batch, decided."""

    learning_rate: float
    backbone_rate: float
    """Factor."""
    weight_decay: float
    drop_path: float

    @classmethod
    def of(cls, options: FullOptions, architecture: Architecture, batch_size: int) -> Recipe:
        """Decide what the options leave open; sizes are those of section 4.1."""
        drop_path, decay = _for_size(architecture)
        rate = _RATE * batch_size / _PAPER_BATCH
        return cls(
            _given(options.learning_rate, rate),
            _given(options.backbone_rate, 1.0 if options.from_scratch else 0.1),
            _given(options.weight_decay, decay),
            _given(options.drop_path, drop_path),
        )


def _given(value: float | None, default: float) -> float:
    return default if value is None else value


def _for_size(architecture: Architecture) -> tuple[float, float]:
    """Return stochastic depth and weight decay: Swin-T, -S and -B in this order."""
    if architecture.embed_dim >= _LARGE_WIDTH:
        return 0.3, 0.05
    return (0.1 if sum(architecture.depths) <= _TINY_BLOCKS else 0.2), 0.02


@dataclass(frozen=True, slots=True)
class Schedule:
    """The learning rate over time: a cosine to zero, times a linear rise at the start."""

    total_steps: int
    warmup_steps: float

    def factor(self, step: int) -> float:
        """Return the factor of the rate in a step, counted from 0."""
        cosine = (1 + math.cos(math.pi * step / self.total_steps)) / 2
        if step >= self.warmup_steps:
            return cosine
        return cosine * (_WARMUP_START + (1 - _WARMUP_START) * step / self.warmup_steps)


def make_optimizer(network: nn.Module, recipe: Recipe) -> optim.AdamW:
    """Make the optimiser; each group holds its full rate as `full_rate`.

    Tensors are grouped by whether they are the head's, and whether weight decay applies.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, tensor in network.named_parameters():
        decays = tensor.ndim > 1 and not name.endswith("relative_position_bias_table")
        groups.setdefault((name.startswith("head."), decays), []).append(tensor)
    return optim.AdamW(
        [
            {
                "params": tensors,
                "full_rate": recipe.learning_rate * (1 if is_head else recipe.backbone_rate),
                "weight_decay": recipe.weight_decay if decays else 0.0,
            }
            for (is_head, decays), tensors in sorted(groups.items())
        ],
        lr=recipe.learning_rate,
    )
