"""Joined transport streams are sound; lost packets are not taken for joins."""

import pytest

from tests.support.events import events_of
from tests.support.videos import TS_PACKET_BYTES, VideoRecipe, make_video
from vswin_cli.video.sampling import SamplingPlan

PLAN = SamplingPlan(num_frames=8, stride=8, short_side=32, positions_per_second=5.0)


def report_of(path):
    return events_of(path, PLAN)[-1]


@pytest.mark.parametrize(
    ("codec", "start"),
    [("libx264", 0.0), ("mpeg2video", 0.0), ("libx264", 92 / 30), ("mpeg2video", 91 / 30)],
)
def test_joined_recordings_are_complete(tmp_path, codec, start):
    first = make_video(tmp_path / "a.ts", VideoRecipe(num_frames=90, codec=codec, b_frames=2))
    later = VideoRecipe(num_frames=60, codec=codec, b_frames=2, start=start)
    second = make_video(tmp_path / "b.ts", later)
    path = tmp_path / "joined.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    report = report_of(path)
    assert (report.status, report.frames_decoded, report.bad_packets) == ("ok", 150, 0)
    joins = [one.message for one in report.warnings if one.code == "JOINED"]
    assert joins == ["1 join of recordings, without loss between them"]


def test_a_join_with_missing_frames_is_none(tmp_path):
    whole = make_video(tmp_path / "a.ts", VideoRecipe(num_frames=90, gop=30)).read_bytes()
    begins = [
        at
        for at in range(0, len(whole), TS_PACKET_BYTES)
        if whole[at + 1] & 0x40 and whole[at + 1] & 0x1F == 1  # a coded frame
    ]
    path = tmp_path / "lost.ts"
    path.write_bytes(whole[: begins[57]] + whole[begins[59] :])  # frame 60 is a key frame
    report = report_of(path)
    assert (report.status, report.bad_packets) == ("partial", 1)


def test_in_a_damaged_stream_nothing_is_a_join(tmp_path):
    part = make_video(tmp_path / "a.ts", VideoRecipe(num_frames=90, b_frames=2)).read_bytes()
    middle = len(part) // 2 // TS_PACKET_BYTES * TS_PACKET_BYTES
    path = tmp_path / "joined.ts"
    path.write_bytes(part[:middle] + part[middle + TS_PACKET_BYTES :] + part)
    report = report_of(path)
    assert report.status == "partial"
    assert report.bad_packets >= 2
