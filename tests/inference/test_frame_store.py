"""Frames go to the device once each, and clips made of them there are those of the host."""

import numpy as np
import pytest
import torch

from vswin_cli.inference.frame_store import FrameStore, clip_storage
from vswin_cli.video.clips import Clip, assemble_clips
from vswin_cli.video.sampling import RunEnd, SampledFrame, SamplingPlan

CPU = torch.device("cpu")
PLAN = SamplingPlan(num_frames=8, stride=6, short_side=4, positions_per_second=10.0)


def samples(num_frames, counts=1):
    """Frames of one run, each another grey, and the run's end."""
    for number in range(num_frames):
        image = np.full((4, 6, 3), number, np.uint8)
        yield SampledFrame(number * counts, counts, number * counts / 10, image)
    yield RunEnd(num_frames * counts / 10)


class Counted(FrameStore):
    """Counts the images that it uploads."""

    num_uploaded = 0

    def _upload(self, images):
        self.num_uploaded += len(images)
        return super()._upload(images)


@pytest.mark.parametrize(("num_frames", "counts"), [(50, 1), (57, 2), (20, 3), (5, 1), (1, 4)])
def test_clips_from_the_store_are_those_of_the_host_with_each_frame_uploaded_once(
    num_frames, counts
):
    store, host = Counted(CPU), clip_storage(CPU)
    for clip in assemble_clips(PLAN, samples(num_frames, counts)):
        stored = store.add(clip)
        np.testing.assert_array_equal(stored.load().numpy(), clip.frames)
        np.testing.assert_array_equal(host(clip).load().numpy(), clip.frames)
        assert stored.index == clip.index
        assert stored.num_valid_steps == clip.num_valid_steps
        assert stored.step_edges_seconds is clip.step_edges_seconds
    assert store.num_uploaded == num_frames


def test_frames_leave_with_their_images_but_not_before_their_clips():
    store = Counted(CPU)
    clips = assemble_clips(PLAN, samples(200))
    stored, most = [], 0
    for clip in clips:
        stored.append((store.add(clip), clip.frames.copy()))
        del clip
        most = max(most, store.num_known)
    assert most < 3 * PLAN.num_frames
    assert store.num_known == 0
    for clip, frames in stored:
        np.testing.assert_array_equal(clip.load().numpy(), frames)


def test_an_array_for_images_is_uploaded_whole():
    frames = np.arange(8 * 4 * 6 * 3, dtype=np.uint8).reshape(8, 4, 6, 3)
    clip = Clip(0, frames, np.linspace(0.0, 1.0, 5), 4)
    store = Counted(CPU)
    for _ in range(2):
        np.testing.assert_array_equal(store.add(clip).load().numpy(), frames)
    assert store.num_uploaded == 16
    assert store.num_known == 0
