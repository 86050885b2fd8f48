"""Records of timelines and tracks print in one line and compare without an error."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.timelines import clip, columns, segment, timeline, track_of
from vswin_cli.config import SegmentOptions
from vswin_cli.report.content import ScoredModel, page_content
from vswin_cli.report.thumbnails import Thumbnail
from vswin_cli.report.tracks import pack_track
from vswin_cli.timeline.record import Coverage, GapRecord
from vswin_cli.timeline.segments import segment_track
from vswin_cli.timeline.selection import LabelView
from vswin_cli.timeline.spool import ScoreSpool


def many():
    """A timeline with more segments, gaps and longer names than anybody reads."""
    one = timeline()
    segments = tuple(segment(i, i + 1, f"label {i} " + "x" * 500) for i in range(1000))
    gaps = tuple(GapRecord(i, i + 0.5) for i in range(1000))
    return replace(
        one,
        segments=segments,
        coverage=Coverage(0.5, 500.0, gaps=gaps),
        video=replace(one.video, uri="/videos/" + "y" * 5000),
    )


def records():
    """Pairs of equal records that hold arrays or long lists."""
    track = track_of(columns((50, 0.9), rest=400))
    other = track_of(columns((50, 0.9), rest=400))
    for pair in (
        (track, other),
        (clip(columns((4, 0.9))), clip(columns((4, 0.9)))),
        (many(), many()),
        (many().segments[0], many().segments[0]),
        (many().coverage, many().coverage),
        tuple(LabelView.of(one.labels, "softmax", SegmentOptions()) for one in (track, other)),
        tuple(segment_track(one, SegmentOptions()) for one in (track, other)),
        tuple(pack_track(one, SegmentOptions(), 10**6) for one in (track, other)),
        (page_content([ScoredModel(many())], None), page_content([ScoredModel(many())], None)),
        (Thumbnail(1.0, 2, 2, "data:" + "a" * 9999), Thumbnail(1.0, 2, 2, "data:" + "a" * 9999)),
        (ScoreSpool(3), ScoreSpool(3)),
    ):
        yield pytest.param(*pair, id=type(pair[0]).__name__)


@pytest.mark.parametrize(("one", "two"), list(records()))
def test_records_print_in_a_line_and_compare(one, two):
    assert repr(one).startswith(type(one).__name__)
    assert len(repr(one)) < 400
    assert "\n" not in repr(one)
    assert one == one
    assert (one == two) in (True, False)
    assert one != "something else"


def test_reprs_are_short_and_informative():
    assert repr(timeline()) == (
        "Timeline('/videos/a b.mp4', 4000.000 s, model='swin-t-k400', status='partial', "
        "3 segments of 'schöne Grüße', 'archery', 'arm --> wrestling & <fun>')"
    )
    assert repr(timeline().segments[0]) == "Segment('archery', [1.000, 3.500) s, score=0.83)"
    with track_of(columns((4, 0.9))) as track:
        assert repr(track) == (
            "ScoreTrack([0.000, 0.500) s, 4 cells of 0.125 s x 3 labels, softmax, 4 clips, 0 gaps)"
        )


def test_a_timeline_is_equal_to_its_copy_and_not_to_another():
    assert many() == many()
    assert many() != timeline()
    changed = replace(timeline(), segments=(replace(segment(0, 1, "a"), score=np.float32(0.5)),))
    assert changed != timeline()
