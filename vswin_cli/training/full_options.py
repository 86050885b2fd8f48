"""Options of training a whole network. Independent of torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from vswin_cli.config import Precision
from vswin_cli.errors import OptionError
from vswin_cli.models.architecture import Activation

__all__ = ["FullOptions"]

_DEFAULT_HINT = "leave it out to take the value of the paper's recipe"
_LIMITS: tuple[tuple[tuple[str, ...], Callable[[float], bool], str, str], ...] = (
    (
        ("epochs", "clips_per_step", "clips_at_once"),
        lambda value: value >= 1,
        "1 or more",
        _DEFAULT_HINT,
    ),
    (
        ("drop_path", "dropout", "ema_decay"),
        lambda value: 0 <= value < 1,
        "in [0, 1)",
        _DEFAULT_HINT,
    ),
    (
        ("learning_rate", "backbone_rate", "weight_decay", "warmup_epochs"),
        lambda value: 0 <= value < math.inf,
        "finite and not negative",
        _DEFAULT_HINT,
    ),
    (
        ("smallest_crop",),
        lambda value: 0 < value <= 1,
        "in (0, 1]",
        "1 takes the whole frame, 0.08 is usual",
    ),
    (
        ("held_out",),
        lambda value: 0 < value <= 0.5,
        "in (0, 0.5]",
        "0.2 measures on a fifth of the videos",
    ),
)
"""Names of options with the rule that their values obey, the rule in words, and a hint."""


@dataclass(frozen=True, slots=True)
class FullOptions:
    """How a whole network is trained. `None` means: as the paper does for its size.

    Raises:
        OptionError: a value is out of its range.
    """

    name: str = "own-labels"
    """Id of the new model in results."""
    multi_label: bool = False
    """Several labels may hold at once: one sigmoid each, instead of a softmax over all."""
    epochs: int = 30
    """Passes over the examples."""
    clips_per_step: int = 16
    """Clips per step, over all processes."""
    clips_at_once: int = 4
    """Clips per pass through the network; gradients of several passes are added up."""
    learning_rate: float | None = None
    """Of the head; by default 0.001 for 64 clips, in proportion to the batch."""
    backbone_rate: float | None = None
    """Factor of the rate for all but the head: 0.1, or 1 from random weights."""
    warmup_epochs: float = 2.5
    """Epochs in which the rate rises."""
    weight_decay: float | None = None
    """None is applied to norms, biases and position tables."""
    drop_path: float | None = None
    """Chance that a branch of the last block is left out; it rises from 0 at the first."""
    dropout: float = 0.5
    """Share of the features that are left out before the head."""
    ema_decay: float = 0.999
    """Of the average of the weights, which becomes the result; 0 for the last weights."""
    flip: bool = True
    """Mirror half of the clips, but none where a label names a direction (left, right)."""
    smallest_crop: float = 0.08
    """Least share of the frame's area that a clip shows."""
    recompute: bool = False
    """Compute blocks again in the backward pass: less memory, a third more time."""
    precision: Precision = "auto"
    """bfloat16 where it is fast, else float32."""
    checkpoint_seconds: float = 60.0
    """Time between two checkpoints; 0 for one after every step."""
    held_out: float = 0.2
    """Share of the examples to measure on."""
    from_scratch: bool = False
    """Begin with random weights of the model's shape."""
    seed: int = 0
    """Of the split and of every random choice."""

    def __post_init__(self) -> None:
        for names, is_valid, limits, hint in _LIMITS:
            for name in names:
                value = getattr(self, name)
                if value is not None and not is_valid(value):
                    raise OptionError(f"{name} must be {limits}, got {value:g}", hint=hint)
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise OptionError(
                f"a network cannot be trained in {self.precision}",
                hint="give auto, float32 or bfloat16",
            )

    @property
    def activation(self) -> Activation:
        """How the head's logits become scores."""
        return "sigmoid" if self.multi_label else "softmax"
