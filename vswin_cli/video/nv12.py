"""Convert NV12 and P010 frames of a video decoder to small RGB images, as swscale does.

`ImageResizer` scales frames by swscale's bilinear filter: a triangle as wide as the scale, in both
directions, with the frame's own colour matrix and range. The same is computed here by one Triton
kernel for several frames, wherever their planes are: on a GPU, or in main memory in Triton's
interpreter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from av import VideoFrame
    from numpy.typing import NDArray

__all__ = ["ChromaSite", "Nv12Converter", "UnsupportedFrameError", "axis_taps"]

_BLOCK_HEIGHT, _BLOCK_WIDTH, _WARPS = 8, 64, 4
_INTERPRETED_SIDE = 512  # of a block in Triton's interpreter, which is slow per block
_CENTRED = 0.5  # where the first sample's centre is, in samples
_COSITED = 0.25  # the same of a chroma sample that sits on the first luma sample
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_LIMITED_STEPS, _FULL_STEPS = 219, 255  # of luma, from black to white
_CHROMA_STEPS = 224
_BLACK = 16
_ONE = 1 << 16
_COEFFICIENTS = {
    1: (117489, 138438, 13975, 34925),  # BT.709
    5: (104597, 132201, 25675, 53279),  # BT.601, 625 lines
    6: (104597, 132201, 25675, 53279),  # BT.601, 525 lines
    9: (110013, 140363, 12277, 42626),  # BT.2020, non-constant luminance
}
"""Red from V, blue from U, green from U and V (both negative) for limited range, in 1/65536, by
`AVColorSpace` (ITU-T H.273, MatrixCoefficients)."""
_UNSPECIFIED = 2
_USUAL = 5  # what swscale takes where the matrix is unspecified, whatever the size
_TABLE_TOP = 384  # length in output steps of swscale's table below black ...
_LIMITED_ENTRIES = 326  # ... and its entries; 2 more would make black 0


class ChromaSite(Enum):
    """Where chroma samples sit; PyAV does not say, so that it has to be found by comparison."""

    LEFT = (_CENTRED, _COSITED)
    """The usual one of H.264 and HEVC."""
    CENTRE = (_CENTRED, _CENTRED)
    """What swscale takes where none is stated, as in VP9."""
    TOP_LEFT = (_COSITED, _COSITED)
    """Of BT.2020."""


class UnsupportedFrameError(Exception):
    """A frame has a pixel format, a size or a colour matrix that is not converted here."""


@dataclass(frozen=True, slots=True)
class Colours:
    """From luma and chroma to RGB, as integers like those of swscale.

    Images of an even width take the path that swscale calls packed: luma and chroma are rounded to
    whole steps, neighbours share their chroma, and colours come from a table that is a step or two
    too dark in limited range. Others are computed in full precision.
    """

    scale: float
    """Output steps per step of luma."""
    offset: float
    """Output for luma 0 without chroma."""
    red_v: int
    green_u: int
    green_v: int
    blue_u: int
    """In 1/65536 steps of luma per step of chroma."""

    @classmethod
    def of(cls, matrix: int, colour_range: int, *, packed: bool) -> Colours:
        """Return those of a frame's `colorspace` and `color_range`.

        Raises:
            UnsupportedFrameError: another matrix.
        """
        matrix = _USUAL if matrix == _UNSPECIFIED else matrix
        if matrix not in _COEFFICIENTS:
            raise UnsupportedFrameError(f"colour matrix {matrix}")
        red_v, blue_u, green_u, green_v = _COEFFICIENTS[matrix]
        parts = [red_v, -green_u, -green_v, blue_u]
        if colour_range == _FULL_RANGE:
            luma, black, entries = _ONE, 0, _TABLE_TOP
            parts = [int(part * _CHROMA_STEPS / _FULL_STEPS) for part in parts]
        else:
            luma, black, entries = _ONE * _FULL_STEPS // _LIMITED_STEPS, _BLACK, _LIMITED_ENTRIES
        in_luma = [(part * _ONE + _ONE // 2) // luma for part in parts]
        scale = luma / _ONE
        offset = entries * scale - _TABLE_TOP - black if packed else -black * scale
        return cls(scale, offset, *in_luma)


def axis_taps(
    source: int, target: int, first_centre: float = _CENTRED
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the first sample and the weights of each output sample along one axis.

    Args:
        source: samples of the source.
        target: samples wanted.
        first_centre: where the first sample's centre is, in samples of the source.

    Returns:
        (target,) indices and (target, taps) weights; `first + taps` is at most `source`.
    """
    scale = ((source << 16) + (target >> 1)) // target / _ONE  # as swscale rounds it
    reach = max(1.0, source / target)
    centres = (np.arange(target) + 0.5) * scale - first_centre
    taps = min(source, int(np.ceil(2 * reach)) + 1)
    lowest = np.floor(centres - reach).astype(np.int64) + 1
    first = np.clip(lowest, 0, source - taps)
    weights = np.zeros((target, taps))
    for tap in range(int(np.ceil(2 * reach)) + 1):
        index = lowest + tap
        share = np.maximum(0.0, 1.0 - np.abs(index - centres) / reach)
        inside = np.clip(index, 0, source - 1) - first  # beyond an edge, its sample is repeated
        np.add.at(weights, (np.arange(target), np.clip(inside, 0, taps - 1)), share)
    weights /= weights.sum(axis=1, keepdims=True)
    return first.astype(np.int32), weights.astype(np.float32)


class Nv12Converter:
    """Scale and convert frames that have their planes on one device.

    Args:
        device: where the planes are.
        site: where chroma samples sit.
    """

    def __init__(self, device: torch.device, site: ChromaSite = ChromaSite.LEFT) -> None:
        self._device = device
        self._site = site
        self._taps = lru_cache(maxsize=8)(self._make_taps)

    def convert(self, frames: Sequence[VideoFrame], height: int, width: int) -> NDArray[np.uint8]:
        """Convert frames of one size and format, in one launch.

        Args:
            frames: NV12 or P010, of even width and height.
            height: of the images.
            width: of the images.

        Returns:
            (N, height, width, 3) RGB, on the CPU.

        Raises:
            UnsupportedFrameError: the frames are not like that, or their colour matrix is unknown.
        """
        import torch

        from vswin_cli.video.nv12_kernel import convert_frames

        first = frames[0]
        is_deep = _is_deep(first)
        planes = [[_tensor(plane) for plane in frame.planes] for frame in frames]
        strides = {(luma.stride(0), chroma.stride(0)) for luma, chroma in planes}
        if len(strides) > 1 or first.width % 2 or first.height % 2:
            raise UnsupportedFrameError("odd width or height, or rows of different lengths")
        ((luma_stride, chroma_stride),) = strides
        addresses = torch.tensor([[plane.data_ptr() for plane in pair] for pair in planes])
        packed = width % 2 == 0
        colours = Colours.of(first.colorspace, first.color_range, packed=packed)
        taps = self._taps((first.height, first.width), (height, width))
        out = torch.empty((len(frames), height, width, 3), dtype=torch.uint8, device=self._device)
        block = self._block(height, width)
        grid = (len(frames), -(-height // block[0]), -(-width // block[1]))
        convert_frames[grid](
            addresses.to(self._device),
            luma_stride,
            chroma_stride,
            *(part for pair in taps for part in pair),
            out,
            height,
            width,
            colours.scale,
            colours.offset,
            colours.red_v,
            colours.green_u,
            colours.green_v,
            colours.blue_u,
            *(weights.shape[1] for _, weights in taps),
            packed,
            is_deep,
            *block,
            num_warps=_WARPS,
            enable_fp_fusion=True,
        )
        return self._download(out)

    def _download(self, images: torch.Tensor) -> NDArray[np.uint8]:
        """Copy images to the CPU; the decoder may reuse its frames afterwards."""
        import torch

        if self._device.type != "cuda":
            return images.numpy()
        host = torch.empty(images.shape, dtype=images.dtype, pin_memory=True)
        host.copy_(images, non_blocking=True)
        # Blocks instead of polling: other decoders need the core meanwhile.
        done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        done.record(torch.cuda.current_stream(self._device))
        done.synchronize()
        return host.numpy()

    def _make_taps(
        self, source: tuple[int, int], target: tuple[int, int]
    ) -> tuple[tuple[torch.Tensor, torch.Tensor], ...]:
        """Return the taps of rows and columns, then those of chroma, on the device."""
        import torch

        (height, width), (rows, columns) = source, target
        chroma_columns = columns if columns % 2 else columns // 2
        below, right = self._site.value
        axes = (
            axis_taps(height, rows),
            axis_taps(width, columns),
            axis_taps(height // 2, rows, below),
            axis_taps(width // 2, chroma_columns, right),
        )
        return tuple(
            (torch.from_numpy(first).to(self._device), torch.from_numpy(weights).to(self._device))
            for first, weights in axes
        )

    def _block(self, height: int, width: int) -> tuple[int, int]:
        if self._device.type == "cuda":
            return _BLOCK_HEIGHT, _BLOCK_WIDTH
        side = _INTERPRETED_SIDE
        return min(side, _power_of_two(height)), min(side, _power_of_two(width))


def _is_deep(frame: VideoFrame) -> bool:
    """Whether samples have 16 bits.

    Raises:
        UnsupportedFrameError: neither NV12 nor P010.
    """
    name = (frame.sw_format or frame.format).name
    if name not in ("nv12", "p010le"):
        raise UnsupportedFrameError(f"pixel format {name}")
    return name == "p010le"


def _tensor(plane: Any) -> torch.Tensor:  # noqa: ANN401 - PyAV does not declare `__dlpack__` as such
    import torch

    return torch.utils.dlpack.from_dlpack(plane.__dlpack__(stream=None))


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()
