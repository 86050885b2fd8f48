"""Make dissolves and fades between real clips, whose times are known exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

FOLDERS = ("camera_dev", "static_clips")
SIZE = (192, 144)
RATE = 24
AROUND = 48  # frames of either clip before and after
BLACK = 4  # frames between the two halves of a fade
KINDS = ("dissolve", "fade")
LENGTHS = (0.5, 1.0, 1.5)  # seconds of a dissolve, and of either half of a fade
EACH = 10  # of every kind and length, per half
Frames = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Transition:
    """A video with one transition, between clips of one half."""

    path: Path
    kind: str
    seconds: float
    half: str
    start: float
    end: float


def make_transitions(
    data: Path, folder: Path, half_of: Callable[[str], str], each: int = EACH
) -> list[Transition]:
    """Write the videos, unless they are there, and list them."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(18)
    sources = sorted(
        path
        for name in FOLDERS
        for path in (data / name).iterdir()
        if path.suffix.lower() in (".mp4", ".avi", ".mkv")
    )
    made = []
    for half in ("dev", "other"):
        clips = [path for path in sources if half_of(path.name) == half]
        for kind in KINDS:
            for seconds in LENGTHS:
                for number in range(each):
                    path = folder / f"{half}_{kind}_{seconds:g}_{number}.mp4"
                    made.append(_transition(path, kind, seconds, half))
                    pair = _pair(clips, round(seconds * RATE), rng)
                    if not path.exists():
                        write(join(*pair, kind), path)
    return made


def _transition(path: Path, kind: str, seconds: float, half: str) -> Transition:
    start = AROUND / RATE
    length = seconds if kind == "dissolve" else 2 * seconds + BLACK / RATE
    return Transition(path, kind, seconds, half, start, start + length)


def _pair(clips: list[Path], length: int, rng: np.random.Generator) -> tuple[Frames, Frames]:
    """Draw two clips that are long enough."""
    drawn: list[Frames] = []
    for place in rng.permutation(len(clips)):
        frames = read(clips[place], length + AROUND, float(rng.uniform(0, 1)))
        drawn += [] if frames is None else [frames]
        if len(drawn) == 2:
            break
    return drawn[0], drawn[1]


def read(path: Path, count: int, start: float) -> Frames | None:
    """Read `count` frames at `RATE` from `start` seconds on; `None` if the clip is shorter."""
    wanted = start + np.arange(count) / RATE
    frames: list[Frames] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        rate = float(stream.average_rate or 25)
        try:
            for i, frame in enumerate(container.decode(stream)):
                while len(frames) < count and wanted[len(frames)] < (i + 1) / rate:
                    frames.append(frame.reformat(*SIZE, "rgb24").to_ndarray())
                if len(frames) == count:
                    return np.stack(frames)
        except av.FFmpegError:  # a clip with damage at its end
            pass
    return None


def join(first: Frames, second: Frames, kind: str) -> Frames:
    """Join two clips of (n + `AROUND`) frames by a dissolve or a fade over n frames."""
    length = len(first) - AROUND
    share = np.linspace(0, 1, length + 2)[1:-1, None, None, None]
    leaving, coming = (1 - share) * first[AROUND:], share * second[:length]
    if kind == "dissolve":
        parts = [leaving + coming]
    else:
        parts = [leaving, np.zeros((BLACK, *first.shape[1:])), coming]
    whole = np.concatenate([first[:AROUND], *parts, second[length:]])
    levels: Frames = np.rint(whole).astype(np.uint8)
    return levels


def write(frames: Frames, path: Path) -> None:
    """Write frames as a video."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=RATE, options={"preset": "veryfast", "crf": "20"}
        )
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
