"""Damaged files end as a result or as a clear error.

`python -m tests.support.fuzzing` runs many more of them.
"""

import pytest

from tests.support.fuzzing import BASES, MUTATIONS, damaged, make_bases, outcome

pytestmark = pytest.mark.slow

FEW = range(7, 7 + 5 * 28, 5)  # 5 shares no factor with the numbers of bases and mutations


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    return make_bases(tmp_path_factory.mktemp("bases"))


def test_undamaged_files_are_ok(bases, tmp_path):
    path = tmp_path / "h264.mp4"
    path.write_bytes(bases["h264.mp4"])
    assert outcome(path) == ("ok", "end")


def test_few_seeds_reach_every_base_and_mutation():
    assert {seed % len(BASES) for seed in FEW} == set(range(len(BASES)))
    assert {seed // len(BASES) % len(MUTATIONS) for seed in FEW} >= set(range(9))


@pytest.mark.parametrize("seed", FEW)
def test_damaged_file_ends_as_a_result_or_a_clear_error(bases, tmp_path, seed):
    name, _, content = damaged(bases, seed)
    path = tmp_path / name
    path.write_bytes(content)
    status, why = outcome(path)
    assert status in ("ok", "partial", "failed", "error"), why
    assert why != "decode_timeout"
