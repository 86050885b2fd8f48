"""The labels of the clips that the embedded model is trained on are true."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "camera_motion"
MODULES = ("effects", "library", "paths", "ring", "shots", "subjects", "synthesis")
STILL = 0.5  # of 255


@pytest.fixture
def synthesis(monkeypatch):
    """The scripts' modules by name."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield {name: importlib.import_module(name) for name in MODULES}
    for name in MODULES:
        del sys.modules[name]


@pytest.fixture
def library(synthesis):
    """Smooth noise to look at, and a square that walks before a fixed camera."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 255, (3, 10, 10, 3)).astype(np.uint8)
    sides = synthesis["library"].LEVEL_SIDES
    levels = tuple(coarse.repeat(side // 10, 1).repeat(side // 10, 2) for side in sides)
    footage = np.full((60, 112, 150, 3), 90, np.uint8)
    for index, frame in enumerate(footage):
        frame[40:70, 30 + index : 50 + index] = 200
    matte = synthesis["library"]._matte(footage)
    return synthesis["library"].Library(levels, (footage,), (matte,))


def test_a_matte_shows_what_walks_and_nothing_else(synthesis, library):
    matte = library.mattes[0][30]
    assert matte[45:65, 65:75].min() == 255
    assert matte[:30].max() == 0
    assert matte[:, 130:].max() == 0


def test_a_camera_that_moves_is_no_fixed_camera(synthesis, library):
    frames = library.footage[0]
    textured = np.random.default_rng(1).integers(0, 255, (112, 180, 3)).astype(np.uint8)
    fixed = np.where(frames == 90, textured[:, :150], frames)
    carried = np.stack([textured[:, index // 3 : index // 3 + 150] for index in range(60)])
    assert synthesis["library"]._is_fixed(fixed)
    assert not synthesis["library"]._is_fixed(carried)


@pytest.mark.slow
def test_labels_are_undecided_or_absent_or_hold(synthesis, library):
    make = synthesis["synthesis"].make_sample
    labels = np.concatenate(
        [make(np.random.default_rng((3, i)), library, 1.0).labels for i in range(60)]
    )
    holds, undecided, absent = labels > 0.5, labels == -1, labels == 0
    assert (holds | undecided | absent).all()
    assert labels.max() == 1
    assert (holds & ~undecided).any(0).sum() >= 12  # of 13 labels at least


def test_the_larger_of_two_moves_leads(synthesis):
    paths, module = synthesis["paths"], synthesis["synthesis"]
    times = np.arange(paths.FRAMES) / paths.FRAME_RATE
    rates = np.zeros((len(paths.fine_times()), 4))
    rates[:, 0], rates[:, 1] = 0.4, -0.2  # the content moves right, and up by half of that
    labels = module._motion_labels(paths.integrate(rates, rates * 0), times)
    names = module.LABELS
    assert (labels[:, names.index("pan-left")] == 1).all()
    tilt = labels[:, names.index("tilt-down")]
    assert ((tilt > 0.5) & (tilt < 0.9)).all()
    assert (labels[:, names.index("static")] == 0).all()


@pytest.mark.parametrize("axis", ["x", "y", "t"])
def test_a_mirrored_clip_twice_is_the_clip(synthesis, library, axis):
    import torch

    ring = synthesis["ring"]
    one = synthesis["synthesis"].make_sample(np.random.default_rng(4), library, 1.0)
    batch = ring.Batch(
        *(torch.from_numpy(a)[None].float() for a in (one.frames, one.labels, one.motion, one.flow))
    )
    there = ring.mirrored(batch, axis)
    again = ring.mirrored(there, axis)
    assert not torch.equal(there.x, batch.x)
    for name in ("x", "labels", "motion", "flow"):
        assert torch.equal(
            torch.nan_to_num(getattr(again, name)), torch.nan_to_num(getattr(batch, name))
        )


def test_content_moves_as_the_path_says(synthesis):
    """A pan of a whole number of pixels per frame shifts the image by as much."""
    paths, library = synthesis["paths"], synthesis["library"]
    rates = np.zeros((len(paths.fine_times()), 4))
    rates[:, 0] = 2 * paths.FRAME_RATE / paths.SIDE
    path = paths.integrate(rates, rates * 0)
    times = np.arange(paths.FRAMES) / paths.FRAME_RATE
    texture = np.random.default_rng(2).integers(0, 255, (320, 320, 3)).astype(np.uint8)
    world = paths.place(path, times, paths.PIXELS)
    pixels = library.sample_texture(texture, world, np.zeros(2), paths.SIDE / 320).numpy()
    for step in range(1, 8):
        difference = np.abs(pixels[:, step, :, 2 * step :] - pixels[:, 0, :, : -2 * step])
        assert difference.mean() < STILL
    moved = paths.displacement(path, times[:1], times[1:2], np.zeros((1, 2)))
    assert moved[0, 0] == pytest.approx([2, 0], abs=1e-2)


def test_an_empty_card_has_no_motion_labels(synthesis):
    shots, times = synthesis["shots"], np.arange(16) / 12
    empty = shots.make_card(np.random.default_rng(1), times, empty=1.0)
    printed = shots.make_card(np.random.default_rng(1), times)
    assert float(empty.pixels.amin()) == float(empty.pixels.amax())
    assert float(printed.pixels.std()) > 0
    assert not empty.shows_motion
    assert printed.shows_motion
    labels = synthesis["synthesis"]._shot_labels
    assert (labels(empty, times) == -1).all()
    assert (labels(printed, times)[:, 0] == 1).all()


def test_a_whip_pan_is_a_pan_and_no_cut(synthesis):
    """Its content moves by more than the view is wide, and the camera rests before and after."""
    paths, module = synthesis["paths"], synthesis["synthesis"]
    times = np.arange(paths.FRAMES) / paths.FRAME_RATE
    rates = np.zeros((len(paths.fine_times()), 4))
    phase = np.clip((paths.fine_times() - 0.5) / 0.4, 0, 1)
    rates[:, 0] = 8 * np.sin(np.pi * phase) ** 2
    path = paths.integrate(rates, rates * 0)
    labels = module._motion_labels(path, times)
    held = [[module.LABELS[i] for i in np.flatnonzero(row > 0.5)] for row in labels]
    assert held == [["static"]] * 3 + [["pan-left"]] * 3 + [["static"]] * 2
    (start, end), _, _ = path.at(times[[0, -1]])
    assert abs(end[0] - start[0]) == pytest.approx(1.6, abs=0.05)


def test_drawn_whip_pans_are_short_and_fast(synthesis):
    paths = synthesis["paths"]
    for seed in range(20):
        speed = np.hypot(*paths.whip_rates(np.random.default_rng(seed), paths.fine_times()).T)
        assert (speed > 1e-9).sum() / paths.PATH_RATE < 0.75
        assert speed.max() < 9.1


def test_a_fast_move_is_blurred_by_more_samples_than_a_slow_one(synthesis):
    shots, times = synthesis["shots"], np.arange(16) / 12
    rng = np.random.default_rng(3)
    assert all(len(shots._shutter(rng, times, 0.0, 1.0)) == 1 for _ in range(9))
    fast = [shots._shutter(rng, times, 0.0, 9.0) for _ in range(20)]
    assert all(3 <= len(one) <= 8 for one in fast)
    assert max(map(len, fast)) > 4
    assert all(float((times - late).max()) < 1 / 15 for one in fast for late in one)


def test_tiles_replace_the_image_over_more_than_one_frame(synthesis, library):
    import torch

    grey = torch.full((3, 16, 64, 64), 300.0)  # brighter than any panel
    for seed in range(8):
        tiled = synthesis["effects"].tiled(np.random.default_rng(seed), library, grey)
        replaced = (tiled < 300).any(0).float().mean((1, 2))
        assert (replaced.diff() >= 0).all()
        assert replaced.diff().max() < 0.9


def test_damage_is_of_some_frames_and_leaves_the_given_pixels_alone(synthesis):
    import torch

    pixels = torch.arange(64.0).expand(3, 16, 64, 64).clone()
    before = pixels.clone()
    changed = [
        (synthesis["effects"]._damaged(np.random.default_rng(seed), pixels) != before).any(0)
        for seed in range(12)
    ]
    assert torch.equal(pixels, before)
    frames = [one.any(1).any(1).sum() for one in changed]
    assert 0 < max(frames) <= 8


def test_an_animated_title_only_gains_ink(synthesis):
    shots = synthesis["shots"]
    for seed in range(8):
        shown = shots._appearance(np.random.default_rng(seed), 20)
        assert shown.shape == (16, 1, 20)
        assert (np.diff(shown, axis=0) >= 0).all()
        assert 0 <= shown.min() <= shown.max() <= 1
