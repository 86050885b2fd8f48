"""Totals per label, and the records of what a model found."""

from dataclasses import replace

from tests.support.timelines import timeline
from vswin_cli.timeline.findings import GapRecord, findings_json, summarise
from vswin_cli.timeline.scores import Gap

SEGMENT = timeline().segments[0]


def segment(label, start, end, score=0.5, class_id=0):
    return replace(
        SEGMENT,
        label=label,
        class_id=class_id,
        start_seconds=start,
        end_seconds=end,
        score_max=score,
    )


def test_totals_add_up_the_segments_of_a_label():
    (row,) = summarise([segment("a", 0, 2, 0.6), segment("a", 5, 6, 0.9)])
    assert (row.label, row.seconds, row.num_segments, row.max_score) == ("a", 3, 2, 0.9)


def test_the_longest_label_comes_first_and_equal_ones_by_name():
    rows = summarise([segment("b", 0, 1), segment("a", 1, 2), segment("c", 2, 4)])
    assert [row.label for row in rows] == ["c", "a", "b"]


def test_sums_that_differ_by_rounding_count_as_equal():
    tenths = [segment("b", i, i + 0.1) for i in range(3)]
    rows = summarise([*tenths, segment("a", 5, 5.3)])
    assert sum(0.1 for _ in range(3)) != 0.3
    assert [row.label for row in rows] == ["a", "b"]


def test_a_group_and_a_class_of_one_name_are_two_rows():
    rows = summarise([segment("a", 0, 1), segment("a", 2, 3, class_id=None)])
    assert sorted(str(row.class_id) for row in rows) == ["0", "None"]


def test_segments_are_numbered_in_json():
    result = replace(timeline(), segments=(segment("a", 0, 1), segment("b", 1, 3)))
    body = findings_json(result)
    assert [one["id"] for one in body["segments"]] == [0, 1]
    assert [row["label"] for row in body["summary"]] == ["b", "a"]


def test_a_gap_is_recorded_to_the_microsecond():
    assert GapRecord.of(Gap(1 / 3, 2 / 3, "decode_error")) == GapRecord(0.333333, 0.666667)
