"""Videos of saved timelines, found from wherever the user is."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.timelines import columns, timeline, track_of
from vswin_cli.cli.app import run
from vswin_cli.cli.find_video import find_video, with_found_video
from vswin_cli.export import write_timeline
from vswin_cli.timeline.score_files import save_track


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder with a clip; the user is in another."""
    place = tmp_path / "project"
    (place / "clips").mkdir(parents=True)
    (place / "clips" / "a.mp4").write_bytes(b"x")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    return place


def naming(uri):
    return timeline(video=replace(timeline().video, uri=uri))


@pytest.mark.parametrize("fmt", ["fcpxml", "otio", "elan"])
@pytest.mark.parametrize("saved_in", [".", "clips"], ids=["above", "beside"])
def test_formats_that_lead_to_the_video_find_it_from_elsewhere(elsewhere, fmt, saved_in, capsys):
    folder = Path("..", "project", saved_in)
    write_timeline(naming("clips/a.mp4"), "json", folder / "a.json")
    with track_of(columns((20, 0.9))) as track:
        save_track(track, naming("clips/a.mp4"), folder / "a.npz")
    for command, source in (("export", "a.json"), ("segment", "a.npz")):
        assert run([command, str(folder / source), "-f", fmt]) == 0
        assert (elsewhere / "clips" / "a.mp4").as_uri() in capsys.readouterr().out


def test_other_formats_name_the_video_as_the_timeline_does(elsewhere, tmp_path, capsys):
    write_timeline(naming("clips/a.mp4"), "json", elsewhere / "a.json")
    arguments = [str(elsewhere / "a.json"), "--json", "-o", str(tmp_path / "a.otio")]
    assert run(["export", *arguments]) == 0
    assert json.loads(capsys.readouterr().out)["video"]["uri"] == "clips/a.mp4"
    assert str(elsewhere) in (tmp_path / "a.otio").read_text()


def test_a_video_is_looked_for_where_the_timeline_says_first(elsewhere):
    found = Path("clips", "a.mp4")
    found.parent.mkdir()
    found.write_bytes(b"x")
    assert find_video(naming("clips/a.mp4"), elsewhere / "a.json") == found
    assert with_found_video(naming("clips/a.mp4"), elsewhere / "a.json") == naming("clips/a.mp4")


def test_a_video_at_a_file_address_is_found_and_one_at_another_is_not_looked_for(elsewhere):
    address = (elsewhere / "clips" / "a.mp4").as_uri()
    saved = Path("a.json")
    assert find_video(naming(address), saved) == elsewhere / "clips" / "a.mp4"
    assert with_found_video(naming(address), saved) == naming(address)
    assert find_video(naming("https://host/clips/a.mp4"), elsewhere / "clips" / "a.json") is None
    assert find_video(naming("file:///gone/a.mp4"), elsewhere / "clips" / "a.json") == (
        elsewhere / "clips" / "a.mp4"
    )


@pytest.mark.slow
def test_a_report_plays_a_video_at_a_file_address(elsewhere, tmp_path):
    uri = (elsewhere / "clips" / "a.mp4").as_uri()
    write_timeline(naming(uri), "json", Path("a.json"))
    assert run(["report", "a.json", "--no-thumbnails", "-o", str(tmp_path / "a.html")]) == 0
    assert '"./project/clips/a.mp4"' in (tmp_path / "a.html").read_text()
