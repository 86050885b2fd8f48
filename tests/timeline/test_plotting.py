"""Timelines drawn with matplotlib."""

import io

import av
import pytest

from tests.support.timelines import segment, timeline
from vswin_cli.errors import OptionError
from vswin_cli.timeline.palette import label_colour
from vswin_cli.timeline.plotting import timeline_png
from vswin_cli.timeline.record import ModelRecord

matplotlib = pytest.importorskip("matplotlib")


def test_a_plot_has_a_row_per_label_with_its_name_and_colour():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes = timeline().plot(figure.subplots())
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "schöne Grüße", "archery", "arm --> wrestling & <fun>",
    ]  # fmt: skip
    first = axes.collections[0]
    assert pytest.importorskip("matplotlib.colors").to_hex(
        first.get_facecolor()[0]
    ) == label_colour("schöne Grüße")
    assert axes.get_xlim() == (0, 4000)
    assert first.get_paths()[0].get_extents().x0 == 3600


def test_axes_of_another_kind_are_refused():
    with pytest.raises(OptionError, match="takes matplotlib Axes, got 3"):
        timeline().plot(ax=3)


def test_an_image_is_the_same_every_time_whatever_style_is_set():
    nasty = timeline(segments=(segment(1, 900, "$x^{ \\frac"), segment(5, 5, "足球")))
    first = timeline_png([nasty, timeline()])
    with matplotlib.rc_context({"font.size": 30, "text.usetex": False}):
        assert timeline_png([nasty, timeline()]) == first
    assert first.startswith(b"\x89PNG")


def test_more_lanes_than_an_image_holds_are_refused():
    many = timeline(segments=tuple(segment(0, 1, str(i)) for i in range(1500)))
    with pytest.raises(OptionError, match="do not fit one image") as caught:
        timeline_png([many])
    assert "svg" in (caught.value.hint or "")


def test_ffmpeg_decodes_an_image():
    with av.open(io.BytesIO(timeline_png([timeline(), timeline()]))) as container:
        (frame,) = container.decode(video=0)
    assert frame.width == 1350
    shades = frame.to_ndarray(format="gray")
    assert shades.max() == 255  # the ground
    assert shades.min() < 100  # text and axes


def test_rows_of_several_models_have_the_models_names():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    moves = timeline(model=ModelRecord(id="moves"), segments=(segment(0, 1, "pan", 2),))
    axes = timeline().with_tracks([moves]).plot(figure.subplots())
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names[0] == "swin-t-k400: schöne Grüße"
    assert names[-1] == "moves: pan"
    assert axes.get_title(loc="left") == "a b.mp4 – swin-t-k400, moves"
