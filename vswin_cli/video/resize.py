"""From a decoded frame to the picture that clips share: upright RGB of the wanted size.

Pixels are taken as square whatever the container says about their shape: the published weights
were trained on frames that were resized without regard to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vswin_cli.video.sampling import Resize

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.reformatter import VideoReformatter
    from numpy.typing import NDArray

__all__ = ["PictureMaker", "resize_bilinear", "resized_shape"]

_COEFFICIENT_BITS = 11  # of the fixed-point bilinear resize that the evaluations used
_QUARTER_TURNS = {0: 0, 90: 1, 180: 2, 270: 3}


def resized_shape(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width after scaling the shorter side to `short_side`.

    Rounds half up, as the reference loader does (mmcv `rescale_size`).
    """
    scale = short_side / min(height, width)
    return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))


class PictureMaker:
    """Turns frames of one video into pictures of one size.

    Args:
        short_side: pixels of the shorter side.
        resize: which of the two resizes, see `SamplingPlan.resize`.
    """

    def __init__(self, short_side: int, resize: Resize = "fast") -> None:
        self._short_side = short_side
        self._resize = resize
        self._reformatter: VideoReformatter | None = None

    def shape(self, frame: VideoFrame) -> tuple[int, int]:
        """Height and width of the picture that `make` gives, before it is turned upright."""
        return resized_shape(frame.height, frame.width, self._short_side)

    def make(
        self, frame: VideoFrame, rotation_degrees: int, shape: tuple[int, int] | None = None
    ) -> NDArray[np.uint8]:
        """Convert, scale and turn a frame.

        Args:
            frame: any pixel format that swscale reads.
            rotation_degrees: counter-clockwise, a multiple of 90.
            shape: height and width before turning, if not those of `shape(frame)`.

        Returns:
            (H, W, 3) uint8 RGB, contiguous.
        """
        height, width = shape or self.shape(frame)
        if self._resize == "reference":
            full = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
            picture = resize_bilinear(full, height, width)
        else:
            scaled = self.scale(frame, height, width)
            picture = scaled.to_ndarray().astype(np.uint8, copy=False)
        turns = _QUARTER_TURNS[rotation_degrees % 360]
        return np.ascontiguousarray(np.rot90(picture, turns))

    def scale(self, frame: VideoFrame, height: int, width: int) -> VideoFrame:
        """A frame in the colours and at the size of a picture; given again, it stays as it is."""
        if frame.format.name == "rgb24" and (frame.height, frame.width) == (height, width):
            return frame
        if self._reformatter is None:
            from av.video.reformatter import VideoReformatter

            self._reformatter = VideoReformatter()
        return self._reformatter.reformat(
            frame, width=width, height=height, format="rgb24", interpolation="BILINEAR"
        )


def resize_bilinear(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Bilinear resize without antialiasing, in the fixed-point arithmetic of OpenCV.

    Pixel centres are aligned; each axis uses two neighbours weighted in 1/2048; the vertical
    pass drops 4 + 16 bits and rounds the last two (OpenCV `resize`, INTER_LINEAR on uint8).

    Args:
        picture: (H, W, C) uint8.
        height: rows wanted.
        width: columns wanted.

    Returns:
        (height, width, C) uint8.
    """
    if picture.shape[:2] == (height, width):
        return picture
    left, right, across = _neighbours(picture.shape[1], width)
    upper, lower, down = _neighbours(picture.shape[0], height)
    needed, places = np.unique(np.concatenate([upper, lower]), return_inverse=True)
    source = picture[needed]
    across0, across1 = across[:, None, :, None]
    rows = np.take(source, left, axis=1) * across0  # (rows, width, C), 19 bits
    rows += np.take(source, right, axis=1) * across1
    rows >>= 4
    down0, down1 = down[:, :, None, None]
    mixed = (rows[places[:height]] * down0) >> 16
    mixed += (rows[places[height:]] * down1) >> 16
    mixed += 2
    mixed >>= 2
    resized: NDArray[np.uint8] = np.clip(mixed, 0, 255).astype(np.uint8)
    return resized


def _neighbours(
    source: int, target: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int32]]:
    """For each target index: its two source indices and their weights (2, target)."""
    exact = (np.arange(target) + 0.5) * (source / target) - 0.5
    centres = exact.astype(np.float32)  # as OpenCV does, before the fraction is taken
    lower = np.floor(centres).astype(np.intp)
    fraction = centres - lower.astype(np.float32)
    upper = np.clip(lower + 1, 0, source - 1)
    lower = np.clip(lower, 0, source - 1)
    one = 1 << _COEFFICIENT_BITS
    weights = np.stack([np.rint((1.0 - fraction) * one), np.rint(fraction * one)])
    return lower, upper, weights.astype(np.int32)
