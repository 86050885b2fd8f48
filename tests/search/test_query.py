"""A query is a part of a video; its rows fit the time steps of what is searched."""

import numpy as np
import pytest

from tests.support.features import STEP, feature_file, smooth_rows
from vswin_cli.errors import OptionError
from vswin_cli.search.query import make_query


def query_of(start=None, end=None, rows=20):
    file = feature_file(smooth_rows(rows))
    return make_query(
        file.features,
        file.start_seconds,
        file.end_seconds,
        file.record,
        start_seconds=start,
        end_seconds=end,
    )


def test_steps_whose_middle_lies_in_the_part_are_taken():
    query = query_of(1.0, 2.0)
    assert (query.start_seconds, query.end_seconds, len(query.units)) == (1.0, 2.0, 4)
    np.testing.assert_allclose(np.linalg.norm(query.units, axis=1), 1, atol=1e-6)
    shifted = query_of(1.1, 2.1)
    assert (shifted.start_seconds, shifted.end_seconds) == (1.0, 2.0)


def test_without_a_part_the_whole_video_is_the_query():
    assert len(query_of().units) == 20


@pytest.mark.parametrize("part", [(5.0, None), (7.0, 9.0), (1.0, 1.1)])
def test_a_part_without_a_clip_fails(part):
    with pytest.raises(OptionError, match=r"no clip of a\.mp4 lies between") as error:
        query_of(*part)
    assert "the video lasts 5.0 s" in error.value.hint


def test_rows_are_repeated_or_left_out_for_another_step():
    query = query_of(0.0, 2.0)
    assert query.with_step(STEP * 1.001) is query
    halved = query.with_step(STEP / 2)
    np.testing.assert_array_equal(halved.units[::2], query.units)
    assert len(halved.units) == 16
    assert len(query.with_step(STEP * 2).units) == 4
