import numpy as np
import pytest

from vswin_cli.models.network.work_list import KEYS, QUERIES, Column, RegionGroup, list_work

GROUPS = [RegionGroup(0, 3, 20), RegionGroup(60, 2, 392), RegionGroup(844, 1, 64)]


def test_every_query_of_every_region_is_listed_once():
    items = list_work(GROUPS).items
    listed = [
        first_row + query
        for first_row, size, first_query, *_ in items.tolist()
        for query in range(first_query, min(first_query + QUERIES, size))
    ]
    assert sorted(listed) == list(range(844 + 64))


def test_items_name_the_size_and_the_first_row_of_their_region():
    items = list_work(GROUPS).items
    assert items.dtype == np.int32
    assert items.shape == (3 + 2 * 7 + 1, len(Column))
    named = {(int(i[Column.FIRST_ROW]), int(i[Column.SIZE])) for i in items}
    assert named == {(0, 20), (20, 20), (40, 20), (60, 392), (452, 392), (844, 64)}
    assert (items[:, Column.FIRST_QUERY] % QUERIES == 0).all()


def test_large_regions_come_first():
    sizes = list_work(GROUPS).items[:, Column.SIZE].tolist()
    assert sizes == [392] * 14 + [64] + [20] * 3


def test_biases_lie_one_after_another_in_whole_blocks():
    work = list_work(GROUPS)
    of_size = {int(i[Column.SIZE]): i for i in work.items}
    shapes = [(64, 32), (448, 416), (64, 64)]  # queries and keys, rounded up to whole blocks
    assert [int(of_size[n][Column.PADDED_KEYS]) for n in (20, 392, 64)] == [k for _, k in shapes]
    offsets = [int(of_size[n][Column.BIAS_OFFSET]) for n in (20, 392, 64)]
    assert offsets == [0, 64 * 32, 64 * 32 + 448 * 416]
    assert work.bias_values == offsets[-1] + 64 * 64
    assert all(queries % QUERIES == 0 and keys % KEYS == 0 for queries, keys in shapes)


@pytest.mark.parametrize("size", [1, 63, 64, 65])
def test_a_region_gets_as_many_items_as_its_queries_fill(size):
    assert len(list_work([RegionGroup(7, 5, size)]).items) == 5 * -(-size // QUERIES)
