"""Images: size, orientation, and the arithmetic of the reference resize."""

import av
import numpy as np
import pytest

from tests.support.videos import paint, read_index
from vswin_cli.video.resize import ImageResizer, resize_bilinear, resized_shape


def frame_of(image, pixel_format="yuv444p"):
    return av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixel_format)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (1080, 1920, (224, 398)),
        (2280, 1080, (473, 224)),
        (256, 340, (224, 298)),
        (1, 1, (224, 224)),
    ],
)
def test_short_side_is_scaled_and_the_other_rounded_half_up(height, width, expected):
    assert resized_shape(height, width, 224) == expected


@pytest.mark.parametrize("resize", ["fast", "reference"])
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_images_are_upright(resize, turn):
    stored = np.rot90(paint(1234, 96, 64), -turn // 90)
    resizer = ImageResizer(32, resize)
    image = resizer.resize(frame_of(np.ascontiguousarray(stored)), turn)
    assert image.shape == (32, 48, 3)
    assert image.flags.c_contiguous
    assert read_index(image) == 1234


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le", "yuv422p", "gray", "rgba"])
def test_every_pixel_format_becomes_rgb(pixel_format):
    image = ImageResizer(32).resize(frame_of(paint(77, 64, 64), pixel_format), 0)
    assert (image.dtype, image.shape) == (np.uint8, (32, 32, 3))
    assert read_index(image) == 77


def test_resize_to_the_same_size_changes_nothing():
    image = paint(5, 20, 10)
    assert resize_bilinear(image, 10, 20) is image


def test_resize_interpolates_between_pixel_centres():
    row = np.array([[[0], [100]]], np.uint8)
    assert resize_bilinear(row, 1, 4)[0, :, 0].tolist() == [0, 25, 75, 100]


def test_resize_does_not_average_what_it_skips():
    """Without antialiasing a thin line can vanish, as it did in the published evaluations."""
    image = np.zeros((1, 12, 1), np.uint8)
    image[0, 3] = 255
    assert resize_bilinear(image, 1, 3).max() == 0


@pytest.mark.parametrize(("height", "width"), [(7, 9), (40, 61), (100, 33)])
def test_resize_equals_exact_bilinear_within_rounding(height, width):
    image = np.random.default_rng(0).integers(0, 256, (31, 47, 3), dtype=np.uint8)
    rows = np.clip((np.arange(height) + 0.5) * 31 / height - 0.5, 0, 30)
    columns = np.clip((np.arange(width) + 0.5) * 47 / width - 0.5, 0, 46)
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    down, right = np.minimum(top + 1, 30), np.minimum(left + 1, 46)
    y, x = (rows - top)[:, None, None], (columns - left)[None, :, None]
    exact = (1 - y) * ((1 - x) * image[top][:, left] + x * image[top][:, right]) + y * (
        (1 - x) * image[down][:, left] + x * image[down][:, right]
    )
    assert np.abs(resize_bilinear(image, height, width) - exact).max() <= 1.0


@pytest.mark.parametrize("threads", [None, 1, 3])
def test_images_do_not_depend_on_the_threads_that_scale(threads):
    frame = frame_of(np.random.default_rng(0).integers(0, 256, (97, 150, 3), np.uint8), "yuv420p")
    image = ImageResizer(32, threads=threads).resize(frame, 0)
    np.testing.assert_array_equal(image, ImageResizer(32).resize(frame, 0))


def test_a_scaler_without_an_option_for_threads_scales_all_the_same():
    class Older:
        def reformat(self, frame, width, height, layout, *, interpolation):
            return frame.reformat(width, height, layout, interpolation=interpolation)

    frame = frame_of(np.full((64, 64, 3), 200, np.uint8), "yuv420p")
    resizer = ImageResizer(32, threads=1)
    resizer._reformatter = Older()
    for _ in range(2):
        assert resizer.resize(frame, 0).shape == (32, 32, 3)
