"""Markers for DaVinci Resolve and Premiere."""

import csv
import io
import re
from dataclasses import replace

import pytest

from tests.support.timelines import segment, timeline, written
from vswin_cli.export.markers import PREMIERE_COLUMNS

AT_25 = replace(timeline().video, frame_rate_rational="25/1", average_frame_rate=25.0)
TOGETHER = (segment(1.0, 2.0, "a|b"), segment(1.0, 3.0, "c"), segment(1.0, 1.01, "d"))


def resolve_markers(text):
    return re.findall(r"^ \|C:ResolveColor(\w+) \|M:([^|]*) \|D:(\d+)$", text, re.MULTILINE)


def test_an_edl_reader_finds_a_resolve_marker_at_each_segment():
    otio = pytest.importorskip("opentimelineio")
    pytest.importorskip("otio_cmx3600_adapter")
    text = written("resolve", timeline(video=AT_25))
    document = otio.adapters.read_from_string(text, "cmx_3600", rate=25)
    starts = [clip.source_range.start_time.value for clip in document.find_clips()]
    assert starts == [25, 75, 90_000]
    names = [(name, int(frames)) for _, name, frames in resolve_markers(text)]
    assert names == [
        ("archery 0.83", 63), ("arm --> wrestling & <fun> 0.83", 50), ("schöne Grüße 0.83", 1526),
    ]  # fmt: skip


def test_resolve_gets_one_marker_per_frame_and_no_bar_in_a_name():
    text = written("resolve", timeline(video=AT_25, segments=TOGETHER))
    assert re.findall(r"C        (\S+)", text) == ["00:00:01:00", "00:00:01:01", "00:00:01:02"]
    assert resolve_markers(text)[0][1:] == ("a/b 0.83", "25")


def test_resolve_counts_from_the_start_timecode():
    video = replace(AT_25, start_timecode="10:00:00:00")
    assert "10:00:01:00 10:00:01:01" in written("resolve", timeline(video=video))


def test_a_label_has_the_same_colour_in_every_file():
    (one,) = resolve_markers(written("resolve", timeline(segments=(segment(1, 2, "archery"),))))
    others = (segment(0, 0.5, "x"), segment(1, 2, "archery"))
    assert one in resolve_markers(written("resolve", timeline(segments=others)))


def test_premiere_lists_name_in_out_and_duration_in_tabs():
    pandas = pytest.importorskip("pandas")
    text = written("premiere", timeline(video=AT_25))
    table = pandas.read_csv(io.StringIO(text), sep="\t")
    assert tuple(table.columns) == PREMIERE_COLUMNS
    assert list(table["In"]) == ["00:00:01:00", "00:00:03:00", "01:00:00:00"]
    assert list(table["Out"]) == ["00:00:03:13", "00:00:05:00", "01:01:01:01"]
    assert table["Duration"][0] == "00:00:02:13"
    assert table["Description"][0] == "vswin swin-t-k400, score 0.8341"
    assert set(table["Marker Type"]) == {"Comment"}


def test_premiere_cells_with_quotes_stay_cells():
    nasty = timeline(segments=(segment(1.0, 2.0, '"a\tb'),))
    rows = list(csv.reader(io.StringIO(written("premiere", nasty)), delimiter="\t"))
    assert rows[1][0] == '"a b 0.83'
