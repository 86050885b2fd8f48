"""Slips of the pen are found before torch is loaded, and long before any work."""

import subprocess
import sys

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.config import (
    EngineOptions,
    LabelGroup,
    SamplingOptions,
    SegmentOptions,
    parse_seconds,
)
from vswin_cli.errors import OptionError
from vswin_cli.inference.engine import Engine
from vswin_cli.inference.pipeline import analyze_video
from vswin_cli.models.weights.loading import load_model

pytestmark = pytest.mark.slow

SCRIPT = (
    "import sys; from vswin_cli.cli.app import run; code = run(sys.argv[1:]); "
    "sys.exit(code if 'torch' not in sys.modules else 99)"
)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "video.mp4"
    make_video(path, VideoRecipe(num_frames=30))
    return path


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (["--onset", "2"], 2, "thresholds must satisfy"),
        (["--stride", "5x"], 2, "cannot read the stride"),
        (["--format", "nope"], 2, "no format `nope`"),
        (["--out", "/nowhere/x.srt"], 8, "no folder /nowhere"),
        (["--device", "foo"], 2, "unknown device 'foo'"),
        (["--precision", "int4"], 2, "unknown precision 'int4'"),
        (["--decoder", "cuda"], 2, "unknown decoder 'cuda'"),
        (["--model", "nope"], 5, "there are no weights called 'nope'"),
        (["--weights", "nope.pth"], 5, "nope.pth: no such file"),
        (["--weights", "nope"], 5, "nope: no such file"),
        (["--labels", "nope.txt"], 5, "nope.txt: no such label file"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_tag_complains_before_it_loads_torch(video, options, code, complaint):
    command = [sys.executable, "-c", SCRIPT, "tag", str(video), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert complaint in done.stderr
    assert done.returncode == code


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (["--protocol", "k400"], 2, "unknown protocol 'k400'"),
        (["--device", "foo"], 2, "unknown device 'foo'"),
        (["--model", "nope"], 5, "there are no weights called 'nope'"),
        (["--predictions", "/nowhere/x.csv"], 8, "no folder /nowhere"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_evaluate_complains_before_it_loads_torch(tmp_path, options, code, complaint):
    (tmp_path / "list.csv").write_text("a.mp4,archery\n")
    command = [sys.executable, "-c", SCRIPT, "evaluate", "topk", str(tmp_path / "list.csv")]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert complaint in done.stderr
    assert done.returncode == code


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (["--model", "nope"], 5, "there are no weights called 'nope'"),
        (["--device", "foo"], 2, "unknown device 'foo'"),
        (["--files", "*.nope"], 4, ""),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_batch_complains_before_it_loads_torch_and_makes_nothing(
    video, tmp_path, options, code, complaint
):
    command = [sys.executable, "-c", SCRIPT, "batch", str(video.parent)]
    command += ["--out", str(tmp_path / "out.csv"), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert complaint in done.stderr
    assert done.returncode == code, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("segments", "complaint"),
    [
        (SegmentOptions(include=("zebra",)), "no label matches `zebra`"),
        (SegmentOptions(min_margin=0.3), "need scores that compete"),
    ],
)
def test_options_that_do_not_fit_the_weights_cost_no_decoding(video, segments, complaint):
    engine = Engine(load_model("camera-motion"), EngineOptions("cpu"))
    done = []
    with pytest.raises(OptionError, match=complaint):
        analyze_video(
            str(video),
            engine,
            SamplingOptions(),
            segments,
            on_progress=lambda seconds, total: done.append(seconds),
        )
    assert done == []


@pytest.mark.parametrize("name", ["min_duration_seconds", "merge_gap_seconds", "smooth_seconds"])
@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), -1.0])
def test_a_length_is_finite_and_not_negative(name, seconds):
    with pytest.raises(OptionError, match=f"got .*{seconds:g}"):
        SegmentOptions(**{name: seconds})


@pytest.mark.parametrize("text", ["inf", "nan", "9" * 400, f"{'9' * 400}:00:00", "1:60", "1:60:00"])
def test_a_time_that_no_clock_shows_is_refused(text):
    with pytest.raises(OptionError, match="cannot read the time"):
        parse_seconds(text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("pan", "the label group `pan` has no members"),
        ("=pan*", "the label group of pan[*] has no name"),
    ],
)
def test_a_group_that_lacks_something_is_named_as_it_was_written(text, complaint):
    with pytest.raises(OptionError, match=complaint):
        LabelGroup.parse(text)


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("rtsp://camera/1", "is a live stream"),
        ("RTMP://host/live", "is a live stream"),
        ("udp://239.0.0.1:1234", "is a live stream"),
        ("srt://host:9000", "is a live stream"),
        ("ftp://host/video.mp4", "ftp:// addresses are not supported"),
        ("nonsense://host/video.mp4", "unknown protocol nonsense://"),
    ],
)
def test_an_address_that_cannot_be_read_is_refused_at_once(video, address, complaint):
    for name in ("tag", "probe"):
        command = [sys.executable, "-c", SCRIPT, name, str(video), address]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert complaint in done.stderr
        assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize(
    ("argument", "complaint"),
    [
        ("@missing.txt", "cannot read the list missing.txt"),
        ("@empty.txt", "nothing to tag"),
        ("empty", "no videos in empty"),
        ("missing.mp4", "no such file: missing.mp4"),
    ],
)
def test_batch_looks_at_its_inputs_before_it_loads_torch(tmp_path, argument, complaint):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.txt").touch()
    command = [sys.executable, "-c", SCRIPT, "batch", argument, "--out", "results.csv"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert complaint in done.stderr
    assert done.returncode == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "empty.txt"]
