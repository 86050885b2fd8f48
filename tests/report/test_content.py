from dataclasses import replace

import pytest

from tests.support.timelines import segment, timeline
from vswin_cli.report.content import ScoredModel, page_content, relative_url
from vswin_cli.timeline.record import ModelRecord


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("a b.mp4", "./a%20b.mp4"),
        ("a:b?#%.mp4", "./a%3Ab%3F%23%25.mp4"),
        ("../ü.mp4", "./../%C3%BC.mp4"),
        ("bad \udcff.mp4", "./bad%20%FF.mp4"),
    ],
)
def test_addresses_lead_to_files_of_any_name(tmp_path, name, url):
    assert relative_url(tmp_path / name, tmp_path) == url


def test_the_axis_reaches_to_the_last_segment_of_every_model():
    first = timeline(video=replace(timeline().video, duration_seconds=4000.0))
    later = (segment(3990.0, 4001.0, "pan", 3),)
    moves = replace(first, model=ModelRecord(id="moves"), segments=later)
    content = page_content([ScoredModel(first), ScoredModel(moves)], None)
    assert content.duration_seconds == 4001.0
    assert [one.segments for one in content.models] == [later]
