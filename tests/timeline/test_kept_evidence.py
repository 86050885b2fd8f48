"""Evidence of a saved result, where other options find a segment with the same peak."""

from dataclasses import replace

import pytest

from tests.support.timelines import columns, segment, timeline, track_of
from vswin_cli.config import LabelGroup, SegmentOptions
from vswin_cli.timeline.evidence import Evidence, FrameArea
from vswin_cli.timeline.kept_evidence import with_kept_evidence
from vswin_cli.timeline.provenance import PostprocessRecord
from vswin_cli.timeline.record import with_segments

ALL = FrameArea(0.0, 0.0, 1.0, 1.0)
EVIDENCE = Evidence(0.5, 0.625, 0, ALL, ((1.0,),), ALL)
PLAIN = SegmentOptions(
    onset=0.5, offset=0.4, smooth_seconds=0, min_duration_seconds=0, merge_gap_seconds=0
)


@pytest.mark.parametrize(
    ("changes", "is_kept"),
    [
        ({"start_seconds": 0.2, "end_seconds": 9.0}, True),
        ({"peak_seconds": 0.6}, False),
        ({"label": "jump"}, False),
        ({"class_id": 5}, False),
    ],
)
def test_evidence_holds_for_the_same_label_and_peak(changes, is_kept):
    old = replace(segment(0, 1, "run"), class_id=3, peak_seconds=0.5, evidence=EVIDENCE)
    new = replace(old, evidence=None, **changes)
    (found,) = with_kept_evidence([new], [old], [])
    assert found.evidence is (EVIDENCE if is_kept else None)


def test_evidence_of_a_group_holds_while_its_members_are_the_same():
    group = LabelGroup("sport", ("run", "jump"))
    old = replace(segment(0, 1, "sport"), class_id=None, evidence=EVIDENCE)
    new = replace(old, evidence=None)
    assert with_kept_evidence([new], [old], [group])[0].evidence is EVIDENCE
    assert with_kept_evidence([new], [old], [])[0].evidence is None


def test_other_thresholds_keep_it_and_say_where_there_is_none():
    scores = columns((4, 0.1), (4, 0.7), (1, 0.9), (4, 0.7), (4, 0.1), (4, 0.45), (4, 0.1))
    with track_of(scores) as track:
        bare = timeline(
            segments=(), warnings=(), postprocess=PostprocessRecord.of("softmax", PLAIN)
        )
        first = with_segments(bare, track, PLAIN)
        (found,) = first.segments
        saved = replace(first, segments=(replace(found, evidence=EVIDENCE),))
        shorter = with_segments(saved, track, replace(PLAIN, onset=0.8, offset=0.8))
        (kept,) = shorter.segments
        assert (kept.evidence, kept.duration_seconds < found.duration_seconds) == (EVIDENCE, True)
        assert not shorter.warnings
        more = with_segments(shorter, track, replace(PLAIN, onset=0.4, include=("label 0",)))
        assert [one.evidence for one in more.segments] == [EVIDENCE, None]
        (notice,) = more.warnings
        assert notice.code == "NO_EVIDENCE"
        assert notice.message.startswith("1 of 2 segments cannot keep evidence")
        again = with_segments(more, track, replace(PLAIN, onset=0.8, offset=0.8))
        assert not again.warnings
