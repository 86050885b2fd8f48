"""Tables of shards become the table of one run; what is missing or double is reported."""

import csv

import pytest

from vswin_cli.batch.merge import MERGED_FORMATS, ShardTable, merge_tables
from vswin_cli.batch.tables import FILES_COLUMNS
from vswin_cli.batch.target import choose_target
from vswin_cli.errors import SourceError
from vswin_cli.export.tabular import CSV_COLUMNS


def shard(folder, name, videos, *, columns=CSV_COLUMNS):
    """Write a table with one segment for each video that is ok, and its table of files."""
    path, files = folder / f"{name}.csv", folder / f"{name}.files.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(columns)
        rows.writerows(
            [video, *"1" * (len(columns) - 1)] for video, status in videos if status == "ok"
        )
    with files.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(FILES_COLUMNS)
        rows.writerows([video, status, *[""] * 8] for video, status in videos)
    return ShardTable(str(path), path, files)


def names_in(path):
    with path.open(newline="") as file:
        return [row[0] for row in csv.reader(file)][1:]


def test_shards_are_merged_in_the_order_of_the_inputs(tmp_path):
    first = shard(tmp_path, "r.1-of-2", [("a", "ok"), ("c", "ok")])
    second = shard(tmp_path, "r.2-of-2", [("b", "failed"), ("d", "ok")])
    target = choose_target(str(tmp_path / "all.csv"), None)
    report = merge_tables([second, first], target)
    assert names_in(target.table) == ["a", "c", "d"]
    assert names_in(target.files_table) == ["a", "b", "c", "d"]
    assert (report.num_segments, report.statuses["failed"]) == (3, 1)
    assert not report.duplicates
    assert not report.missing_shards


def test_other_tables_follow_each_other_and_missing_shards_are_named(tmp_path):
    one = shard(tmp_path, "r.3-of-4", [("b", "ok")])
    other = shard(tmp_path, "s", [("a", "ok")])
    target = choose_target(str(tmp_path / "all.csv"), None)
    report = merge_tables([one, other], target)
    assert names_in(target.table) == ["b", "a"]
    assert report.missing_shards == {4: [1, 2, 4]}
    assert (one.shard, other.shard) == ((3, 4), None)


def test_a_video_in_two_tables_counts_where_its_status_is_best(tmp_path):
    failed = shard(tmp_path, "one", [("a", "failed")])
    done = shard(tmp_path, "two", [("a", "ok")])
    target = choose_target(str(tmp_path / "all.csv"), None)
    report = merge_tables([failed, done], target)
    assert names_in(target.table) == ["a"]
    assert report.statuses == {"ok": 1}
    assert report.duplicates == [("a", [failed.name, done.name])]


def test_tables_of_other_columns_or_without_their_files_are_refused(tmp_path):
    one = shard(tmp_path, "one", [("a", "ok")])
    other = shard(tmp_path, "two", [("b", "ok")], columns=CSV_COLUMNS[:-1])
    target = choose_target(str(tmp_path / "all.csv"), None)
    with pytest.raises(SourceError, match="has other columns"):
        merge_tables([one, other], target)
    one.files.write_text("video\n")
    with pytest.raises(SourceError, match="is not a table of files"):
        merge_tables([one], target)
    assert not target.table.exists()


def test_segments_of_a_video_that_the_table_of_files_lacks_are_refused(tmp_path):
    one = shard(tmp_path, "one", [("a", "ok")])
    one.files.write_text(one.files.read_text().replace("a,ok", "b,ok"))
    with pytest.raises(SourceError, match="has segments of a, which"):
        merge_tables([one], choose_target(str(tmp_path / "all.csv"), None))


def test_every_table_that_a_batch_writes_line_by_line_can_be_merged():
    assert {"csv", "tsv", "jsonl", "parquet"} <= set(MERGED_FORMATS)
