"""Jobs for workers and the messages that workers send back; all are pickled between processes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from vswin_cli.batch.inputs import BatchInput
from vswin_cli.batch.outcome import Outcome
from vswin_cli.config import EngineOptions, SamplingOptions, SegmentOptions
from vswin_cli.errors import VswinError
from vswin_cli.storage.sources import VideoSource

__all__ = [
    "MAX_CAPACITY",
    "Decoded",
    "EngineSetup",
    "Fatal",
    "Heartbeat",
    "Job",
    "Lost",
    "Message",
    "Part",
    "PartDone",
    "Ready",
    "Task",
    "TooLong",
]


MAX_CAPACITY = 16
"""The most jobs that a worker takes at a time."""


@dataclass(frozen=True, slots=True)
class EngineSetup:
    """Settings with which a worker loads its network."""

    reference: str
    """Name or absolute path of the weights."""
    labels: Path | None
    """Label list, absolute."""
    options: EngineOptions
    """With the precision that all workers use."""
    crops: Literal[1, 3]
    weights_sha256: str
    """Expected hash of the weights: all workers must use the same."""
    num_threads: int | None = None
    """CPU threads for the network; `None` for torch's default."""
    decoding_cores: int | None = None
    """Cores that decode for a worker with a GPU; `None` for all but those that feed it."""
    ema: bool | None = None
    """Averaged or raw weights of a checkpoint that has both; `None` for its default."""


@dataclass(frozen=True, slots=True)
class Task:
    """Options and fingerprints that all videos of a batch have in common."""

    sampling: SamplingOptions
    segments: SegmentOptions
    scoring: str
    """Fingerprint of everything that the scores depend on."""
    segmenting: str
    """Fingerprint of `segments`."""
    journal: Path
    """Folder of the journal, absolute."""
    scores: Path | None
    """Folder for score tracks, absolute; `None` to keep none."""
    split_seconds: float | None = None
    """Videos longer than twice this are split into parts; `None`: never."""
    features: Path | None = None
    """Folder for features, absolute; `None` to save none."""
    evidence: bool = False
    """Whether segments say where in the frame their scores come from."""

    def scores_path(self, entry: str) -> Path | None:
        """Return the path of the score track of an entry."""
        return None if self.scores is None else self.scores / f"{entry}.npz"

    def features_path(self, entry: str) -> Path | None:
        """Return the path of the features of an entry."""
        return None if self.features is None else self.features / f"{entry}.npz"


@dataclass(frozen=True, slots=True)
class Part:
    """One of several overlapping parts of a video."""

    index: int
    count: int
    start_seconds: float
    end_seconds: float | None
    """`None` for the last part: to the end of the file."""
    seam_seconds: float
    """From here on the scores of this part are used, before it those of the part before."""


@dataclass(frozen=True, slots=True)
class Job:
    """One video, or a part of one, to be analysed."""

    source: VideoSource
    """With an absolute path."""
    entry: str
    identity: str | None
    size_bytes: int
    may_split: bool = True
    """Whether a long video may be answered with `TooLong`."""
    part: Part | None = None
    attempt: int = 1
    alone: bool = False
    """Whether the worker must have no other job: a worker with several jobs was lost."""

    @property
    def key(self) -> str:
        """Name of this job among those that run."""
        return self.entry if self.part is None else f"{self.entry}/{self.part.index}"

    @classmethod
    def of(cls, item: BatchInput) -> Job:
        """Make the job for an input."""
        path = item.source.path
        source = replace(item.source, path=None if path is None else path.absolute())
        return cls(source, item.entry, item.identity, item.size_bytes)

    def again(self) -> Job:
        """Return the job for the next attempt."""
        return replace(self, attempt=self.attempt + 1)

    def blank(self, task: Task) -> Outcome:
        """Return an outcome to be completed with the results."""
        return Outcome(
            uri=self.source.uri,
            entry=self.entry,
            identity=self.identity,
            scoring=task.scoring,
            segmenting=task.segmenting,
            status="ok",
            attempts=self.attempt,
        )


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has loaded its network and takes jobs."""

    device: str
    capacity: int = 1
    """How many jobs it takes at a time: enough to fill a batch when all videos are short."""
    num_decoders: int = 1
    """How many of its jobs may be decoding at a time."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The worker made progress."""

    seconds: float
    """Position in the video."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """All clips of the video were sent to the engine; the worker can begin another video."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """The video should be split; nothing was analysed."""

    duration_seconds: float
    stride_seconds: float
    """Distance between the starts of neighbouring clips."""
    clip_seconds: float
    step_seconds: float
    """Length of a cell of the score track."""


@dataclass(frozen=True, slots=True)
class PartDone:
    """The job of a part ended."""

    has_scores: bool
    """Whether its scores are on disk; if not, it could not be analysed."""
    elapsed_seconds: float
    device: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The worker is gone or unusable, and its job was not done."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Fatal:
    """An error that every job would raise: the batch must end."""

    error: VswinError


Message = Ready | Heartbeat | Decoded | Outcome | TooLong | PartDone | Lost | Fatal
