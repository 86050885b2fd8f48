"""Live streams: real servers on the loopback interface send what does not end."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from tests.support.live_streams import serve_http, serve_rtsp
from vswin_cli.cli.app import run
from vswin_cli.timeline.files import schema_text

CAMERA = Path(__file__).parents[2] / "examples" / "camera.mp4"


SCHEMA = json.loads(schema_text("live-segment"))


def lines_of(text: str) -> list[dict[str, object]]:
    """Parse lines of JSON, which must fit the schema and have no key that it does not name."""
    lines: list[dict[str, object]] = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        jsonschema.validate(line, SCHEMA)
        assert set(line) <= set(SCHEMA["properties"])
    return lines


def test_the_schema_names_every_key_and_says_of_shared_ones_what_that_of_timelines_says():
    whole = json.loads(schema_text("timeline"))["$defs"]
    own = SCHEMA["properties"]
    shared = {key: one for key, one in whole["segment"]["properties"].items() if key in own}
    assert shared == {key: own[key] for key in shared}
    assert {"start", "end", "label", "score", "alternatives"} <= set(shared)
    assert SCHEMA["$defs"]["alternative"] == whole["alternative"]


def test_the_command_prints_the_schema_by_name(capsys):
    assert run(["schema", "live-segment"]) == 0
    assert capsys.readouterr().out == schema_text("live-segment")
    assert run(["schema", "lives"]) == 2
    assert "hint: there are timeline and live-segment" in capsys.readouterr().err


def spans(lines: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return [(line["start"], line["end"], line["label"]) for line in lines]


@pytest.mark.slow
def test_a_stream_over_http_gives_the_segments_of_the_file(capfd):
    assert run(["tag", str(CAMERA), "--json", "-q"]) == 0
    expected = spans(json.loads(capfd.readouterr().out)["segments"])
    with serve_http(CAMERA) as (address, requests):
        assert run(["tag", address, "--live", "--end", "26"]) == 0
    found = lines_of(capfd.readouterr().out)
    assert spans(found)[: len(expected)] == expected  # then the video begins again
    assert len(found) > len(expected)
    assert requests == ["/live"]
    assert not any(line["continues"] for line in found)
    assert all(str(line["start_time"]) <= str(line["end_time"]) for line in found)


@pytest.mark.slow
def test_a_stream_that_breaks_off_is_received_again(capfd):
    with serve_http(CAMERA, seconds=8.0) as (address, requests):
        assert run(["tag", address, "--live", "--end", "18"]) == 0
    captured = capfd.readouterr()
    assert "connection lost at 0:08; connecting again" in captured.err
    assert len(requests) >= 2
    found = lines_of(captured.out)
    # Each connection begins with the same part of the video.
    assert [line["label"] for line in found].count("tilt-up") >= 2
    lost = 8.08  # where the last frame of the first connection leaves the display
    assert not any(
        float(str(one["start"])) < lost - 0.5 < lost + 0.5 < float(str(one["end"])) for one in found
    )


@pytest.mark.slow
def test_ctrl_c_ends_a_stream_with_what_is_open_written():
    with serve_http(CAMERA) as (address, _):
        command = [sys.executable, "-m", "vswin_cli", "tag", address, "--live"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            process.send_signal(signal.SIGINT)
            rest, err = process.communicate()
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert len(lines_of(first + rest)) > 1


@pytest.mark.slow
def test_a_camera_is_received_by_rtsp(capfd):
    with serve_rtsp(CAMERA) as address:
        assert run(["tag", address, "--live", "--end", "10", "--exclude", "cut"]) == 0
    labels = [line["label"] for line in lines_of(capfd.readouterr().out)]
    assert labels[:3] == ["static", "pan-right", "tilt-up"]


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["a.mp4"], 2, "--live takes the address of one stream"),
        (["rtsp://a/b", "rtsp://a/c"], 2, "--live takes the address of one stream"),
        (["rtsp://a/b", "-o", "a.jsonl"], 2, "--live and --out exclude each other"),
        (["rtsp://a/b", "-f", "srt"], 2, "--live and --format exclude each other"),
        (["rtsp://a/b", "--start", "3"], 2, "--live and --start exclude each other"),
        (["http://127.0.0.1:9/live"], 4, "cannot receive http://127.0.0.1:9/live"),
        (["http://me:secret@127.0.0.1:9/live"], 4, "cannot receive http://***@127.0.0.1:9/live"),
    ],
)
def test_what_is_no_stream_is_refused(arguments, code, named, capfd):
    assert run(["tag", "--live", *arguments]) == code
    err = capfd.readouterr().err
    assert named in err
    assert "secret" not in err
