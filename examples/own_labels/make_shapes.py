"""Make a labelled set of short synthetic videos: a shape that moves, turns, grows or appears.

Each video has one shape of random form, size, colour and place before a random textured ground.
What the shape does is the label; nothing else tells the labels apart. `train.csv` lists the videos
with their labels, so that

    python examples/own_labels/make_shapes.py shapes
    vswin train shapes/train.csv -o shapes-model

trains a model on them. The same seed makes the same videos.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

LABELS = ("appear", "grow", "move left", "move right", "rest", "turn")
SIZE = 96  # pixels, width and height
RATE = 12  # frames per second
SECONDS = 2

_BLOCKS = 12  # of the ground's texture, along each side


@dataclass(frozen=True)
class Shape:
    """An ellipse or a rectangle in units of half the frame; the middle is (0, 0)."""

    is_ellipse: bool
    x: float
    y: float
    width: float
    height: float
    angle: float
    """Radians, clockwise in the frame."""
    colour: NDArray[np.float64]

    def draw(self, ground: NDArray[np.float64], opacity: float = 1.0) -> NDArray[np.uint8]:
        """Draw the shape on a ground (H, W, 3) of values in 0..255."""
        axis = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
        x, y = np.meshgrid(axis - self.x, axis - self.y)
        across = (x * np.cos(self.angle) + y * np.sin(self.angle)) / self.width
        along = (y * np.cos(self.angle) - x * np.sin(self.angle)) / self.height
        far = np.hypot(across, along) if self.is_ellipse else np.maximum(abs(across), abs(along))
        edge = min(self.width, self.height) * SIZE / 4  # one pixel is blended
        cover = np.clip((1 - far) * edge + 0.5, 0, 1)[..., None] * opacity
        blended = ground * (1 - cover) + self.colour * cover
        return np.asarray(np.clip(blended, 0, 255), np.uint8)


def frames(label: str, random: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames (H, W, 3) of a video with a label."""
    ground = random.uniform(60, 180, (_BLOCKS, _BLOCKS, 3))
    ground = ground.repeat(SIZE // _BLOCKS, 0).repeat(SIZE // _BLOCKS, 1)
    ground = (ground + np.roll(ground, 3, 0) + np.roll(ground, 3, 1)) / 3
    width = random.uniform(0.18, 0.3)
    shape = Shape(
        is_ellipse=bool(random.integers(2)) and label != "turn",
        x=random.uniform(-0.4, 0.4),
        y=random.uniform(-0.5, 0.5),
        width=width,
        height=width * random.uniform(1.4, 2),
        angle=random.uniform(0, np.pi),
        colour=random.choice([20.0, 235.0], 3),
    )
    speed = random.uniform(0.7, 1.1)  # of each change over the whole video
    sense = int(random.choice([-1, 1]))
    for i in range(RATE * SECONDS):
        part = i / (RATE * SECONDS - 1)
        opacity = float(np.clip((part - 0.3) / 0.3, 0, 1)) if label == "appear" else 1.0
        noise = random.normal(0, 4, ground.shape)
        yield changed(shape, label, part * speed, sense).draw(ground + noise, opacity)


def changed(shape: Shape, label: str, amount: float, sense: int) -> Shape:
    """Return the shape after a part of what a label does to it."""
    if label.startswith("move"):
        way = 1 if label == "move right" else -1
        return replace(shape, x=way * (amount - 0.45) * 1.2)
    if label == "turn":
        return replace(shape, angle=shape.angle + sense * amount * np.pi)
    if label == "grow":
        size = 0.6 + amount
        return replace(shape, width=shape.width * size, height=shape.height * size)
    return shape


def write_video(path: Path, images: Iterator[NDArray[np.uint8]]) -> None:
    """Encode frames as H.264."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options={"crf": "20", "mbtree": "0"})
        stream.width = stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for image in images:
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def make_shapes(
    folder: Path, count: int, *, labels: tuple[str, ...] = LABELS, seed: int = 0
) -> Path:
    """Make `count` videos per label, and return the list `train.csv` of them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i, label in enumerate(labels):
        for number in range(count):
            path = folder / f"{label.replace(' ', '-')}-{number:03}.mp4"
            write_video(path, frames(label, np.random.default_rng((seed, i, number))))
            rows.append((path.name, label))
    table = folder / "train.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label"), *rows])
    return table


def main() -> None:
    """Make the set from the command line."""
    parser = argparse.ArgumentParser(description="Make synthetic videos with known labels.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=24, help="videos per label")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(make_shapes(options.folder, options.count, seed=options.seed))


if __name__ == "__main__":
    main()
