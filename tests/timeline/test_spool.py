import numpy as np
import pytest

from vswin_cli.timeline.spool import ScoreSpool


def test_rows_come_back_in_half_precision():
    spool = ScoreSpool(3)
    rows = np.arange(12).reshape(4, 3) / 16
    spool.append(rows)
    spool.append_zeros(2)
    assert spool.num_rows == 6
    assert spool.read(1, 3).tolist() == rows[1:3].tolist()
    assert spool.read(3, 6).dtype == np.float16
    assert not spool.read(4, 6).any()
    spool.close()


def test_more_rows_than_fit_into_memory_go_to_disk_unchanged():
    spool = ScoreSpool(1000)
    for part in range(3):
        spool.append(np.full((600, 1000), part / 4))
    assert spool._file._rolled  # beyond 2 MiB
    assert spool.read(599, 601)[:, 0].tolist() == [0, 0.25]
    spool.close()


def test_closing_twice_is_fine_and_rows_of_another_width_are_refused():
    spool = ScoreSpool(3)
    with pytest.raises(ValueError, match=r"\(n, 3\)"):
        spool.append(np.zeros((1, 4)))
    spool.close()
    spool.close()
