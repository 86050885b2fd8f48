"""`vswin batch` as users run it: real videos, a real small network, interruptions."""

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest

from tests.support.videos import VideoRecipe, cut_short, make_audio, make_video
from vswin_cli.cli.app import run

pytestmark = pytest.mark.slow

THRESHOLDS = ("--onset", "0.2", "--offset", "0.1")
NUM_VIDEOS = 5
NUM_MANY = 400  # more than can be done before a signal arrives


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five videos, one of them in a subfolder, and two files without video."""
    directory = tmp_path_factory.mktemp("recordings")
    (directory / "day2").mkdir()
    for i in range(NUM_VIDEOS - 1):
        make_video(directory / f"clip{i}.mp4", VideoRecipe(num_frames=24, first_index=100 * i))
    make_video(directory / "day2" / "clip1.mp4", VideoRecipe(num_frames=30, first_index=900))
    (directory / "broken.mp4").write_bytes(b"nothing")
    make_audio(directory / "sound.mp4")
    return directory


@pytest.fixture
def batch(tiny_model, capfd):
    """Run `vswin batch` with the tiny network; returns exit code, stdout and stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run(["batch", "--weights", str(tiny_model), *THRESHOLDS, *map(str, arguments)])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture(scope="module")
def finished(folder, tiny_model, tmp_path_factory):
    """Results of the folder with their journal; read only."""
    directory = tmp_path_factory.mktemp("finished")
    out = directory / "results.csv"
    command = ["batch", str(folder), "--out", str(out), "--weights", str(tiny_model), "-q"]
    assert run([*command, *THRESHOLDS]) == 3
    return directory


@pytest.fixture
def results(finished, tmp_path):
    """A copy of the finished results: the table of segments."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return tmp_path / "results.csv"


@pytest.fixture
def start(tiny_model):
    """Start `vswin batch` in another process."""
    running = []

    def call(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "vswin_cli", "batch", "--weights", str(tiny_model)]
        process = subprocess.Popen(
            [*command, *THRESHOLDS, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        running.append(process)
        return process

    yield call
    for process in running:
        process.kill()
        process.communicate()


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def entries(out: Path) -> dict[str, int]:
    found = (out.parent / f".{out.stem}.vswin" / "entries").glob("*.json")
    return {path.name: path.stat().st_mtime_ns for path in found}


def wait_for_entries(process: subprocess.Popen[str], out: Path, count: int) -> None:
    while process.poll() is None and len(entries(out)) < count:
        time.sleep(0.02)
    assert process.poll() is None, process.communicate()


def without_elapsed(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{k: v for k, v in row.items() if k != "elapsed"} for row in rows]


def test_a_folder_becomes_a_table_of_segments_and_a_table_of_files(batch, folder, tmp_path):
    out = tmp_path / "results.csv"
    code, stdout, err = batch(folder, "--out", out)
    assert (code, stdout) == (3, "")
    rows = {row["video"]: row for row in read_csv(tmp_path / "results.files.csv")}
    assert len(rows) == NUM_VIDEOS + 2
    assert list(rows) == sorted(rows)
    broken = rows.pop(str(folder / "broken.mp4"))
    assert (broken["status"], broken["error_code"]) == ("failed", "NOT_A_VIDEO")
    assert "broken.mp4" in broken["error"]
    assert rows.pop(str(folder / "sound.mp4"))["error_code"] == "NO_VIDEO_STREAM"
    assert {row["status"] for row in rows.values()} == {"ok"}
    assert float(rows[str(folder / "day2" / "clip1.mp4")]["duration"]) == pytest.approx(1.0)
    segments = read_csv(out)
    assert sum(int(row["segments"]) for row in rows.values()) == len(segments) > 0
    assert "2 failed" in err
    assert "2 files without video: not tried again until changed" in err
    assert "--retry-failed" not in err  # for they would fail again


def test_without_a_precision_a_batch_goes_on_in_that_of_its_earlier_results(
    folder, tmp_path, batch
):
    out = tmp_path / "results.csv"
    clip = folder / "clip0.mp4"
    assert batch(clip, "--out", out, "--precision", "bfloat16")[0] == 0
    code, text, err = batch(clip, folder / "clip1.mp4", "--out", out, "--json")
    assert code == 0
    assert json.loads(text)["resumed"] == 1
    assert "going on in bfloat16, as the earlier results" in err
    assert "--precision float32 does all again" in err


def test_without_a_decoder_a_batch_goes_on_with_that_of_its_earlier_results(
    folder, tmp_path, batch
):
    out = tmp_path / "results.csv"
    clip = folder / "clip0.mp4"
    assert batch(clip, "--out", out, "--decoder", "nvdec")[0] == 0
    code, text, err = batch(clip, "--out", out, "--json")
    assert code == 0
    assert json.loads(text)["resumed"] == 1
    assert "going on beside NVDEC, as the earlier results" in err
    assert "--decoder software does all again" in err
    code, text, _ = batch(clip, "--out", out, "--json", "--decoder", "software")
    assert (code, json.loads(text)["resumed"]) == (0, 0)


def test_missing_files_are_tried_again_and_files_without_video_are_not(batch, folder, tmp_path):
    twice = tmp_path / "half.mp4"
    twice.write_bytes((folder / "clip0.mp4").read_bytes()[:600])
    code, _, err = batch(folder, twice, tmp_path / "gone.mp4", "--out", tmp_path / "r.csv")
    assert code == 3
    rows = {Path(row["video"]).name: row for row in read_csv(tmp_path / "r.files.csv")}
    assert rows["half.mp4"]["status"] == rows["gone.mp4"]["status"] == "failed"
    assert "1 input missing or not readable; run the same command to try again" in err
    code, stdout, _ = batch(folder, tmp_path / "gone.mp4", "--out", tmp_path / "r.csv", "--json")
    assert json.loads(stdout)["resumed"] == NUM_VIDEOS + 2  # what is missing now was not done


def test_results_are_those_of_tag(batch, folder, tiny_model, tmp_path):
    batch(folder / "clip0.mp4", "--out", tmp_path / "batch.jsonl")
    single = tmp_path / "tag.json"
    arguments = ["tag", "--weights", str(tiny_model), *THRESHOLDS, str(folder / "clip0.mp4")]
    assert run([*arguments, "-o", str(single), "-q"]) == 0
    ours = json.loads((tmp_path / "batch.jsonl").read_text())
    theirs = json.loads(single.read_text())
    del ours["created"], theirs["created"]
    assert ours == theirs


def test_a_second_run_does_nothing_again(batch, folder, results):
    before, table = entries(results), results.read_bytes()
    code, stdout, _ = batch(folder, "--out", results, "--json")
    summary = json.loads(stdout)
    assert code == 3
    assert (summary["resumed"], summary["failed"]) == (NUM_VIDEOS + 2, 2)
    assert entries(results) == before
    assert results.read_bytes() == table


def test_only_what_changed_is_done_again(batch, folder, results):
    changed = folder / "clip2.mp4"
    stamp = changed.stat()
    before = entries(results)
    os.utime(changed, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))
    try:
        code, _, err = batch(folder, "--out", results)
    finally:
        os.utime(changed, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert code == 3
    after = entries(results)
    assert sum(after[name] != written for name, written in before.items()) == 1
    assert f"{NUM_VIDEOS + 1} by earlier runs" in err


def test_new_thresholds_need_no_decoding(batch, tmp_path):
    video = make_video(tmp_path / "video.mp4", VideoRecipe(num_frames=30))
    batch(video, "--out", tmp_path / "a.csv")
    batch(video, "--out", tmp_path / "fresh.csv", "--onset", "0.6")
    stamp = video.stat()
    video.write_bytes(bytes(stamp.st_size))  # the same size and time, but nothing to decode
    os.utime(video, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    code, stdout, _ = batch(video, "--out", tmp_path / "a.csv", "--onset", "0.6", "--json")
    assert code == 0
    assert json.loads(stdout)["resumed"] == 1
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "fresh.csv").read_bytes()


def test_other_sampling_is_done_anew(batch, folder, tmp_path):
    out = tmp_path / "results.csv"
    batch(folder / "clip0.mp4", "--out", out)
    _, stdout, _ = batch(folder / "clip0.mp4", "--out", out, "--stride", "50%", "--json")
    assert json.loads(stdout)["resumed"] == 0


def test_failures_are_tried_again_on_request(batch, folder, results):
    before = entries(results)
    _, stdout, _ = batch(folder, "--out", results, "--retry-failed", "--json")
    assert json.loads(stdout)["resumed"] == NUM_VIDEOS
    assert sum(entries(results)[name] != written for name, written in before.items()) == 2


def test_a_folder_as_output_mirrors_the_input(batch, folder, tmp_path):
    code, _, _ = batch(folder, "--out", f"{tmp_path}/out/", "--format", "srt")
    assert code == 3
    found = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.srt")}
    assert found == {*(f"clip{i}.srt" for i in range(NUM_VIDEOS - 1)), "day2/clip1.srt"}


@pytest.fixture
def names(folder, tmp_path):
    """One video under many names: linked, linked by its folder, with a line break, with a blank."""
    directory = tmp_path / "names"
    directory.mkdir()
    shutil.copy(folder / "clip0.mp4", directory / "a.mp4")
    (directory / "link.mp4").symlink_to("a.mp4")
    for name in ("a b.mp4", "a\nb.mp4", r"a\nb.mp4"):
        os.link(directory / "a.mp4", directory / name)
    (tmp_path / "same").symlink_to(directory, target_is_directory=True)
    return directory


def test_every_name_of_a_file_has_a_row_of_its_own(batch, names, tmp_path):
    out = tmp_path / "r.csv"
    given = (names, names / "a.mp4", tmp_path / "same" / "a.mp4")
    code, stdout, _ = batch(*given, "--out", out, "--json")
    assert (code, json.loads(stdout)["inputs"]) == (0, 6)
    rows = read_csv(tmp_path / "r.files.csv")
    assert sorted(row["video"].removeprefix(f"{tmp_path}/") for row in rows) == sorted(
        ["names/a b.mp4", "names/a.mp4", r"names/a\\nb.mp4", r"names/a\nb.mp4", "names/link.mp4",
         "same/a.mp4"]
    )  # fmt: skip
    assert {row["status"] for row in rows} == {"ok"}
    assert len({row["video"] for row in read_csv(out)}) == len(rows)
    assert len(out.read_text().splitlines()) == 1 + sum(int(row["segments"]) for row in rows)
    code, stdout, _ = batch(*given, "--out", out, "--json")
    assert json.loads(stdout)["resumed"] == len(rows)


def test_every_name_of_a_file_has_a_result_in_a_folder(batch, names, tmp_path):
    assert batch(names, "--out", f"{tmp_path}/out/", "--format", "srt")[0] == 0
    assert len(list((tmp_path / "out").glob("*.srt"))) == 5


def test_parquet_holds_the_same_segments(batch, folder, results):
    pq = pytest.importorskip("pyarrow.parquet")
    batch(folder, "--out", results.with_suffix(".parquet"))
    rows = pq.read_table(results.with_suffix(".parquet")).to_pylist()
    expected = read_csv(results)
    assert [(r["video"], r["label"]) for r in rows] == [(r["video"], r["label"]) for r in expected]
    assert [r["start"] for r in rows] == [float(r["start"]) for r in expected]


def test_shards_make_up_the_whole(batch, folder, finished, tmp_path):
    whole = finished / "results.csv"
    for number in (1, 2, 3):
        batch(folder, "--out", tmp_path / "r.csv", "--shard", f"{number}/3")
    parts = [tmp_path / f"r.{number}-of-3.csv" for number in (1, 2, 3)]
    lines = {line for part in parts for line in part.read_text().splitlines()}
    assert lines == set(whole.read_text().splitlines())
    _, stdout, _ = batch(folder, "--out", tmp_path / "r.csv", "--json")
    assert json.loads(stdout)["resumed"] == NUM_VIDEOS + 2
    assert (tmp_path / "r.csv").read_bytes() == whole.read_bytes()


def test_a_batch_without_any_result_has_its_own_exit_code(batch, folder, tmp_path):
    code, _, err = batch(folder / "broken.mp4", tmp_path / "gone.mp4", "--out", tmp_path / "r.csv")
    assert code == 4
    assert "gone.mp4" in err
    statuses = [row["status"] for row in read_csv(tmp_path / "r.files.csv")]
    assert statuses == ["failed", "failed"]
    assert (tmp_path / "r.csv").read_text().count("\n") == 1


@pytest.mark.parametrize("out", ["none/r.csv", "none/r/"])
def test_missing_parent_folders_are_not_created(batch, folder, tmp_path, out):
    code, _, err = batch(folder / "clip0.mp4", "--out", f"{tmp_path}/{out}")
    assert code == 8
    assert f"no folder {tmp_path / 'none'}" in err
    assert "create the folder first" in err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("what", ["a list", "a video"])
def test_results_never_overwrite_inputs(batch, folder, tmp_path, what):
    recording, table = folder / "clip0.mp4", tmp_path / "work.csv"
    if what == "a list":
        table.write_text(f"{recording}\n")
    else:
        shutil.copy(recording, table)
    before = table.read_bytes()
    code, _, err = batch(f"@{table}" if what == "a list" else table, "--out", table)
    assert code == 2
    assert "is an input; writing there would destroy it" in err
    assert table.read_bytes() == before


def test_results_never_overwrite_labels_or_videos_in_a_folder(batch, folder, tmp_path):
    labels, recording = tmp_path / "clip0.csv", tmp_path / "clip0.txt"
    labels.write_text("".join(f"{i},action {i}\n" for i in range(10)))
    shutil.copy(folder / "clip0.mp4", recording)
    for options in (
        ["--labels", labels, "--out", labels],
        ["--labels", labels, "--out", f"{tmp_path}/", "--format", "csv"],
        ["--out", f"{tmp_path}/", "--format", "table"],
    ):
        code, _, err = batch(recording, *options)
        assert (code, "is an input; writing there would destroy it" in err) == (2, True), err
    assert labels.read_text().startswith("0,action 0")
    assert recording.read_bytes() == (folder / "clip0.mp4").read_bytes()


@pytest.mark.parametrize(
    ("name", "out"),
    [
        ("r.csv", "r.csv"),
        ("r.files.csv", "r.csv"),
        ("r.jsonl", "r.jsonl"),
        ("out/clip0.srt", "out/"),
    ],
)
def test_files_that_vswin_did_not_write_are_replaced_only_by_force(
    batch, folder, tmp_path, name, out
):
    mine = tmp_path / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("name,age\nJo,7\n")
    arguments = (folder / "clip0.mp4", "--out", f"{tmp_path}/{out}", "--format")
    arguments = (*arguments, "srt" if out == "out/" else Path(out).suffix[1:])
    code, _, err = batch(*arguments)
    assert (code, f"{mine} exists and was not written by vswin" in err) == (8, True)
    assert mine.read_text() == "name,age\nJo,7\n"
    assert not list(tmp_path.rglob("entries"))
    assert batch(*arguments, "--force")[0] == 0
    assert "Jo" not in mine.read_text()
    assert batch(*arguments)[0] == 0


def test_results_without_their_journal_are_recognised(batch, folder, tmp_path):
    for out in ("r.csv", "r.parquet", "out/"):
        arguments = (folder / "clip0.mp4", "--out", f"{tmp_path}/{out}")
        assert batch(*arguments)[0] == 0
        for state in tmp_path.rglob(".*.vswin"):
            shutil.rmtree(state)
        assert batch(*arguments)[0] == 0


def test_a_journal_of_another_table_makes_no_other_file_ours(batch, folder, tmp_path):
    assert batch(folder / "clip0.mp4", "--out", tmp_path / "r.csv")[0] == 0
    (tmp_path / "r.jsonl").write_text("mine")
    assert batch(folder / "clip0.mp4", "--out", tmp_path / "r.jsonl")[0] == 8
    assert (tmp_path / "r.jsonl").read_text() == "mine"


def test_an_edited_file_of_a_video_is_no_obstacle(batch, folder, tmp_path):
    arguments = (folder / "clip0.mp4", "--out", f"{tmp_path}/out/", "--format", "srt")
    batch(*arguments)
    edited = tmp_path / "out" / "clip0.srt"
    edited.write_text("corrected by hand")
    assert batch(*arguments)[0] == 0
    assert edited.read_text() == "corrected by hand"


def test_a_name_too_long_for_its_ending_is_shortened(batch, folder, tmp_path):
    recording = tmp_path / f"{'映' * 82}.mp4"
    shutil.copy(folder / "clip0.mp4", recording)
    code, _, err = batch(recording, "--out", f"{tmp_path}/out/", "--format", "labelstudio")
    assert code == 0, err
    assert len(list(tmp_path.glob("out/*.labelstudio.json"))) == 1


@pytest.fixture
def mixed(tmp_path):
    """Three short videos; the second has a rate at which no timecode is dropped."""
    directory = tmp_path / "mixed"
    directory.mkdir()
    for i, rate in enumerate((Fraction(30000, 1001), Fraction(25), Fraction(30000, 1001))):
        make_video(directory / f"{i}.mp4", VideoRecipe(num_frames=24, rate=rate))
    return directory


def test_a_video_that_the_format_cannot_hold_does_not_stop_the_others(batch, mixed, tmp_path):
    arguments = (mixed, "--out", f"{tmp_path}/out/", "--format", "edl-df")
    for _ in range(2):  # the second time from the journal alone
        code, _, err = batch(*arguments)
        assert code == 3, err
        assert {path.name for path in (tmp_path / "out").glob("*.edl")} == {"0.df.edl", "2.df.edl"}
        rows = read_csv(tmp_path / "out" / "results.files.csv")
        assert [row["status"] for row in rows] == ["ok", "failed", "ok"]
        assert "1.mp4 has 25" in rows[1]["error"]
        assert "hint: choose `edl`" in err
        assert "--retry-failed" not in err
    code, out, _ = batch(*arguments[:3], "--format", "edl", "--json")
    assert (code, json.loads(out)["resumed"]) == (0, 3)


def test_names_that_are_not_utf8_are_read_from_stdin_and_reported_as_json(folder, tmp_path):
    strange = os.fsencode(tmp_path) + b"/caf\xe9.mp4"
    shutil.copy(folder / "clip0.mp4", os.fsdecode(strange))
    command = [sys.executable, "-m", "vswin_cli", "batch", "-", "--json"]
    done = subprocess.run(
        [*command, "--out", os.fsencode(tmp_path) + b"/\xe9.csv"],
        input=b"\xef\xbb\xbf" + strange + b"\n",
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "LC_ALL": "C.UTF-8"},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.decode("utf-8"))
    assert (summary["ok"], summary["inputs"]) == (1, 1)


def test_a_damaged_journal_entry_does_not_stop_the_others(batch, mixed, tmp_path):
    for out in (tmp_path / "r.csv", tmp_path / "r.parquet", f"{tmp_path}/r/"):
        assert batch(mixed, "--out", out)[0] == 0
        state = tmp_path / "r" / ".results.vswin" if isinstance(out, str) else tmp_path / ".r.vswin"
        entry = sorted(state.glob("entries/*.json"))[0]
        document = json.loads(entry.read_text())
        document["timeline"]["segments"] = "none"
        entry.write_text(json.dumps(document))
        code, _, err = batch(mixed, "--out", out)
        assert code == 3, err
        assert "will be done again" in err
        entry.unlink()


def test_videos_with_the_same_name_in_a_table_are_refused_before_the_work(batch, mixed, tmp_path):
    (mixed / "1.mp4").rename(mixed / "0.mkv")
    code, _, err = batch(mixed, "--out", tmp_path / "r.activitynet.json")
    assert code == 2
    assert "comes twice" in err
    assert not list(tmp_path.glob(".r.vswin/entries/*"))


def test_strict_with_full_coverage_has_exit_code_zero(batch, folder, tmp_path):
    assert batch(folder / "clip0.mp4", "--out", tmp_path / "r.csv", "--strict")[0] == 0


@pytest.mark.parametrize("gate", [("--min-margin", "0.2"), ("--max-entropy", "0.5")])
def test_a_gate_that_does_not_fit_the_weights_fails_the_batch_and_no_video(
    folder, tmp_path, capfd, gate
):
    out = tmp_path / "r.csv"
    code = run(
        ["batch", str(folder / "clip0.mp4"), "--model", "camera-motion", "-o", str(out), *gate]
    )
    assert code == 2
    assert "need scores that compete" in capfd.readouterr().err
    assert entries(out) == {}
    assert not out.exists()


def test_strict_checks_only_coverage(batch, tmp_path):
    whole = VideoRecipe(num_frames=240, container_options={"movflags": "faststart"})
    short = cut_short(make_video(tmp_path / "whole.mp4", whole), 0.6)
    code, _, err = batch(short, "--out", tmp_path / "r.csv", "--strict")
    assert (code, "--min-coverage 0.98 could be analysed" in err) == (7, True)
    assert read_csv(tmp_path / "r.files.csv")[0]["status"] == "partial"
    assert batch(short, "--out", tmp_path / "r.csv", "--strict", "--min-coverage", "0")[0] == 0


def test_every_partial_and_failed_video_has_a_reason_everywhere(batch, folder, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    shutil.copy(folder / "clip0.mp4", videos / "good.mp4")
    whole = VideoRecipe(num_frames=240, container_options={"movflags": "faststart"})
    short = cut_short(make_video(tmp_path / "whole.mp4", whole), 0.6)
    shutil.move(short, videos / "short.mp4")
    (videos / "empty.mp4").touch()
    arguments = (videos, "--out", tmp_path / "r.csv")
    for _ in range(2):  # the second time from the journal
        code, _, err = batch(*arguments)
        assert code == 3
        rows = {Path(row["video"]).name: row for row in read_csv(tmp_path / "r.files.csv")}
        assert {name: (row["status"], row["error_code"]) for name, row in rows.items()} == {
            "empty.mp4": ("failed", "NOT_A_VIDEO"),
            "good.mp4": ("ok", ""),
            "short.mp4": ("partial", "PARTIAL"),
        }
        assert "could be analysed; missing: " in rows["short.mp4"]["error"]
        assert rows["good.mp4"]["error"] == ""
        assert f"partial: {videos}/short.mp4: {rows['short.mp4']['error']}" in err
        assert f"failed: {videos}/empty.mp4: NOT_A_VIDEO: " in err
        assert "2 of 3 files done, 1 partial, 1 failed" in err
    code, stdout, _ = batch(*arguments, "--json")
    problems = json.loads(stdout)["problems"]
    assert [(Path(one["video"]).name, one["status"], one["code"]) for one in problems] == [
        ("short.mp4", "partial", "PARTIAL"),
        ("empty.mp4", "failed", "NOT_A_VIDEO"),
    ]
    assert [one["message"] for one in problems] == [
        rows["short.mp4"]["error"],
        rows["empty.mp4"]["error"],
    ]


def test_names_with_terminal_escapes_reach_no_terminal_raw(batch, tmp_path):
    (tmp_path / "a\x1b[31m\x9b2J\u202eb.mp4").write_bytes(b"nothing")
    code, _, err = batch(tmp_path, tmp_path / "gone.mp4", "--out", tmp_path / "r.csv")
    assert code == 4
    assert r"a\x1b[31m\u009b2J\u202eb.mp4: NOT_A_VIDEO" in err
    assert not set("\x1b\x9b\u202e") & set(err + (tmp_path / "r.files.csv").read_text())


@pytest.mark.parametrize(
    "wrong",
    [
        ("--out", "r.docx"),
        ("--out", "r.srt"),
        ("--out", "-"),
        ("--out", ""),
        ("--out", "r.csv", "--shard", "4/3"),
        ("--out", "r.csv", "--workers", "many"),
        ("--out", "r.csv", "--split", "0"),
        ("--out", "r.csv", "--include", "no such label"),
        ("--out", "r.csv", "--save-scores", "s", "--no-scores"),
        ("--out", "r.csv", "--save-scores", "r.csv"),
        ("--out", "r.csv", "--crops", "2"),
    ],
    ids=lambda arguments: " ".join(arguments[2:] or arguments),
)
def test_bad_options_are_refused_before_any_work(batch, folder, tmp_path, monkeypatch, wrong):
    monkeypatch.chdir(tmp_path)
    code, _, err = batch(folder, *wrong)
    assert code == 2, err
    assert "error:" in err
    assert not list(tmp_path.glob(".r.vswin/entries/*"))


def test_a_killed_batch_is_resumed_without_doing_anything_twice(
    batch, start, folder, finished, tmp_path
):
    out = tmp_path / "killed.csv"
    draw = random.Random(3)
    seen: dict[str, int] = {}
    for goal in (2, 4):
        process = start(folder, "--out", out)
        wait_for_entries(process, out, goal)
        time.sleep(draw.uniform(0, 0.2))
        process.send_signal(signal.SIGKILL)
        process.wait()
        now = entries(out)
        assert {name: now[name] for name in seen} == seen  # nothing done twice
        seen = now
    assert batch(folder, "--out", out)[0] == 3
    assert {name: entries(out)[name] for name in seen} == seen
    assert out.read_bytes() == (finished / "results.csv").read_bytes()
    resumed = read_csv(tmp_path / "killed.files.csv")
    undisturbed = read_csv(finished / "results.files.csv")
    assert without_elapsed(resumed) == without_elapsed(undisturbed)
    assert not list(tmp_path.glob(".*.tmp"))
    assert not list((tmp_path / ".killed.vswin").rglob("*.tmp"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_running_job_and_a_second_run_is_refused_meanwhile(
    batch, start, folder, tmp_path, number
):
    out = tmp_path / "results.csv"
    many = tmp_path / "many"
    many.mkdir()
    for i in range(NUM_MANY):
        os.link(folder / f"clip{i % 4}.mp4", many / f"clip{i}.mp4")
    process = start(many, "--out", out)
    wait_for_entries(process, out, 1)
    code, _, err = batch(many, "--out", out)
    assert code == 8
    assert "another vswin batch" in err
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number, said
    assert "finishing" in said
    rows = read_csv(tmp_path / "results.files.csv")
    assert len(rows) == NUM_MANY
    pending = [row for row in rows if row["status"] == "pending"]
    assert len(pending) == NUM_MANY - len(entries(out)) > 0


def test_sigterm_to_all_processes_fails_no_video(batch, folder, tiny_model, tmp_path):
    many = tmp_path / "many"
    many.mkdir()
    for i in range(NUM_MANY):
        os.link(folder / f"clip{i % 4}.mp4", many / f"clip{i}.mp4")
    out = tmp_path / "results.csv"
    command = [sys.executable, "-m", "vswin_cli", "batch", str(many), "--out", str(out)]
    process = subprocess.Popen(
        [*command, "--weights", str(tiny_model), *THRESHOLDS, "--workers", "2"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        start_new_session=True,
    )
    try:
        wait_for_entries(process, out, 3)
        os.killpg(process.pid, signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 143, err
    assert "Traceback" not in err
    statuses = {row["status"] for row in read_csv(tmp_path / "results.files.csv")}
    assert statuses == {"ok", "pending"}


@pytest.fixture
def small_disk(tmp_path):
    """A disk of one megabyte."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(directory)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk takes rights that are missing here")
    yield directory
    subprocess.run(["umount", str(directory)], check=True)


def test_a_full_disk_ends_the_run_and_keeps_finished_results(batch, folder, small_disk):
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_000_000))
    out = small_disk / "results.csv"
    code, _, err = batch(folder, "--out", out)
    assert code == 8, err
    assert "No space left" in err
    kept = entries(out)
    assert 0 < len(kept) < NUM_VIDEOS + 2
    ballast.unlink()
    code, stdout, _ = batch(folder, "--out", out, "--json")
    assert code == 3
    assert json.loads(stdout)["resumed"] == len(kept)
    assert {name: entries(out)[name] for name in kept} == kept
