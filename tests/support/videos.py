"""Videos made at test time, each frame painted with its own number.

A decoded frame thus proves which one it is, through any codec and scaling, and that it is upright.
The number is written as 16 dark or light blocks, 4 × 4, row by row, lowest bit first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import numpy as np

BLOCKS = 4
MAX_FRAMES = 1 << BLOCKS * BLOCKS
MILLISECONDS = Fraction(1, 1000)
_KEPT_PIXELS = 1 << 14


@dataclass(frozen=True)
class VideoRecipe:
    """What to make; the defaults give two seconds of H.264 at 30 frames per second."""

    num_frames: int = 60
    rate: Fraction = Fraction(30)
    codec: str = "libx264"
    width: int = 64
    height: int = 64
    pixel_format: str = "yuv420p"
    gop: int = 12
    b_frames: int = 0
    rotation: float = 0  # counter-clockwise turn that puts the stored frame upright
    start: float = 0.0  # seconds before the first frame
    times: Sequence[float] | None = None  # of each frame, instead of the rate
    time_base: Fraction = Fraction(1, 90_000)
    container: str | None = None
    first_index: int = 0
    options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)


def paint(index: int, width: int, height: int) -> np.ndarray:
    """An RGB image (height, width, 3) that shows a number."""
    bits = (index >> np.arange(BLOCKS * BLOCKS)) & 1
    rows = np.arange(height) * BLOCKS // height
    columns = np.arange(width) * BLOCKS // width
    grey = 40 + 180 * bits.reshape(BLOCKS, BLOCKS)[rows][:, columns]
    return np.repeat(grey[:, :, None], 3, axis=2).astype(np.uint8)


def read_index(image: np.ndarray) -> int:
    """The number that an image shows."""
    height, width = image.shape[:2]
    index = 0
    for bit in range(BLOCKS * BLOCKS):
        row, column = divmod(bit, BLOCKS)
        top, left = (row + 0.25) * height / BLOCKS, (column + 0.25) * width / BLOCKS
        block = image[
            int(top) : int(top + height / BLOCKS / 2) + 1,
            int(left) : int(left + width / BLOCKS / 2) + 1,
        ]
        index |= int(block.mean() > 130) << bit
    return index


def read_indices(images: Iterable[np.ndarray]) -> list[int]:
    return [read_index(image) for image in images]


def make_video(path: Path, recipe: VideoRecipe = VideoRecipe()) -> Path:
    """Encode a video; the container follows from the name unless the recipe says."""
    with av.open(
        str(path), "w", format=recipe.container, options=recipe.container_options
    ) as output:
        _write_stream(output, recipe)
    return path


def make_joined(path: Path, *recipes: VideoRecipe) -> Path:
    """Encode videos in the same codec one after the other into one stream, without its tags."""
    parts = [make_video(path.with_suffix(f".{n}.ts"), one) for n, one in enumerate(recipes)]
    with av.open(str(path), "w") as output:
        stream = None
        for part in parts:
            with av.open(str(part)) as source:
                stream = stream or output.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.size:
                        packet.stream = stream
                        output.mux(packet)
    return path


def _write_stream(output, recipe: VideoRecipe) -> None:
    _write_frames(output, _add_stream(output, recipe), recipe)


def _write_frames(output, stream, recipe: VideoRecipe) -> None:
    for number in range(recipe.num_frames):
        output.mux(stream.encode(_frame(recipe, number)))
    output.mux(stream.encode(None))


def _add_stream(output, recipe: VideoRecipe):
    options = recipe.options
    if recipe.codec == "libx264":  # whose macroblock tree is not the same every time
        options = {"mbtree": "0", **options}
    stream = output.add_stream(recipe.codec, rate=recipe.rate, options=options)
    stream.width, stream.height = recipe.width, recipe.height
    stream.pix_fmt = recipe.pixel_format
    stream.codec_context.gop_size = recipe.gop
    stream.codec_context.time_base = recipe.time_base if recipe.times else 1 / recipe.rate
    stream.codec_context.thread_count = 1  # the same bytes on every machine
    if recipe.codec in ("libx264", "libx265", "mpeg4", "mpeg2video", "mpeg1video"):
        stream.codec_context.max_b_frames = recipe.b_frames
    if recipe.rotation:
        stream.set_display_rotation(recipe.rotation)
    return stream


def _frame(recipe: VideoRecipe, number: int):
    turns = round(recipe.rotation / 90)
    index = recipe.first_index + number
    is_small = recipe.width * recipe.height <= _KEPT_PIXELS
    paint_frame = _kept_frame if is_small else _painted_frame
    frame = paint_frame(index, recipe.width, recipe.height, turns, recipe.pixel_format)
    if recipe.times:
        frame.time_base = recipe.time_base
        frame.pts = round((recipe.start + recipe.times[number]) / recipe.time_base)
    else:
        frame.time_base = 1 / recipe.rate
        frame.pts = number + round(recipe.start * recipe.rate)
    return frame


def _painted_frame(index: int, width: int, height: int, turns: int, pixel_format: str):
    size = (height, width) if turns % 2 else (width, height)
    image = np.ascontiguousarray(np.rot90(paint(index, *size), -turns))
    return av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixel_format)


_kept_frame = lru_cache(1024)(_painted_frame)  # most videos show the same few hundred numbers


def make_audio(path: Path, *, seconds: float = 1.0) -> Path:
    """A video container without video."""
    with av.open(str(path), "w") as output:
        _write_sound(output, output.add_stream("aac", rate=16_000, layout="mono"), seconds)
    return path


def make_with_sound(path: Path, recipe: VideoRecipe, *, sound_seconds: float) -> Path:
    """A video with sound from 0 s on, before or after the frames."""
    with av.open(str(path), "w") as output:
        video = _add_stream(output, recipe)
        sound = output.add_stream("aac", rate=16_000, layout="mono")
        _write_frames(output, video, recipe)
        _write_sound(output, sound, sound_seconds)
    return path


def _write_sound(output, stream, seconds: float) -> None:
    for start in range(0, int(seconds * 16_000), 1024):
        silence = np.zeros((1, 1024), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16_000, start
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def make_several_streams(path: Path, recipes: Sequence[VideoRecipe]) -> Path:
    """One container with a video stream per recipe, of equal length."""
    with av.open(str(path), "w") as output:
        streams = [_add_stream(output, recipe) for recipe in recipes]
        for number in range(recipes[0].num_frames):
            for stream, recipe in zip(streams, recipes, strict=True):
                output.mux(stream.encode(_frame(recipe, number)))
        for stream in streams:
            output.mux(stream.encode(None))
    return path


def make_with_cover(path: Path, recipe: VideoRecipe = VideoRecipe()) -> Path:
    """A video with cover art, which is a video stream of one image; Matroska or MP4."""
    plain = make_video(path.with_name(f"plain-{path.name}"), recipe)
    with av.open(str(plain)) as source, av.open(str(path), "w") as output:
        cover = output.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 320, 240, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        video = output.add_stream_from_template(source.streams.video[0])
        image = av.VideoFrame.from_ndarray(paint(9999, 320, 240), format="rgb24")
        output.mux(cover.encode(image.reformat(format="yuvj420p")))
        output.mux(cover.encode(None))
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = video
                output.mux(packet)
    return path


def make_still_and_audio(path: Path) -> Path:
    """Audio with cover art only: nothing moves."""
    with av.open(str(path), "w") as output:
        cover = output.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        audio = output.add_stream("aac", rate=16_000, layout="mono")
        image = av.VideoFrame.from_ndarray(paint(1, 64, 64), format="rgb24")
        output.mux(cover.encode(image.reformat(format="yuvj420p")))
        output.mux(cover.encode(None))
        _write_sound(output, audio, 0.1)
    return path


def cut_short(path: Path, share: float) -> Path:
    """Keep only the first part of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def overwrite(path: Path, begin: float, end: float, *, seed: int = 0) -> Path:
    """Replace a share of a file's bytes with noise."""
    content = bytearray(path.read_bytes())
    first, last = int(len(content) * begin), int(len(content) * end)
    noise = np.random.default_rng(seed).integers(0, 256, last - first, dtype=np.uint8)
    content[first:last] = noise.tobytes()
    path.write_bytes(content)
    return path


def drop_packets(source: Path, target: Path, lost: range) -> Path:
    """Copy a video without some of its packets, as a recording with drop-outs would be."""
    with av.open(str(source)) as opened, av.open(str(target), "w") as output:
        stream = output.add_stream_from_template(opened.streams.video[0])
        for number, packet in enumerate(opened.demux(opened.streams.video[0])):
            if packet.dts is not None and number not in lost:
                packet.stream = stream
                output.mux(packet)
    return target


TS_PACKET_BYTES = 188
_VIDEO_PID = 0x100  # of the first stream that FFmpeg writes


def destroy_middle_of_ts(
    content: bytes, begin_share: float, *, kept: int, header: int = 0
) -> bytes:
    """Overwrite the video in a transport stream with noise, its packet headers apart.

    Args:
        content: of the file.
        begin_share: share of the file before the noise.
        kept: coded frames at the end that stay whole.
        header: bytes at the start of each coded frame that stay.
    """
    chance = np.random.default_rng(1)
    damaged = bytearray(content)
    ours = [at for at in range(0, len(content), TS_PACKET_BYTES) if _pid(content, at) == _VIDEO_PID]
    begins = [at for at in ours if content[at + 1] & 0x40]
    for at in ours:
        if not begin_share * len(content) <= at < begins[-kept]:
            continue
        payload = at + 4
        if content[at + 3] & 0x20:  # an adaptation field
            payload += 1 + content[payload]
        if content[at + 1] & 0x40:
            payload += 9 + content[payload + 8] + header
        size = max(0, at + TS_PACKET_BYTES - payload)
        damaged[payload : payload + size] = chance.bytes(size)
    return bytes(damaged)


def _pid(content: bytes, at: int) -> int:
    return (content[at + 1] & 0x1F) << 8 | content[at + 2]
