"""Scaling and colours of NV12 frames against swscale, which software decoding uses."""

import subprocess
import sys

import av
import numpy as np
import pytest

from tests.support.triton_device import MARKS, TRITON_DEVICE
from vswin_cli.video.nv12 import ChromaSite, Nv12Converter, UnsupportedFrameError, axis_taps
from vswin_cli.video.resize import ImageResizer

pytestmark = MARKS

BT709, UNSPECIFIED, BT601, BT2020, YCGCO = 1, 2, 6, 9, 8
LIMITED, FULL = 1, 2


COMPILE = """
import itertools
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from vswin_cli.video.nv12_kernel import convert_frames

names = convert_frames.arg_names
types = {"planes": "*i64", "out": "*u8"}
types |= dict.fromkeys(("rows", "columns", "chroma_rows", "chroma_columns"), "*i32")
types |= dict.fromkeys([name for name in names if name.endswith("_weights")], "*fp32")
types |= dict.fromkeys(("luma_stride", "chroma_stride", "height", "width"), "i32")
values = {"luma_scale": 1.16, "luma_offset": -20.4, "row_taps": 11, "column_taps": 11}
values |= {"chroma_row_taps": 7, "chroma_column_taps": 7, "block_height": 8, "block_width": 64}
values |= {"red_v": 117489, "green_u": -13975, "green_v": -34925, "blue_u": 138438}
for packed, deep in itertools.product((False, True), repeat=2):
    constants = values | {"halves_chroma": packed, "is_deep": deep}
    source = ASTSource(
        convert_frames,
        {name: types.get(name, "constexpr") for name in names},
        {(names.index(name),): value for name, value in constants.items()},
    )
    options = {"num_warps": 4, "enable_fp_fusion": True}
    triton.compile(source, target=GPUTarget("cuda", CAPABILITY, 32), options=options)
    print("built")
"""


def noise(width=64, height=40, *, pixel_format="nv12", matrix=BT709, colour_range=LIMITED):
    """A frame of smooth noise with all colours that its range holds, and with sharp edges."""
    draw = np.random.default_rng(width)
    y = np.kron(draw.integers(16, 236, (height // 4, width // 4)), np.ones((4, 4)))
    uv = np.kron(draw.integers(16, 241, (height // 8, width // 8, 2)), np.ones((4, 4, 1)))
    y += draw.integers(-3, 4, y.shape)
    planes = np.concatenate([y.ravel(), uv.ravel()]).clip(0, 255).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(planes.reshape(-1, width), format="nv12")
    frame = frame.reformat(format=pixel_format)
    frame.colorspace, frame.color_range = matrix, colour_range
    return frame


def differences(frames, height, width, site=ChromaSite.CENTRE):
    """How far the kernel's images are from those of software decoding, value by value."""
    moved = [to_device(frame) for frame in frames]
    images = Nv12Converter(TRITON_DEVICE, site).convert(moved, height, width)
    expected = np.stack(
        [ImageResizer(1).scale(frame, height, width).to_ndarray() for frame in frames]
    )
    assert images.shape == expected.shape == (len(frames), height, width, 3)
    assert images.dtype == np.uint8
    return np.abs(images.astype(int) - expected)


def to_device(frame):
    """The frame with its planes where the kernel runs."""
    if TRITON_DEVICE.type == "cpu":
        return frame
    import torch

    planes = [torch.utils.dlpack.from_dlpack(plane).to(TRITON_DEVICE) for plane in frame.planes]
    moved = av.VideoFrame.from_dlpack(tuple(planes), format=frame.format.name)
    moved.colorspace, moved.color_range = frame.colorspace, frame.color_range
    return moved


@pytest.mark.parametrize("colour_range", [LIMITED, FULL])
@pytest.mark.parametrize("matrix", [BT709, UNSPECIFIED, BT601, BT2020])
@pytest.mark.parametrize("width", [20, 21])  # swscale computes odd widths in another way
def test_colours_are_those_of_swscale(matrix, colour_range, width):
    found = differences([noise(matrix=matrix, colour_range=colour_range)], 16, width)
    assert found.max() <= 4
    assert found.mean() < 0.2


@pytest.mark.parametrize("width", [20, 21])
def test_ten_bits_are_those_of_swscale(width):
    found = differences([noise(pixel_format="p010le")], 16, width)
    assert found.max() <= 4
    assert found.mean() < 0.2


@pytest.mark.parametrize(
    ("height", "width", "mean"),
    [(40, 64, 0.1), (20, 32, 0.1), (12, 64, 0.1), (49, 75, 1), (80, 128, 1)],
)
def test_any_size_is_nearly_that_of_swscale(height, width, mean):
    found = differences([noise()], height, width)  # enlarging, it rounds once more
    assert found.max() <= 4
    assert found.mean() < mean


def test_frames_of_one_launch_do_not_mix():
    green = av.VideoFrame.from_ndarray(np.zeros((60, 64), np.uint8), format="nv12")
    green.colorspace, green.color_range = BT709, LIMITED
    assert differences([noise(), green, noise()], 12, 18).max() <= 4


def test_chroma_sits_where_the_decoder_says(tmp_path):
    """H.264 has it on the left of its luma, which frames made here do not state."""
    path = tmp_path / "colours.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", 25, options={"crf": "10"})
        stream.width, stream.height = 64, 40
        for packet in (*stream.encode(noise().reformat(format="yuv420p")), *stream.encode()):
            output.mux(packet)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0)).reformat(format="nv12")
    means = {site: differences([frame], 20, 32, site).mean() for site in ChromaSite}
    assert means[ChromaSite.LEFT] < 0.1
    assert min(means[ChromaSite.CENTRE], means[ChromaSite.TOP_LEFT]) > 1


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (noise(matrix=YCGCO), "colour matrix 8"),
        (noise(pixel_format="yuv420p"), "pixel format yuv420p"),
        (av.VideoFrame(127, 80, "nv12"), "odd width"),
        (av.VideoFrame(128, 79, "nv12"), "odd width"),
    ],
)
def test_other_frames_are_refused(frame, words):
    with pytest.raises(UnsupportedFrameError, match=words):
        Nv12Converter(TRITON_DEVICE).convert([to_device(frame)], 12, 18)


@pytest.mark.slow
@pytest.mark.parametrize("capability", [90])
def test_the_kernel_compiles_for_a_gpu_that_is_not_here(capability, tmp_path):
    file = tmp_path / "compile_kernel.py"
    file.write_text(COMPILE.replace("CAPABILITY", str(capability)))
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "built\n" * 4


@pytest.mark.parametrize(("source", "target"), [(1080, 224), (5, 5), (3, 8), (100, 1), (1, 4)])
@pytest.mark.parametrize("centre", [0.25, 0.5])
def test_weights_stay_inside_the_source_and_sum_to_one(source, target, centre):
    first, weights = axis_taps(source, target, centre)
    assert first.min() >= 0
    assert first.max() + weights.shape[1] <= source
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    assert weights.min() >= 0
    # The middle of what each output looks at moves evenly over the source.
    middles = (weights * (first[:, None] + np.arange(weights.shape[1]))).sum(axis=1)
    assert np.all(np.diff(middles) >= 0)


def test_the_same_size_takes_each_sample_as_it_is():
    first, weights = axis_taps(6, 6)
    whole = np.zeros((6, 6))
    for i, (at, row) in enumerate(zip(first, weights, strict=True)):
        whole[i, at : at + len(row)] = row
    np.testing.assert_allclose(whole, np.eye(6), atol=1e-6)
