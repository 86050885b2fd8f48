"""Results at an address: an object store that runs here, and fsspec's store in memory."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.batch.target import choose_target
from vswin_cli.batch.upload import Uploads
from vswin_cli.cli.app import run
from vswin_cli.errors import OptionError, OutputError
from vswin_cli.storage.remote import upload

pytestmark = pytest.mark.slow

THRESHOLDS = ("--onset", "0.2", "--offset", "0.1")
NUM_VIDEOS = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    directory = tmp_path_factory.mktemp("recordings")
    (directory / "day2").mkdir()
    make_video(directory / "a.mp4", VideoRecipe(num_frames=20))
    make_video(directory / "b.mp4", VideoRecipe(num_frames=20, first_index=100))
    make_video(directory / "day2" / "c.mp4", VideoRecipe(num_frames=20, first_index=200))
    return directory


@pytest.fixture
def batch(tiny_model, capfd):
    """Run `vswin batch`; returns exit code, the summary as JSON or `None`, and stderr."""

    def call(*arguments):
        command = ["batch", "--weights", str(tiny_model), *THRESHOLDS, *map(str, arguments)]
        code = run(command)
        captured = capfd.readouterr()
        return code, json.loads(captured.out) if captured.out else None, captured.err

    return call


@pytest.fixture
def memory():
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


@pytest.fixture(scope="module")
def object_store():
    """A server that speaks the protocol of S3 on the loopback interface."""
    pytest.importorskip("s3fs")
    pytest.importorskip("moto.server")
    script = (
        "from werkzeug.serving import make_server\n"
        "from moto.server import DomainDispatcherApplication, create_backend_app\n"
        "app = DomainDispatcherApplication(create_backend_app)\n"
        "server = make_server('127.0.0.1', 0, app, threaded=True)\n"
        "print(server.server_port, flush=True)\n"
        "server.serve_forever()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    process.kill()
    process.communicate()


@pytest.fixture
def bucket(object_store, monkeypatch):
    import s3fs

    for name, value in {
        "AWS_ENDPOINT_URL": object_store,
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem()
    system.mkdir("results")
    yield system
    system.rm("results", recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_tables_arrive_in_an_object_store(batch, folder, bucket, tmp_path):
    code, summary, _ = batch(folder, "--out", "s3://results/night/r.csv", "--json")
    assert code == 0
    assert summary["table"] == "s3://results/night/r.csv"
    assert sorted(bucket.find("results")) == [
        "results/night/r.csv", "results/night/r.files.csv",
    ]  # fmt: skip
    batch(folder, "--out", tmp_path / "r.csv")
    assert bucket.cat("results/night/r.csv") == (tmp_path / "r.csv").read_bytes()
    statuses = [row["status"] for row in rows(bucket.cat("results/night/r.files.csv"))]
    assert statuses == ["ok"] * NUM_VIDEOS
    code, summary, _ = batch(folder, "--out", "s3://results/night/r.csv", "--json")
    assert (code, summary["resumed"]) == (0, NUM_VIDEOS)


def test_tables_arrive_during_the_run_and_are_whole_at_the_end(batch, folder, bucket, monkeypatch):
    monkeypatch.setattr("vswin_cli.batch.upload._INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr("vswin_cli.batch.run_tables._TABLES_INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr("vswin_cli.batch.run_tables._TABLES_SHARE", 0)
    boto3 = pytest.importorskip("boto3")
    client = boto3.client("s3")
    client.put_bucket_versioning(Bucket="results", VersioningConfiguration={"Status": "Enabled"})
    code, _, _ = batch(folder, "--out", "s3://results/r.csv", "--json")
    assert code == 0
    versions = client.list_object_versions(Bucket="results", Prefix="r.files.csv")["Versions"]
    tables = [
        rows(
            client.get_object(Bucket="results", Key=one["Key"], VersionId=one["VersionId"])[
                "Body"
            ].read()
        )
        for one in versions
    ]
    assert [row["status"] for row in tables[0]] == ["ok"] * NUM_VIDEOS
    assert [row["status"] for row in tables[-1]] == ["pending"] * NUM_VIDEOS
    assert len(tables) > 2


def test_one_upload_runs_at_a_time_and_a_failed_one_is_tried_again(memory, tmp_path, monkeypatch):
    monkeypatch.setattr("vswin_cli.batch.upload._INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr("vswin_cli.batch.upload._SHARE", 0)
    target = choose_target("memory://bucket/r.csv", None)
    target.folder.mkdir(parents=True)
    target.state.mkdir(parents=True)
    target.table.write_text("first")
    put, begun, go_on, notes = type(memory).put, [], threading.Event(), []

    def slow(system, local, remote, **options):
        begun.append(remote)
        assert go_on.wait(60)
        if len(begun) == 1:
            raise TimeoutError("the store is away")
        return put(system, local, remote, **options)

    monkeypatch.setattr(type(memory), "put", slow)
    uploads = Uploads(target, lambda: [target.table], notes.append)
    for _ in range(5):
        uploads.start_if_due()
    target.table.write_text("second")
    go_on.set()
    uploads.finish()
    assert len(begun) == 2
    assert notes[0].endswith("the store is away; tried again later")
    assert memory.cat("/bucket/r.csv") == b"second"


def test_videos_can_come_from_an_object_store_and_are_noticed_when_they_change(
    batch, folder, bucket
):
    bucket.put(
        [str(folder / "a.mp4"), str(folder / "b.mp4")], ["results/in/a.mp4", "results/in/b.mp4"]
    )
    command = ("s3://results/in/*.mp4", "--out", "s3://results/r.csv", "--json")
    assert batch(*command)[1]["resumed"] == 0
    assert batch(*command)[1]["resumed"] == 2
    bucket.put(str(folder / "day2" / "c.mp4"), "results/in/b.mp4")
    assert batch(*command)[1]["resumed"] == 1


def test_all_videos_under_a_prefix_of_an_object_store_are_found(batch, folder, bucket):
    for name in ("a.mp4", "b.mp4", "day2/c.mp4"):
        bucket.put(str(folder / name), f"results/in/{name}")
    for name in ("in/notes.txt", "in/.trash/d.mp4", "inside.mp4"):
        bucket.pipe(f"results/{name}", b"x")
    command = ("s3://results/in/", "--out", "s3://results/r.csv", "--json")
    code, summary, _ = batch(*command)
    assert (code, summary["inputs"], summary["ok"]) == (0, NUM_VIDEOS, NUM_VIDEOS)
    assert [row["video"] for row in rows(bucket.cat("results/r.files.csv"))] == [
        f"s3://results/in/{name}" for name in ("a.mp4", "b.mp4", "day2/c.mp4")
    ]
    # Without the slash it is the same, if a folder is there.
    assert batch("s3://results/in", *command[1:])[1]["resumed"] == NUM_VIDEOS
    code, _, err = batch("s3://results/empty/", *command[1:])
    assert (code, "no videos in s3://results/empty/" in err) == (4, True)
    code, _, err = batch("s3://no-such-bucket/in/", *command[1:])
    assert (code, "nothing at s3://no-such-bucket/in/" in err) == (4, True)


def test_a_missing_bucket_is_noticed_before_the_work(batch, folder, bucket):
    code, _, err = batch(folder, "--out", "s3://no-such-bucket/r.csv")
    assert code == 8
    assert "cannot write s3://no-such-bucket/r.files.csv" in err
    cache = Path(os.environ["XDG_CACHE_HOME"])
    assert not list(cache.rglob("entries/*.json"))


def test_a_folder_at_an_address_mirrors_the_input(batch, folder, memory):
    code, summary, err = batch(folder, "--out", "memory://bucket/out/", "--format", "srt", "--json")
    assert code == 0, err
    assert summary["table"] == "memory://bucket/out/"
    assert sorted(memory.find("/bucket")) == [
        "/bucket/out/a.srt",
        "/bucket/out/b.srt",
        "/bucket/out/day2/c.srt",
        "/bucket/out/results.files.csv",
    ]


def test_only_what_is_new_is_uploaded_again(batch, folder, memory, tmp_path):
    videos = tmp_path / "videos"
    shutil.copytree(folder, videos)
    batch(videos, "--out", "memory://bucket/out/")
    first = {path: memory.created(path) for path in memory.find("/bucket")}
    make_video(videos / "d.mp4", VideoRecipe(num_frames=20, first_index=300))
    batch(videos, "--out", "memory://bucket/out/")
    second = {path: memory.created(path) for path in memory.find("/bucket")}
    assert {path for path, when in second.items() if first.get(path) != when} == {
        "/bucket/out/d.json",
        "/bucket/out/results.files.csv",
    }


@pytest.mark.parametrize(
    ("out", "name"),
    [
        ("memory://bucket/r.csv", "r.csv"),
        ("memory://bucket/r.csv", "r.files.csv"),
        ("memory://bucket/out/", "out/b.json"),
    ],
)
def test_files_at_an_address_that_others_wrote_are_kept(batch, folder, memory, out, name):
    memory.pipe(f"/bucket/{name}", b"precious")
    code, _, err = batch(folder, "--out", out)
    assert code == 8
    assert f"memory://bucket/{name} exists and was not written by vswin" in err
    assert memory.cat(f"/bucket/{name}") == b"precious"
    assert memory.find("/bucket") == [f"/bucket/{name}"]
    assert batch(folder, "--out", out, "--force")[0] == 0
    assert memory.cat(f"/bucket/{name}") != b"precious"
    assert batch(folder, "--out", out)[0] == 0  # now it is ours


def test_results_at_an_address_are_recognised_without_a_record(batch, folder, memory):
    for out in ("memory://bucket/r.csv", "memory://bucket/out/"):
        assert batch(folder, "--out", out)[0] == 0
    shutil.rmtree(Path(os.environ["XDG_CACHE_HOME"]) / "vswin" / "batch")
    for out in ("memory://bucket/r.csv", "memory://bucket/out/"):
        assert batch(folder, "--out", out)[0] == 0


def test_a_failed_upload_is_repeated_by_the_next_run(batch, folder, memory, monkeypatch):
    put = type(memory).put
    calls = []

    def failing(system, local, remote, **options):
        calls.append(remote)
        if len(calls) > 1:  # the announcement goes through
            raise TimeoutError("the store is away")
        return put(system, local, remote, **options)

    monkeypatch.setattr(type(memory), "put", failing)
    code, _, err = batch(folder, "--out", "memory://bucket/r.csv")
    assert code == 8
    assert "TimeoutError" in err
    assert "uploads them without doing anything again" in err
    statuses = [row["status"] for row in rows(memory.cat("/bucket/r.files.csv"))]
    assert statuses == ["pending"] * NUM_VIDEOS
    monkeypatch.setattr(type(memory), "put", put)
    code, summary, _ = batch(folder, "--out", "memory://bucket/r.csv", "--json")
    assert (code, summary["resumed"]) == (0, NUM_VIDEOS)
    assert memory.exists("/bucket/r.csv")


@pytest.mark.parametrize(
    ("out", "reason"),
    [
        ("https://example.org/r.csv", "HTTP addresses are read-only"),
        ("nonsense://bucket/r.csv", "unknown protocol"),
        ("memory://bucket/r.docx", "belongs to no format"),
        ("memory://bucket/r.srt", "one video per file"),
    ],
)
def test_an_address_that_cannot_be_written_is_refused(batch, folder, memory, out, reason):
    code, _, err = batch(folder, "--out", out)
    assert code == 2
    assert reason in err


def test_scores_at_an_address_are_refused(batch, folder, memory):
    code, _, err = batch(
        folder, "--out", "memory://bucket/r.csv", "--save-scores", "memory://bucket/s"
    )
    assert code == 2
    assert "scores are kept on this machine" in err


def test_a_file_address_is_a_path(batch, folder, tmp_path):
    code, summary, _ = batch(folder, "--out", f"file://{tmp_path}/r.csv", "--json")
    assert code == 0
    assert summary["table"] == str(tmp_path / "r.csv")
    assert (tmp_path / "r.csv").is_file()


def test_names_at_an_address_are_those_of_a_path():
    pytest.importorskip("fsspec")
    for out, table, files in (
        ("memory://b/r.csv", "memory://b/r.csv", "memory://b/r.files.csv"),
        (
            "memory://b/x/r.activitynet.json",
            "memory://b/x/r.activitynet.json",
            "memory://b/x/r.files.csv",
        ),
        ("memory://b/x", "memory://b/x/", "memory://b/x/results.files.csv"),
        ("memory://b/x.d/", "memory://b/x.d/", "memory://b/x.d/results.files.csv"),
    ):
        target = choose_target(out, None)
        assert target.destination_of(target.table) == table
        assert target.destination_of(target.files_table) == files
    one, other = (choose_target(f"memory://{b}/r.csv", None) for b in ("a", "b"))
    assert one.state != other.state


def test_uploads_that_cannot_be_done_are_output_errors(memory, tmp_path):
    with pytest.raises(OutputError, match="memory://b/none"):
        upload([(tmp_path / "none", "memory://b/none")])
    with pytest.raises(OptionError):
        upload([(tmp_path / "none", "nonsense://b/none")])
