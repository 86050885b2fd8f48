"""From a file to the views of a protocol, against a reference written out here."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from tests.support.golden import SPEC, load_golden
from tests.support.videos import VideoRecipe, cut_short, make_video, read_indices
from vswin_cli.config import EngineOptions
from vswin_cli.errors import SourceError
from vswin_cli.evaluation.protocols import choose_protocol
from vswin_cli.evaluation.topk import classify, view_logits
from vswin_cli.evaluation.views import read_views
from vswin_cli.inference.engine import Engine
from vswin_cli.models.architecture import InputSpec
from vswin_cli.storage.sources import VideoSource

pytestmark = pytest.mark.slow

UNIFORM = InputSpec(num_frames=8, resize_short_side=32, crop_size=32, sampling="uniform")
LOSSLESS = VideoRecipe(num_frames=100, codec="ffv1", pixel_format="bgr0", width=96, height=64)


def source_of(path: Path) -> VideoSource:
    return VideoSource.of(str(path))


def smooth_frames(count: int, height: int, width: int) -> np.ndarray:
    """Colourful frames that move, (count, height, width, 3) uint8."""
    t, y, x, c = np.ogrid[:count, :height, :width, :3]
    waves = np.sin(0.2 * t + 0.09 * x + c) * np.cos(0.13 * y - 0.05 * t * (c + 1))
    return np.asarray(np.rint(127.5 + 120 * waves), np.uint8)


def write_lossless(path: Path, frames: np.ndarray) -> Path:
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=Fraction(25))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "bgr0"
        for pixels in frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            output.mux(stream.encode(frame.reformat(format="bgr0")))
        output.mux(stream.encode(None))
    return path


def resized(frames: np.ndarray, short_side: int) -> np.ndarray:
    """Bilinear with aligned pixel centres and no antialiasing, in float64, rounded to 8 bits."""
    _, height, width, _ = frames.shape
    scale = short_side / min(height, width)
    out = frames.astype(np.float64)
    for axis, size in ((1, height), (2, width)):
        target = int(size * scale + 0.5)
        centres = np.clip((np.arange(target) + 0.5) * size / target - 0.5, 0, size - 1)
        lower = np.minimum(np.floor(centres).astype(int), size - 2)
        shape = [1, 1, 1, 1]
        shape[axis] = target
        part = (centres - lower).reshape(shape)
        out = out.take(lower, axis) * (1 - part) + out.take(lower + 1, axis) * part
    return np.rint(out)


def reference_views(frames: np.ndarray, starts: list[int]) -> torch.Tensor:
    """(12, 3, 8, 32, 32): clip by clip, crops left, right, centre; ImageNet's normalisation."""
    mean = np.array([123.675, 116.28, 103.53])
    std = np.array([58.395, 57.12, 57.375])
    small = (frames - mean) / std
    views = []
    for start in starts:
        clip = small[start : start + 16 : 2]
        spare = clip.shape[2] - 32
        for x in (0, spare // 2 * 2, spare // 2):
            views.append(clip[:, :, x : x + 32].transpose(3, 0, 1, 2))
    return torch.tensor(np.stack(views), dtype=torch.float32)


@pytest.mark.parametrize(
    ("name", "starts"), [("paper", [10, 31, 53, 74]), ("mmaction2", [0, 28, 57, 85])]
)
def test_views_logits_and_scores_are_those_of_the_written_out_protocol(tmp_path, name, starts):
    frames = smooth_frames(100, 32, 57)
    path = write_lossless(tmp_path / "a.mkv", frames)
    protocol = choose_protocol(name, SPEC)
    engine = Engine(load_golden(), EngineOptions("cpu", "float32"), crops=protocol.crops)
    views = read_views(source_of(path), SPEC, protocol, isolate=False)
    assert views.num_frames == 100
    assert views.indices[:, 0].tolist() == starts
    logits = view_logits(views, engine)
    with torch.inference_mode():
        expected = engine.model.network(reference_views(frames, starts)).reshape(4, 3, 10)
    np.testing.assert_allclose(logits, expected.numpy(), atol=1e-4)
    scores = torch.softmax(expected, dim=-1).mean((0, 1)).numpy()
    np.testing.assert_allclose(classify(logits, "softmax"), scores, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "short_side", "part"),
    [
        ("paper", 32, np.s_[:, :, :]),
        ("torchvision", 37, np.s_[:, 2:34, 17:49]),  # of 37×66; half pixels go to the even one
    ],
)
def test_frames_are_resized_without_antialiasing_to_the_protocols_size(
    tmp_path, name, short_side, part
):
    frames = smooth_frames(20, 60, 107)
    path = write_lossless(tmp_path / "a.mkv", frames)
    views = read_views(source_of(path), SPEC, choose_protocol(name, SPEC), isolate=False)
    expected = resized(frames, short_side)
    for clip, row in zip(views.clips, views.indices, strict=True):
        np.testing.assert_allclose(clip.frames, expected[row][part], atol=1)


@pytest.mark.parametrize("isolate", [False, True])
@pytest.mark.parametrize("name", ["paper", "mmaction2"])
def test_clips_hold_exactly_the_frames_that_were_asked_for(tmp_path, name, isolate):
    path = make_video(tmp_path / "a.mkv", LOSSLESS)
    views = read_views(source_of(path), SPEC, choose_protocol(name, SPEC), isolate=isolate)
    for clip, row in zip(views.clips, views.indices, strict=True):
        assert read_indices(clip.frames) == row.tolist()


def test_uniform_protocol_spreads_over_the_video(tmp_path):
    path = make_video(tmp_path / "a.mkv", LOSSLESS)
    views = read_views(source_of(path), UNIFORM, choose_protocol(None, UNIFORM), isolate=False)
    assert read_indices(views.clips[0].frames) == [6, 18, 31, 43, 56, 68, 80, 93]


def test_a_video_too_long_for_memory_is_decoded_again_for_the_same_clips(tmp_path):
    path = make_video(tmp_path / "a.mkv", LOSSLESS)
    protocol = choose_protocol("paper", SPEC)
    small = read_views(source_of(path), SPEC, protocol, isolate=False, kept_bytes=20_000)
    large = read_views(source_of(path), SPEC, protocol, isolate=False)
    assert small.num_frames == large.num_frames == 100
    for one, other in zip(small.clips, large.clips, strict=True):
        np.testing.assert_array_equal(one.frames, other.frames)


def test_a_short_video_is_looped(tmp_path):
    path = make_video(tmp_path / "a.mkv", VideoRecipe(num_frames=5, codec="ffv1"))
    views = read_views(source_of(path), SPEC, choose_protocol("paper", SPEC), isolate=False)
    assert read_indices(views.clips[0].frames) == [0, 2, 4, 1, 3, 0, 2, 4]


def test_a_damaged_video_gives_what_it_has(tmp_path):
    path = cut_short(make_video(tmp_path / "a.mkv", LOSSLESS), 0.6)
    views = read_views(source_of(path), SPEC, choose_protocol("paper", SPEC))
    assert 0 < views.num_frames < 100
    assert views.report.status == "partial"


def test_what_is_no_video_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_text("no video")
    with pytest.raises(SourceError):
        read_views(source_of(path), SPEC, choose_protocol("paper", SPEC))
