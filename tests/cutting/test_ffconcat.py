from pathlib import Path

import pytest

from vswin_cli.cutting.ffconcat import ffconcat_text
from vswin_cli.cutting.plan import ClipPlan
from vswin_cli.errors import SourceError
from vswin_cli.evaluation.intervals import Interval

CLIP = ClipPlan(Interval(1.0, 2.0, "pan"), 0.5, 2.5, Path("clip.mp4"))


def test_points_count_as_the_file_does_and_names_are_relative_where_they_can_be(tmp_path):
    other = tmp_path.parent / "it's.mp4"
    parts = [(tmp_path / "a b.mp4", 10.0, CLIP), (other, 0.0, CLIP)]
    lines = ffconcat_text(parts, tmp_path).splitlines()
    assert lines[0] == "ffconcat version 1.0"
    assert lines[2:5] == ["file 'a b.mp4'", "inpoint 10.500000", "outpoint 12.500000"]
    assert lines[5] == "file '" + str(other.resolve()).replace("'", r"'\''") + "'"


def test_a_name_with_a_line_break_is_refused(tmp_path):
    with pytest.raises(SourceError, match="contains a line break"):
        ffconcat_text([(tmp_path / "a\nb.mp4", 0.0, CLIP)], tmp_path)
