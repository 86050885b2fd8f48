"""Timelines drawn as SVG."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from tests.support.timelines import segment, timeline
from vswin_cli.timeline.palette import label_colour
from vswin_cli.timeline.record import GapRecord, ModelRecord
from vswin_cli.timeline.svg import lanes_of, ticks_of, timeline_svg

NS = "{http://www.w3.org/2000/svg}"


def drawn(*timelines, **options):
    return ET.fromstring(timeline_svg(timelines, **options))


def texts(root):
    return [one.text for one in root.iter(f"{NS}text")]


def bars(root):
    return [one for one in root.iter(f"{NS}rect") if one.find(f"{NS}title") is not None]


def short(*segments, **changes):
    video = replace(timeline().video, duration_seconds=10.0)
    coverage = replace(timeline().coverage, gaps=())
    return timeline(segments=segments, **({"video": video, "coverage": coverage} | changes))


def test_a_lane_per_label_the_longest_first_in_the_colour_of_its_label():
    one = short(segment(0, 1, "a"), segment(2, 6, "b"), segment(8, 9, "a"))
    assert [(lane.label, lane.seconds) for lane in lanes_of(one)] == [("b", 4.0), ("a", 2.0)]
    root = drawn(one)
    colours = [bar.get("fill") for bar in bars(root)]
    assert colours == [label_colour("b"), *[label_colour("a")] * 2]
    assert texts(root)[0] == "a b.mp4 – swin-t-k400"
    assert [text for text in texts(root) if text in ("a", "b")] == ["b", "a"]


def test_bars_lie_where_their_times_are_and_a_cut_is_seen():
    whole, half, cut = bars(
        drawn(short(segment(0, 5, "a"), segment(0, 10, "b"), segment(5, 5, "c")))
    )
    width = float(whole.get("width"))
    assert float(half.get("width")) == pytest.approx(width / 2, abs=0.1)
    assert float(cut.get("width")) == 2
    assert float(cut.get("x")) == pytest.approx(float(whole.get("x")) + width / 2, abs=0.1)


def test_thousands_of_moments_become_a_few_hundred_bars():
    moments = [segment(i * 0.001, i * 0.001 + 0.0005, "cut") for i in range(10_000)]
    found = bars(drawn(short(*moments)))
    assert 50 < len(found) < 800
    counts = [int(re.search(r"(\d+) segments", bar[0].text)[1]) for bar in found[:-1]]
    assert sum(counts) >= 9_900
    assert len(bars(drawn(short(*moments[::1000])))) == 10


def test_what_could_not_be_decoded_is_grey():
    coverage = replace(timeline().coverage, gaps=(GapRecord(2.0, 4.0),))
    (gap,) = bars(drawn(short(coverage=coverage)))
    assert gap.find(f"{NS}title").text == "could not be decoded"
    assert "no segments" in texts(drawn(short(coverage=coverage)))


def test_several_timelines_stand_below_each_other():
    one = short(segment(0, 5, "a"))
    other = replace(one, model=replace(one.model, id="other"))
    tops = [float(re.search(r" ([\d.]+)\)", g.get("transform"))[1]) for g in drawn(one, other)[1:]]
    assert tops[1] > tops[0] + 40
    assert "a b.mp4 – other" in texts(drawn(one, other))


def test_a_notebook_shows_twelve_labels_and_how_many_are_left_out():
    many = short(*[segment(0, 5, f"label {i:02d}") for i in range(15)])
    html = many._repr_html_()
    assert html.count("label 1") == 4
    assert "and 3 labels more" in html


@pytest.mark.parametrize("seconds", [0.001, 0.3, 7, 59, 600, 86_400, 1e10])
def test_an_axis_has_a_few_round_times(seconds):
    ticks = ticks_of(seconds)
    assert ticks[0] == (0, "0:00.0" if len(ticks[0][1]) > 4 else "0:00")
    assert 1 <= len(ticks) <= 9
    assert all(at <= seconds for at, _ in ticks)
    assert seconds < 1 or len(ticks) >= 3


def test_a_notebook_shows_each_model():
    moves = timeline(model=ModelRecord(id="moves"), segments=(segment(0, 1, "pan", 2),))
    html = timeline().with_tracks([moves])._repr_html_()
    assert html.index("a b.mp4 – swin-t-k400") < html.index("a b.mp4 – moves")
    assert html.count("pan") >= 1
