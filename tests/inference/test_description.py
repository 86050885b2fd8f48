"""Notices about a video: the most important part of each stands first."""

import pytest

from vswin_cli.inference.description import decode_notices
from vswin_cli.timeline.scores import Gap
from vswin_cli.video.info import DecodeReport


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ({"bad_packets": 1}, "1 damaged packet; 100.0% could be analysed"),
        (
            {"gaps": (Gap(5.0, 20.0, "truncated"),)},
            "25.0% could be analysed; missing: 5.00-20.00 s (truncated)",
        ),
    ],
)
def test_the_reason_of_a_partial_result_is_named(found, text):
    report = DecodeReport("end", 0.0, 20.0, 20.0, 500, **found)
    assert [(one.code, one.message) for one in decode_notices(report)] == [("PARTIAL", text)]


def test_a_complete_video_has_no_notice():
    assert decode_notices(DecodeReport("end", 0.0, 20.0, 20.0, 500)) == ()
