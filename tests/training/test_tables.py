"""Tables of examples: which column is which, and what is wrong with a row."""

import pytest

from vswin_cli.errors import SourceError
from vswin_cli.training.tables import part_of, read_table


def test_columns_are_found_by_any_of_their_names_and_in_any_order():
    (row,) = read_table("Class,FILE,t_end,begin\n  old   barn ,a.mp4,0:04,1.5\n", "list.csv")
    assert (row.path, row.label) == ("a.mp4", "old barn")
    assert (row.start_seconds, row.end_seconds) == (1.5, 4.0)
    assert row.where == "list.csv, line 2"


@pytest.mark.parametrize(
    ("text", "start"), [("a.mp4,cat\n", None), ("a.mp4\t1\t2\tcat\n", 1.0), ("a.mp4;cat\n", None)]
)
def test_without_a_header_the_number_of_columns_decides(text, start):
    (row,) = read_table(text, "list.csv")
    assert (row.path, row.label, row.start_seconds) == ("a.mp4", "cat", start)


def test_a_column_video_is_the_path_unless_there_is_another():
    (alone,) = read_table("video,label\na.mp4,cat\n", "t")
    assert (alone.path, alone.video) == ("a.mp4", "")
    (beside,) = read_table("path,label,video\nclip.mp4,cat,a.mp4\n", "t")
    assert (beside.path, beside.video) == ("clip.mp4", "a.mp4")


def test_marks_of_spreadsheets_are_removed():
    (row,) = read_table("path,label\n'=a.mp4,'+cat\n", "t")
    assert (row.path, row.label) == ("=a.mp4", "+cat")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "lists no examples"),
        ("a,b,c\n", "it is unclear which column is which"),
        ("path,label\n,cat\n", "line 2: the path is missing"),
        ("path,label\na.mp4\n", "line 2: the label is missing"),
        ("path,label,start,end\na.mp4,cat,4,4\n", "the example ends at 4 s, before it starts"),
        ("path,label,start,end\na.mp4,cat,soon,4\n", "line 2: cannot read the time 'soon'"),
        ("path,label,split\na.mp4,cat,other\n", "the split 'other' is unknown"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text, problem):
    with pytest.raises(SourceError) as caught:
        read_table(text, "list.csv")
    assert problem in caught.value.message


def test_sides_of_a_split_have_many_names():
    assert part_of("Training", "t") == "train"
    assert {part_of(name, "t") for name in ("val", "TEST", "held-out")} == {"held-out"}
    assert part_of("", "t") is None
