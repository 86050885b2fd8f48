"""Records of a benchmark's results; free of torch.

Times are kept pass by pass. A rate or a ratio comes from the fastest pass, which is the one that
other programs disturbed least; the median beside it shows how steady the machine was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from vswin_cli._version import __version__
from vswin_cli.storage.json_records import named

__all__ = [
    "BENCH_SCHEMA",
    "BenchReport",
    "Ceiling",
    "DecodeCeiling",
    "Machine",
    "Memory",
    "NetworkReport",
    "NetworkRow",
    "PeerVideo",
    "PrecisionRow",
    "Stage",
    "SubjectRecord",
    "Timing",
    "VideoReport",
]

BENCH_SCHEMA = "vswin.bench/1"


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds that the same work took, pass by pass."""

    fastest_seconds: float
    median_seconds: float
    passes_seconds: tuple[float, ...]
    """In the order measured."""

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Timing:
        """Summarise measured passes, at least one."""
        return cls(min(seconds), median(seconds), tuple(seconds))

    def per(self, amount: int) -> Timing:
        """Divide by the number of clips that each pass processed."""
        return Timing.of([seconds / amount for seconds in self.passes_seconds])


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine on which the figures were measured."""

    processor: str
    """The CPU's own name."""
    logical_cores: int
    """As the system counts them."""
    usable_cores: int
    """That this process may run on."""
    memory_bytes: int | None
    system: str
    python: str
    torch: str
    threads: int
    """That PyTorch uses on the CPU."""
    device: str
    """Where the network ran, as torch calls it."""
    device_name: str
    """The same in words."""
    peers: tuple[str, ...] = ()
    """Packages compared with, name and version."""
    vswin: str = __version__


@dataclass(frozen=True, slots=True)
class SubjectRecord:
    """The network that was measured."""

    id: str
    architecture: str
    random_weights: bool
    num_classes: int
    input: tuple[int, ...]
    """Frames, height and width of a clip."""
    reference_macs: int
    """Multiply-adds that the reference implementations do per clip, masked pairs included."""
    unmasked_macs: int
    """The same without the pairs of tokens that the attention masks rule out."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The fastest matrix product of the device in one precision."""

    precision: str
    gflops: float
    """Of the largest of all shapes; a multiply-add counts two."""
    shape: str
    """Rows × inner × columns."""
    shapes_tried: int


@dataclass(frozen=True, slots=True)
class NetworkRow:
    """One implementation of the network in one precision."""

    name: str
    """`vswin`, `torchvision`, or either with `compiled`."""
    precision: str
    timing: Timing
    """Of one clip, in the faster of the two ways to use a CPU's threads."""
    one_pass_per_thread: bool = field(metadata=named("apart"))
    """Which one: true for one pass per thread, false for all threads on one pass."""
    clips_at_once: int
    other_way_seconds: float | None
    """Of one clip in the other way, fastest pass; `None` where it was not tried."""
    clips_per_second: float
    gflops: float
    """By the multiply-adds of the reference, even where an implementation skips some."""
    share: float
    """Of the ceiling in this precision."""
    slower: float
    """How many times as long as `vswin` in this precision."""
    slower_than_best: float
    """How many times as long as `vswin` in its fastest precision."""
    difference: float | None
    """Largest of its logits' differences from `vswin` in this precision on the same clips."""


@dataclass(frozen=True, slots=True)
class PrecisionRow:
    """Differences of a faster precision from float32, over the clips of the video."""

    precision: str
    largest_difference: float
    """Of a clip's logits from those in float32."""
    largest_logit: float
    """In float32, for scale."""
    agreement: float
    """Share of clips with the same best label as in float32."""
    step_agreement: float
    """The same over the time steps."""
    clips: int


@dataclass(frozen=True, slots=True)
class NetworkReport:
    """The network alone, on clips that are already decoded."""

    ceilings: tuple[Ceiling, ...]
    rows: tuple[NetworkRow, ...]
    precisions: tuple[PrecisionRow, ...]
    notes: tuple[str, ...] = ()
    """What could not be measured, and why."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of the work on a video, done alone, or all of it."""

    timing: Timing
    times_real_time: float
    """Seconds of video per second, in the fastest pass."""


@dataclass(frozen=True, slots=True)
class DecodeCeiling:
    """Rate of decoding the same video when the machine does nothing else."""

    frames_per_second: float
    """Of independent single-threaded decoders, one per core."""
    decoders: int
    share: float
    """Of decoding alone in both ceilings together. Above 1 where decoding skips frames that
    nothing needs: the ceiling skips none."""
    hardware_frames_per_second: float | None = None
    """Of decoders on the graphics card's NVDEC; `None` where there is none for this video."""
    hardware_decoders: int = 0


@dataclass(frozen=True, slots=True)
class Memory:
    """The most memory that tagging the video took, in processes of its own."""

    main_bytes: int
    decoder_bytes: int
    """Of all decoding processes at once."""
    total_bytes: int
    """Of both at the same time, at most; shared pages count twice."""
    device_bytes: int | None = None
    """Of the accelerator, as PyTorch counts them."""


@dataclass(frozen=True, slots=True)
class PeerVideo:
    """Another tool on the same video."""

    name: str
    precision: str
    settings: str
    """Its options."""
    timing: Timing
    times_real_time: float
    clips: int
    """That it gave to the network."""
    slower: float
    """How many times as long as `vswin`, end to end, as vswin runs by itself."""
    slower_float32: float
    """How many times as long as `vswin` in float32."""
    difference: float
    """Largest difference of the logits of one and the same clip in float32."""


@dataclass(frozen=True, slots=True)
class VideoReport:
    """Times of a video from the file to the timeline, stage by stage."""

    uri: str
    synthesised: bool
    width: int
    height: int
    codec: str
    duration_seconds: float
    frames: int
    clips: int
    precision: str
    """In which the network ran."""
    decode: Stage
    """Decoding, resizing and transfer from the decoder process, with nothing else to do."""
    frames_per_second: float
    """Of decoding alone."""
    model: Stage
    """The same number of clips through the engine, already decoded."""
    end_to_end: Stage
    to_slower: float
    """End to end over the slower of the two; 1 if they overlap perfectly."""
    to_sum: float
    """End to end over their sum; 1 if they do not overlap at all."""
    memory: Memory | None
    float32: Stage | None = None
    """End to end in float32, where the network ran in another precision and a peer is there."""
    peers: tuple[PeerVideo, ...] = ()
    notes: tuple[str, ...] = ()
    decode_ceiling: DecodeCeiling | None = None
    """`None` where plain decoding of the video fails, as on a damaged one."""


@dataclass(frozen=True, slots=True)
class BenchReport:
    """All results of one run."""

    machine: Machine
    subject: SubjectRecord
    network: NetworkReport
    video: VideoReport = field(metadata=named("film"))
    """`film` in JSON since `vswin.bench/1` was first written."""
    passes: int
    """How often each was measured."""
    precision_reason: str = ""
    """Why the network ran in the precision that it did."""
