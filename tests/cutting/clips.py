"""Cut in this process, and read clips frame by frame."""

from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.support.videos import read_index
from vswin_cli.cutting.copied_clip import copy_clip, find_key_frame
from vswin_cli.cutting.exact_clip import encode_clip
from vswin_cli.cutting.frame_spans import FrameSpans
from vswin_cli.cutting.sound import SoundReader
from vswin_cli.video.reader import VideoReader


def exact(video: Path, start: float, end: float, target: Path | None = None) -> Path | None:
    """Encode a part of a video; `None` if there is no frame."""
    target = target or video.with_name("clip.mp4")
    with VideoReader(video) as reader:
        origin = reader.info.start_seconds
        shape = Fraction(reader.info.sample_aspect_ratio.replace(":", "/"))
        with closing(SoundReader(video, origin)) as sound:
            length = encode_clip(
                *(FrameSpans(reader), sound, target, start, end),
                comment="test",
                pixel_shape=shape,
                on_frame=lambda: None,
            )
    return None if length is None else target


def copied(video: Path, start: float, end: float) -> tuple[Path, float]:
    """Copy a part of a video; also return by how much it begins early."""
    target = video.with_name("clip.mp4")
    with VideoReader(video) as reader:
        origin = reader.info.start_seconds
    found = find_key_frame(video, origin, start)
    assert found is not None
    copy_clip(video, target, found, origin, end, comment="test", on_packet=lambda: None)
    return target, start - found.seconds


def shown(path: Path) -> list[tuple[float, int]]:
    """Time and painted number of every frame, upright."""
    with av.open(str(path)) as opened:
        return [
            (
                round(float(frame.time), 4),
                read_index(np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))),
            )
            for frame in opened.decode(video=0)
        ]


def indices(path: Path) -> list[int]:
    return [index for _, index in shown(path)]


def sound_of(path: Path) -> np.ndarray:
    """All samples (channels, n) of the first audio stream, those with negative times left out."""
    with av.open(str(path)) as opened:
        blocks = [frame.to_ndarray() for frame in opened.decode(audio=0)]
    return np.concatenate(blocks, axis=1)
