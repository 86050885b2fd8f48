"""Decode a part of a video's sound to samples that begin and end exactly with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from vswin_cli.video.container import open_container

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream
    from av.container import InputContainer
    from numpy.typing import NDArray

__all__ = ["SoundReader"]

_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
_OTHER_RATE = 48000
_LAYOUTS = ("mono", "stereo", "5.1")  # that the AAC encoder takes as they are
_MARGINS_SECONDS = (1.0, 10.0)  # sought ahead of the start; decoders need a moment to settle
# Timestamps of blocks are rounded; smaller differences from the samples counted are not gaps.
_SLACK_SECONDS = 0.04
_SILENCE_SECONDS = 1


class SoundReader:
    """The best audio stream of a file; without one, it has no samples.

    Attributes:
        rate: samples per second of what `samples` yields.
        layout: FFmpeg's name of the channels.

    Args:
        path: the video.
        origin_seconds: timestamp of its first frame, from which all times count.
    """

    def __init__(self, path: Path, origin_seconds: float) -> None:
        self._path, self._origin_seconds = path, origin_seconds
        self._container: InputContainer | None = None
        self.rate, self.layout = _OTHER_RATE, "stereo"
        self._open()

    def _open(self) -> None:
        self.close()
        self._container = open_container(self._path)
        self._stream = cast("AudioStream | None", self._container.streams.best("audio"))
        if self._stream is not None and self._stream.codec_context is None:
            self._stream = None  # no decoder for it
        if self._stream is not None:
            rate, layout = self._stream.rate, self._stream.layout.name
            self.rate = rate if rate in _RATES else _OTHER_RATE
            self.layout = layout if layout in _LAYOUTS else "stereo"

    def close(self) -> None:
        """Close the file."""
        if self._container is not None:
            self._container.close()

    def samples(self, start_seconds: float, end_seconds: float) -> Iterator[NDArray[np.float32]]:
        """Yield consecutive blocks of samples (channels, n) from the start on.

        Where the sound has a gap, or begins later, there is silence; it may end early.
        """
        total = round((end_seconds - start_seconds) * self.rate)
        done, has_begun = 0, False
        for seconds, block in self._blocks(start_seconds):
            position = round((seconds - start_seconds) * self.rate)
            if has_begun and abs(position - done) < _SLACK_SECONDS * self.rate:
                position = done
            if position >= total or done >= total:
                return
            if position + block.shape[1] <= done:
                continue
            if position > done:
                yield from self._silence(position - done, len(block))
                done = position
            piece = block[:, done - position : total - position]
            done, has_begun = done + piece.shape[1], True
            yield piece

    def _silence(self, count: int, channels: int) -> Iterator[NDArray[np.float32]]:
        longest = _SILENCE_SECONDS * self.rate
        for first in range(0, count, longest):
            yield np.zeros((channels, min(longest, count - first)), np.float32)

    def _blocks(self, start_seconds: float) -> Iterator[tuple[float, NDArray[np.float32]]]:
        """Yield decoded samples with their times, from a block at or before the start if any is."""
        if self._stream is None:
            return
        for margin in _MARGINS_SECONDS:
            if start_seconds <= margin:
                break
            self._seek(start_seconds - margin)
            blocks = self._decoded()
            first = next(blocks, None)
            if first is not None and first[0] <= start_seconds:
                yield first
                yield from blocks
                return
        self._open()  # no seek got there, or the sound begins later
        yield from self._decoded()

    def _seek(self, seconds: float) -> None:
        import av

        assert self._container is not None
        assert self._stream is not None
        base = self._stream.time_base or 1
        try:
            target = round((self._origin_seconds + seconds) / base)
            self._container.seek(target, stream=self._stream)
        except av.error.FFmpegError:
            self._open()

    def _decoded(self) -> Iterator[tuple[float, NDArray[np.float32]]]:
        import av

        assert self._container is not None
        resampler = av.AudioResampler("fltp", self.layout, self.rate)
        try:
            for packet in self._container.demux(self._stream):
                for frame in self._decode(packet):
                    for block in resampler.resample(frame):
                        if block.time is not None:
                            samples = cast("NDArray[np.float32]", block.to_ndarray())  # fltp
                            yield block.time - self._origin_seconds, samples
        except (av.error.FFmpegError, IndexError, ValueError):
            return  # damaged, or another layout midway: the rest stays silent

    def _decode(self, packet: object) -> list[AudioFrame]:
        import av

        assert self._stream is not None
        try:
            return self._stream.decode(packet)  # type: ignore[arg-type]
        except av.error.FFmpegError:
            return []  # one damaged packet
