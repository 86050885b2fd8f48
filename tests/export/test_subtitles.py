"""SubRip and WebVTT, read back by programs that we did not write."""

import io
import json

import av
import pytest

from tests.support.timelines import timeline, written


def demuxed(text, name):
    """(start ms, duration ms, text) of each packet as FFmpeg's demuxer sees it."""
    with av.open(io.BytesIO(text.encode()), format=name) as container:
        stream = container.streams.subtitles[0]
        return [
            (
                int(packet.pts * stream.time_base * 1000),
                int(packet.duration * stream.time_base * 1000),
                bytes(packet).decode().strip(),
            )
            for packet in container.demux(stream)
            if packet.size
        ]


def test_srt_parses_and_joins_labels_that_hold_together():
    srt = pytest.importorskip("srt")
    cues = list(srt.parse(written("srt")))
    assert [cue.index for cue in cues] == [1, 2, 3, 4]
    assert [(cue.start.total_seconds(), cue.end.total_seconds()) for cue in cues] == [
        (1.0, 3.0), (3.0, 3.5), (3.5, 5.0), (3600.0, 3661.033),
    ]  # fmt: skip
    assert cues[1].content == "archery 0.83\narm -> wrestling & <fun> 0.83"


def test_srt_is_what_ffmpeg_demuxes():
    packets = demuxed(written("srt"), "srt")
    assert [(start, length) for start, length, _ in packets] == [
        (1000, 2000), (3000, 500), (3500, 1500), (3600000, 61033),
    ]  # fmt: skip
    assert packets[3][2] == "schöne Grüße 0.83"


def test_vtt_parses_and_joins_labels_that_hold_together():
    webvtt = pytest.importorskip("webvtt")
    cues = list(webvtt.from_string(written("vtt")))
    assert [(cue.start, cue.end) for cue in cues] == [
        ("00:00:01.000", "00:00:03.000"),
        ("00:00:03.000", "00:00:03.500"),
        ("00:00:03.500", "00:00:05.000"),
        ("01:00:00.000", "01:01:01.033"),
    ]
    assert cues[2].raw_text == "arm --&gt; wrestling &amp; &lt;fun&gt; 0.83"
    assert cues[1].raw_text == f"archery 0.83\n{cues[2].raw_text}"


def test_vtt_is_what_ffmpeg_demuxes():
    packets = demuxed(written("vtt"), "webvtt")
    assert [(start, length) for start, length, _ in packets] == [
        (1000, 2000), (3000, 500), (3500, 1500), (3600000, 61033),
    ]  # fmt: skip


def test_vtt_metadata_cues_hold_their_segments():
    webvtt = pytest.importorskip("webvtt")
    cues = list(webvtt.from_string(written("vtt-metadata")))
    segments = timeline().to_json()["segments"]
    for cue, expected in zip(cues, segments, strict=True):
        assert json.loads(cue.raw_text) == {k: v for k, v in expected.items() if k != "id"}
