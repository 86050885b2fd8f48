import csv
import io
import json

import pytest

from tests.support.timelines import named, segment, timeline, written
from vswin_cli.export.tabular import TABLE_COLUMNS, table_rows


def test_csv_has_the_documented_columns_and_exact_times():
    rows = list(csv.DictReader(io.StringIO(written("csv"))))
    columns = "video,start,end,duration,start_tc,end_tc,label,class_id,score,score_max,peak"
    assert ",".join(rows[0]) == f"{columns},windows,model"
    assert rows[2]["end"] == "3661.033"
    assert rows[2]["end_tc"] == "01:01:01.033"
    assert rows[2]["label"] == "schöne Grüße"
    assert rows[0]["score"] == "0.8341"


@pytest.mark.slow
def test_csv_reads_in_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(io.StringIO(written("csv", timeline(), named("b.mp4"))))
    assert len(frame) == 6
    assert frame["end"].tolist()[:3] == [3.5, 5.0, 3661.033]
    assert frame["class_id"].dtype.kind == "i"
    assert set(frame["video"]) == {"/videos/a b.mp4", "b.mp4"}


def test_csv_quotes_what_needs_it_and_leaves_groups_without_class():
    one = segment(0.0, 1.0, 'say "hi", then\nleave', None)
    (row,) = csv.DictReader(io.StringIO(written("csv", timeline(segments=(one,)))))
    assert row["label"] == 'say "hi", then leave'
    assert row["class_id"] == ""


def test_tsv_has_whole_milliseconds_and_per_mille_in_its_header():
    rows = list(csv.reader(io.StringIO(written("tsv")), delimiter="\t"))
    assert rows[0] == ["video", "start_ms", "end_ms", "label", "class_id", "score_permille"]
    assert rows[1][1:3] == ["1000", "3500"]
    assert rows[1][5] == "834"
    assert rows[3][2] == "3661033"


def test_json_lines_hold_one_video_per_line():
    lines = written("jsonl", timeline(), named("b.mp4")).splitlines()
    assert [json.loads(line)["video"]["uri"] for line in lines] == ["/videos/a b.mp4", "b.mp4"]


def test_table_names_videos_only_when_there_are_several():
    assert "a b.mp4" not in written("table")
    assert "b.mp4" in written("table", timeline(), named("b.mp4"))
    assert table_rows(timeline())[0] == ("00:00:01.000", "00:00:03.500", "archery", "0.83")
    assert len(TABLE_COLUMNS) == 4
