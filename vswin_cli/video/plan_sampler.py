"""Sample the frames of one plan: its positions, its images and the shape that they have in a run.

What holds for the whole video, such as its gaps, is in `vswin_cli.video.sampler`, which may fill
several plans from one decoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.frames import TimedFrame
from vswin_cli.video.grid import GridWalker
from vswin_cli.video.info import VideoInfo
from vswin_cli.video.resize import ImageResizer
from vswin_cli.video.sampling import RunEnd, SampledFrame, SamplingPlan

if TYPE_CHECKING:
    import numpy as np
    from av import VideoFrame
    from numpy.typing import NDArray

__all__ = ["PlanSampler"]

_SAME_SHAPE = 0.02  # relative difference of aspect that still counts as the same shape


class PlanSampler:
    """Fill the positions of one plan with images.

    Attributes:
        plan: as given.
        walker: the grid of the plan.
        num_sampled: frames that were converted to images.

    Args:
        plan: which frames are sampled.
        index: of the plan among those of the video; samples and ends of runs carry it.
        info: metadata of the video.
        tolerance_seconds: a frame that is late by no more than this still counts as on time.
        options: how images are made.
        size_index: of the plan's short side among those of all plans, see `TimedFrame.of_size`.
    """

    def __init__(
        self,
        plan: SamplingPlan,
        index: int,
        info: VideoInfo,
        tolerance_seconds: float,
        options: DecodeOptions,
        size_index: int = 0,
    ) -> None:
        self.plan = plan
        self.walker = GridWalker(plan, tolerance_seconds, info.declared_duration_seconds)
        self.num_sampled = 0
        self._index = index
        self._size_index = size_index
        self._resizer = ImageResizer(plan.short_side, options.resize, threads=options.threads)
        self._shape: tuple[int, int] | None = None  # of the run's upright images

    def changes_shape(self, frame: TimedFrame) -> bool:
        """Return whether the upright frame's aspect ratio differs from that of the run so far."""
        pixels = frame.of_size(self._size_index)
        if self._shape is None or pixels is None:
            return False
        height, width = self._upright_shape(pixels, frame.rotation_degrees)
        before = self._shape[1] / self._shape[0]
        return abs(width / height / before - 1) > _SAME_SHAPE

    def show(
        self, held: TimedFrame, decoded: TimedFrame | None, since: float, until: float
    ) -> Iterator[SampledFrame | RunEnd]:
        """Deliver a frame for the positions at which it is on display, if a clip may use it.

        Args:
            held: the frame.
            decoded: the last one that has pixels: this one, unless it was skipped.
            since: when the display begins, in seconds.
            until: when it ends, exclusive.
        """
        image: NDArray[np.uint8] | None = None
        for chunk in self.walker.show(since, until):
            if not isinstance(chunk, range):
                yield self._numbered(chunk)
                continue
            if image is None:
                # A frame is skipped if the next one should be on display at every position. If
                # that one then turns out to be damaged, the last decoded frame takes its place.
                assert decoded is not None  # the first frame is never skipped
                image = self._image(decoded)
                self.num_sampled += 1
            yield SampledFrame(chunk.start, len(chunk), held.seconds, image, self._index)

    def end_run(self, end_seconds: float) -> Iterator[RunEnd]:
        """Close the run: frames are missing from `end_seconds` on, or the video ends there."""
        yield from map(self._numbered, self.walker.end_run(end_seconds))
        self._shape = None

    def _numbered(self, end: RunEnd) -> RunEnd:
        return replace(end, plan_index=self._index) if self._index else end

    def _image(self, decoded: TimedFrame) -> NDArray[np.uint8]:
        """Make an image of the run's shape, or they could not be stacked to a clip.

        A frame of nearly the same aspect ratio as the first is resized to the shape of that one.
        """
        frame, rotation = decoded.of_size(self._size_index), decoded.rotation_degrees
        assert frame is not None
        if self._shape is None:
            self._shape = self._upright_shape(frame, rotation)
        height, width = self._shape
        shape = (width, height) if rotation % 180 else (height, width)
        return self._resizer.resize(frame, rotation, shape)

    def _upright_shape(self, frame: VideoFrame, rotation_degrees: int) -> tuple[int, int]:
        height, width = self._resizer.shape(frame)
        return (width, height) if rotation_degrees % 180 else (height, width)
