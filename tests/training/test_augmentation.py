import numpy as np
import pytest
import torch

from vswin_cli.models.architecture import InputSpec
from vswin_cli.training.augmentation import (
    CropBox,
    choose_crop,
    draw_choices,
    epoch_order,
    make_clip,
    tells_direction,
)

SPEC = InputSpec(num_frames=2, crop_size=8, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))


def choices(*key):
    return draw_choices(*key, num_blocks=3, num_features=5)


def test_choices_follow_from_seed_epoch_and_example_alone():
    first, again = choices(1, 2, 3), choices(1, 2, 3)
    assert first.start == again.start
    assert np.array_equal(first.branches, again.branches)
    others = [choices(0, 2, 3), choices(1, 0, 3), choices(1, 2, 0)]
    assert len({each.start for each in [first, *others]}) == 4


def test_every_epoch_has_another_order_of_all_examples():
    orders = [epoch_order(7, epoch, 20).tolist() for epoch in range(3)]
    assert all(sorted(order) == list(range(20)) for order in orders)
    assert orders[0] != orders[1] != orders[2]
    assert orders[0] == epoch_order(7, 0, 20).tolist()


def test_crops_are_inside_the_frame_and_of_the_wanted_area():
    shares = []
    for seed in range(300):
        numbers = np.random.default_rng(seed).random((10, 4))
        box = choose_crop(90, 160, numbers, 0.2)
        assert 0 <= box.top <= box.top + box.height <= 90
        assert 0 <= box.left <= box.left + box.width <= 160
        assert 0.7 < box.width / box.height < 1.4
        shares.append(box.height * box.width / (90 * 160))
    assert 0.19 < min(shares) < 0.25
    assert max(shares) > 0.6


def test_a_frame_too_narrow_for_any_crop_gives_the_middle_square():
    assert choose_crop(10, 200, np.full((10, 4), 0.9), 0.5) == CropBox(0, 95, 10, 10)


@pytest.mark.parametrize(
    "label",
    ["turn left", "pan-right", "Left_hand", "moving leftwards", "roll-ccw", "spin clockwise",
     "anti-clockwise", "right"],
)  # fmt: skip
def test_labels_that_tell_left_from_right(label):
    assert tells_direction(["jump", label])


@pytest.mark.parametrize("label", ["upright", "copyright", "cleft", "brightness", "tilt-up", "cwm"])
def test_labels_that_a_mirror_does_not_change(label):
    assert not tells_direction([label])


@pytest.mark.slow
def test_a_clip_is_cut_mirrored_and_normalised():
    frames = torch.arange(2 * 12 * 16 * 3).view(2, 12, 16, 3).to(torch.uint8)
    clip = make_clip(frames, SPEC, CropBox(3, 5, 8, 8), mirrored=True)
    part = frames[:, 3:11, 5:13].flip(2).permute(3, 0, 1, 2).float() / 255
    mean, std = (torch.tensor(v).view(3, 1, 1, 1) for v in (SPEC.mean, SPEC.std))
    torch.testing.assert_close(clip, (part - mean) / std)


def test_a_clip_is_resized_to_the_size_of_the_input():
    frames = torch.full((2, 12, 16, 3), 128, dtype=torch.uint8)
    clip = make_clip(frames, SPEC, CropBox(0, 0, 12, 16), mirrored=False)
    assert clip.shape == (3, 2, 8, 8)
    torch.testing.assert_close(clip[0], torch.full((2, 8, 8), (128 / 255 - 0.5) / 0.2))
