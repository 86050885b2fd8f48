"""What is known of a file before frames are decoded: streams, duration, time of the first frame."""

from collections import deque
from fractions import Fraction
from pathlib import Path

import pytest

from tests.support.videos import (
    VideoRecipe,
    make_audio,
    make_several_streams,
    make_video,
    make_with_cover,
)
from vswin_cli.errors import NotAVideoError, NoVideoStreamError, SourceNotFoundError
from vswin_cli.video.container import (
    best_stream,
    chain_consuming,
    container_name,
    declared_duration,
    find_origin,
    measured_interval,
    nominal_interval,
    open_container,
    scan_timestamps,
)

RECIPE = VideoRecipe(num_frames=20, rate=Fraction(10))


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("none.mp4", SourceNotFoundError, "no such file"),
        ("folder", NotAVideoError, "is a folder"),
        ("empty.mp4", NotAVideoError, "is empty"),
        ("text.mp4", NotAVideoError, "is not a video that FFmpeg can open"),
    ],
)
def test_what_cannot_be_opened_is_told_apart(tmp_path, name, kind, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(kind, match=message):
        open_container(tmp_path / name)


def test_a_name_with_a_colon_is_no_address(tmp_path, monkeypatch):
    make_video(tmp_path / "concat:a.mp4", VideoRecipe(num_frames=2, container="mp4"))
    monkeypatch.chdir(tmp_path)
    with open_container(Path("concat:a.mp4")) as container:
        assert container_name(container) == "mov"


def test_the_largest_video_stream_is_read_and_no_cover(tmp_path):
    several = make_several_streams(tmp_path / "s.mkv", [RECIPE, VideoRecipe(20, width=128)])
    with open_container(several) as container:
        assert best_stream(container, several).width == 128
    cover = make_with_cover(tmp_path / "c.mp4", RECIPE)
    with open_container(cover) as container:
        assert len(container.streams.video) == 2
        assert best_stream(container, cover).codec_context.name == "h264"
    audio = make_audio(tmp_path / "a.mp4")
    with (
        open_container(audio) as container,
        pytest.raises(NoVideoStreamError, match="has no video stream, only: audio"),
    ):
        best_stream(container, audio)


@pytest.mark.parametrize(
    ("name", "source"), [("v.mp4", "stream"), ("v.mkv", "stream"), ("v.ts", "estimate")]
)
def test_a_duration_counts_from_the_first_frame(tmp_path, name, source):
    path = make_video(tmp_path / name, VideoRecipe(20, rate=Fraction(10), start=1.5))
    with open_container(path) as container:
        stream = best_stream(container, path)
        origin = find_origin(stream, stream.start_time, stream.start_time, is_damaged=False)
        found = declared_duration(container, stream, origin)
    assert found is not None
    assert found[0] == pytest.approx(2.0, abs=0.11)
    assert found[1] == source


def test_the_start_in_the_header_counts_only_where_a_packet_confirms_it(tmp_path):
    path = make_video(tmp_path / "v.mp4", VideoRecipe(20, rate=Fraction(10), start=1.5))
    with open_container(path) as container:
        stream = best_stream(container, path)
        start, later = stream.start_time, stream.start_time + 90_000
        base = stream.time_base
        assert find_origin(stream, later, start, is_damaged=True) == start * base
        assert find_origin(stream, later, start + 1, is_damaged=True) == later * base
        assert find_origin(stream, later, start, is_damaged=False) == later * base
        assert find_origin(stream, None, None, is_damaged=False) == 0


def test_intervals_are_measured_from_three_timestamps_on(tmp_path):
    assert measured_interval([0, 9000], Fraction(1, 90_000)) is None
    assert measured_interval([0, 18000, 9000, 9000], Fraction(1, 90_000)) == pytest.approx(0.1)
    path = make_video(tmp_path / "v.mp4", RECIPE)
    with open_container(path) as container:
        assert nominal_interval(best_stream(container, path)) == pytest.approx(0.1)


def test_timestamps_that_restart_are_not_continuous(tmp_path):
    def scanned(path):
        with open_container(path) as container:
            steps = scan_timestamps(path, best_stream(container, path))
            while True:
                try:
                    next(steps)
                except StopIteration as end:
                    return end.value

    one = make_video(tmp_path / "one.ts", VideoRecipe(60, rate=Fraction(10)))
    joined = tmp_path / "two.ts"
    joined.write_bytes(one.read_bytes() * 2)
    assert scanned(one) is True
    assert scanned(joined) is False


def test_items_are_removed_from_the_head_as_they_are_read():
    head = deque([1, 2])
    chained = chain_consuming(head, iter([3]))
    assert next(chained) == 1
    assert list(head) == [2]
    assert list(chained) == [2, 3]
