"""Resize and rotate decoded frames to upright RGB images.

Pixels are taken as square, whatever the container's sample aspect ratio: the published weights
were trained on frames that were resized without regard to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vswin_cli.video.decode_options import Resize

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.reformatter import VideoReformatter
    from numpy.typing import NDArray

__all__ = ["ImageResizer", "colour_tags", "resize_bilinear", "resized_shape"]

_COEFFICIENT_BITS = 11  # of the fixed-point bilinear resize that the evaluations used
_COLOUR_TAGS = ("colorspace", "color_range", "color_primaries", "color_trc")
_QUARTER_ROTATIONS = {0: 0, 90: 1, 180: 2, 270: 3}


def resized_shape(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Return height and width after scaling the shorter side to `short_side`.

    Rounds half up, as the reference loader does (mmcv `rescale_size`).
    """
    scale = short_side / min(height, width)
    return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))


class ImageResizer:
    """Resize the frames of one video to images with the same short side.

    Args:
        short_side: pixels of the shorter side.
        resize: the method, see `DecodeOptions.resize`.
        threads: for scaling one frame; by default as many as there are cores. Images do not
            depend on it.
    """

    def __init__(
        self, short_side: int, resize: Resize = "fast", *, threads: int | None = None
    ) -> None:
        self._short_side = short_side
        self._resize = resize
        self._reformatter: VideoReformatter | None = None
        self._colours: tuple[int, ...] = ()  # tags of the frames that it is for
        self._more = {} if threads is None else {"threads": threads}

    def shape(self, frame: VideoFrame) -> tuple[int, int]:
        """Return height and width of the resized image, before rotation."""
        return resized_shape(frame.height, frame.width, self._short_side)

    def resize(
        self, frame: VideoFrame, rotation_degrees: int, shape: tuple[int, int] | None = None
    ) -> NDArray[np.uint8]:
        """Convert a frame to RGB, scale it and rotate it upright.

        Args:
            frame: in any pixel format that swscale supports.
            rotation_degrees: counter-clockwise, a multiple of 90.
            shape: height and width before rotation; by default `shape(frame)`.

        Returns:
            (H, W, 3) uint8 RGB, contiguous.
        """
        height, width = shape or self.shape(frame)
        if self._resize == "reference":
            full = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
            image = resize_bilinear(full, height, width)
        else:
            scaled = self.scale(frame, height, width)
            image = scaled.to_ndarray().astype(np.uint8, copy=False)
        quarter_rotations = _QUARTER_ROTATIONS[rotation_degrees % 360]
        return np.ascontiguousarray(np.rot90(image, quarter_rotations))

    def scale(self, frame: VideoFrame, height: int, width: int) -> VideoFrame:
        """Convert a frame to RGB of the given size; return it unchanged if it already is."""
        if frame.format.name == "rgb24" and (frame.height, frame.width) == (height, width):
            return frame
        # A scaler keeps the colours of an earlier frame where a later one has other tags, so that
        # the images of joined videos would depend on what was scaled before.
        colours = colour_tags(frame)
        if self._reformatter is None or colours != self._colours:
            from av.video.reformatter import VideoReformatter

            self._reformatter, self._colours = VideoReformatter(), colours
        try:
            return self._reformatter.reformat(
                frame, width, height, "rgb24", interpolation="BILINEAR", **self._more
            )
        except TypeError:
            if not self._more:
                raise
        self._more = {}  # older versions of PyAV use one thread and have no such option
        return self.scale(frame, height, width)


def colour_tags(frame: VideoFrame) -> tuple[int, ...]:
    """Return what a frame says of its colours: matrix, range, primaries and transfer curve."""
    return tuple(int(getattr(frame, name, 0)) for name in _COLOUR_TAGS)


def resize_bilinear(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize bilinearly without antialiasing, in the fixed-point arithmetic of OpenCV.

    Pixel centres are aligned; each axis uses two neighbours with weights in 1/2048; the vertical
    pass drops 4 + 16 bits and rounds the last two (OpenCV `resize`, INTER_LINEAR on uint8).

    Args:
        image: (H, W, C) uint8.
        height: of the result.
        width: of the result.

    Returns:
        (height, width, C) uint8.
    """
    if image.shape[:2] == (height, width):
        return image
    left, right, across = _neighbours(image.shape[1], width)
    upper, lower, down = _neighbours(image.shape[0], height)
    # The horizontal pass covers only the rows that the vertical one reads: a third of the work
    # where a frame becomes three times smaller.
    needed, row_indices = np.unique(np.concatenate([upper, lower]), return_inverse=True)
    source = image[needed]
    across0, across1 = across[:, None, :, None]
    rows = np.take(source, left, axis=1) * across0  # (rows, width, C), 19 bits
    rows += np.take(source, right, axis=1) * across1
    rows >>= 4
    down0, down1 = down[:, :, None, None]
    mixed = (rows[row_indices[:height]] * down0) >> 16
    mixed += (rows[row_indices[height:]] * down1) >> 16
    mixed += 2
    mixed >>= 2
    resized: NDArray[np.uint8] = np.clip(mixed, 0, 255).astype(np.uint8)
    return resized


def _neighbours(
    source: int, target: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int32]]:
    """Return for each target index its two source indices and their weights, (2, target)."""
    exact = (np.arange(target) + 0.5) * (source / target) - 0.5
    centres = exact.astype(np.float32)  # as OpenCV does, before the fraction is taken
    lower = np.floor(centres).astype(np.intp)
    fraction = centres - lower.astype(np.float32)
    upper = np.clip(lower + 1, 0, source - 1)
    lower = np.clip(lower, 0, source - 1)
    one = 1 << _COEFFICIENT_BITS
    weights = np.stack([np.rint((1.0 - fraction) * one), np.rint(fraction * one)])
    return lower, upper, weights.astype(np.int32)
