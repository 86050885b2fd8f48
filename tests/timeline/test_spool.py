import gc

import numpy as np
import pytest

from vswin_cli.errors import OutputError
from vswin_cli.timeline.spool import ScoreSpool


def test_spool_reads_back_what_it_was_given_from_memory_and_disk():
    rng = np.random.default_rng(0)
    for count in (3, 5000):  # 5000 rows of 400 are past what stays in memory
        rows = rng.random((count, 400)).astype(np.float16)
        spool = ScoreSpool(400)
        spool.append(rows[: count // 2])
        spool.append(rows[count // 2 :])
        np.testing.assert_array_equal(spool.read(0, count), rows.astype(np.float32))
        np.testing.assert_array_equal(spool.read(1, 3), rows[1:3].astype(np.float32))
        spool.close()
        spool.close()


@pytest.mark.slow
def test_forgotten_spool_closes_its_file_without_a_warning():
    spool = ScoreSpool(400)
    spool.append(np.zeros((5000, 400)))
    del spool
    gc.collect()


def test_full_disk_under_the_temporary_scores_is_an_output_error(monkeypatch):
    spool = ScoreSpool(2)

    def full(_data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool._file, "write", full)
    with pytest.raises(OutputError, match="temporary scores") as caught:
        spool.append(np.zeros((1, 2)))
    assert "space" in (caught.value.hint or "")


def test_rows_of_zeros_can_be_added_and_rows_of_another_width_are_rejected():
    spool = ScoreSpool(3)
    spool.append(np.full((2, 3), 0.5))
    spool.append_zeros(600)
    assert spool.num_rows == 602
    assert not spool.read(2, 602).any()
    with pytest.raises(ValueError, match=r"\(n, 3\)"):
        spool.append(np.zeros((1, 4)))
    spool.close()
