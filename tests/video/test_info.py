"""The status of a decoded video."""

import pytest

from vswin_cli.video.info import DecodeReport


@pytest.mark.parametrize(("num_damaged", "status"), [(0, "ok"), (10, "ok"), (11, "partial")])
def test_many_damaged_frames_make_a_result_partial(num_damaged, status):
    report = DecodeReport("end", 0.0, 20.0, 20.0, 500, corrupt_frames=num_damaged)
    assert report.status == status
