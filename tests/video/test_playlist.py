"""Playlists: all of a recording, what is missing told, and nothing outside of their folder."""

import pytest

from tests.support.events import events_of, probe
from tests.support.videos import VideoRecipe, make_video
from vswin_cli.errors import NotAVideoError
from vswin_cli.video.sampling import SamplingPlan

PLAN = SamplingPlan(num_frames=8, stride=8, short_side=32, positions_per_second=5.0)
SEGMENTS = {"hls_time": "2", "hls_list_size": "0"}
RECIPE = VideoRecipe(
    num_frames=300, gop=60, container="hls", container_options=SEGMENTS
)  # five segments of 2 s, list0.ts to list4.ts


def make_playlist(folder, *, end=True, lost=(), names=None):
    path = make_video(folder / "list.m3u8", RECIPE)
    for number in lost:
        (folder / f"list{number}.ts").unlink()
    text = path.read_text()
    if names:
        entries = "".join(f"#EXTINF:2.0,\n{name}\n" for name in names)
        text = text[: text.index("#EXTINF")] + entries + "#EXT-X-ENDLIST\n"
    path.write_text(text if end else text.replace("#EXT-X-ENDLIST", ""))
    return path


@pytest.mark.parametrize("end", [True, False])
def test_a_whole_recording_is_read_from_its_start(tmp_path, end):
    report = events_of(make_playlist(tmp_path, end=end), PLAN)[-1]
    assert (report.status, report.gaps, report.frames_decoded) == ("ok", (), 300)
    assert report.duration_seconds == pytest.approx(10.0, abs=0.05)


def test_segments_missing_at_the_end_are_a_gap(tmp_path):
    report = events_of(make_playlist(tmp_path, lost=(3, 4)), PLAN)[-1]
    assert report.status == "partial"
    assert report.duration_seconds == pytest.approx(10.0, abs=0.05)
    assert report.coverage == pytest.approx(0.6, abs=0.01)


def test_a_segment_missing_midway_is_a_gap(tmp_path):
    report = events_of(make_playlist(tmp_path, lost=(2,)), PLAN)[-1]
    assert report.status == "partial"
    assert report.coverage == pytest.approx(0.8, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["../other.ts", "/etc/passwd", "http://127.0.0.1:9/a.ts", "file:///etc/passwd"]
)
@pytest.mark.parametrize("as_key", [True, False])
def test_files_outside_the_folder_are_not_opened(tmp_path, name, as_key):
    path = make_playlist(tmp_path)
    line = f'#EXT-X-KEY:METHOD=AES-128,URI="{name}"' if as_key else name
    path.write_text(path.read_text().replace("#EXTINF", f"{line}\n#EXTINF", 1))
    with pytest.raises(NotAVideoError, match="not a file in its folder"):
        probe(path)


def test_a_link_that_leads_elsewhere_is_not_opened(tmp_path):
    folder, other = tmp_path / "list", make_video(tmp_path / "other.ts")
    folder.mkdir()
    path = make_playlist(folder, names=["list0.ts", "link.ts"])
    (folder / "link.ts").symlink_to(other)
    with pytest.raises(NotAVideoError, match="not a file in its folder"):
        probe(path)


def test_a_playlist_that_names_itself_fails_at_once(tmp_path):
    with pytest.raises(NotAVideoError, match="names itself"):
        probe(make_playlist(tmp_path, names=["list0.ts", "list.m3u8"]))
    (tmp_path / "a.m3u8").write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nb.m3u8\n")
    (tmp_path / "b.m3u8").write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n")
    with pytest.raises(NotAVideoError, match="names itself"):
        probe(tmp_path / "a.m3u8")
