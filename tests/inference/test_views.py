import pytest
import torch

from vswin_cli.inference.views import crop_offsets, make_views, view_areas
from vswin_cli.models.architecture import Architecture, InputSpec


def test_one_crop_is_the_centre():
    assert crop_offsets(224, 398, 224, 1) == [(0, 87)]
    assert crop_offsets(300, 224, 224, 1) == [(38, 0)]


def test_three_crops_lie_along_the_longer_side_in_the_authors_order():
    assert crop_offsets(224, 399, 224, 3) == [(0, 0), (0, 174), (0, 87)]
    assert crop_offsets(398, 224, 224, 3) == [(0, 0), (174, 0), (87, 0)]
    assert crop_offsets(224, 224, 224, 3) == [(0, 0)] * 3


def test_a_frame_smaller_than_the_crop_fails():
    with pytest.raises(ValueError, match="does not fit a frame of 100x50"):
        crop_offsets(50, 100, 64, 1)


def test_views_are_normalised_channels_first_and_cut_where_they_should_be():
    spec = InputSpec(num_frames=2, crop_size=4, resize_short_side=4)
    frames = torch.randint(0, 256, (2, 4, 8, 3), dtype=torch.uint8)
    views = make_views(frames, spec, 3, torch.float32)
    assert views.shape == (3, 3, 2, 4, 4)
    assert views.is_contiguous()
    expected = (frames[1, 2, 4 + 3, 2] / 255 - spec.mean[2]) / spec.std[2]
    torch.testing.assert_close(views[1, 2, 1, 2, 3], expected)
    assert make_views(frames, spec, 1, torch.bfloat16).dtype == torch.bfloat16


def test_areas_of_views_are_parts_of_the_whole_frame():
    swin = Architecture("swin3d_tiny", 96, (2, 2, 6, 2), (3, 6, 12, 24))  # cells of 32 pixels
    (centre,) = view_areas((224, 448), 224, 1, swin)
    assert centre.tolist() == [0.25, 0.0, 0.5, 1.0]
    three = view_areas((448, 224), 224, 3, swin)
    assert three[:, :2].tolist() == [[0.0, 0.0], [0.0, 0.5], [0.0, 0.25]]
    (padded,) = view_areas((48, 48), 48, 1, swin)
    assert padded.tolist() == [0.0, 0.0, 64 / 48, 64 / 48]
