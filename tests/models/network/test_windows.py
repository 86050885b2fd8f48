"""Cut a token grid into attention windows: complete, and as the masked original would see it."""

from math import prod

import pytest
import torch

from vswin_cli.models.network.windows import plan_stage, relative_index

GRIDS = [(8, 14, 14), (16, 28, 28), (4, 7, 7), (9, 10, 11), (1, 1, 1), (17, 7, 15)]
WINDOW = (8, 7, 7)


def visible_by_definition(grid, window, shift):
    """Which token pairs see each other when windows are rolled and the rim is masked.

    The authors' recipe (`compute_mask`): number the slices that the roll leaves on each axis,
    roll, cut into windows; two tokens see each other in the same window with the same number.
    """
    labels = torch.zeros(grid, dtype=torch.int64)
    count = 0
    axes = [
        [slice(0, n)] if not s else [slice(0, n - w), slice(n - w, n - s), slice(n - s, n)]
        for n, w, s in zip(grid, window, shift, strict=True)
    ]
    for d in axes[0]:
        for h in axes[1]:
            for w in axes[2]:
                labels[d, h, w] = count
                count += 1
    positions = torch.arange(prod(grid)).view(grid).roll([-s for s in shift], (0, 1, 2))
    counts = [n // w for n, w in zip(grid, window, strict=True)]
    seen = torch.zeros(prod(grid), prod(grid), dtype=torch.bool)
    for i in range(counts[0]):
        for j in range(counts[1]):
            for k in range(counts[2]):
                box = tuple(
                    slice(c * w, (c + 1) * w) for c, w in zip((i, j, k), window, strict=True)
                )
                at, number = positions[box].flatten(), labels[box].flatten()
                seen[at[:, None], at] = number[:, None] == number
    return seen


def visible(partition):
    seen = torch.zeros(len(partition.order), len(partition.order), dtype=torch.bool)
    start = 0
    for group in partition.groups:
        for _ in range(group.count):
            at = partition.order[start : start + group.size]
            seen[at[:, None], at] = True
            start += group.size
    return seen


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_every_token_has_one_slot_in_both_partitions(grid):
    plan = plan_stage(grid, WINDOW)
    for partition in (plan.regular, plan.shifted):
        assert torch.equal(partition.order.sort().values, torch.arange(prod(plan.padded)))
        slots = sum(group.count * group.size for group in partition.groups)
        assert slots == prod(plan.padded)
    assert int(plan.real.sum()) == prod(grid)


@pytest.mark.parametrize(
    ("grid", "window", "shift"),
    [
        ((8, 8, 8), (4, 4, 4), (2, 2, 2)),
        ((4, 8, 12), (4, 4, 4), (0, 2, 2)),
        ((6, 9, 9), (3, 3, 3), (1, 1, 1)),
        ((2, 5, 10), (2, 5, 5), (0, 0, 2)),
    ],
    ids=str,
)
def test_regions_equal_the_authors_mask(grid, window, shift):
    plan = plan_stage(grid, window)
    assert torch.equal(visible(plan.shifted), visible_by_definition(grid, window, shift))
    unmoved = visible_by_definition(grid, window, (0, 0, 0))
    assert torch.equal(visible(plan.regular), unmoved)


def test_a_corner_window_of_a_shifted_grid_holds_eight_regions():
    plan = plan_stage((8, 8, 8), (4, 4, 4))
    # Whole windows, and those cut once, twice and three times at the rim.
    assert {group.size for group in plan.shifted.groups} == {64, 32, 16, 8}
    corner = next(group for group in plan.shifted.groups if group.size == 8)
    assert corner.count == 8
    assert [group.size for group in plan.regular.groups] == [64]


def test_a_window_that_covers_the_grid_is_cut_and_not_shifted():
    plan = plan_stage((4, 7, 7), (8, 7, 7))
    assert plan.shifted is plan.regular
    assert [(group.count, group.size) for group in plan.regular.groups] == [(1, 4 * 7 * 7)]


def test_the_bias_of_a_part_of_a_window_is_cropped_not_recomputed():
    plan = plan_stage((8, 8, 8), (4, 4, 4))
    whole = relative_index((4, 4, 4))
    for group in plan.shifted.groups:
        # Any two tokens with the same offset read the same row, and the offset zero is the middle.
        assert torch.equal(group.relative_index.diagonal(), whole.diagonal()[: group.size])
        assert set(group.relative_index.flatten().tolist()) <= set(whole.flatten().tolist())


def test_relative_index_numbers_offsets_with_the_last_axis_fastest():
    index = relative_index((2, 3, 2))
    tokens = [(t, h, w) for t in range(2) for h in range(3) for w in range(2)]
    for i, a in enumerate(tokens):
        for j, b in enumerate(tokens):
            t, h, w = (p - q + n - 1 for p, q, n in zip(a, b, (2, 3, 2), strict=True))
            assert index[i, j] == (t * 5 + h) * 3 + w
