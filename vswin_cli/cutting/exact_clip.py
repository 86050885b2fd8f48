"""Encode a part of a video again, exact to the frame: H.264 and AAC in MP4.

Each frame keeps its own time, so that a variable frame rate stays one. Rotation, pixel shape and
colour metadata are those of the source. Pixels become 8-bit 4:2:0, which every player and browser
shows; an odd width or height is scaled by one pixel, as 4:2:0 has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vswin_cli.cutting.frame_spans import FrameSpans, ShownFrame
from vswin_cli.cutting.sound import SoundReader

if TYPE_CHECKING:
    from av import Packet, VideoStream
    from av.container import OutputContainer
    from numpy.typing import NDArray

__all__ = ["encode_clip"]

_TICKS = 90_000  # per second: divides the usual frame rates
_VIDEO_OPTIONS = {
    "crf": "18",  # hardly a visible difference
    "preset": "veryfast",
    "bf": "0",  # decoding order is that of display: no edit list, the first frame has time 0
}
_KEPT_FORMATS = ("yuv420p", "yuvj420p")
_SMPTE170M = 6  # the matrix by which FFmpeg turns RGB into YUV
_RGB = 0

OnFrame = Callable[[], None]


def encode_clip(
    spans: FrameSpans,
    sound: SoundReader | None,
    target: Path,
    start_seconds: float,
    end_seconds: float,
    *,
    comment: str,
    pixel_shape: Fraction,
    on_frame: OnFrame,
) -> float | None:
    """Encode what is shown and heard from `start_seconds` to `end_seconds`.

    Args:
        spans: frames of the video.
        sound: its sound, if any.
        target: file to write.
        start_seconds: from the first frame of the video, as is the end.
        end_seconds: the clip ends with the video if that is earlier.
        comment: metadata of the file.
        pixel_shape: width over height of a pixel.
        on_frame: called after each frame.

    Returns:
        The length of the clip's video in seconds; `None` if there is no frame, and no file.
    """
    import av

    frames = spans.between(start_seconds, end_seconds)
    first = next(frames, None)
    if first is None:
        return None
    blocks = sound.samples(start_seconds, end_seconds) if sound is not None else iter(())
    first_block = next(blocks, None)
    with av.open(str(target), "w", format="mp4") as output:
        output.metadata["comment"] = comment
        video = _VideoTrack(output, first, pixel_shape)
        track = None
        if sound is not None and first_block is not None:
            track = _SoundTrack(output, sound)
            track.add(first_block)
        video.add(first)
        for shown in frames:
            video.add(shown)
            if track is not None:
                track.add_until(video.end_seconds, blocks)
            on_frame()
        if track is not None:
            track.add_until(video.end_seconds, blocks)
            track.finish()
        video.finish()
    return video.end_seconds


class _VideoTrack:
    """Encode frames, whose display times become the packets' times and durations."""

    def __init__(self, output: OutputContainer, first: ShownFrame, shape: Fraction) -> None:
        self._output = output
        self._stream = output.add_stream("libx264", options=_VIDEO_OPTIONS)
        frame, context = first.frame, self._stream.codec_context
        name = frame.format.name
        self._format = name if name in _KEPT_FORMATS else "yuv420p"
        self._size = max(2, frame.width // 2 * 2), max(2, frame.height // 2 * 2)
        context.width, context.height = self._size
        context.pix_fmt = self._format
        context.time_base = self._stream.time_base = Fraction(1, _TICKS)
        context.sample_aspect_ratio = shape
        is_rgb = frame.format.is_rgb or int(frame.colorspace) == _RGB
        context.colorspace = _SMPTE170M if is_rgb else frame.colorspace
        context.color_primaries, context.color_trc = frame.color_primaries, frame.color_trc
        if not is_rgb:
            context.color_range = frame.color_range
        if first.rotation_degrees:
            self._stream.set_display_rotation(first.rotation_degrees)
        self._durations: dict[int, int] = {}
        self._next_pts = 0
        self.end_seconds = 0.0

    def add(self, shown: ShownFrame) -> None:
        width, height = self._size
        frame = shown.frame.reformat(width, height, self._format)
        # two frames nearer than a tick would have the same time, which MP4 cannot hold
        frame.pts = max(self._next_pts, round(shown.start_seconds * _TICKS))
        frame.time_base = Fraction(1, _TICKS)
        self._next_pts = frame.pts + 1
        self._durations[frame.pts] = max(1, round(shown.end_seconds * _TICKS) - frame.pts)
        self.end_seconds = shown.end_seconds
        frame.pict_type = 0  # the encoder chooses, whatever the source's was
        self._mux(self._stream.encode(frame))

    def finish(self) -> None:
        self._mux(self._stream.encode(None))

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            assert packet.pts is not None
            packet.duration = self._durations.pop(packet.pts, 0)
            self._output.mux(packet)


class _SoundTrack:
    """Encode samples that follow one another."""

    def __init__(self, output: OutputContainer, sound: SoundReader) -> None:
        self._output, self._sound = output, sound
        self._stream = output.add_stream("aac", rate=sound.rate, layout=sound.layout)
        self._num_samples = 0

    def add_until(self, seconds: float, blocks: Iterator[NDArray[np.float32]]) -> None:
        """Encode blocks up to the one that reaches `seconds`, so that both tracks interleave."""
        last = round(seconds * self._sound.rate)
        while self._num_samples < last and (block := next(blocks, None)) is not None:
            self.add(block)

    def add(self, block: NDArray[np.float32]) -> None:
        import av

        samples = np.ascontiguousarray(block)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=self._sound.layout)
        frame.sample_rate, frame.time_base = self._sound.rate, Fraction(1, self._sound.rate)
        frame.pts = self._num_samples
        self._num_samples += block.shape[1]
        self._output.mux(self._stream.encode(frame))

    def finish(self) -> None:
        self._output.mux(self._stream.encode(None))
