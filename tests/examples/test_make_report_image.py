"""The script that makes the image for the README; taking the screenshot needs a browser."""

import importlib
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield importlib.import_module("make_report_image")
    del sys.modules["make_report_image"]


def write_png(path: Path, pixels: np.ndarray) -> None:
    encoder = av.CodecContext.create("png", "w")
    encoder.height, encoder.width, encoder.pix_fmt = *pixels.shape[:2], "rgb24"
    encoder.time_base = Fraction(1)
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
    path.write_bytes(
        b"".join(bytes(one) for one in [*encoder.encode(frame), *encoder.encode(None)])
    )


def test_a_palette_makes_an_image_smaller_and_hardly_changes_it(script, tmp_path):
    path = tmp_path / "a.png"
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 255, 320).astype(np.uint8)
    pixels = np.stack([ramp + np.zeros((240, 1), np.uint8)] * 3, axis=-1)
    pixels[:100] = rng.integers(100, 140, (100, 320, 3))
    write_png(path, pixels)
    before = path.stat().st_size
    script.reduce_colours(path)
    assert path.stat().st_size < before / 2
    with av.open(str(path)) as container:
        reduced = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(reduced.astype(int) - pixels).mean() < 8


@pytest.mark.slow
def test_the_page_of_the_example_clip_is_made(script, tmp_path):
    script.make_page(EXAMPLES / "camera.mp4", tmp_path / "page.html")
    assert "camera.mp4" in (tmp_path / "page.html").read_text()
