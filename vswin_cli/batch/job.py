"""What is handed to a worker, and what a worker says back. All of it travels between processes."""

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
    "Fatal",
    "Job",
    "Lost",
    "Message",
    "Part",
    "PartDone",
    "Pulse",
    "Ready",
    "Setup",
    "Task",
    "TooLong",
]


MAX_CAPACITY = 16
"""A worker takes no more jobs at a time."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How a worker gets its network."""

    reference: str
    """Name or absolute path of the weights."""
    labels: Path | None
    """Label list, absolute."""
    options: EngineOptions
    """Precision as settled for all workers."""
    crops: Literal[1, 3]
    weights_sha256: str
    """What the weights must turn out to be."""
    num_threads: int | None = None
    """Processor threads for the network; `None` for torch's own choice."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is the same for every video of a batch."""

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
    """Videos longer than twice this are divided into parts; `None`: never."""

    def scores_path(self, entry: str) -> Path | None:
        """Where the score track of an entry goes."""
        return None if self.scores is None else self.scores / f"{entry}.npz"


@dataclass(frozen=True, slots=True)
class Part:
    """One of several overlapping parts of a video."""

    index: int
    count: int
    start_seconds: float
    end_seconds: float | None
    """`None` for the last part: whatever comes."""
    seam_seconds: float
    """From here on this part counts and no longer the one before."""


@dataclass(frozen=True, slots=True)
class Job:
    """One video, or a part of one, to be analysed."""

    source: VideoSource
    """With an absolute path."""
    entry: str
    identity: str | None
    size_bytes: int
    may_split: bool = True
    """Whether a long video may be given back to be divided."""
    part: Part | None = None
    attempt: int = 1
    alone: bool = False
    """Whether a worker should have no other job beside it: a worker with several was lost."""

    @property
    def key(self) -> str:
        """Tells jobs in flight apart."""
        return self.entry if self.part is None else f"{self.entry}/{self.part.index}"

    @classmethod
    def of(cls, one: BatchInput) -> Job:
        """The job that an input needs."""
        path = one.source.path
        source = VideoSource(one.source.uri, None if path is None else path.absolute())
        return cls(source, one.entry, one.identity, one.size_bytes)

    def again(self) -> Job:
        """The same once more."""
        return replace(self, attempt=self.attempt + 1)

    def blank(self, task: Task) -> Outcome:
        """An outcome to be filled in."""
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
    """The worker has its network and takes jobs."""

    device: str
    capacity: int = 1
    """How many jobs it takes at a time: what fills a batch if all videos are short."""
    num_decoders: int = 1
    """How many of them may be `Decoded` not yet."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """The worker made progress."""

    seconds: float
    """Position in the video."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """All clips of the video are on their way to a batch; the worker could begin another."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """The video should be divided; nothing was analysed."""

    duration_seconds: float
    stride_seconds: float
    """Distance of clips."""
    clip_seconds: float
    step_seconds: float
    """Length of a cell of the score track."""


@dataclass(frozen=True, slots=True)
class PartDone:
    """A part of a video was dealt with."""

    has_scores: bool
    """Whether its scores are on disk; otherwise it could not be analysed."""
    elapsed_seconds: float
    device: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The worker is gone, or of no more use, and its job not done."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Fatal:
    """Something that would fail every job: the batch must end."""

    error: VswinError


Message = Ready | Pulse | Decoded | Outcome | TooLong | PartDone | Lost | Fatal
