"""The clips of one trimmed video that a test protocol asks for, frames by their exact index.

A test that counts frames must not guess how many there are: the video is decoded to its end
first, and only then are clips chosen. Short videos are kept in memory meanwhile; of longer ones
the chosen frames are decoded again.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vswin_cli.errors import DecodeError
from vswin_cli.evaluation.protocols import Protocol, frame_indices
from vswin_cli.models.architecture import InputSpec
from vswin_cli.storage.sources import VideoSource
from vswin_cli.video.clips import Clip
from vswin_cli.video.decoder_process import decode_isolated
from vswin_cli.video.decoder_protocol import Event
from vswin_cli.video.info import DecodeReport, VideoInfo
from vswin_cli.video.resize import resize_bilinear
from vswin_cli.video.sampling import SampledFrame, SamplingPlan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

__all__ = ["KEPT_BYTES", "VideoViews", "read_views"]

_HINT = "`vswin probe --scan` says what is wrong with it"

KEPT_BYTES = 256 << 20
"""Pictures held before it is known which are wanted: a minute of video at the usual size."""


@dataclass(frozen=True, slots=True, eq=False)
class VideoViews:
    """What a protocol looks at in one video."""

    indices: NDArray[np.int64]
    """(num_clips, T) source frames."""
    clips: tuple[Clip, ...]
    """One per row of `indices`; their times mean nothing."""
    num_frames: int
    """Length of the video."""
    info: VideoInfo
    report: DecodeReport


@dataclass(slots=True, eq=False)
class _Pass:
    """What one run over the video gave."""

    pictures: dict[int, Picture] = field(default_factory=dict)
    num_frames: int = 0
    held_bytes: int = 0
    info: VideoInfo | None = None
    report: DecodeReport | None = None


def read_views(
    source: VideoSource,
    spec: InputSpec,
    protocol: Protocol,
    *,
    isolate: bool = True,
    kept_bytes: int = KEPT_BYTES,
) -> VideoViews:
    """Decode a video and cut the protocol's clips.

    Args:
        source: the video.
        spec: frames per clip and their distance.
        protocol: which clips, and the size of their pictures.
        isolate: decode in a child process, so that a decoder that hangs or crashes costs this
            video only.
        kept_bytes: memory for pictures that may turn out not to be wanted.

    Raises:
        SourceError: the video cannot be opened, or not one frame can be decoded.
    """
    plan = SamplingPlan(
        num_frames=2, stride=2, short_side=protocol.short_side, by="index", resize="reference"
    )
    with source.local() as path:
        found = _run(_events(path, plan, isolate=isolate), None, kept_bytes)
        info, report, num_frames = found.info, found.report, found.num_frames
        if info is None or report is None or not num_frames:
            raise DecodeError(f"no frame of {source.uri} could be decoded", hint=_HINT)
        indices = frame_indices(protocol, spec, num_frames, _nominal_rate(info))
        if len(found.pictures) < num_frames:
            wanted = set(indices.flat)
            found = _run(_events(path, plan, isolate=isolate), wanted, kept_bytes)
            if wanted - found.pictures.keys():
                raise DecodeError(
                    f"{source.uri} gave fewer frames when it was decoded again", hint=_HINT
                )
    clips = tuple(_clip(i, row, found.pictures) for i, row in enumerate(indices))
    if protocol.crops == 1:
        clips = tuple(_centred(clip, spec.crop_size) for clip in clips)
    return VideoViews(indices, clips, num_frames, info, report)


def _events(path: Path, plan: SamplingPlan, *, isolate: bool) -> Generator[Event, None, None]:
    if isolate:
        return decode_isolated(path, plan)
    from vswin_cli.video.sampler import decode_samples  # loads PyAV

    return decode_samples(path, plan)


def _run(
    events: Generator[Event, None, None], wanted: Collection[int] | None, kept_bytes: int
) -> _Pass:
    """Decode to the end, keeping wanted pictures, or all of them as long as memory is left."""
    found = _Pass()
    keep = True
    try:
        for event in events:
            if isinstance(event, VideoInfo):
                found.info = event
            elif isinstance(event, DecodeReport):
                found.report = event
            elif isinstance(event, SampledFrame):
                found.num_frames = event.position + event.count
                if wanted is None:
                    keep = keep and found.held_bytes + event.image.nbytes <= kept_bytes
                    if not keep:
                        found.pictures.clear()
                if keep and (wanted is None or event.position in wanted):
                    found.pictures[event.position] = event.image
                    found.held_bytes += event.image.nbytes
    finally:
        events.close()
    return found


def _nominal_rate(info: VideoInfo) -> float | None:
    """The container's average rate, which torchvision's loader goes by."""
    declared = info.declared_frame_rate
    return float(Fraction(declared)) if declared else info.measured_frame_rate


def _clip(number: int, indices: Iterable[int], pictures: dict[int, Picture]) -> Clip:
    """Stack frames; those of another size, after a change in mid-video, take the first's."""
    chosen = [pictures[int(i)] for i in indices]
    height, width = chosen[0].shape[:2]
    frames = np.stack([resize_bilinear(one, height, width) for one in chosen])
    steps = len(chosen) // 2
    return Clip(number, frames, np.zeros(steps + 1), steps)


def _centred(clip: Clip, size: int) -> Clip:
    """The middle of a clip's pictures, its corner rounded to even as torchvision does."""
    height, width = clip.frames.shape[1:3]
    y, x = round((height - size) / 2), round((width - size) / 2)
    return replace(clip, frames=clip.frames[:, y : y + size, x : x + size])
