"""`vswin tag` as a user meets it: real videos, a real small network, every way to go wrong."""

import csv
import errno
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from tests.support.golden import golden_state
from tests.support.videos import VideoRecipe, cut_short, make_audio, make_video
from vswin_cli.cli.app import run
from vswin_cli.cli.option_groups import SegmentChoice
from vswin_cli.config import LabelOnset, SegmentOptions
from vswin_cli.storage.files import writing
from vswin_cli.storage.sources import VideoSource

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def movie(tmp_path_factory) -> Path:
    return make_video(tmp_path_factory.mktemp("videos") / "movie.mp4", VideoRecipe(num_frames=90))


@pytest.fixture
def tag(tiny_model, capfd):
    """Run `vswin tag` with the tiny network; returns exit code, stdout and stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run(["tag", "--weights", str(tiny_model), *map(str, arguments)])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return call


def test_a_table_is_the_default(tag, movie):
    code, out, err = tag(movie, "--onset", "0", "--offset", "0")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].split() == ["start", "end", "label", "score"]
    assert lines[1].startswith("00:00:00.000  00:00:03.000")


def test_json_says_everything_and_is_the_same_twice(tag, movie):
    documents = []
    for _ in range(2):
        code, out, _ = tag(movie, "--json", "--onset", "0.2")
        assert code == 0
        documents.append(json.loads(out))
    first, second = documents
    assert first.pop("created")
    second.pop("created")
    assert first == second
    assert first["schema"] == "vswin.timeline/1"
    assert first["status"] == "ok"
    assert first["video"]["duration"] == pytest.approx(3.0)
    assert first["video"]["frames_decoded"] == 90
    assert first["model"]["id"] == "tiny"
    assert first["model"]["num_classes"] == 10
    assert first["sampling"]["clip_len"] == 8
    assert first["sampling"]["step"] == pytest.approx(2 / 15, abs=1e-6)
    assert first["coverage"]["fraction"] == 1.0
    assert first["coverage"]["analysed"] == pytest.approx(3.0)
    for segment in first["segments"]:
        assert 0 <= segment["start"] < segment["end"] <= 3.0


def test_the_ending_of_the_output_decides_the_format(tag, movie, tmp_path):
    target = tmp_path / "movie.csv"
    code, out, err = tag(movie, "-o", target, "--onset", "0", "--offset", "0")
    assert (code, out) == (0, "")
    assert str(target) in err
    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    assert rows
    assert rows[0]["video"] == str(movie)


def test_an_onset_of_the_users_holds_for_all_labels():
    advised = SegmentOptions(onset=0.5, offset=0.3, onsets=(LabelOnset("cut", 0.2),))

    def choose(**choices):
        return SegmentChoice(**choices).over(advised)

    assert choose() == advised
    assert (choose(onset=0.6).onset_of("cut"), choose(onset=0.6).onset_of("pan")) == (0.6, 0.6)
    assert choose(offset=0.1).onset_of("cut") == 0.2


def test_saved_scores_segment_to_the_same_timeline(tag, movie, tmp_path, capfd):
    scores = tmp_path / "movie.npz"
    code, out, _ = tag(movie, "--json", "--onset", "0.2", "--save-scores", scores)
    assert code == 0
    assert run(["segment", str(scores), "--json", "--onset", "0.2"]) == 0
    again = json.loads(capfd.readouterr().out)
    assert again["segments"] == json.loads(out)["segments"]


def test_every_clip_is_listed_with_its_best_classes_if_asked_for(tag, movie, tmp_path, capfd):
    scores = str(tmp_path / "s.npz")
    code, out, _ = tag(movie, "--json", "--windows", "3", "--save-scores", scores)
    assert code == 0
    document = json.loads(out)
    assert len(document["windows"]) == document["coverage"]["windows"] > 1
    for one in document["windows"]:
        assert one["start"] < one["end"]
        best = [top["score"] for top in one["top"]]
        assert len(best) == 3
        assert best == sorted(best, reverse=True)
    assert run(["segment", scores, "--json", "--windows", "1"]) == 0
    again = json.loads(capfd.readouterr().out)
    assert [one["top"] for one in again["windows"]] == [
        one["top"][:1] for one in document["windows"]
    ]
    code, _, err = tag(movie, "--windows", "3")
    assert code == 2
    assert "the output is table" in err
    assert "add --json" in err


def test_windows_name_their_classes(tag, movie):
    code, out, _ = tag(movie, "--json", "--windows", "2")
    assert code == 0
    for window in json.loads(out)["windows"]:
        assert [top["label"] for top in window["top"]] == [
            f"label {'abcdefghij'[top['class_id']]}" for top in window["top"]
        ]


def test_a_result_without_segments_says_how_near_it_was(tag, movie):
    code, out, err = tag(movie, "--onset", "0.999")
    assert code == 0
    assert "no segments: the best score is 0." in err
    assert "below its onset of 1.00" in err
    assert "best score" not in out


def test_a_stride_that_had_to_be_rounded_is_reported(tag, movie):
    code, out, err = tag(movie, "--json", "--stride", "2%")
    assert code == 0
    assert "the stride of 2% is rounded to 2 sampled frames" in err
    assert "STRIDE" in [notice["code"] for notice in json.loads(out)["warnings"]]


def test_include_may_not_drop_a_group(tag, movie):
    groups = ["--group", "ball=label a,label b", "--group", "water=label c"]
    code, _, err = tag(movie, *groups, "--include", "label d", "--include", "BALL")
    assert code == 2
    assert "--include leaves out the group `water`" in err
    assert 'add --include "water"' in err
    code, out, _ = tag(movie, *groups, "--include", "*a*", "--json", "--onset", "0")
    assert code == 0
    assert {one["label"] for one in json.loads(out)["segments"]} & {"ball", "water"}


def test_time_between_clips_that_is_not_analysed_is_reported(tag, tmp_path):
    video = make_video(tmp_path / "long.mp4", VideoRecipe(num_frames=600))
    _, out, err = tag(video, "--json", "--stride", "8s")
    document = json.loads(out)
    (notice,) = [one for one in document["warnings"] if one["code"] == "SPARSE"]
    share = document["coverage"]["analysed"] / document["video"]["duration"]
    assert f"{share:.0%} of the time was analysed" in notice["message"]
    assert notice["message"] in err
    assert "SPARSE" not in tag(video, "--json")[1]


def test_a_part_keeps_the_videos_own_clock(tag, movie):
    code, out, _ = tag(
        movie, "--json", "--start", "1", "--end", "0:02.5", "--onset", "0", "--offset", "0"
    )
    assert code == 0
    document = json.loads(out)
    assert document["segments"][0]["start"] == pytest.approx(1.0)
    assert document["segments"][-1]["end"] == pytest.approx(2.5)


@pytest.mark.parametrize("options", [["--stride", "50%"], ["--crops", "3"], ["--fps", "7.5"]])
def test_sampling_options_reach_the_result(tag, movie, options):
    plain = json.loads(tag(movie, "--json")[1])["sampling"]
    code, out, _ = tag(movie, "--json", *options)
    assert code == 0
    assert json.loads(out)["sampling"] != plain


def test_frame_interval_samples_by_index(tag, movie):
    code, out, err = tag(movie, "--json", "--frame-interval", "2")
    assert code == 0, err
    sampling = json.loads(out)["sampling"]
    assert sampling["frame_interval"] == 2
    assert sampling["step"] == pytest.approx(4 / 30, abs=1e-3)


def test_several_videos_one_of_them_broken(tag, movie, tmp_path):
    text = tmp_path / "notes.mp4"
    text.write_text("not a video at all")
    code, out, err = tag(text, movie, "-f", "jsonl")
    assert code == 3
    assert [json.loads(line)["video"]["uri"] for line in out.splitlines()] == [str(movie)]
    assert "notes.mp4" in err


def test_a_folder_as_output_gets_one_file_per_video(tag, movie, tmp_path):
    other = tmp_path / "in" / "movie.mp4"
    other.parent.mkdir()
    shutil.copy(movie, other)
    target = tmp_path / "out"
    target.mkdir()
    code, _, err = tag(movie, other, "-f", "srt", "-o", target)
    assert code == 0, err
    assert sorted(path.name for path in target.iterdir()) == ["movie-2.srt", "movie.srt"]
    assert tag(movie, "-o", f"{tmp_path}/more/")[0] == 0
    assert [path.name for path in (tmp_path / "more").iterdir()] == ["movie.json"]


def test_a_truncated_video_is_partial_and_strict_says_so(tag, tmp_path):
    whole = make_video(
        tmp_path / "whole.mp4",
        VideoRecipe(num_frames=240, container_options={"movflags": "faststart"}),
    )
    short = cut_short(whole, 0.6)
    code, out, _ = tag(short, "--json")
    assert code == 0
    document = json.loads(out)
    assert document["status"] == "partial"
    assert document["coverage"]["fraction"] < 0.9
    assert document["coverage"]["gaps"][-1]["end"] == pytest.approx(8.0, abs=0.1)
    code, out, err = tag(short, "--json", "--strict")
    assert code == 7
    assert json.loads(out)["status"] == "partial"
    assert json.loads(err.splitlines()[-1])["error"]["code"] == "LOW_COVERAGE"
    code, out, _ = tag(short, "--json", "--strict", "--min-coverage", "0.1")
    assert (code, json.loads(out)["status"]) == (0, "partial")


def test_a_video_that_ends_before_the_start_fails_alone(tag, movie, tmp_path):
    longer = make_video(tmp_path / "longer.mp4", VideoRecipe(num_frames=240))
    code, out, err = tag(movie, longer, "--start", "5", "-f", "jsonl")
    assert code == 3
    assert [json.loads(line)["video"]["uri"] for line in out.splitlines()] == [str(longer)]
    assert f"error: {movie}: the part to analyse starts at 5 s" in err
    code, out, err = tag(movie, "--start", "5")
    assert (code, out) == (2, "")
    assert "hint: give an earlier --start" in err


def test_labels_that_the_weights_lack_are_reported_once(tag, movie, tmp_path):
    other = shutil.copy(movie, tmp_path / "other.mp4")
    code, _, err = tag(movie, other, "--include", "zebra", "-f", "jsonl")
    assert code == 2
    assert err.count("no label matches `zebra`") == 1


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


BAD_INPUTS = {
    "no such file": lambda d: d / "missing.mp4",
    "is a folder": lambda d: d,
    "not a video": lambda d: write(d / "text.mp4", b"just some text\n" * 50),
    "empty": lambda d: write(d / "empty.mp4", b""),
    "no video": lambda d: make_audio(d / "audio.mp4"),
}


@pytest.mark.parametrize("problem", BAD_INPUTS)
def test_bad_inputs_end_with_4_and_a_next_step(tag, tmp_path, problem):
    path = BAD_INPUTS[problem](tmp_path)
    code, out, err = tag(path)
    assert (code, out) == (4, "")
    assert str(path) in err
    assert "error: " in err
    assert "hint: " in err
    assert "Traceback" not in err


def save_2d_swin(path: Path) -> Path:
    state = {
        "patch_embed.proj.weight": torch.zeros(96, 3, 4, 4),
        "patch_embed.proj.bias": torch.zeros(96),
        "layers.0.blocks.0.attn.relative_position_bias_table": torch.zeros(169, 3),
        "layers.0.blocks.0.attn.qkv.weight": torch.zeros(288, 96),
    }
    torch.save({"model": state}, path)
    return path


class Evil:
    def __reduce__(self):
        return os.system, ("touch was_run",)


def save_evil(path: Path) -> Path:
    torch.save({"state_dict": golden_state("w877"), "meta": Evil()}, path)
    return path


def save_truncated(path: Path) -> Path:
    torch.save({"state_dict": golden_state("w877")}, path)
    return cut_short(path, 0.5)


def save_other_network(path: Path) -> Path:
    torch.save({"state_dict": {"conv1.weight": torch.zeros(64, 3, 7, 7)}}, path)
    return path


BAD_WEIGHTS = {
    "--inflate": save_2d_swin,
    "posix.system|os.system|nt.system": save_evil,
    "truncated|damaged|incomplete|cut": save_truncated,
    "conv1.weight": save_other_network,
    "no such|does not exist|nothing": lambda path: path,
    "a Python pickle": lambda path: write(path, pickle.dumps([1, 2, 3])),
}


@pytest.mark.parametrize("expected", BAD_WEIGHTS)
def test_bad_weights_end_with_5_and_run_nothing(movie, tmp_path, monkeypatch, capfd, expected):
    monkeypatch.chdir(tmp_path)
    path = BAD_WEIGHTS[expected](tmp_path / "weights.pth")
    code = run(["tag", str(movie), "--weights", str(path)])
    err = capfd.readouterr().err
    assert code == 5, err
    assert any(word in err for word in expected.split("|")), err
    assert "hint: " in err
    assert "Traceback" not in err
    assert not (tmp_path / "was_run").exists()


def test_labels_must_be_as_many_as_the_head_is_wide(tag, movie, tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("running\njumping\n")
    code, _, err = tag(movie, "--labels", labels)
    assert code == 5
    assert "10" in err
    assert "2" in err
    assert "labels.txt" in err


def test_an_unknown_name_suggests_the_nearest(movie, capfd):
    assert run(["tag", str(movie), "--model", "swin-b-k60"]) == 5
    assert "swin-b-k600" in capfd.readouterr().err


def test_weights_that_are_not_here_and_a_hub_that_does_not_answer(movie, tmp_path):
    environment = {
        **os.environ,
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HF_HOME": str(tmp_path / "hf"),
        "VSWIN_CACHE": str(tmp_path / "vswin"),
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "vswin_cli", "tag", str(movie), "--model", "swin-t-k400"],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 5
    assert "downloading swin-t-k400 (" in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a device that is not there")
def test_a_missing_device_ends_with_6(tag, movie):
    code, _, err = tag(movie, "--device", "cuda")
    assert code == 6
    assert "--device cpu" in err


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["-o", "nowhere/out.json"], 8),
        (["-o", "out.unknown"], 2),
        (["-f", "jsn"], 2),
        (["--stride", "often"], 2),
        (["--start", "9", "--end", "3"], 2),
        (["--onset", "0.1", "--offset", "0.5"], 2),
        (["--crops", "2"], 2),
        (["--include", "no such label"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_options_are_refused(tag, movie, tmp_path, monkeypatch, options, code):
    monkeypatch.chdir(tmp_path)
    got, out, err = tag(movie, *options)
    assert (got, out) == (code, ""), err
    assert "Traceback" not in err


def test_json_errors_are_json(tag, tmp_path):
    code, out, err = tag(tmp_path / "missing.mp4", "--json")
    assert (code, out) == (4, "")
    assert json.loads(err)["error"]["code"] == "SOURCE_NOT_FOUND"


def test_every_missing_file_is_named(tag, tmp_path):
    code, _, err = tag(tmp_path / "one.mp4", tmp_path / "two.mp4")
    assert code == 4
    assert "one.mp4" in err
    assert "two.mp4" in err


def test_json_errors_of_some_of_several_are_json_too(tag, movie, tmp_path):
    (tmp_path / "café.mp4").write_bytes(b"nothing")
    recordings = [tmp_path / "missing.mp4", movie, tmp_path / "café.mp4"]
    code, out, err = tag(*recordings, "--json", "-f", "jsonl", "-q")
    assert (code, len(out.splitlines())) == (3, 1)
    problems = [json.loads(line)["error"] for line in err.splitlines()]
    assert [one["code"] for one in problems] == ["SOURCE_NOT_FOUND", "NOT_A_VIDEO"]
    assert "café" in problems[1]["message"]
    assert err.isascii()


def test_a_failed_video_counts_for_more_than_coverage(tag, tmp_path):
    whole = VideoRecipe(num_frames=240, container_options={"movflags": "faststart"})
    short = cut_short(make_video(tmp_path / "whole.mp4", whole), 0.6)
    assert tag(short, "--strict")[0] == 7
    assert tag(short, tmp_path / "missing.mp4", "--strict")[0] == 3


def test_a_closed_pipe_is_no_error(tiny_model, movie):
    command = [sys.executable, "-m", "vswin_cli", "tag", str(movie), "--weights", str(tiny_model)]
    process = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert process.returncode == 141
    assert err == b""


def test_variable_rate_start_offset_and_rotation_together(tag, tmp_path):
    times = [0.04 * i if i < 40 else 1.6 + 0.1 * (i - 40) for i in range(60)]
    path = make_video(
        tmp_path / "odd.mkv",
        VideoRecipe(num_frames=60, times=times, start=5.0, width=98, height=66, rate=Fraction(25)),
    )
    code, out, err = tag(path, "--json", "--onset", "0", "--offset", "0")
    assert code == 0, err
    document = json.loads(out)
    assert document["video"]["vfr"] is True
    assert document["video"]["duration"] == pytest.approx(3.6, abs=0.11)
    assert document["segments"][0]["start"] == 0.0


def test_the_result_never_overwrites_a_video(tag, movie, tmp_path):
    video = tmp_path / "video.mp4"
    shutil.copy(movie, video)
    before = video.read_bytes()
    for options in (["-f", "srt", "-o", video], ["--save-scores", video]):
        code, _, err = tag(video, *options)
        assert code == 2, err
        assert "would destroy it" in err
    assert video.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "spared"),
    [
        ("--weights model --labels mine.csv -o mine.csv", "mine.csv"),
        ("--weights model --labels mine.csv --report ./mine.csv", "mine.csv"),
        (
            "--weights model/model.safetensors --save-scores model/model.safetensors",
            "model/model.safetensors",
        ),
        ("--weights model -f json -o model/", "model/config.json"),
    ],
)
def test_the_result_never_overwrites_what_the_model_is_read_from(
    tiny_model, movie, tmp_path, monkeypatch, capfd, options, spared
):
    monkeypatch.chdir(tmp_path)
    Path("mine.csv").write_text("".join(f"{i},action {i}\n" for i in range(10)))
    shutil.copytree(tiny_model, "model")
    shutil.copy(movie, "config.mp4")
    before = Path(spared).read_bytes()
    code = run(["tag", "config.mp4", *options.split()])
    err = capfd.readouterr().err
    assert code == 2, err
    assert "is an input; writing there would destroy it" in err
    assert Path(spared).read_bytes() == before


def test_several_videos_need_a_format_that_holds_them(tag, movie, tmp_path):
    other = tmp_path / "other.mp4"
    shutil.copy(movie, other)
    code, _, err = tag(movie, other, "--json")
    assert code == 2
    assert "holds one video per file, and there are 2" in err
    code, _, err = tag(movie, other, "--save-scores", tmp_path / "scores.npz")
    assert code == 2
    assert "is one file for 2 videos" in err


def test_scores_of_several_videos_go_into_a_folder(tag, movie, tmp_path):
    other = tmp_path / "movie.mp4"
    shutil.copy(movie, other)
    folder = tmp_path / "scores"
    folder.mkdir()
    assert tag(movie, other, "--save-scores", folder)[0] == 0
    assert len(list(folder.glob("movie-*.npz"))) == 2


@pytest.mark.parametrize("name", ["映" * 82, "a" * 251], ids=len)
def test_the_longest_file_names_are_long_enough_for_every_result(tag, movie, tmp_path, name):
    video = tmp_path / f"{name}.mp4"
    shutil.copy(movie, video)
    kept = ["--save-scores", f"{tmp_path}/scores/"]
    for options in (["--report", f"{tmp_path}/pages/"], kept, ["-f", "labelstudio"]):
        code, _, err = tag(video, *options, "-o", f"{tmp_path}/out/")
        assert code == 0, err
    assert len(list(tmp_path.glob("pages/*.html"))) == 1
    assert len(list(tmp_path.glob("scores/*.npz"))) == 1
    assert len(list(tmp_path.glob("out/*.labelstudio.json"))) == 1


def test_scores_that_cannot_be_written_do_not_stop_the_others(tag, movie, tmp_path):
    first, second = tmp_path / "first.mp4", tmp_path / "second.mp4"
    for video in (first, second):
        shutil.copy(movie, video)
    folder = tmp_path / "scores"
    (folder / f"{VideoSource.of(str(first)).id}.npz").mkdir(parents=True)
    code, out, err = tag(first, second, "-f", "jsonl", "--save-scores", folder)
    assert (code, len(out.splitlines())) == (3, 1), err
    assert f"cannot write {folder}/first-" in err
    assert tag(first, "-f", "jsonl", "--save-scores", folder)[0] == 8


def test_a_full_disk_ends_the_run_at_once(tag, movie, tmp_path, monkeypatch):
    other, tries = tmp_path / "other.mp4", []
    shutil.copy(movie, other)

    def refuse(track, timeline, path):
        tries.append(path)
        with writing(str(path)):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("vswin_cli.timeline.score_files.save_track", refuse)
    code, _, err = tag(movie, other, "--save-scores", f"{tmp_path}/scores/")
    assert (code, len(tries)) == (8, 1), err
    assert "free some space" in err


def test_videos_that_a_format_would_call_alike_are_refused_before_the_work(tag, movie, tmp_path):
    other = tmp_path / "movie.mkv"
    shutil.copy(movie, other)
    shutil.copy(movie, tmp_path / "movie.mp4")
    recordings = [tmp_path / "movie.mp4", other]
    code, _, err = tag(*recordings, "-f", "activitynet", "--save-scores", f"{tmp_path}/scores/")
    assert code == 2
    assert "comes twice" in err
    assert not (tmp_path / "scores").exists()
    assert tag(*recordings, "-f", "activitynet", "-o", f"{tmp_path}/out/")[0] == 0


def test_a_misspelt_path_does_not_stop_the_others(tag, movie, tmp_path):
    code, out, err = tag(tmp_path / "typo.mp4", movie, "-f", "jsonl")
    assert code == 3
    assert len(out.splitlines()) == 1
    assert "no such file" in err


def test_what_is_missing_is_said_beside_the_table(tag, tmp_path):
    whole = make_video(
        tmp_path / "whole.mp4",
        VideoRecipe(num_frames=240, container_options={"movflags": "faststart"}),
    )
    code, _, err = tag(cut_short(whole, 0.6))
    assert code == 0
    assert "could be analysed; missing: " in err
    assert "truncated" in err


def test_a_report_is_written_beside_the_table(tag, movie, tmp_path):
    page = tmp_path / "movie.html"
    code, out, err = tag(movie, "--onset", "0", "--offset", "0", "--report", page)
    assert code == 0, err
    assert out.startswith("start ")
    html = page.read_text(encoding="utf-8")
    assert "Content-Security-Policy" in html
    assert "label" in html
    assert list(tmp_path.iterdir()) == [page]


def test_a_trailing_slash_makes_folders_for_everything(tag, movie, tmp_path):
    places = {"-o": "a/", "--save-scores": "b/", "--report": "c/"}
    options = [word for option, name in places.items() for word in (option, f"{tmp_path}/{name}")]
    code, _, err = tag(movie, "-f", "srt", *options)
    assert code == 0, err
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["movie.srt"]
    assert [path.suffix for path in (tmp_path / "b").iterdir()] == [".npz"]
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["movie.html"]


@pytest.mark.parametrize(
    ("options", "both"),
    [
        (["-o", "x.json", "--save-scores", "./x.json"], "--out and --save-scores"),
        (["-f", "csv", "-o", "x.html", "--report", "x.html"], "--out and --report"),
        (["-f", "srt", "-o", "x/", "--report", "x/movie.srt"], "--out and --report"),
        (["--save-scores", "x.html", "--report", "x.html"], "--save-scores and --report"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_two_results_in_one_file_are_refused_before_any_work(
    tag, movie, tmp_path, monkeypatch, options, both
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    code, out, err = tag(movie, *options)
    assert (code, out) == (2, "")
    assert f"{both} would both write" in err
    assert [*tmp_path.iterdir()] == [tmp_path / "x"]


def test_a_broken_video_does_not_change_the_names_of_the_others(tag, movie, tmp_path):
    first = tmp_path / "in" / "movie.mp4"
    first.parent.mkdir()
    first.write_text("not a video at all")
    code, _, _ = tag(first, movie, "-f", "srt", "-o", f"{tmp_path}/out/")
    assert code == 3
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["movie-2.srt"]


def test_json_is_printed_beside_the_file(tag, movie, tmp_path):
    code, out, err = tag(movie, "--json", "-o", tmp_path / "movie.csv")
    assert code == 0, err
    assert json.loads(out)["video"]["uri"] == str(movie)
    assert (tmp_path / "movie.csv").read_text().startswith("video,start,")


def test_quiet_says_nothing(tag, movie, tmp_path):
    code, out, err = tag(movie, "-q", "-o", tmp_path / "movie.csv")
    assert (code, out, err) == (0, "", "")
