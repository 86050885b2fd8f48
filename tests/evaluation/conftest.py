"""A list of labelled windows."""

import pytest

LABELS = ("static", "pan", "tilt", "cut")
TABLE = """clip\tstart_s\tend_s\tlabel\textra_labels\tverified\tnote
a.mp4\t0\t2\tpan\ttilt; static\tyes\t
a.mp4\t2\t4\tcut\t\tyes\t
a.mp4\t4\t6\tpan\t\tunsure\tslow

b.mp4\t0:01\t\ttilt\t\tyes\t
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "labels.tsv"
    path.write_text(TABLE)
    return path
