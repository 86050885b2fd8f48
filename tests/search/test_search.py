"""Searching an index: what was planted is found, by all windows or first by clips."""

from itertools import pairwise

import numpy as np
import pytest

from tests.support.features import STEP, feature_file, smooth_rows
from vswin_cli.search.query import Query, make_query
from vswin_cli.search.search import search

SECONDS = 3.0


def query_of(file, start: float, end: float) -> Query:
    return make_query(
        file.features,
        file.start_seconds,
        file.end_seconds,
        file.record,
        start_seconds=start,
        end_seconds=end,
    )


@pytest.fixture(scope="module")
def index():
    """Three videos; a moment of the first occurs with noise in the other two."""
    rows = [smooth_rows(4000, seed=i) for i in range(3)]
    moment = rows[0][1001:1013]
    noise = np.random.default_rng(9)
    for place, number, amount in ((2003, 1, 0.3), (3017, 2, 0.6)):
        rows[number][place : place + 12] = moment + amount * noise.standard_normal(moment.shape)
    return [feature_file(part, uri=f"{i}.mp4") for i, part in enumerate(rows)]


@pytest.mark.parametrize("exact_values", [0, 1 << 26])
def test_a_part_finds_itself_first_and_then_what_is_like_it(index, exact_values):
    query = query_of(index[0], 1001 * STEP, 1013 * STEP)
    found = search(query, index, top=5, exact_values=exact_values)
    assert [match.file.record.video.uri for match in found[:3]] == ["0.mp4", "1.mp4", "2.mp4"]
    assert found[0].similarity == pytest.approx(1, abs=1e-3)
    starts = [match.start_seconds / STEP for match in found[:3]]
    assert starts == pytest.approx([1001, 2003, 3017], abs=0.1)
    assert all(match.end_seconds - match.start_seconds == SECONDS for match in found)
    assert found[2].similarity > found[3].similarity


@pytest.mark.parametrize("seconds", [0.5, 1.0, 12.0])
def test_clips_first_finds_queries_shorter_and_longer_than_a_clip(index, seconds):
    query = query_of(index[1], 333.25, 333.25 + seconds)
    (best,) = search(query, index, top=1, exact_values=0)
    assert (best.file, best.start_seconds) == (index[1], 333.25)


def test_moments_do_not_overlap_and_are_in_the_order_of_similarity(index):
    found = search(query_of(index[0], 100.0, 103.0), index, top=50, min_similarity=-1)
    assert len(found) == 50
    similarities = [match.similarity for match in found]
    assert similarities == sorted(similarities, reverse=True)
    for file in index:
        spans = sorted((m.start_seconds, m.end_seconds) for m in found if m.file is file)
        assert all(end <= start for (_, end), (start, _) in pairwise(spans))


def test_what_is_less_similar_is_left_out(index):
    query = query_of(index[0], 1001 * STEP, 1013 * STEP)
    assert len(search(query, index, min_similarity=0.999)) == 1
    assert not search(query_of(index[0], 100.0, 103.0), index[1:], min_similarity=0.999)


def test_an_index_with_another_time_step_is_searched(index):
    slow = feature_file(np.repeat(index[0].features.astype(np.float32), 2, axis=0))
    (best,) = search(query_of(index[0], 250.0, 253.0), [slow], top=1)
    assert best.end_seconds - best.start_seconds == SECONDS
