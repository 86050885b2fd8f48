"""Timelines and scores as text, dicts, arrays and DataFrames."""

import io
import json

import numpy as np
import pytest

from tests.support.timelines import STEP, columns, segment, timeline, track_of, written
from vswin_cli.errors import OptionError
from vswin_cli.storage import extras
from vswin_cli.timeline.record import ModelRecord, Timeline
from vswin_cli.timeline.scores import Gap


def test_a_frame_has_the_columns_and_values_of_the_csv():
    pandas = pytest.importorskip("pandas")
    frame = timeline().to_pandas()
    table = pandas.read_csv(io.StringIO(written("csv")), dtype={"class_id": "Int64"})
    table = table.drop(columns=["start_tc", "end_tc"])
    pandas.testing.assert_frame_equal(frame, table, check_dtype=False)
    assert frame.end.dtype == np.float64


def test_a_frame_without_segments_or_with_groups_keeps_its_types():
    pandas = pytest.importorskip("pandas")
    empty = timeline(segments=()).to_pandas()
    group = timeline(segments=(segment(0, 1, "moves", None),)).to_pandas()
    assert list(empty.dtypes) == list(group.dtypes)
    assert group.class_id.isna().all()
    assert len(pandas.concat([empty, group])) == 1


def test_a_timeline_is_a_dict_or_text_and_back():
    one = timeline()
    assert one.to_json() == one.to_dict() == json.loads(one.to_json_text())
    assert "\n" not in one.to_json_text()
    assert Timeline.from_json(one.to_json_text(indent=1)) == one
    assert Timeline.from_json(one.to_dict()) == one


def test_scores_are_an_array_with_times_and_nan_where_nothing_was_seen():
    scores = columns((20, 0.9))
    with track_of(scores, gaps=[Gap(1.0, 1.5)], end=20 * STEP - 0.05) as track:
        starts, ends = track.edges_seconds
        assert track.scores.shape == scores.shape
        assert track.scores.dtype == np.float32
        seen = track.valid
        np.testing.assert_allclose(track.scores[seen], scores[seen], atol=1e-3)
        assert np.isnan(track.scores[~seen]).all()
        assert not seen[8:12].any()
    assert starts[3] == 3 * STEP
    assert ends[3] == starts[4]
    assert ends[-1] == 20 * STEP - 0.05


def test_a_frame_of_scores_has_times_and_labels():
    pytest.importorskip("pandas")
    with track_of(columns((20, 0.9)), labels=["a", "b", "c"]) as track:
        frame = track.to_pandas()
    assert list(frame.columns) == ["a", "b", "c"]
    assert frame.index.name == "start"
    assert frame.a.loc[1.0:2.0].mean() == pytest.approx(0.9, abs=1e-3)


def test_a_package_that_is_missing_is_named(monkeypatch):
    with pytest.raises(OptionError, match="a DataFrame needs no_such_package") as caught:
        extras.load_extra("no_such_package", "a DataFrame", install="vswin[plots]")
    assert caught.value.hint == 'pip install "vswin[plots]"'


def test_a_frame_has_the_rows_of_all_models():
    pandas = pytest.importorskip("pandas")
    moves = timeline(model=ModelRecord(id="moves"), segments=(segment(0, 1, "pan", 2),))
    frame = timeline().with_tracks([moves]).to_pandas()
    assert list(frame.model) == ["swin-t-k400"] * 3 + ["moves"]
    pandas.testing.assert_frame_equal(frame.iloc[3:].reset_index(drop=True), moves.to_pandas())
