"""Small videos of a square that moves in one direction: examples for training."""

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


def make_square(path: Path, label: str, seed: int, *, num_frames: int = 10) -> Path:
    """Encode a bright square on noise that moves one way, at eight frames a second."""
    draw = np.random.default_rng(seed)
    y, x = draw.integers(0, 48, 2)
    dy, dx = (4 * step for step in DIRECTIONS[label])
    ground = draw.integers(20, 90, (1, 1, 3))
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=8, options={"crf": "10", "mbtree": "0"})
        stream.width = stream.height = 48
        stream.codec_context.thread_count = 1
        for number in range(num_frames):
            picture = np.broadcast_to(ground, (48, 48, 3)).astype(np.uint8)
            rows = (np.arange(y, y + 16) + dy * number) % 48
            columns = (np.arange(x, x + 16) + dx * number) % 48
            picture[np.ix_(rows, columns)] = 230
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(stream.encode(None))
    return path


def square_examples(folder: Path, each: int) -> list[Example]:
    """Make `each` videos of every direction."""
    for seed in range(each):
        for label in DIRECTIONS:
            make_square(folder / f"{label}-{seed}.mp4", label, seed)
    return found_squares(folder)


def found_squares(folder: Path) -> list[Example]:
    """List the videos that were made in a folder, directions in turn."""
    paths = sorted(folder.glob("*-*.mp4"), key=lambda path: path.stem.split("-")[::-1])
    return [Example(VideoSource(str(path), path), (path.stem.split("-")[0],)) for path in paths]


def write_table(folder: Path, each: int) -> Path:
    """Make `each` videos of every direction, and the list of them that `vswin train` reads."""
    rows = [f"{item.source.uri},{item.labels[0]}" for item in square_examples(folder, each)]
    table = folder / "list.csv"
    table.write_text("\n".join(["path,label", *rows]))
    return table


def write_small_model(folder: Path) -> Path:
    """Write a model folder with a network of this shape, to begin with from random weights."""
    state = VideoSwin(SHAPE, 0).state_dict()
    save_model(folder, state, ModelCard("small", SHAPE, 0, input=SPEC))
    return folder
