"""The results log of an evaluation: a run resumes whatever ended it."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli._version import __version__
from vswin_cli.cli.app import run
from vswin_cli.errors import OutputError
from vswin_cli.evaluation.protocols import choose_protocol
from vswin_cli.evaluation.results_log import TopkTest, open_results_log, resume
from vswin_cli.evaluation.topk import Outcome
from vswin_cli.evaluation.video_list import LabelledVideo
from vswin_cli.models.architecture import InputSpec
from vswin_cli.storage.json_records import to_json
from vswin_cli.storage.sources import VideoSource
from vswin_cli.storage.user_config import cache_folder

SPEC = InputSpec()
TEST = TopkTest("a" * 64, choose_protocol("paper", SPEC), SPEC, "softmax", "float32")


def listed(folder, *names: str, class_id: int = 0) -> list[LabelledVideo]:
    return [LabelledVideo(VideoSource.of(str(folder / name)), class_id) for name in names]


def outcome_of(video: LabelledVideo) -> Outcome:
    return Outcome(video.source.uri, video.class_id, 1, (0, 3), (0.1 + 0.2, 1e-7))


def failed(video: LabelledVideo) -> Outcome:
    return Outcome(video.source.uri, video.class_id, problem="cannot fetch it")


class Worker:
    """Yields outcomes in place of a network, and records for which videos."""

    def __init__(self, limit: int = 99) -> None:
        self.done: list[str] = []
        self.limit = limit

    def __call__(self, videos):
        for video in videos:
            if len(self.done) == self.limit:
                raise KeyboardInterrupt
            self.done.append(video.source.uri)
            yield outcome_of(video)


@pytest.fixture
def folder(tmp_path):
    for name in "abcd":
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def evaluate(videos, worker, test=TEST, **options) -> list[Outcome]:
    with open_results_log(test, **options) as log:
        return list(resume(videos, log, worker))


def test_an_interrupted_run_goes_on_where_it_was(folder):
    videos = listed(folder, *"abcd")
    first, second, third = Worker(limit=2), Worker(), Worker()
    with pytest.raises(KeyboardInterrupt):
        evaluate(videos, first)
    outcomes = evaluate(videos, second)
    assert [one[-1] for one in first.done + second.done] == list("abcd")
    assert outcomes == [outcome_of(video) for video in videos]
    assert evaluate(videos, third) == outcomes
    assert third.done == []


def test_only_what_is_new_in_a_changed_list_is_done(folder):
    evaluate(listed(folder, *"abc"), Worker())
    worker = Worker()
    outcomes = evaluate(listed(folder, *"dba"), worker)
    assert [one[-1] for one in worker.done] == ["d"]
    assert [one.uri[-1] for one in outcomes] == list("dba")


def test_another_class_or_another_file_in_its_place_is_done_again(folder):
    evaluate(listed(folder, *"ab"), Worker())
    (folder / "b").write_bytes(b"longer")
    worker = Worker()
    evaluate([*listed(folder, "a", class_id=1), *listed(folder, *"ab")], worker)
    assert [one[-1] for one in worker.done] == ["a", "b"]


@pytest.mark.parametrize(
    "change",
    [
        {"weights_sha256": "b" * 64},
        {"protocol": choose_protocol("torchvision", SPEC)},
        {"precision": "bfloat16"},
        {"activation": "sigmoid"},
        {"input": InputSpec(num_frames=16)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_test_has_its_own_outcomes(folder, change):
    evaluate(listed(folder, "a"), Worker())
    worker = Worker()
    evaluate(listed(folder, "a"), worker, replace(TEST, **change))
    assert len(worker.done) == 1


def write_old_log(name, videos, test=TEST, version="0.1.0"):
    """Write a log as version 0.1.0 did: in a file of its own, no version in the lines."""
    evaluate(videos, Worker(), test)
    head, *lines = map(json.loads, test.path.read_text().splitlines())
    head["test"]["version"] = version
    for line in lines:
        del line["version"]
    old = test.path.with_name(name)
    old.write_text("".join(f"{json.dumps(one)}\n" for one in (head, *lines)))
    test.path.unlink()
    return old


def test_another_version_goes_on_with_the_same_log(folder):
    evaluate(listed(folder, "a"), Worker())
    worker = Worker()
    evaluate(listed(folder, "a"), worker, replace(TEST, version="9"))
    assert worker.done == []


@pytest.mark.parametrize("fresh", [False, True])
def test_a_log_of_another_version_is_taken_over_unless_fresh(folder, fresh):
    old = write_old_log("paper-0123456789abcdef.jsonl", listed(folder, *"ab"))
    content = old.read_bytes()
    videos, worker, after = listed(folder, *"abc"), Worker(), Worker()
    assert evaluate(videos, worker, fresh=fresh) == [outcome_of(video) for video in videos]
    assert [one[-1] for one in worker.done] == (list("abc") if fresh else ["c"])
    assert old.read_bytes() == content
    assert evaluate(videos, after) == [outcome_of(video) for video in videos]
    assert after.done == []
    with open_results_log(TEST) as log:
        found = [log.version_of(video) for video in videos]
    assert found == ([__version__] * 3 if fresh else ["0.1.0", "0.1.0", __version__])


def test_an_interrupted_fresh_run_takes_nothing_over_later(folder):
    write_old_log("paper-0123456789abcdef.jsonl", listed(folder, *"ab"))
    videos, worker = listed(folder, *"ab"), Worker()
    with pytest.raises(KeyboardInterrupt):
        evaluate(videos, Worker(limit=0), fresh=True)
    evaluate(videos, worker)
    assert [one[-1] for one in worker.done] == ["a", "b"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("float32", "bfloat16"),
        lambda text: text.replace('"a', '"b'),
        lambda text: "[" * 100_000 + text,
        lambda text: text[5:],
        lambda text: "",
    ],
    ids=["precision", "weights", "deep", "cut", "empty"],
)
def test_logs_of_other_tests_and_damaged_ones_are_left_alone(folder, spoil):
    old = write_old_log("paper-0123456789abcdef.jsonl", listed(folder, "a"))
    old.write_text(spoil(old.read_text()))
    worker = Worker()
    evaluate(listed(folder, "a"), worker)
    assert len(worker.done) == 1


def test_a_fresh_run_forgets(folder):
    evaluate(listed(folder, "a"), Worker())
    worker, after = Worker(), Worker()
    evaluate(listed(folder, "a"), worker, fresh=True)
    evaluate(listed(folder, "a"), after)
    assert (len(worker.done), len(after.done)) == (1, 0)


def test_what_failed_is_tried_again_and_what_succeeded_is_not(folder):
    def failing_at_b(videos):
        for video in videos:
            yield failed(video) if video.source.uri.endswith("b") else outcome_of(video)

    videos = listed(folder, *"abc")
    assert [one.rank for one in evaluate(videos, failing_at_b)] == [1, None, 1]
    worker, after = Worker(), Worker()
    assert [one.rank for one in evaluate(videos, worker)] == [1, 1, 1]
    evaluate(videos, after)
    assert ([one[-1] for one in worker.done], after.done) == (["b"], [])


def test_a_failure_that_an_older_version_recorded_is_tried_again(folder):
    videos = listed(folder, "a")
    evaluate(videos, Worker())
    head, line = TEST.path.read_text().splitlines()
    document = json.loads(line)
    document["outcome"] = to_json(failed(videos[0]))
    TEST.path.write_text(f"{head}\n{json.dumps(document)}\n")
    worker = Worker()
    assert evaluate(videos, worker) == [outcome_of(videos[0])]
    assert len(worker.done) == 1


@pytest.mark.parametrize("cut", range(1, 200, 23))
def test_a_file_cut_anywhere_loses_its_last_line_only(folder, cut):
    videos = listed(folder, *"abc")
    evaluate(videos, Worker())
    whole = TEST.path.read_bytes()
    TEST.path.write_bytes(whole[:-cut])
    worker = Worker()
    assert evaluate(videos, worker) == [outcome_of(video) for video in videos]
    lost = 3 - whole[:-cut].count(b"\n") + 1
    assert len(worker.done) == lost
    assert TEST.path.read_bytes() == whole


def test_a_file_of_something_else_is_replaced(folder):
    TEST.path.parent.mkdir(parents=True)
    TEST.path.write_text('{"schema": "vswin.topk-ledger/0"}\n{"key": "x"}\n')
    worker = Worker()
    evaluate(listed(folder, "a"), worker)
    assert len(worker.done) == 1
    assert json.loads(TEST.path.read_text().splitlines()[0])["schema"] == "vswin.topk-ledger/1"


def test_a_second_process_is_kept_off(folder):
    script = (
        "import sys; from filelock import FileLock; lock = FileLock(sys.argv[1]); lock.acquire();"
        "print('held', flush=True); sys.stdin.read()"
    )
    TEST.path.parent.mkdir(parents=True)
    command = [sys.executable, "-c", script, str(TEST.path.with_suffix(".lock"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(OutputError, match="another process is running the same test"):
            evaluate(listed(folder, "a"), Worker())
        other.stdin.close()
    evaluate(listed(folder, "a"), Worker())


def test_a_folder_that_cannot_be_made_is_named_with_a_way_out(folder, monkeypatch):
    monkeypatch.setenv("VSWIN_CACHE", str(folder / "a" / "cache"))  # `a` is a file
    with pytest.raises(OutputError, match="cannot keep what is done in ") as caught:
        evaluate(listed(folder, "a"), Worker())
    assert "VSWIN_CACHE" in caught.value.hint


@pytest.mark.slow
def test_nothing_is_done_twice_after_sigkill(tiny_model, tmp_path, capsys):
    """The real command on real videos, killed three times; every line was written once."""
    for i in range(8):
        make_video(tmp_path / f"{i}.mp4", VideoRecipe(num_frames=40, first_index=1000 * i))
    (tmp_path / "broken.mp4").write_text("no video")
    names = [*(f"{i}.mp4" for i in range(8)), "broken.mp4"]
    (tmp_path / "list.csv").write_text("".join(f"{name},label a\n" for name in names))
    table = tmp_path / "predictions.csv"
    arguments = ["evaluate", "topk", str(tmp_path / "list.csv"), "--weights", str(tiny_model)]
    arguments += ["--device", "cpu", "--json", "--predictions", str(table)]
    for wanted in (2, 4, 6):
        kill_after(wanted, arguments)
        assert lines_of_ledger() >= wanted
    assert run(arguments) == 3
    first = capsys.readouterr()
    assert "of 9 videos done by an earlier run" in first.err
    keys = [json.loads(line)["key"] for line in log_path().read_text().splitlines()[1:]]
    assert len(keys) == len(set(keys)) == 8  # the broken one is tried again
    resumed_rows = list(csv.reader(table.read_text().splitlines()))
    assert run([*arguments, "--fresh", "--quiet"]) == 3
    assert json.loads(capsys.readouterr().out) == json.loads(first.out)
    assert list(csv.reader(table.read_text().splitlines())) == resumed_rows


def log_path():
    (path,) = (cache_folder() / "evaluations").glob("*.jsonl")
    return path


def lines_of_ledger() -> int:
    try:
        return int(log_path().read_bytes().count(b"\n")) - 1
    except ValueError:
        return 0


def kill_after(videos: int, arguments: list[str]) -> None:
    """Run the command and kill it when so many videos are done."""
    script = "import sys; from vswin_cli.cli.app import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", script, *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        deadline = time.monotonic() + 60
        while lines_of_ledger() < videos and child.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(child.pid, signal.SIGKILL)


def test_a_name_that_no_file_can_have_has_a_key(folder):
    worker = Worker()
    evaluate(listed(folder, "a\0b"), worker)
    assert len(worker.done) == 1
