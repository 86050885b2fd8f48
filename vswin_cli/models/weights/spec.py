"""Records that describe published weights before they are downloaded.

`registry` fills them in; nothing here loads or fetches anything.
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
    """What is known of a file's sha256.

    Raises:
        ValueError: not 8 to 64 lower-case hexadecimal digits.
    """

    hex: str
    """All 64 digits, or the first ones where the publisher gives only those."""
    certainty: Certainty
    """`confirmed`: several independent sources agree. `published`: stated by the publisher, in
    the file's name for example. `reported`: one third party says so; a difference warns."""

    def __post_init__(self) -> None:
        if not 8 <= len(self.hex) <= 64 or set(self.hex) - set("0123456789abcdef"):
            raise ValueError(f"not a sha256 or the beginning of one: {self.hex!r}")

    def matches(self, sha256: str) -> bool:
        """Whether a whole hash begins with what is known."""
        return sha256.startswith(self.hex)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a source, with everything that can be checked about it."""

    path: str
    """Path inside the Hub repository, or the file's name at a URL."""
    size_bytes: int | None = None
    """Exact length where known; a file of another length is refused."""
    tensor_bytes: int | None = None
    """Where the length is not known: what the tensors alone take. A shorter file is refused."""
    extra_bytes: int | None = None
    """How much longer than its tensors the file may be; `None`: any amount."""
    about_bytes: int | None = None
    """Length for planning only, where the exact one is not known."""
    sha256: FileHash | None = None
    """What is known of the hash; `None`: the first one seen is remembered."""

    @property
    def planned_bytes(self) -> int:
        """Length as far as known before the download; 0 when nothing is known."""
        return self.size_bytes or self.about_bytes or self.tensor_bytes or 0

    def size_problem(self, size_bytes: int) -> str | None:
        """Say what is wrong with a length, or `None` if nothing is."""
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
    """One place from which weights can be had.

    Raises:
        ValueError: neither or both of `repo` and `base_url`, or no files.
    """

    key: str
    """Short name, for `--source`: `hub`, `authors`, `torchvision`, `openmmlab`."""
    files: tuple[RemoteFile, ...]
    """What to fetch; the first one is handed to the checkpoint reader."""
    repo: str | None = None
    """Hub repository `USER/REPO`, or:"""
    base_url: str | None = None
    """Address in front of each file's path, ending in a slash."""
    revision: str | None = None
    """Hub revision; `None` is the main branch."""
    licence: str = "unknown"
    """Licence of this copy, as its publisher states it."""
    other_training: str | None = None
    """Set when the numbers come from another training run than those of the first source; says
    how it differs. Such a source is used only when it is asked for."""

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
        """Bytes to download, as far as known before the download."""
        return sum(file.planned_bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """A published result; two protocols give two numbers for the same weights."""

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
    """Everything known about weights before they are downloaded."""

    name: str
    """What the user types, such as `swin-t-k400`."""
    dataset: str
    """What the classes come from, such as `kinetics-400`."""
    labels: str
    """Name of the bundled label list."""
    num_classes: int
    """Width K of the head."""
    architecture: Architecture
    input: InputSpec
    sources: tuple[WeightsSource, ...]
    """In the order in which they are tried."""
    parameters: int
    """Trainable numbers, head included."""
    pretrained_on: str
    """Where training on the dataset started from."""
    accuracy: tuple[Accuracy, ...]
    """Published results, the authors' or trainers' own first."""
    flops_per_view: float | None = None
    """Multiply-adds of one view (32×224×224), as published."""
    activation: Activation = "softmax"
    licence: str = "Apache-2.0"
    """Licence of the trainers' repository."""
    origin: str = ""
    """Who trained it."""
    notes: str = ""
    """What a user should know before choosing it."""


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
