"""Chapters as FFmpeg and mkvmerge read them."""

import io
import shutil
import subprocess

import av
import pytest

from tests.support.timelines import segment, timeline, written

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
