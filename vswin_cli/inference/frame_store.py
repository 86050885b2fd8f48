"""Keep sampled frames on the network's device, each uploaded once, and put clips together there.

Neighbouring clips share frames, so that clips uploaded whole would carry many images twice. The
images that a clip has and none before it had go to the device in one copy, from pinned memory
where the device has a use for it, beside the computation. They leave the device when no clip waits
for them and the clip assembler has forgotten them.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from vswin_cli.video.clips import Clip

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FrameStore", "StoredClip", "clip_storage"]


@dataclass(frozen=True, slots=True, eq=False)
class StoredClip:
    """A clip whose frames are on the device, or go there when they are needed.

    The other fields are those of `Clip`.
    """

    index: int
    step_edges_seconds: NDArray[np.float64]
    num_valid_steps: int
    image_shape: tuple[int, int]
    """Height and width of the frames."""
    load: Callable[[], Tensor]
    """Returns the frames on the device, (T, H, W, 3) uint8."""


@dataclass(frozen=True, slots=True, eq=False)
class _Upload:
    """Images that went to the device together."""

    frames: Tensor
    """(n, H, W, 3) uint8."""
    done: torch.cuda.Event | None
    """When they are there, where uploads have a stream of their own."""


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """Where on the device an image is."""

    upload: _Upload
    index: int


def clip_storage(device: torch.device) -> Callable[[Clip], StoredClip]:
    """Return the function that takes clips to a device, in the order of their use.

    A CPU reads images where they are: they are stacked by the pass that needs them.
    """
    if device.type != "cpu":
        return FrameStore(device).add
    return lambda clip: _stored(clip, partial(_stack, clip))


class FrameStore:
    """Frames on one device, known by the images that they were uploaded from.

    Args:
        device: where the frames go.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        is_cuda = device.type == "cuda"
        self._stream = torch.cuda.Stream(device) if is_cuda else None  # type: ignore[no-untyped-call]
        # An image leaves by itself; its frame stays as long as a stored clip has it.
        self._rows: dict[int, _Row] = {}  # by identity of the image

    @property
    def num_known(self) -> int:
        """Images that are alive and whose frames are on the device."""
        return len(self._rows)

    def add(self, clip: Clip) -> StoredClip:
        """Upload the images of a clip that are not on the device yet."""
        images = tuple(clip.images)
        unknown = {id(image): image for image in images if id(image) not in self._rows}
        if unknown:
            upload = self._upload(tuple(unknown.values()))
            for index, (key, image) in enumerate(unknown.items()):
                self._rows[key] = _Row(upload, index)
                weakref.finalize(image, self._rows.pop, key, None).atexit = False
        rows = [self._rows[id(image)] for image in images]
        return _stored(clip, partial(self._gather, rows))

    def _upload(self, images: Sequence[NDArray[np.uint8]]) -> _Upload:
        shape = (len(images), *images[0].shape)
        host = torch.empty(shape, dtype=torch.uint8, pin_memory=self._stream is not None)
        np.stack(images, out=host.numpy())
        if self._stream is None:
            return _Upload(host.to(self._device), None)
        with torch.cuda.stream(self._stream):
            frames = host.to(self._device, non_blocking=True)
            return _Upload(frames, self._stream.record_event())

    def _gather(self, rows: Sequence[_Row]) -> Tensor:
        """Copy frames to a clip, (T, H, W, 3)."""
        for upload in {id(row.upload): row.upload for row in rows}.values():
            if upload.done is not None:
                current = torch.cuda.current_stream(self._device)
                current.wait_event(upload.done)
                upload.frames.record_stream(current)  # not reused before the copy below
        return torch.cat(list(_slices(rows)))


def _slices(rows: Sequence[_Row]) -> Iterator[Tensor]:
    """Yield the frames in slices, each as long as frames follow one another: mostly two."""
    begin = 0
    for end in range(1, len(rows) + 1):
        first, last = rows[begin], rows[end - 1]
        if end < len(rows):
            following = rows[end]
            if following.upload is last.upload and following.index == last.index + 1:
                continue
        yield first.upload.frames[first.index : last.index + 1]
        begin = end


def _stored(clip: Clip, load: Callable[[], Tensor]) -> StoredClip:
    height, width = clip.images[0].shape[:2]
    return StoredClip(
        clip.index, clip.step_edges_seconds, clip.num_valid_steps, (height, width), load
    )


def _stack(clip: Clip) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(clip.frames))
