"""Protocol of the objects that score clips: clips in, logits out.

Implemented by `Engine` and by the batch's shared engine, which collects clips of several videos.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from vswin_cli.config import Decoder
from vswin_cli.timeline.scores import ClipLogits
from vswin_cli.video.clips import Clip

if TYPE_CHECKING:
    import torch

    from vswin_cli.models.checkpoints.load import LoadedModel

__all__ = ["Scorer"]


class Scorer(Protocol):
    """A model on a device that scores clips."""

    @property
    def model(self) -> LoadedModel:
        """The network with its card."""

    @property
    def crops(self) -> Literal[1, 3]:
        """Spatial views per clip V."""

    @property
    def device(self) -> torch.device:
        """Where the network runs."""

    @property
    def precision(self) -> str:
        """Name of the arithmetic in use, such as `float32`."""

    @property
    def decoder(self) -> Decoder:
        """What decodes the videos: `software`, or `auto` or `nvdec` with the device's NVDEC."""

    @property
    def spare_decoders(self) -> int:
        """Decoders that may work on one video at once."""

    def with_crops(self, crops: Literal[1, 3]) -> Scorer:
        """Return a scorer with the same network and another number of views per clip.

        Raises:
            ValueError: this scorer cannot change it.
        """

    def with_features(self) -> Scorer:
        """Return a scorer with the same network whose `ClipLogits` hold features, too.

        Raises:
            ValueError: this scorer cannot change it.
        """

    def with_cells(self, classes: Sequence[int]) -> Scorer:
        """Return a scorer with the same network whose `ClipLogits` hold `cells` of classes.

        Raises:
            ValueError: this scorer cannot change it.
        """

    def score(self, clips: Iterable[Clip]) -> Iterator[ClipLogits]:
        """Run clips through the network, in order; logits are (V, D, K) per clip.

        Raises:
            DeviceError: out of memory even with one view at a time.
        """
