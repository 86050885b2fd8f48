"""Images in memory that a decoder process shares with its parent."""

import gc
import os
import signal
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from tests.support.events import assert_same_events, events_of
from tests.support.videos import VideoRecipe, make_video
from vswin_cli.video import decoder_pool, image_slots
from vswin_cli.video.decoder_process import decode_isolated
from vswin_cli.video.image_slots import ImageSlots, share_memory
from vswin_cli.video.sampling import Progress, SampledFrame, SamplingPlan

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="no anonymous files elsewhere")
PLAN = SamplingPlan(num_frames=8, stride=8, short_side=32, positions_per_second=30.0)
IMAGE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


@pytest.fixture
def sides():
    """The same memory as the decoder and as its parent have it."""
    memory = share_memory()
    assert memory is not None
    yield ImageSlots(memory), ImageSlots(memory)
    os.close(memory)


def isolated_events(path, plan):
    """What a decoder process sends, less what depends on the clock."""
    return [event for event in decode_isolated(path, plan) if not isinstance(event, Progress)]


@pytest.fixture
def video(tmp_path):
    return make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=400, gop=15))


@pytest.mark.slow
@only_linux
def test_a_slot_is_free_again_when_the_last_array_on_its_image_is_gone(sides):
    decoder, parent = sides
    assert [decoder.put(IMAGE), decoder.put(IMAGE + 1)] == [0, 1]
    first, second = parent.get(0, 4, 6), parent.get(1, 4, 6)
    np.testing.assert_array_equal(first, IMAGE)
    part = first[1:3, ::2]
    del first
    gc.collect()
    assert decoder.put(IMAGE) == 2
    np.testing.assert_array_equal(part, IMAGE[1:3, ::2])
    del part
    assert decoder.put(IMAGE[::-1]) == 0
    np.testing.assert_array_equal(parent.get(0, 4, 6), IMAGE[::-1])
    np.testing.assert_array_equal(second, IMAGE + 1)


@only_linux
def test_what_does_not_fit_has_no_slot(sides):
    decoder, _ = sides
    assert decoder.put(np.zeros((700, 500, 3), np.uint8)) is None
    assert {decoder.put(IMAGE) for _ in range(image_slots._SLOTS)} == set(range(image_slots._SLOTS))
    assert decoder.put(IMAGE) is None


@only_linux
@pytest.mark.parametrize(("slot", "size"), [(-1, 4), (4096, 4), (1, 4), (0, 4000)])
def test_a_slot_that_no_decoder_filled_is_refused(sides, slot, size):
    decoder, parent = sides
    decoder.put(IMAGE)
    with pytest.raises(ValueError, match="no image"):
        parent.get(slot, size, size)


@only_linux
@pytest.mark.slow
def test_images_are_shared_and_as_before(video, monkeypatch):
    shared = isolated_events(video, PLAN)
    images = [event.image for event in shared if isinstance(event, SampledFrame)]
    assert len(images) == 400
    assert all(image.base.base is not None for image in images)  # a view on the memory
    monkeypatch.setattr(decoder_pool, "share_memory", lambda: None)
    piped = isolated_events(video, PLAN)
    assert_same_events(shared, piped)
    assert_same_events(shared, events_of(video, PLAN))


@only_linux
@pytest.mark.slow
def test_images_larger_than_a_slot_take_the_pipe(video, monkeypatch):
    taken = []
    real = ImageSlots.get
    monkeypatch.setattr(
        ImageSlots, "get", lambda self, *slot: taken.append(slot) or real(self, *slot)
    )
    plan = replace(PLAN, short_side=700, positions_per_second=2.0)  # 933 x 700 pixels
    assert_same_events(isolated_events(video, plan), events_of(video, plan))
    assert taken == []


@only_linux
@pytest.mark.slow
def test_a_decoder_that_is_killed_has_not_run_far_ahead_and_leaves_its_images(video, monkeypatch):
    made = []

    class Noted(decoder_pool.DecoderProcess):
        def __init__(self, command):
            super().__init__(command)
            made.append(self)

    monkeypatch.setattr(decoder_pool, "DecoderProcess", Noted)
    expected = [event.image for event in events_of(video, PLAN) if isinstance(event, SampledFrame)]
    events = decode_isolated(video, PLAN)
    kept = [next(events) for _ in range(30)]
    (process,) = made
    time.sleep(2.0)
    assert sum(process._slots._memory[: image_slots._SLOTS]) < 300  # of 400
    os.kill(process.pid, signal.SIGKILL)
    kept += events
    assert kept[-1].end_reason == "decode_crashed"
    images = [event.image for event in kept if isinstance(event, SampledFrame)]
    assert 30 < len(images) < 300
    for image, same in zip(images, expected, strict=False):
        np.testing.assert_array_equal(image, same)


@only_linux
@pytest.mark.parametrize("fault", [OSError, PermissionError])
def test_a_container_without_such_memory_gets_none(monkeypatch, fault):
    def refusing(*_):
        raise fault("not here")

    monkeypatch.setattr(os, "memfd_create", refusing)
    assert share_memory() is None
