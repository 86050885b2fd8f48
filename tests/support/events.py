"""What a decoder says about a video, and whether two say the same."""

from dataclasses import replace

import numpy as np

from vswin_cli.video.sampler import decode_samples
from vswin_cli.video.sampling import Progress, SampledFrame

__all__ = ["assert_same_events", "events_of"]


def events_of(path, plan):
    """All events but the signs of life, which depend on the clock."""
    return [event for event in decode_samples(path, plan) if not isinstance(event, Progress)]


def assert_same_events(left, right):
    """To the last pixel."""
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        if isinstance(one, SampledFrame):
            np.testing.assert_array_equal(one.image, other.image)
            one, other = replace(one, image=None), replace(other, image=None)
        assert one == other
