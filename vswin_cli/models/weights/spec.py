"""Records that describe published weights before they are downloaded.

`table` holds them; nothing here is loaded or downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

from vswin_cli.models.architecture import Activation, Architecture, InputSpec

__all__ = [
    "Accuracy",
    "Certainty",
    "FileHash",
    "RemoteFile",
    "WeightsSource",
    "WeightsSpec",
    "parameter_count",
]

Certainty = Literal["confirmed", "published", "reported"]


@dataclass(frozen=True, slots=True)
class FileHash:
    """The sha256 of a file, or its beginning, and how certain it is.

    Raises:
        ValueError: not 8 to 64 lower-case hexadecimal digits.
    """

    hex: str
    """All 64 digits, or only the first ones if no more are published."""
    certainty: Certainty
    """`confirmed`: by several independent sources. `published`: by the publisher, for example in
    the file's name. `reported`: by one third party; a difference is only a warning."""

    def __post_init__(self) -> None:
        if not 8 <= len(self.hex) <= 64 or set(self.hex) - set("0123456789abcdef"):
            raise ValueError(f"not a sha256 or the beginning of one: {self.hex!r}")

    def matches(self, sha256: str) -> bool:
        """Return whether a whole hash begins with these digits."""
        return sha256.startswith(self.hex)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a source, with the size and hash to check."""

    path: str
    """Path inside the Hub repository, or the file's name at a URL."""
    size_bytes: int | None = None
    """Exact size if known; a file of another size is rejected."""
    tensor_bytes: int | None = None
    """If the size is unknown: that of the tensors alone. A smaller file is rejected."""
    extra_bytes: int | None = None
    """How much larger than its tensors the file may be; `None` for no limit."""
    about_bytes: int | None = None
    """Approximate size for planning, if the exact one is unknown."""
    sha256: FileHash | None = None
    """Hash if known; otherwise that of the first download is recorded."""

    @property
    def planned_bytes(self) -> int:
        """Best known size before the download; 0 if unknown."""
        return self.size_bytes or self.about_bytes or self.tensor_bytes or 0

    def size_problem(self, size_bytes: int) -> str | None:
        """Describe why a size is wrong; `None` if it is acceptable."""
        if self.size_bytes is not None:
            if size_bytes != self.size_bytes:
                return f"got {size_bytes} bytes, expected {self.size_bytes}"
        elif self.tensor_bytes is not None:
            if size_bytes < self.tensor_bytes:
                return f"got {size_bytes} bytes, but the tensors alone take {self.tensor_bytes}"
            if self.extra_bytes is not None and size_bytes > self.tensor_bytes + self.extra_bytes:
                return (
                    f"got {size_bytes} bytes, expected at most "
                    f"{self.tensor_bytes + self.extra_bytes}"
                )
        return None


@dataclass(frozen=True, slots=True)
class WeightsSource:
    """One place from which weights can be downloaded.

    Raises:
        ValueError: neither or both of `repo` and `base_url`, or no files.
    """

    key: str
    """Short name, for `--source`: `hub`, `authors`, `torchvision`, `openmmlab`."""
    files: tuple[RemoteFile, ...]
    """Files to download; the first one is passed to the checkpoint reader."""
    repo: str | None = None
    """Hub repository `USER/REPO`, or:"""
    base_url: str | None = None
    """URL prefix of each file's path, ending in a slash."""
    revision: str | None = None
    """Hub revision; `None` is the main branch."""
    licence: str = "unknown"
    """Licence of this copy, as its publisher states it."""
    other_training: str | None = None
    """Set if the weights are from another training run than those of the first source; describes
    the difference. Such a source is used only on request."""

    def __post_init__(self) -> None:
        if (self.repo is None) == (self.base_url is None) or not self.files:
            raise ValueError(f"source {self.key!r} needs files and a repo or a base URL")

    @property
    def uri(self) -> str:
        """Address of the largest file, which holds the tensors."""
        return self.file_uri(max(self.files, key=lambda file: file.planned_bytes))

    def file_uri(self, file: RemoteFile) -> str:
        """Build the address of one of the files: its URL, or `hf://USER/REPO[@REV]/PATH`."""
        if self.base_url is not None:
            return self.base_url + file.path
        at = f"@{self.revision}" if self.revision else ""
        return f"hf://{self.repo}{at}/{file.path}"

    @property
    def download_bytes(self) -> int:
        """Bytes to download, as far as known."""
        return sum(file.planned_bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """A published result; the same weights have different ones under different protocols."""

    top1: float
    """Percent of videos whose best label is right."""
    top5: float
    """Percent of videos with the right label among the five best."""
    protocol: str
    """How it was measured."""
    by: str
    """Who published it."""


@dataclass(frozen=True, slots=True)
class WeightsSpec:
    """Metadata of published weights, available before their download."""

    name: str
    """Name for the command line, such as `swin-t-k400`."""
    dataset: str
    """Data set of the classes, such as `kinetics-400`."""
    labels: str
    """Name of the bundled label list."""
    num_classes: int
    """Width K of the head."""
    architecture: Architecture
    input: InputSpec
    sources: tuple[WeightsSource, ...]
    """In the order in which they are tried."""
    parameters: int
    """Number of trainable parameters, including the head."""
    pretrained_on: str
    """Data set of the pretraining."""
    accuracy: tuple[Accuracy, ...]
    """Published results, those of the authors or trainers first."""
    flops_per_view: float | None = None
    """Multiply-adds of one view (32×224×224), as published."""
    activation: Activation = "softmax"
    licence: str = "Apache-2.0"
    """Licence of the trainers' repository."""
    origin: str = ""
    """Who trained it."""
    notes: str = ""
    """Remarks for users who choose a model."""


def parameter_count(architecture: Architecture, num_classes: int) -> int:
    """Count the trainable parameters of the network, in closed form.

    Follows the layers of arXiv 2106.13230 section 3 as released: every linear layer but the
    patch merging's has a bias, every block its own relative position bias table.

    Args:
        architecture: the network's shape.
        num_classes: width K of the head.
    """
    patch = 3 * prod(architecture.patch_size)
    total = (patch + 1) * architecture.embed_dim + 2 * architecture.embed_dim  # embedding, norm
    table_rows = prod(2 * side - 1 for side in architecture.window_size)
    for stage, (depth, heads) in enumerate(
        zip(architecture.depths, architecture.num_heads, strict=True)
    ):
        width = architecture.embed_dim << stage
        hidden = int(width * architecture.mlp_ratio)
        norms = 4 * width
        attention = (width + 1) * 3 * width + (width + 1) * width + table_rows * heads
        mlp = (width + 1) * hidden + (hidden + 1) * width
        total += depth * (norms + attention + mlp)
        if stage + 1 < len(architecture.depths):
            total += 2 * 4 * width + 4 * width * 2 * width  # norm and reduction of the merging
    features = architecture.num_features
    return total + 2 * features + (features + 1) * num_classes  # last norm, head
