"""Features as Parquet: what the archive holds, a row at a time."""

import numpy as np
import pytest

from tests.timeline.test_feature_files import record, track
from vswin_cli.errors import SourceError
from vswin_cli.timeline.feature_files import load_features, save_features
from vswin_cli.timeline.feature_table import read_table_record, save_feature_table

pq = pytest.importorskip("pyarrow.parquet")
__all__ = ["track"]  # a fixture


def test_a_table_holds_what_an_archive_holds(track, tmp_path):
    save_feature_table(track, tmp_path / "f.parquet")
    save_features(track, tmp_path / "f.npz")
    rows = pq.read_table(tmp_path / "f.parquet").to_pylist()
    archive = load_features(tmp_path / "f.npz")
    for kind, features, starts, ends in (
        ("step", archive.features, archive.start_seconds, archive.end_seconds),
        ("clip", archive.clip_features, archive.clip_start_seconds, archive.clip_end_seconds),
    ):
        found = [row for row in rows if row["kind"] == kind]
        np.testing.assert_array_equal([row["feature"] for row in found], features)
        assert [row["start_seconds"] for row in found] == starts.tolist()
        assert [row["end_seconds"] for row in found] == ends.tolist()
    assert {row["uri"] for row in rows} == {"a.mp4"}


def test_its_record_can_be_read_alone(track, tmp_path):
    save_feature_table(track, tmp_path / "f.parquet")
    assert read_table_record(tmp_path / "f.parquet") == record()


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_a_damaged_table_fails(tmp_path, content):
    path = tmp_path / "f.parquet"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="does not hold features"):
        read_table_record(path)


def test_a_table_of_others_fails(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "f.parquet")
    with pytest.raises(SourceError, match="does not hold features"):
        read_table_record(tmp_path / "f.parquet")
