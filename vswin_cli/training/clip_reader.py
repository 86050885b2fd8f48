"""Decode the clips of examples, in child processes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vswin_cli.config import SamplingOptions, Stride
from vswin_cli.errors import OptionError, SourceError
from vswin_cli.models.architecture import InputSpec
from vswin_cli.storage.sources import VideoSource
from vswin_cli.training.records import Example
from vswin_cli.video.clips import open_clips
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.decoder_pool import DecoderPool
from vswin_cli.video.sampling import UNIFORM_CLIP_SECONDS, SamplingPlan
from vswin_cli.video.stream import open_video

__all__ = ["ClipReader"]

_MARGIN_TICKS = 2  # after a clip, so that a late frame does not leave it short
_START = SamplingPlan(num_frames=2, stride=2, short_side=32, end_seconds=0.1)


class ClipReader:
    """Decode one clip of an example at a time; threads may share a reader.

    Args:
        spec: input that the network expects.
        pool: where decoder processes come from.
        short_side: pixels of the images' shorter side; by default as the network expects.
    """

    def __init__(self, spec: InputSpec, pool: DecoderPool, short_side: int | None = None) -> None:
        self._spec = replace(spec, resize_short_side=short_side or spec.resize_short_side)
        self._pool = pool
        self._ends: dict[str, float] = {}
        self.clip_seconds = (
            UNIFORM_CLIP_SECONDS if spec.sampling == "uniform" else spec.clip_seconds
        )
        """Length of a clip."""

    def read(self, example: Example, start: float = 0.5) -> NDArray[np.uint8]:
        """Decode a clip: (T, H, W, 3) RGB.

        Args:
            example: a part of a video. One that is shorter than a clip is repeated.
            start: where the clip begins, as a share of the room there is, in [0, 1].

        Raises:
            SourceError: the video cannot be read, or no frame lies in this part.
        """
        first = example.start_seconds or 0.0
        end = self._end_of(example)
        begin = first + start * max(0.0, end - first - self.clip_seconds)
        try:
            return self._clip_at(example.source, begin, max(end, begin + 1e-3))
        except (OptionError, SourceError):
            if begin == first:
                raise
        # A declared duration may be too long; then the start of the example is there at least.
        return self._clip_at(example.source, first, end)

    def _end_of(self, example: Example) -> float:
        if example.end_seconds is not None:
            return example.end_seconds
        place = example.source.place
        if place not in self._ends:
            decode = DecodeOptions(threads=1)
            with open_video(example.source, _START, decode, pool=self._pool) as stream:
                declared = stream.info.declared_duration_seconds
                with suppress(SourceError):  # a damaged start says nothing about the rest
                    for _ in stream:  # to the end, as below
                        pass
            self._ends[place] = declared or self.clip_seconds
        return self._ends[place]

    def _clip_at(self, source: VideoSource, begin: float, end: float) -> NDArray[np.uint8]:
        margin = _MARGIN_TICKS * self.clip_seconds / self._spec.num_frames
        sampling = SamplingOptions(
            stride=Stride(100),
            start_seconds=begin or None,
            end_seconds=min(end, begin + self.clip_seconds + margin),
        )
        decode = DecodeOptions(threads=1)
        found: NDArray[np.uint8] | None = None
        with open_clips(source, self._spec, sampling, decode, pool=self._pool) as clips:
            for clip in clips:  # to the end: a decoder that has finished serves the next example
                found = clip.frames if found is None else found
        if found is None:
            raise SourceError(
                f"no frame of {source.uri} lies in the part from {begin:g} s",
                hint=f"`vswin probe {source.uri}` says how long the video is",
            )
        return found
