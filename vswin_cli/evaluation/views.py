"""Cut the clips of a test protocol from one trimmed video, frames by their exact index.

Containers often state a wrong number of frames, so the video is decoded to its end before clips are
chosen. The images of short videos are kept in memory meanwhile; of longer ones the chosen frames
are decoded again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from vswin_cli.errors import DecodeError
from vswin_cli.evaluation.protocols import Protocol, frame_indices
from vswin_cli.models.architecture import InputSpec
from vswin_cli.storage.sources import VideoSource
from vswin_cli.video.clips import Clip
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.info import DecodeReport, VideoInfo
from vswin_cli.video.resize import resize_bilinear
from vswin_cli.video.sampling import RunEnd, SamplingPlan
from vswin_cli.video.stream import open_video

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

__all__ = ["KEPT_BYTES", "VideoViews", "read_views"]

_HINT = "`vswin probe --scan` shows what is wrong with it"

KEPT_BYTES = 256 << 20
"""Images held before it is known which are wanted: a minute of video at the usual size."""


@dataclass(frozen=True, slots=True, eq=False)
class VideoViews:
    """Clips of one video by a protocol."""

    indices: NDArray[np.int64]
    """(num_clips, T) source frames."""
    clips: tuple[Clip, ...]
    """One per row of `indices`; their times mean nothing."""
    num_frames: int
    """Length of the video."""
    info: VideoInfo
    report: DecodeReport


@dataclass(frozen=True, slots=True, eq=False)
class _Pass:
    """Images and facts from one pass over the video."""

    images: dict[int, Image]
    num_frames: int
    info: VideoInfo
    report: DecodeReport


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
        protocol: which clips, and the size of their images.
        isolate: decode in a child process, so that a decoder that hangs or crashes costs this
            video only.
        kept_bytes: memory for images that may turn out not to be wanted.

    Raises:
        SourceError: the video cannot be opened, or not one frame can be decoded.
    """
    plan = SamplingPlan(num_frames=2, stride=2, short_side=protocol.short_side, by="index")
    options = DecodeOptions(resize="reference", isolate=isolate)
    with source.local() as path:
        local = replace(source, path=path)  # a copy of a remote video serves both passes
        found = _decode(local, plan, options, None, kept_bytes)
        info, report, num_frames = found.info, found.report, found.num_frames
        if not num_frames:
            raise DecodeError(f"no frame of {source.uri} could be decoded", hint=_HINT)
        indices = frame_indices(protocol, spec, num_frames, _nominal_rate(info))
        if len(found.images) < num_frames:
            wanted = set(indices.flat)
            found = _decode(local, plan, options, wanted, kept_bytes)
            if wanted - found.images.keys():
                raise DecodeError(
                    f"{source.uri} gave fewer frames when it was decoded again", hint=_HINT
                )
    # View order: clips by time, and within a clip the crops along the longer side, as the engine
    # makes them. Scores are averaged over all of them, so the order changes only rounding.
    clips = tuple(_clip(i, row, found.images) for i, row in enumerate(indices))
    if protocol.crops == 1:
        clips = tuple(_centred(clip, spec.crop_size) for clip in clips)
    return VideoViews(indices, clips, num_frames, info, report)


def _decode(
    source: VideoSource,
    plan: SamplingPlan,
    options: DecodeOptions,
    wanted: Collection[int] | None,
    kept_bytes: int,
) -> _Pass:
    """Decode to the end, keeping wanted images, or all of them as long as memory is left."""
    images: dict[int, Image] = {}
    num_frames = held_bytes = 0
    keep = True
    with open_video(source, plan, options) as stream:
        for sample in stream:
            if isinstance(sample, RunEnd):
                continue
            num_frames = sample.position + sample.count
            if wanted is None:
                # All or nothing: the second pass decodes the video to its end in any case.
                keep = keep and held_bytes + sample.image.nbytes <= kept_bytes
                if not keep:
                    images.clear()
            if keep and (wanted is None or sample.position in wanted):
                images[sample.position] = sample.image
                held_bytes += sample.image.nbytes
        return _Pass(images, num_frames, stream.info, stream.report)


def _nominal_rate(info: VideoInfo) -> float | None:
    """Return the container's average rate, which torchvision's loader uses."""
    declared = info.declared_frame_rate
    return float(Fraction(declared)) if declared else info.measured_frame_rate


def _clip(number: int, indices: Iterable[int], images: dict[int, Image]) -> Clip:
    """Stack frames; those of another size, after a change in mid-video, take the first's."""
    chosen = [images[int(i)] for i in indices]
    height, width = chosen[0].shape[:2]
    frames = np.stack([resize_bilinear(image, height, width) for image in chosen])
    steps = len(chosen) // 2
    return Clip(number, frames, np.zeros(steps + 1), steps)


def _centred(clip: Clip, size: int) -> Clip:
    """Crop the middle of a clip's images, the corner rounded to even as torchvision does."""
    frames = clip.frames
    height, width = frames.shape[1:3]
    y, x = round((height - size) / 2), round((width - size) / 2)
    return replace(clip, images=frames[:, y : y + size, x : x + size])
