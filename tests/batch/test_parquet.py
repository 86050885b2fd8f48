from dataclasses import replace

import pytest

from tests.support.timelines import named, segment, timeline
from vswin_cli.batch.parquet import write_parquet


def test_parquet_keeps_names_apart_that_are_no_utf8(tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    one = replace(
        named("caf\udce9.mp4"),
        model=replace(timeline().model, id="\udcff"),
        segments=(segment(0.0, 1.0, "\udc00"),),
    )
    write_parquet(tmp_path / "a.parquet", [one])
    (row,) = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert (row["video"], row["label"], row["model"]) == (
        r"caf\udce9.mp4",
        r"\udc00",
        r"\udcff",
    )
