"""Tables of shards merged into one, by the command."""

import csv
import json
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cli.app import run

pytestmark = pytest.mark.slow

NUM_SHARDS = 3
NUM_VIDEOS = 4


@pytest.fixture(scope="module")
def tag_all(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Callable[..., Path]:
    """Tag the same inputs, all or a shard of them; returns the path of the table."""
    folder = tmp_path_factory.mktemp("merge")
    videos = folder / "videos"
    videos.mkdir()
    for i in range(NUM_VIDEOS):
        make_video(videos / f"a, {i}.mp4", VideoRecipe(num_frames=20 + i, first_index=40 * i))
    (videos / "broken.mp4").write_bytes(b"nothing")

    def call(suffix: str, shard: int | None = None) -> Path:
        out = folder / f"r{suffix}"
        command = ["batch", str(videos), "--out", str(out), "--weights", str(tiny_model), "-q"]
        command += ["--onset", "0.2", "--offset", "0.1"]
        # The second shard has no video that fails.
        assert run(
            [*command, *([] if shard is None else ["--shard", f"{shard}/{NUM_SHARDS}"])]
        ) in (0, 3)
        return out if shard is None else folder / f"r.{shard}-of-{NUM_SHARDS}{suffix}"

    return call


@pytest.fixture
def shards(tag_all, tmp_path) -> list[Path]:
    """Three tables with their tables of files, to be changed by the test."""
    copies = []
    for number in range(1, NUM_SHARDS + 1):
        table = tag_all(".csv", number)
        for path in (table, table.with_suffix(".files.csv")):
            shutil.copy(path, tmp_path)
        copies.append(tmp_path / table.name)
    return copies


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_all_shards_make_the_table_of_a_run_on_everything(tag_all, suffix, tmp_path, capfd):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    tables = [tag_all(suffix, number) for number in range(1, NUM_SHARDS + 1)]
    out = tmp_path / f"all{suffix}"
    pattern = str(tables[0]).replace("1-of", "?-of")
    assert run(["batch", "--merge", pattern, "-o", str(out), "--json"]) == 0
    summary = json.loads(capfd.readouterr().out)
    whole = tag_all(suffix)
    if suffix == ".parquet":
        pq = import_module("pyarrow.parquet")
        assert pq.read_table(out).equals(pq.read_table(whole))
    elif suffix == ".jsonl":
        made, expected = (
            [json.loads(line) | {"created": ""} for line in path.read_text().splitlines()]
            for path in (out, whole)
        )
        assert made == expected
    else:
        assert out.read_bytes() == whole.read_bytes()
    files, expected = read(out.with_suffix(".files.csv")), read(whole.with_suffix(".files.csv"))
    assert [row["video"] for row in files] == [row["video"] for row in expected]
    assert (summary["ok"], summary["failed"]) == (NUM_VIDEOS, 1)
    assert summary["segments"] == sum(int(row["segments"] or 0) for row in files) > 0
    assert summary["duplicates"] == []
    assert summary["missing_shards"] == {}


def test_videos_in_two_tables_are_named_and_the_better_result_counts(shards, tmp_path, capfd):
    other = tmp_path / "again.csv"
    shutil.copy(shards[0], other)
    text = shards[0].with_suffix(".files.csv").read_text()
    other.with_suffix(".files.csv").write_text(text)
    shards[0].with_suffix(".files.csv").write_text(text.replace(",ok,", ",failed,"))
    out = tmp_path / "all.csv"
    tables = [str(path) for path in (*shards, other)]
    assert run(["batch", "--merge", *tables, "-o", str(out)]) == 0
    err = capfd.readouterr().err
    assert "a, 0.mp4 is in" in err
    assert "r.1-of-3.csv and" in err
    assert "1 failed" in err
    rows = read(out.with_suffix(".files.csv"))
    assert [row["status"] for row in rows].count("ok") == NUM_VIDEOS
    assert len(rows) == len({row["video"] for row in rows}) == NUM_VIDEOS + 1
    assert sum(int(row["segments"] or 0) for row in rows) == len(read(out))


def test_a_shard_gives_no_note_about_the_files_of_the_others(tiny_model, tmp_path, capfd):
    for name in ("a.mp4", "b.mp4"):
        make_video(tmp_path / name, VideoRecipe(num_frames=20))
    command = ["batch", str(tmp_path), "-o", str(tmp_path / "r.csv"), "--weights", str(tiny_model)]
    for shard in ("1/2", "2/2"):
        assert run([*command, "--shard", shard]) == 0
        assert "none of the inputs" not in capfd.readouterr().err


def test_missing_shards_are_named(shards, tmp_path, capfd):
    assert run(["batch", "--merge", str(shards[1]), "-o", str(tmp_path / "all.csv")]) == 0
    assert "2 shards of 3 missing: 1, 3" in capfd.readouterr().err


def test_other_columns_are_refused_by_name(shards, tmp_path, capfd):
    text = shards[1].read_text()
    shards[1].write_text(text.replace("score_max", "score_best", 1))
    out = tmp_path / "all.csv"
    assert run(["batch", "--merge", *map(str, shards), "-o", str(out)]) == 4
    err = capfd.readouterr().err
    assert "r.2-of-3.csv has other columns than" in err
    assert "score_best" in err
    assert not out.exists()


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        (lambda table: table.unlink(), 4, "no such file"),
        (lambda table: table.with_suffix(".files.csv").unlink(), 4, "copy it beside"),
        (lambda table: table.with_suffix(".files.csv").write_text("a,b\n"), 4, "not a table"),
        (lambda table: table.write_bytes(b"video\n\xff\n"), 4, "is damaged"),
        (lambda table: table.write_text(table.read_text() + "\n\n"), 4, "is damaged"),
        (lambda table: table.with_suffix(".files.csv").write_text(
            table.with_suffix(".files.csv").read_text().partition("\n")[0]), 4, "lacks"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_merged_is_named(shards, tmp_path, capfd, change, code, named):
    change(shards[0])
    out = tmp_path / "all.csv"
    assert run(["batch", "--merge", str(shards[0]), "-o", str(out)]) == code
    err = capfd.readouterr().err
    assert named in err
    assert "r.1-of-3" in err
    assert not out.exists()


def test_a_parquet_table_with_unlisted_videos_is_named(tag_all, tmp_path, capfd):
    pytest.importorskip("pyarrow")
    table = tag_all(".parquet", 1)
    shutil.copy(table, tmp_path)
    header = table.with_suffix(".files.csv").read_text().partition("\n")[0]
    (tmp_path / table.with_suffix(".files.csv").name).write_text(f"{header}\n")
    out = tmp_path / "all.parquet"
    assert run(["batch", "--merge", str(tmp_path / table.name), "-o", str(out)]) == 4
    assert "which r.1-of-3.files.csv lacks" in capfd.readouterr().err


def test_what_makes_no_table_is_refused(shards, tmp_path, capfd):
    table = str(shards[0])
    for out in ("all.jsonl", "all/", "all.xlsx", table):
        assert run(["batch", "--merge", table, "-o", str(tmp_path / out)]) == 2
        capfd.readouterr()
    assert run(["batch", "--merge", str(tmp_path / "nothing*"), "-o", "x.csv"]) == 4
    (tmp_path / "mine.csv").write_text("mine")
    assert run(["batch", "--merge", table, "-o", str(tmp_path / "mine.csv")]) == 8
    assert (tmp_path / "mine.csv").read_text() == "mine"
