"""Where results are written, by `--out`, `--format` and the inputs."""

import pytest

from vswin_cli.batch.inputs import collect_inputs
from vswin_cli.batch.target import choose_target, video_paths


def test_equal_names_get_different_files(tmp_path):
    for name in ("a.mp4", "b.mkv", "a.mkv"):
        (tmp_path / name).touch()
    inputs = collect_inputs([str(tmp_path)])
    names = [str(p.name) for p in video_paths(choose_target("out/", "srt"), inputs).values()]
    assert len(set(names)) == len(names)
    assert "b.srt" in names
    assert "a.srt" not in names


@pytest.mark.parametrize(
    ("out", "format", "expected"),
    [
        ("r.csv", None, ("csv", False, "r.csv", "r.files.csv")),
        ("r.jsonl", None, ("jsonl", False, "r.jsonl", "r.files.csv")),
        ("r.parquet", None, ("parquet", False, "r.parquet", "r.files.csv")),
        ("r.activitynet.json", None, ("activitynet", False, "r.activitynet.json", "r.files.csv")),
        ("r", "vtt", ("vtt", True, "r", "results.files.csv")),
        ("r.d/", None, ("json", True, "r.d", "results.files.csv")),
    ],
)
def test_the_name_decides_what_is_written(out, format, expected):
    target = choose_target(out, format)
    found = (target.format, target.is_folder, target.table.name, target.files_table.name)
    assert found == expected


def test_paths_of_inputs_behind_a_linked_folder_stay_in_the_results(tmp_path):
    (tmp_path / "far" / "deep").mkdir(parents=True)
    (tmp_path / "far" / "a.mp4").touch()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "b.mp4").touch()
    (tmp_path / "here" / "link").symlink_to(tmp_path / "far" / "deep")
    given = [str(tmp_path / "here" / "b.mp4"), f"{tmp_path}/here/link/../a.mp4"]
    inputs = collect_inputs(given)
    target = choose_target(f"{tmp_path}/out/", "srt")
    paths = video_paths(target, inputs).values()
    assert all(path.resolve().is_relative_to(target.path.resolve()) for path in paths)
    assert len(set(paths)) == 2
