"""Small videos of a square that moves in one direction, or grows or shrinks: training examples."""

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np

from vswin_cli.models.architecture import Architecture, InputSpec
from vswin_cli.models.card import ModelCard
from vswin_cli.models.checkpoints.load import save_model
from vswin_cli.models.network.swin3d import VideoSwin
from vswin_cli.storage.sources import VideoSource
from vswin_cli.training.records import Example

SPEC = InputSpec(num_frames=8, frame_rate=8.0, resize_short_side=32, crop_size=32)
SHAPE = Architecture("swin3d_test", 16, (1, 2), (1, 2), (4, 4, 4), (2, 8, 8))
DIRECTIONS = {"down": (1, 0), "up": (-1, 0)}
SIZES = {"grow": range(6, 26, 2), "shrink": range(24, 4, -2)}
"""Sides of the square in pixels, frame by frame."""


def make_square(path: Path, label: str, seed: int, *, num_frames: int = 10) -> Path:
    """Encode a bright square on a plain ground, at eight frames a second."""
    draw = np.random.default_rng(seed)
    y, x = draw.integers(0, 48, 2)
    dy, dx = (4 * step for step in DIRECTIONS.get(label, (0, 0)))
    sides = SIZES.get(label, [16] * num_frames)
    ground = draw.integers(20, 90, (1, 1, 3))
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=8, options={"crf": "10", "mbtree": "0"})
        stream.width = stream.height = 48
        stream.codec_context.thread_count = 1
        for number in range(num_frames):
            image = np.broadcast_to(ground, (48, 48, 3)).astype(np.uint8)
            rows = (np.arange(y, y + sides[number]) + dy * number) % 48
            columns = (np.arange(x, x + sides[number]) + dx * number) % 48
            image[np.ix_(rows, columns)] = 230
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        output.mux(stream.encode(None))
    return path


def square_examples(
    folder: Path, each: int, labels: Iterable[str] = tuple(DIRECTIONS)
) -> list[Example]:
    """Make `each` videos of every label."""
    for seed in range(each):
        for label in labels:
            make_square(folder / f"{label}-{seed}.mp4", label, seed)
    return found_squares(folder)


def found_squares(folder: Path) -> list[Example]:
    """List the videos that were made in a folder, labels in turn."""
    paths = sorted(folder.glob("*-*.mp4"), key=lambda path: path.stem.split("-")[::-1])
    return [Example(VideoSource(str(path), path), (path.stem.split("-")[0],)) for path in paths]


def write_table(folder: Path, each: int) -> Path:
    """Make `each` videos of every direction, and the list of them that `vswin train` reads."""
    rows = [f"{item.source.uri},{item.labels[0]}" for item in square_examples(folder, each)]
    table = folder / "list.csv"
    table.write_text("\n".join(["path,label", *rows]))
    return table


def write_small_model(folder: Path, shape: Architecture = SHAPE) -> Path:
    """Write a model folder with a network of a shape, to begin with from random weights."""
    save_model(folder, VideoSwin(shape, 0).state_dict(), ModelCard("small", shape, 0, input=SPEC))
    return folder
