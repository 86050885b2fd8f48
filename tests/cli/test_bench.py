"""`vswin bench` from the command line to its report."""

import io
import json
import re
import sys
from contextlib import redirect_stdout

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.bench.mmaction_peer import import_mmaction
from vswin_cli.bench.torchvision_peer import import_torchvision
from vswin_cli.cli.app import run
from vswin_cli.errors import OptionError


def skip_without(load):
    try:
        load()
    except OptionError:
        pytest.skip("this peer is not installed")


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("videos") / "a.mp4"
    return str(make_video(path, VideoRecipe(num_frames=75)))


@pytest.fixture(scope="module")
def report(tiny_model, video):
    arguments = ["bench", "-m", str(tiny_model), "--video", video, "--passes", "2", "--json"]
    with redirect_stdout(io.StringIO()) as out:
        assert run(arguments) == 0
    return json.loads(out.getvalue())


@pytest.mark.slow
def test_the_report_holds_network_video_and_machine(report, video):
    assert report["schema"] == "vswin.bench/1"
    parts = ["machine", "subject", "network", "film", "passes", "precision_reason"]
    assert list(report) == ["schema", *parts]
    assert report["film"]["precision"] == "float32"
    assert "decoding is slower than this small network" in report["precision_reason"]
    assert report["machine"]["device"] == "cpu"
    assert report["subject"]["id"] == "tiny"
    assert report["subject"]["input"] == [8, 32, 32]
    assert report["subject"]["unmasked_macs"] <= report["subject"]["reference_macs"]
    assert report["film"]["uri"] == video
    assert not report["film"]["synthesised"]
    assert report["film"]["frames"] == 75
    assert report["passes"] == 2


@pytest.mark.slow
def test_float32_comes_first_with_its_ceiling(report):
    network = report["network"]
    assert network["rows"][0]["name"] == "vswin"
    assert network["rows"][0]["precision"] == "float32"
    ceilings = {one["precision"]: one["gflops"] for one in network["ceilings"]}
    assert list(ceilings) == [row["precision"] for row in network["rows"]]
    assert [row["precision"] for row in network["precisions"]] == list(ceilings)[1:]
    macs = report["subject"]["reference_macs"]
    for row in network["rows"]:
        assert row["gflops"] == pytest.approx(2 * macs * row["clips_per_second"] / 1e9)
        assert len(row["timing"]["passes_seconds"]) == 2


@pytest.mark.slow
def test_ratios_follow_from_the_seconds_beside_them(report):
    measured = report["film"]
    decode, model, whole = (
        measured[stage]["timing"]["fastest_seconds"] for stage in ("decode", "model", "end_to_end")
    )
    assert measured["to_slower"] == pytest.approx(whole / max(decode, model))
    assert measured["to_sum"] == pytest.approx(whole / (decode + model))
    assert measured["frames_per_second"] == pytest.approx(75 / decode)
    assert measured["end_to_end"]["times_real_time"] == pytest.approx(
        measured["duration_seconds"] / whole
    )
    memory = measured["memory"]
    largest = max(memory["main_bytes"], memory["decoder_bytes"])
    assert 0 < largest <= memory["total_bytes"] <= memory["main_bytes"] + memory["decoder_bytes"]
    ceiling = measured["decode_ceiling"]
    assert ceiling["decoders"] == report["machine"]["usable_cores"]
    both = ceiling["frames_per_second"] + (ceiling["hardware_frames_per_second"] or 0.0)
    assert ceiling["share"] == pytest.approx(measured["frames_per_second"] / both)
    assert measured["float32"] is None
    assert measured["peers"] == []


@pytest.mark.slow
def test_without_a_video_a_video_is_made_and_named(tiny_model, capfd):
    arguments = ["--film-size", "128x96", "--film-seconds", "2", "--passes", "1", "--no-memory"]
    assert run(["bench", "-m", str(tiny_model), *arguments]) == 0
    out, err = capfd.readouterr()
    assert "synthetic-128x96.mp4 (made for this): h264 128×96, 2.0 s, 60 frames" in out
    assert "\x1b" not in out
    assert "precision float32: decoding is slower than this small network" in out
    assert "making a video" in err
    for text in ("vswin", "of ceiling", "matrix product", "end to end", "× real time"):
        assert text in out
    assert "peak memory" not in out


@pytest.mark.slow
def test_a_named_precision_is_measured_beside_float32_and_used(tiny_model, video, capfd):
    arguments = ["--precision", "bfloat16", "--threads", "1", "--passes", "1", "--no-memory", "-q"]
    assert run(["bench", "-m", str(tiny_model), "--video", video, *arguments, "--json"]) == 0
    out, err = capfd.readouterr()
    report = json.loads(out)
    assert err == ""
    assert [row["precision"] for row in report["network"]["rows"]] == ["float32", "bfloat16"]
    assert report["film"]["precision"] == "bfloat16"
    assert report["machine"]["threads"] == 1
    (row,) = report["network"]["precisions"]
    assert row["precision"] == "bfloat16"
    assert 0 < row["largest_difference"] < row["largest_logit"]


def test_torchvision_is_measured_on_the_same_weights(tiny_model, video, capfd):
    skip_without(import_torchvision)
    arguments = ["--peer", "torchvision", "--video", video, "--passes", "1", "--no-memory"]
    assert run(["bench", "-m", str(tiny_model), *arguments]) == 0
    out = capfd.readouterr().out
    assert "vswin faster" in out
    (row,) = re.findall(r"torchvision +float32 .*", out)
    assert float(row.split()[-1]) < 1e-4
    assert re.search(r"vswin .*torch \S+, torchvision \d", out)


def test_the_long_video_demo_goes_the_same_way(tiny_model, tmp_path, capfd):
    skip_without(import_mmaction)
    video = make_video(tmp_path / "b.mp4", VideoRecipe(num_frames=120))
    arguments = ["--peer", "mmaction2", "--video", str(video), "--passes", "1", "--no-memory"]
    assert run(["bench", "-m", str(tiny_model), *arguments, "--json"]) == 0
    measured = json.loads(capfd.readouterr().out)["film"]
    (peer,) = measured["peers"]
    assert peer["settings"].startswith("--input-step 2 --stride 0.75")
    assert peer["difference"] < 1e-4
    assert abs(peer["clips"] - measured["clips"]) <= 1
    assert peer["slower"] == pytest.approx(
        peer["timing"]["fastest_seconds"] / measured["end_to_end"]["timing"]["fastest_seconds"]
    )


def test_a_video_shorter_than_the_demos_window_is_refused_at_once(tiny_model, tmp_path, capfd):
    skip_without(import_mmaction)
    video = make_video(tmp_path / "c.mp4", VideoRecipe(num_frames=6))
    assert run(["bench", "-m", str(tiny_model), "--video", str(video), "--peer", "mmaction2"]) == 4
    assert "its window has 8 frames, the video 6" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--peer", "keras"], "unknown peer 'keras'"),
        (["--architecture", "swin4d"], "unknown architecture 'swin4d'"),
        (["--architecture", "swin3d_t", "-m", "camera-motion"], "exclude each other"),
        (["--film-size", "big"], "cannot read the size 'big'"),
        (["--precision", "int3"], "unknown precision 'int3'"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_wrong_usage_is_refused_with_a_hint(arguments, message, capfd):
    assert run(["bench", *arguments]) == 2
    err = capfd.readouterr().err
    assert message in err
    assert "hint: " in err
    assert "Traceback" not in err


def test_a_video_that_is_not_there_is_named(tmp_path, capfd):
    assert run(["bench", "--video", str(tmp_path / "gone.mp4")]) == 4
    assert "gone.mp4" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("peer", "module"),
    [
        ("torchvision", "torchvision.models.video.swin_transformer"),
        ("mmaction2", "mmaction"),
    ],
)
def test_a_missing_peer_ends_the_run_before_it_begins(peer, module, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, module, None)
    assert run(["bench", "--peer", peer, "--json"]) == 2
    (line,) = [one for one in capfd.readouterr().err.splitlines() if one.startswith("{")]
    error = json.loads(line)["error"]
    assert error["code"] == "USAGE"
    assert re.search("pip install (torchvision|mmaction2==1.2.0)", error["hint"])
