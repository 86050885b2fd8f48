"""Labelled intervals from every kind of file."""

import json

import pytest

from tests.support.timelines import of_two_models, segment, timeline
from vswin_cli.errors import OptionError, SourceError, SourceNotFoundError
from vswin_cli.evaluation.annotations import read_annotations
from vswin_cli.evaluation.intervals import Annotations, Interval
from vswin_cli.export import write_timeline, write_timelines
from vswin_cli.timeline.record import VideoRecord

DATABASE = {
    "v_a": {
        "subset": "training",
        "duration": 30.5,
        "annotations": [{"label": "run", "segment": [1, 2.5]}],
    },
    "b": {"subset": "validation", "duration": 9, "annotations": []},
}


def read(tmp_path, content, **options) -> Annotations:
    path = tmp_path / "file"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_annotations(path, **options)


def test_activitynet_ground_truth_is_read_by_subset(tmp_path):
    found = read(tmp_path, {"version": "1.3", "database": DATABASE}, subset="training")
    assert list(found.videos) == ["a"]
    assert found.videos["a"].duration_seconds == 30.5
    assert found.videos["a"].intervals == (Interval(1.0, 2.5, "run"),)


def test_several_subsets_need_a_choice(tmp_path):
    with pytest.raises(OptionError, match="training, validation"):
        read(tmp_path, {"database": DATABASE})
    with pytest.raises(OptionError, match="no subset 'test'"):
        read(tmp_path, {"database": DATABASE}, subset="test")


def test_activitynet_results_are_read_with_scores(tmp_path):
    results = {"a": [{"label": "run", "score": 0.5, "segment": [3, 4]}], "b": []}
    found = read(tmp_path, {"version": "x", "results": results, "external_data": {}})
    assert found.videos["a"].intervals == (Interval(3.0, 4.0, "run", 0.5),)
    assert found.videos["b"].intervals == ()


@pytest.mark.parametrize(
    "text",
    [
        "video,start,end,label\nclips/v_a.mp4,1,2.5,run\n",
        "v_a.mp4,1,2.5,run\n",
        "a,1.0e0,25e-1,run\n",
        "label,video-id,t-start,t-end\nrun,a,0:01,00:00:02.5\n",
        "\na\t1\t2.5\trun\n",
        "label\tvideo\tend\tstart\tstart_ms\nrun\ta\t2.5\t1\t7\n",
        '\ufeffVideo,Start,End,Label\r\n"a","1.0","2.5","run"\r\n\r\n',
    ],
)
def test_csv_is_read_with_and_without_header(tmp_path, text):
    found = read(tmp_path, text)
    assert found.videos["a"].intervals == (Interval(1.0, 2.5, "run"),)


def test_csv_may_hold_scores(tmp_path):
    assert read(tmp_path, "a,1,2,run,0.25\n").videos["a"].intervals[0].score == 0.25
    headed = read(tmp_path, "video,start,end,label,score\na,1,2,run,\n")
    assert headed.videos["a"].intervals[0].score is None


def test_timelines_are_read_alone_and_by_line(tmp_path):
    first = timeline()
    second = timeline(video=VideoRecord(uri="b.mkv", duration_seconds=5.0))
    write_timeline(first, "json", tmp_path / "one.json")
    write_timelines([first, second], "jsonl", tmp_path / "two.jsonl")
    alone = read_annotations(tmp_path / "one.json")
    both = read_annotations(tmp_path / "two.jsonl")
    assert list(both.videos) == ["a b", "b"]
    assert alone.videos["a b"] == both.videos["a b"]
    assert alone.videos["a b"].gaps == ((812.3, 822.3),)
    assert alone.videos["a b"].duration_seconds == 4000.0
    assert alone.videos["a b"].intervals[0] == Interval(1.0, 3.5, "archery", 0.8341)


def test_our_own_csv_export_is_read_back(tmp_path):
    write_timeline(timeline(), "csv", tmp_path / "one.csv")
    found = read_annotations(tmp_path / "one.csv").videos["a b"].intervals
    assert [one.label for one in found] == [one.label for one in timeline().segments]
    assert found[0].score == pytest.approx(0.8341)


def test_our_own_tsv_export_is_read_back_in_its_units(tmp_path):
    write_timeline(timeline(), "tsv", tmp_path / "one.tsv")
    found = read_annotations(tmp_path / "one.tsv").videos["a b"].intervals
    assert [one.label for one in found] == [one.label for one in timeline().segments]
    for one, expected in zip(found, timeline().segments, strict=True):
        assert one.start_seconds == pytest.approx(expected.start_seconds, abs=5e-4)
        assert one.end_seconds == pytest.approx(expected.end_seconds, abs=5e-4)
        assert one.score == pytest.approx(expected.score, abs=5e-4)


def test_our_own_activitynet_export_is_read_back(tmp_path):
    write_timeline(timeline(), "activitynet", tmp_path / "one.json")
    assert len(read_annotations(tmp_path / "one.json").videos["a b"].intervals) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,1,2\n", "3 columns"),
        ("video,start,end,label\na,1,2\n", "line 2: got 3 columns, expected 4"),
        ("a,2,1,run\n", "line 1: the interval from 2.0 to 1.0 s ends before"),
        ("a,one,2,run\n", "line 1: cannot read the time 'one'"),
        ("a,1,2,run,high\n", "the score 'high'"),
        ("a,1,2,run,nan\n", "the score 'nan'"),
        ("a,nan,2,run\n", "cannot read the time 'nan'"),
        ("a,1,2,\n", "the label is empty"),
        ('a,1,2,run\na,3,4,"run\na,5,6,run\n', "line 2: unexpected end of data"),
        ("x/a.mp4,1,2,run\ny/a.mp4,1,2,run\n", "would both be the video 'a'"),
        ({"database": {"a": {"annotations": {}}}}, "`a` must hold a list"),
        ({"results": {"a": [{"label": "run"}]}}, "`a`, entry 0"),
        ({"results": {"a": [{"label": "r", "segment": [1, "2"]}]}}, "`end` must be a number"),
        ({"else": 1}, "no labelled intervals"),
        ("[1, 2]", "no labelled intervals"),
        ('{"schema": "vswin.timeline/1"}', "missing"),
        ("{broken", "not JSON"),
    ],
)
def test_errors_name_the_place(tmp_path, content, message):
    with pytest.raises(SourceError, match=message):
        read(tmp_path, content)


def test_a_file_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(SourceNotFoundError):
        read_annotations(tmp_path / "file")


def test_a_subset_of_something_without_subsets_is_refused(tmp_path):
    with pytest.raises(OptionError, match="no subsets"):
        read(tmp_path, "a,1,2,run\n", subset="validation")


def test_segments_keep_their_order_whatever_that_of_the_file(tmp_path):
    late, early = segment(5, 6, "x"), segment(1, 2, "y")
    write_timeline(timeline(segments=(late, early)), "json", tmp_path / "a.json")
    (video,) = read_annotations(tmp_path / "a.json").videos.values()
    assert [one.label for one in video.intervals] == ["y", "x"]


def test_a_table_of_cut_clips_is_about_the_videos_they_are_from(tmp_path):
    head = "path,label,start,end,score,video,source_start,source_end,mode,early_seconds\n"
    found = read(tmp_path, f"{head}x_run.mp4,run,0.5,2.5,0.9,day1/x.mp4,7,9,copy,0.5\n")
    assert found.videos["x"].intervals == (Interval(7.0, 9.0, "run", 0.9),)


def test_a_list_of_windows_is_read(tmp_path):
    found = read(tmp_path, "clip\tstart_s\tend_s\tlabel\na.mp4\t0\t2\tpan\n")
    assert found.videos["a"].intervals == (Interval(0.0, 2.0, "pan"),)


def test_a_table_with_tabs_must_have_enough_columns(tmp_path):
    path = tmp_path / "rows.tsv"
    path.write_text("video\tstart_ms\tend_ms\tlabel\na, b\t0\t1500\n")
    with pytest.raises(SourceError, match="line 2: got 3 columns, expected 4 or more"):
        read_annotations(path)


@pytest.mark.parametrize("fmt", ["json", "jsonl", "csv"])
def test_results_of_several_models_are_not_mixed(tmp_path, fmt):
    path = tmp_path / f"both.{fmt}"
    write_timelines([of_two_models()], fmt, path)
    with pytest.raises(SourceError, match=r"of (2|several) models: swin-t-k400, moves") as error:
        read_annotations(path)
    assert "--model swin-t-k400" in error.value.hint
    write_timelines([of_two_models().of_model("moves")], fmt, path)
    (video,) = read_annotations(path).videos.values()
    assert [one.label for one in video.intervals] == ["pan"]


def test_a_table_may_have_another_model_for_each_video(tmp_path):
    path = tmp_path / "all.csv"
    other = timeline(video=VideoRecord(uri="b.mp4", duration_seconds=9.0))
    write_timelines([other, of_two_models().of_model("moves")], "csv", path)
    assert len(read_annotations(path).videos) == 2
