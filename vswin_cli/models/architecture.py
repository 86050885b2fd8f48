"""Records of the shape of a network and of its input.

Independent of torch, so that tables, planners and the command line can use them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

__all__ = ["Activation", "Architecture", "InputSpec", "Sampling"]

Activation = Literal["softmax", "sigmoid"]
Sampling = Literal["dense", "uniform"]

# Limits for damaged or hostile cards and checkpoints, because tables grow with the square of a
# window's tokens.
_LONGEST_SIDE, _MOST_TOKENS, _MOST_CHANNELS, _MOST_STAGES = 4096, 4096, 16384, 16


@dataclass(frozen=True, slots=True)
class Architecture:
    """Shape of a Video Swin Transformer (arXiv 2106.13230, section 3.3).

    Raises:
        ValueError: stages and heads differ in number, or a width does not divide by its heads.
    """

    name: str
    """`swin3d_tiny`, `swin3d_base`, ...; informative, only the numbers below are used."""
    embed_dim: int
    """Channels C of the first stage; doubled by each patch merging."""
    depths: tuple[int, ...]
    """Blocks per stage."""
    num_heads: tuple[int, ...]
    """Attention heads per stage."""
    window_size: tuple[int, int, int] = (8, 7, 7)
    """Attention window P×M×M in tokens (time, height, width)."""
    patch_size: tuple[int, int, int] = (2, 4, 4)
    """Pixels per token (time, height, width)."""
    mlp_ratio: float = 4.0
    """Hidden width of a block's MLP over its own."""

    def __post_init__(self) -> None:
        if len(self.depths) != len(self.num_heads) or not self.depths:
            raise ValueError(f"stages disagree: {self.depths = }, {self.num_heads = }")
        if not all(0 < side <= _LONGEST_SIDE for side in (*self.window_size, *self.patch_size)):
            raise ValueError(f"impossible: {self.window_size = }, {self.patch_size = }")
        if prod(self.window_size) > _MOST_TOKENS or not 0 < self.embed_dim <= _MOST_CHANNELS:
            raise ValueError(f"impossible: {self.window_size = }, {self.embed_dim = }")
        if len(self.depths) > _MOST_STAGES:
            raise ValueError(f"impossible: {len(self.depths)} stages")
        for stage, heads in enumerate(self.num_heads):
            width = self.embed_dim << stage
            if heads < 1 or width % heads:
                raise ValueError(f"stage {stage}: {width} channels over {heads} heads")

    @property
    def num_features(self) -> int:
        """Count the channels of the last stage, which the head reads."""
        return self.embed_dim << (len(self.depths) - 1)

    @property
    def cell_pixels(self) -> tuple[int, int]:
        """Compute height and width in pixels of a cell of the last grid."""
        _, height, width = self.patch_size
        merges = len(self.depths) - 1
        return height << merges, width << merges

    def cell_grid(self, height: int, width: int) -> tuple[int, int]:
        """Count the cells H'×W' of the last grid for H×W pixels; the last ones may be padded."""
        rows, columns = self.cell_pixels
        return -(-height // rows), -(-width // columns)


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The input that weights expect: sampling in time, size in space, normalisation of values."""

    num_frames: int = 32
    """Frames T per clip."""
    frame_rate: float = 15.0
    """Sampled frames per second of presentation time."""
    frame_interval: int = 2
    """Distance in source frames, for the paper's protocol by frame index."""
    sampling: Sampling = "dense"
    """`dense`: neighbours at the rate above; `uniform`: T frames spread over the clip."""
    resize_short_side: int = 224
    """Pixels of the frame's shorter side after resizing."""
    crop_size: int = 224
    """Pixels of the square crop."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """Per RGB channel, on the 0-1 scale."""
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    """Per RGB channel, on the 0-1 scale."""
    stride_percent: float = 75.0
    """Distance between clip starts along a video, in percent of a clip. 75 takes two thirds of the
    computation of the usual half clip: with scores per time step it was at least as good on
    synthetic tracks, except with strong mixing in time (examples/timeline_resolution.py)."""

    @property
    def clip_seconds(self) -> float:
        """Compute the presentation time that one clip covers."""
        return self.num_frames / self.frame_rate
