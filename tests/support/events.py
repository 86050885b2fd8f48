"""What a decoder says about a video, and whether two say the same."""

import numpy as np

from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.reader import VideoReader
from vswin_cli.video.sampler import decode_samples
from vswin_cli.video.sampling import Progress, SampledFrame

__all__ = ["assert_same_events", "events_of", "probe", "without_heartbeats"]


def events_of(path, plan, options=DecodeOptions()):
    """All events but the heartbeats, which depend on the clock."""
    return without_heartbeats(decode_samples(path, plan, options))


def without_heartbeats(events):
    return [event for event in events if not isinstance(event, Progress)]


def assert_same_events(left, right):
    """To the last pixel."""
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        if isinstance(one, SampledFrame):
            np.testing.assert_array_equal(one.image, other.image)
            one, other = ((e.position, e.count, e.seconds) for e in (one, other))
        assert one == other


def probe(path):
    """What is known of a video before decoding."""
    with VideoReader(path) as reader:
        return reader.info
