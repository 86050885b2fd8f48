"""Lists of labelled windows."""

import pytest

from tests.evaluation.conftest import LABELS
from vswin_cli.errors import SourceError
from vswin_cli.evaluation.window_list import read_window_list


def test_a_list_is_read_and_what_it_leaves_out_is_counted(table, tmp_path):
    found = read_window_list(table, LABELS, exclude={"cut"})
    assert (found.num_unsure, found.num_excluded) == (1, 1)
    first, second = found.windows
    assert first.source.uri == str(tmp_path / "a.mp4")
    assert (first.start_seconds, first.end_seconds) == (0.0, 2.0)
    assert first.true_labels == ("pan", "tilt", "static")
    assert (second.start_seconds, second.end_seconds, second.label) == (1.0, None, "tilt")


def test_a_list_with_commas_and_no_more_than_videos_and_labels(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("path,label\nx.mp4,pan\n")
    (one,) = read_window_list(path, LABELS, root=tmp_path / "videos").windows
    assert one.source.uri == str(tmp_path / "videos" / "x.mp4")
    assert one.end_seconds is None


def test_a_table_of_cut_clips_is_about_the_clips(tmp_path):
    path = tmp_path / "clips.csv"
    path.write_text(
        "path,label,start,end,score,video,source_start,source_end,mode,early_seconds\n"
        "x_pan.mp4,pan,0.5,2.5,0.9,day1/x.mp4,7,9,copy,0.5\n"
    )
    (one,) = read_window_list(path, LABELS).windows
    assert one.source.uri == str(tmp_path / "x_pan.mp4")
    assert (one.start_seconds, one.end_seconds, one.label) == (0.5, 2.5, "pan")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no column `video`"),
        ("a.mp4,pan\n", "no column `video`"),
        ("video,start\n", "no column `label`"),
        ("video,label\n", "lists no window"),
        ("video,label\na.mp4,roll\n", "line 2: 'roll' is not a label of the model"),
        ("video,label,others\na.mp4,pan,roll\n", "line 2: 'roll' is not a label"),
        ("video,label\n,pan\n", "line 2: a video and a label"),
        ("video,start,end,label\na.mp4,x,2,pan\n", "line 2: cannot read the time 'x'"),
        ("video,start,end,label\na.mp4,2,1,pan\n", "line 2: the window ends at 1 s"),
        ("video,label,sure\na.mp4,pan,\n", "no window that is marked as sure"),
        ('video,label,sure\na.mp4,pan,"yes\nb.mp4,pan,yes\n', "list.csv, line 2: unexpected end"),
        ('video,label,note\na.mp4,pan,"a\nb"\nb.mp4,roll,\n', "line 4: 'roll' is not a label"),
    ],
)
def test_a_bad_line_is_named(text, problem, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(SourceError, match=problem):
        read_window_list(path, LABELS)


@pytest.mark.parametrize(
    "name", ["video", "filename", "clip", "start_s", "other_labels", "verified"]
)
def test_the_hint_lists_all_names_of_columns(name, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("movie,label\n")
    with pytest.raises(SourceError) as caught:
        read_window_list(path, LABELS)
    assert name in caught.value.hint
