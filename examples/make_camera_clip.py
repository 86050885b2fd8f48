"""Render examples/camera.mp4: two painted landscapes seen by a virtual camera.

The moves are known to the frame, so the clip has a true timeline, examples/camera.truth.json.
Everything is drawn from a seed; no photograph is used.

    python examples/make_camera_clip.py
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
RATE, WIDTH, HEIGHT = 25, 640, 360
WORLD_WIDTH, WORLD_HEIGHT = 2400, 1350


@dataclass(frozen=True)
class Move:
    """One stretch of the video."""

    label: str
    """What the camera does."""
    seconds: float
    world: int
    """Which landscape it looks at; a change is a cut."""
    start: tuple[float, float, float]
    """Where it begins: centre x and y as parts of the world, and width of the view in pixels."""
    stop: tuple[float, float, float]


MOVES = (
    Move("static", 2.5, 0, (0.30, 0.50, 900), (0.30, 0.50, 900)),
    Move("pan-right", 3.5, 0, (0.30, 0.50, 900), (0.70, 0.50, 900)),
    Move("tilt-up", 3.0, 0, (0.70, 0.62, 900), (0.70, 0.34, 900)),
    Move("zoom-in", 3.0, 1, (0.50, 0.50, 1500), (0.50, 0.50, 700)),
    Move("static", 2.5, 1, (0.50, 0.50, 700), (0.50, 0.50, 700)),
    Move("pan-left", 3.5, 0, (0.72, 0.45, 800), (0.30, 0.45, 800)),
    Move("zoom-out", 3.0, 1, (0.45, 0.50, 700), (0.45, 0.50, 1500)),
)


def paint_world(seed: int) -> NDArray[np.float32]:
    """Paint a landscape (H, W, 3) in 0..255: sky, hills, and many houses and trees."""
    draw = np.random.default_rng(seed)
    y = np.linspace(0, 1, WORLD_HEIGHT)[:, None]
    x = np.linspace(0, 1, WORLD_WIDTH)[None, :]
    sky = np.array([120 + 60 * seed, 150, 210 - 50 * seed])
    world = sky * (0.75 + 0.35 * y)[..., None] * np.ones((1, WORLD_WIDTH, 1))
    for layer in range(4):
        waves = sum(
            draw.uniform(0.2, 1) / k * np.sin(2 * np.pi * (k * x * 1.5 + draw.uniform()))
            for k in range(1, 9)
        )
        below = y > 0.30 + 0.15 * layer + 0.05 * waves
        world[below] = muted_colour(draw)
    for _ in range(260):
        paint_object(world, draw)
    texture = blocky_noise(draw, 2) + blocky_noise(draw, 5)
    return np.clip(world + 6 * texture[..., None], 0, 255).astype(np.float32)


def muted_colour(draw: np.random.Generator) -> NDArray[np.float64]:
    """Draw a colour of low saturation."""
    return np.asarray(draw.uniform(30, 220) + draw.uniform(-30, 30, 3))


def paint_object(world: NDArray[np.float64], draw: np.random.Generator) -> None:
    """Paint a house with windows, or a round tree, at a random place."""
    size = int(draw.uniform(18, 90))
    top, left = int(draw.uniform(0, WORLD_HEIGHT - size)), int(draw.uniform(0, WORLD_WIDTH - size))
    patch = world[top : top + size, left : left + size]
    colour = muted_colour(draw)
    if draw.uniform() < 0.5:
        patch[:] = colour
        patch[size // 5 :: size // 3 + 1, size // 5 : -size // 5] = muted_colour(draw)
        return
    v, u = np.ogrid[:size, :size]
    patch[(v - size / 2) ** 2 + (u - size / 2) ** 2 < size**2 / 4] = colour


def blocky_noise(draw: np.random.Generator, cell: int) -> NDArray[np.float64]:
    """Draw noise (H, W) with grains of `cell` pixels."""
    grains = draw.standard_normal((WORLD_HEIGHT // cell + 1, WORLD_WIDTH // cell + 1))
    noise = np.kron(grains, np.ones((cell, cell)))
    return np.asarray(noise[:WORLD_HEIGHT, :WORLD_WIDTH], np.float64)


def render_view(
    world: NDArray[np.float32], centre_x: float, centre_y: float, view: float
) -> NDArray[np.uint8]:
    """Render the part of the world `view` pixels wide around a centre; (HEIGHT, WIDTH, 3)."""
    scale = view / WIDTH
    xs = centre_x * WORLD_WIDTH + (np.arange(WIDTH) - WIDTH / 2 + 0.5) * scale
    ys = centre_y * WORLD_HEIGHT + (np.arange(HEIGHT) - HEIGHT / 2 + 0.5) * scale
    x0, y0 = np.floor(xs).astype(int), np.floor(ys).astype(int)
    fx, fy = (xs - x0)[None, :, None], (ys - y0)[:, None, None]
    above, below = world[y0], world[y0 + 1]
    upper = above[:, x0] * (1 - fx) + above[:, x0 + 1] * fx
    lower = below[:, x0] * (1 - fx) + below[:, x0 + 1] * fx
    return np.asarray((upper * (1 - fy) + lower * fy).round(), np.uint8)


def main() -> None:
    """Write the clip and its true timeline."""
    worlds = [paint_world(seed) for seed in (0, 1)]
    truth: list[dict[str, object]] = []
    frame_number = 0
    with av.open(str(HERE / "camera.mp4"), "w") as video:
        stream = video.add_stream("libx264", RATE, options={"crf": "27", "preset": "slow"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for before, move in zip((None, *MOVES), MOVES, strict=False):
            start = frame_number / RATE
            if before is not None and (before.world != move.world or before.stop != move.start):
                truth.append({"label": "cut", "start": start, "end": start})
            count = round(move.seconds * RATE)
            for i in range(count):
                part = i / count
                at = [a + (b - a) * part for a, b in zip(move.start, move.stop, strict=True)]
                frame = av.VideoFrame.from_ndarray(render_view(worlds[move.world], *at), "rgb24")
                video.mux(stream.encode(frame))
            frame_number += count
            truth.append({"label": move.label, "start": start, "end": frame_number / RATE})
        video.mux(stream.encode(None))
    (HERE / "camera.truth.json").write_text(json.dumps(truth, indent=1) + "\n")


if __name__ == "__main__":
    main()
