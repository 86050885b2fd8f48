"""Chapters as FFmpeg, mkvmerge and YouTube read them."""

import io
import shutil
import subprocess
from dataclasses import replace
from itertools import pairwise

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.timelines import segment, timeline, written
from vswin_cli.export import caveats

OVERLAPPING = (segment(1.0, 3.5, "a = b; #1"), segment(3.0, 5.0, "c"), segment(5.0, 6.0, "c"))


def test_ffmpeg_reads_the_chapters_of_overlapping_segments():
    text = written("ffmetadata", timeline(segments=OVERLAPPING))
    with av.open(io.BytesIO(text.encode()), format="ffmetadata") as container:
        chapters = [
            (one["start"], one["end"], one["metadata"]["title"]) for one in container.chapters()
        ]
    assert chapters == [
        (1000, 3000, "a = b; #1"), (3000, 3500, "a = b; #1, c"), (3500, 6000, "c"),
    ]  # fmt: skip


@pytest.mark.skipif(shutil.which("mkvmerge") is None, reason="needs mkvmerge")
@pytest.mark.parametrize("segments", [OVERLAPPING, ()], ids=["segments", "none"])
def test_mkvmerge_reads_the_chapters(tmp_path, segments):
    path = tmp_path / "a.xml"
    path.write_text(written("matroska-chapters", timeline(segments=segments)), encoding="utf-8")
    command = ["mkvmerge", "-q", "-o", tmp_path / "a.mkv", "--chapters", path]
    subprocess.run(command, check=True, timeout=30)


def youtube(*segments, duration=200.0):
    video = replace(timeline().video, duration_seconds=duration)
    text = written("youtube-chapters", timeline(segments=segments, video=video))
    body, _, signature = text.partition("\n\n")
    assert signature == "Chapters by vswin, swin-t-k400\n"
    return body.splitlines()


def test_youtube_chapters_begin_at_zero_and_fill_the_video():
    assert youtube(segment(20, 80, "a"), segment(60, 180.9, "<b>")) == [
        "0:00 (no label)", "0:20 a", "1:00 a, (b)", "1:20 (b)", "3:00 (no label)",
    ]  # fmt: skip


def test_youtube_chapters_last_ten_seconds_and_are_named_by_what_holds_longest():
    cuts = [segment(at, at + 0.2, "cut") for at in (50, 100)]
    shots = [segment(0, 50, "a"), segment(50, 100, "b"), segment(100.2, 104, "c")]
    found = youtube(*sorted([*cuts, *shots], key=lambda one: one.start_seconds), duration=108)
    assert found == ["0:00 a", "0:50 b"]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 300), st.floats(0, 40), st.sampled_from("abc"))))
def test_every_list_of_youtube_chapters_keeps_the_rules(parts):
    segments = sorted((start, start + length, label) for start, length, label in parts)
    lines = youtube(*(segment(*one) for one in segments), duration=340)
    starts = []
    for line in lines:
        minutes, seconds = line.split(" ")[0].split(":")
        starts.append(60 * int(minutes) + int(seconds))
    assert starts[0] == 0
    assert all(end - start >= 10 for start, end in pairwise([*starts, 340]))


def test_a_video_with_too_few_youtube_chapters_is_named():
    (notice,) = caveats(timeline(segments=(segment(1.0, 3.5, "a"),)), "youtube-chapters")
    assert notice.code == "FEW_CHAPTERS"
    assert "has 1" in notice.message
    assert caveats(timeline(), "youtube-chapters") == ()
