import json
from pathlib import Path

import pytest

from tests.support.timelines import named, of_two_models, written
from vswin_cli.errors import SourceError, SourceNotFoundError
from vswin_cli.training.examples import background_examples, read_examples
from vswin_cli.training.records import check_labels, notes_on_counts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Empty files that are named like videos: readers do not decode."""
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        (tmp_path / name).touch()
    return tmp_path


def table(folder: Path, text: str, name: str = "list.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def described(found):
    return [
        (e.source.path.name, e.labels, e.start_seconds, e.end_seconds, e.part)
        for e in found.examples
    ]


def test_columns_may_come_in_any_order(folder):
    path = table(folder, "label,split,path\nrun,train,a.mp4\nwalk,test,b.mp4\n")
    assert described(read_examples([path])) == [
        ("a.mp4", ("run",), None, None, "train"),
        ("b.mp4", ("walk",), None, None, "held-out"),
    ]


@pytest.mark.parametrize(
    "text", ["a.mp4,run\nb.mp4,walk\n", "path\tlabel\na.mp4\trun\nb.mp4\twalk\n"]
)
def test_tables_without_header_and_with_tabs(folder, text):
    found = described(read_examples([table(folder, text)]))
    assert [(name, labels) for name, labels, *_ in found] == [
        ("a.mp4", ("run",)),
        ("b.mp4", ("walk",)),
    ]


def test_parts_of_videos_with_overlapping_labels(folder):
    path = table(
        folder,
        "path,start,end,label\na.mp4,0:00,4,run\na.mp4,3,6,wave\nb.mp4,,2,run\nb.mp4,5,,walk\n",
    )
    assert [row[:4] for row in described(read_examples([path]))] == [
        ("a.mp4", ("run",), 0.0, 3.0),
        ("a.mp4", ("run", "wave"), 3.0, 4.0),
        ("a.mp4", ("wave",), 4.0, 6.0),
        ("b.mp4", ("walk",), 5.0, None),
        ("b.mp4", ("run",), 0.0, 2.0),
    ]


def test_clips_of_one_recording_share_it(folder):
    path = table(
        folder,
        "path,label,start,end,score,video\na.mp4,run,,,0.9,film.mp4\nb.mp4,run,,,0.8,film.mp4\n",
    )
    first, second = read_examples([path]).examples
    assert first.video == second.video == str(folder / "film.mp4")


def test_folder_per_class(tmp_path):
    for label, name in (("run", "a.mp4"), ("walk", "b.mp4"), ("Background", "c.mkv")):
        (tmp_path / label).mkdir()
        (tmp_path / label / name).touch()
    (tmp_path / "walk" / "notes.txt").touch()
    found = described(read_examples([tmp_path]))
    assert [row[:2] for row in found] == [("c.mkv", ()), ("a.mp4", ("run",)), ("b.mp4", ("walk",))]


def test_folders_of_a_split(tmp_path):
    for part in ("train", "val"):
        (tmp_path / part / "run").mkdir(parents=True)
        (tmp_path / part / "run" / f"{part}.mp4").touch()
    found = described(read_examples([tmp_path]))
    assert [(row[0], row[4]) for row in found] == [("train.mp4", "train"), ("val.mp4", "held-out")]


def test_folder_of_cut_clips_is_read_by_its_table(folder):
    table(folder, "path,label\na.mp4,run\n", "clips.csv")
    assert described(read_examples([folder]))[0][:2] == ("a.mp4", ("run",))


def test_activitynet_splits_by_subset(folder):
    entries = {
        "a": {
            "subset": "training",
            "duration": 9,
            "annotations": [{"segment": [1, 3], "label": "x"}],
        },
        "b": {"subset": "validation", "annotations": [{"segment": [0, 2], "label": "y"}]},
        "gone": {"subset": "training", "annotations": [{"segment": [0, 2], "label": "y"}]},
        "hidden": {"subset": "testing", "annotations": []},
    }
    path = table(folder, json.dumps({"database": entries}), "an.json")
    found = read_examples([path])
    assert described(found) == [
        ("a.mp4", ("x",), 1.0, 3.0, "train"),
        ("b.mp4", ("y",), 0.0, 2.0, "held-out"),
    ]
    assert [name for name, _ in found.problems] == ["gone"]
    assert found.videos[0].duration_seconds == 9
    assert found.videos[0].is_complete


def test_timelines_find_their_video_beside_them(folder):
    timeline = named("elsewhere/a.mp4")
    path = table(folder, written("json", timeline), "t.json")
    found = read_examples([path])
    assert {e.source.path for e in found.examples} == {folder / "a.mp4"}
    assert {label for e in found.examples for label in e.labels} == {
        s.label for s in timeline.segments
    }


def test_a_folder_of_videos_with_a_table_leads_to_the_table(folder):
    path = table(folder, "path,label\na.mp4,run\n")
    with pytest.raises(SourceError, match="no folder with videos") as caught:
        read_examples([folder])
    assert f"give the table {path}" in str(caught.value.hint)


def test_a_folder_may_hold_timelines(folder):
    path = table(folder, written("json", named("elsewhere/a.mp4")), "t.json")
    corrected = folder / "corrected"
    corrected.mkdir()
    path.rename(corrected / "t.json")
    found = read_examples([corrected], root=folder)
    assert {e.source.path for e in found.examples} == {folder / "a.mp4"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\n", "no examples"),
        ("", "lists no examples"),
        ("path,start,end,label\na.mp4,5,3,run\n", "before it starts"),
        ("path,start,end,label\na.mp4,x,3,run\n", "line 2: cannot read the time"),
        ("path,label\n../a.mp4,run\n", "outside of the folder"),
        ("path,label\n/etc/passwd,run\n", "outside of the folder"),
        ("path,label\na.mp4,\n", "the label is missing"),
        ("path,label,split\na.mp4,run,sometimes\n", "the split 'sometimes' is unknown"),
        ("a,b,c\nd,e,f\n", "unclear which column"),
        ('{"x": 1}', "holds no examples"),
        ("[" * 100_000, "not JSON|cannot be read|not a timeline"),
    ],
)
def test_bad_tables_fail(folder, text, message):
    with pytest.raises(SourceError, match=message) as caught:
        read_examples([table(folder, text)])
    assert caught.value.hint


def test_missing_videos_are_named_and_left_out(folder):
    found = read_examples([table(folder, "path,label\na.mp4,run\nnone.mp4,run\n")])
    assert len(found.examples) == 1
    assert found.problems == (("none.mp4", f"no such file ({folder}/list.csv, line 3)"),)


def test_no_video_at_all_fails(folder):
    with pytest.raises(SourceNotFoundError, match=r"not one of 1 video can be used; none\.mp4"):
        read_examples([table(folder, "path,label\nnone.mp4,run\n")])


def test_root_is_what_paths_are_relative_to(folder, tmp_path_factory):
    path = table(tmp_path_factory.mktemp("lists"), "path,label\na.mp4,run\n")
    assert read_examples([path], root=folder).examples[0].source.path == folder / "a.mp4"


def test_background_examples_have_no_labels(folder):
    assert {e.labels for e in background_examples(folder).examples} == {()}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a.mp4,run\nb.mp4,run\n", "all examples are of one class, 'run'"),
        ("a.mp4,Play ball\nb.mp4,play_ball\n", "'Play ball' and 'play_ball' differ only in"),
        ("a.mp4,background\n", "no labelled examples"),
    ],
)
def test_labels_that_cannot_be_told_apart_fail(folder, rows, message):
    found = read_examples([table(folder, f"path,label\n{rows}")])
    with pytest.raises(SourceError, match=message):
        check_labels(found.examples)


def test_an_only_class_comes_with_what_was_left_out(folder):
    found = read_examples([table(folder, "path,label\na.mp4,run\ngone.mp4,sit\n")])
    with pytest.raises(SourceError, match=r"one class, 'run'; left out are .*gone\.mp4: no such"):
        check_labels(found.examples, found.problems)
    with pytest.raises(SourceError, match=r"left out are x: why \(and 1 more\)"):
        check_labels(found.examples, [("x", "why"), ("y", "why")])


def test_one_class_and_background_are_enough(folder):
    found = read_examples([table(folder, "path,label\na.mp4,run\nb.mp4,background\n")])
    assert check_labels(found.examples) == ("run",)
    assert notes_on_counts(found.examples) == (
        "classes with fewer than 12 examples: background 1, run 1",
        "classes with examples of one video only, whose accuracy cannot be measured: "
        "background, run",
    )


def test_results_of_several_models_are_refused(folder):
    path = table(folder, written("json", of_two_models()), "both.json")
    with pytest.raises(SourceError, match="results of 2 models"):
        read_examples([path])
