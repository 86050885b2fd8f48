import io
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from tests.support.timelines import segment, timeline
from vswin_cli.cli.terminal_timeline import TerminalTimeline
from vswin_cli.timeline.palette import label_colour
from vswin_cli.timeline.record import Coverage, GapRecord, ModelRecord, VideoRecord


def draw(shown, *, width: int = 80, encoding: str = "utf-8", **options) -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=file, width=width).print(TerminalTimeline(shown, **options))
    file.seek(0)
    return file.read().splitlines()


def recording(*segments, seconds: float = 100.0, gaps=()):
    return timeline(
        video=VideoRecord(uri="a/video.mp4", duration_seconds=seconds),
        segments=segments,
        coverage=Coverage(0.9 if gaps else 1.0, seconds, gaps=gaps),
    )


def test_a_lane_shows_when_its_label_holds():
    title, archery, ticks = draw(recording(segment(50, 75, "archery")), width=119)
    assert title == "video.mp4  1:40  1 segment"
    lane = archery.removeprefix("archery  ").removesuffix("  25.0 s")
    assert len(lane) == 102
    assert lane.strip("·") == "█" * 26
    assert lane.index("█") == 51
    assert ticks.split() == ["0:00", "0:10", *(f"0:{n}" for n in (20, 30, 40, 50)), "1:00",
                             "1:10", "1:20", "1:30"]  # fmt: skip


def test_labels_come_longest_first_and_the_rest_is_counted():
    shown = recording(*(segment(i, i + 1 + i, f"label {i}") for i in range(6)))
    lines = draw(shown, max_rows=2)
    assert [line.split("  ")[0] for line in lines[1:3]] == ["label 5", "label 4"]
    assert lines[-1] == "… 4 more labels"


def test_gaps_look_different_from_silence_and_are_explained():
    shown = recording(segment(0, 10, "archery"), gaps=(GapRecord(40.0, 50.0),))
    lines = draw(shown)
    lane = lines[1]
    assert lane.index("░") / len(lane) == pytest.approx(0.45, abs=0.1)
    assert lines[-1] == "░ could not be decoded (90.0% of the video was)"
    assert not any("░" in line for line in draw(recording(segment(0, 10, "archery"))))


def test_a_moment_in_a_long_video_is_not_lost():
    (_, lane, *_) = draw(recording(segment(3000, 3000.5, "archery"), seconds=7200.0))
    assert sum(lane.count(mark) for mark in "█▌▐") == 1


def test_terminals_without_unicode_get_ascii():
    shown = recording(segment(0, 10.2, "schöne Grüße"), gaps=(GapRecord(40.0, 50.0),))
    lines = draw(shown, encoding="ascii", width=60)
    text = "\n".join(lines).replace("schöne Grüße", "")
    assert "#" in text
    assert "/" in text


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_lines_keep_to_the_width(width):
    shown = recording(
        segment(0, 10, "a label that goes on and on and on and on " * 3),
        segment(5, 9, "弓道をする"),
    )
    lanes = draw(shown, width=width)[1:-1]
    assert all(cell_len(line) <= width for line in lanes)


def test_nothing_found_is_said():
    assert draw(recording())[0] == "video.mp4  1:40  no segments"


def test_a_video_without_length_can_be_drawn():
    assert draw(recording(seconds=0.0))


def test_bars_have_the_colours_that_labels_have_on_pages():
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, color_system="truecolor")
    console.print(TerminalTimeline(recording(segment(0, 50, "pan-left"))))
    red, green, blue = (int(label_colour("pan-left")[i : i + 2], 16) for i in (1, 3, 5))
    assert f"38;2;{red};{green};{blue}m" in file.getvalue()


def of_model(name, *segments):
    return replace(recording(*segments), model=ModelRecord(id=name))


def test_rows_of_several_models_stand_below_the_models_name():
    moves = of_model("moves", segment(0, 50, "pan"), segment(50, 90, "cut"))
    both = moves.with_tracks([of_model("actions", segment(20, 30, "archery"))])
    lines = draw(both, width=60)
    assert lines[0] == "video.mp4  1:40  3 segments"
    assert [line.split("  ")[0] for line in lines[1:-1]] == [
        "moves", "pan", "cut", "actions", "archery",
    ]  # fmt: skip
    assert len({len(line) for line in lines[2:4] + lines[5:6]}) == 1  # one axis for all


def test_models_share_the_rows_and_what_is_left_out_is_counted_for_each():
    labels = [segment(i, i + 1, f"label {i}") for i in range(5)]
    both = of_model("moves", *labels).with_tracks([of_model("actions", *labels[:3])])
    lines = draw(both, max_rows=4)
    assert sum(line.startswith("label ") for line in lines) == 4
    assert lines[-2:] == ["… 3 more labels of moves", "… 1 more label of actions"]


def test_a_model_that_found_nothing_has_its_name_and_no_rows():
    both = of_model("moves").with_tracks([of_model("actions", segment(20, 30, "archery"))])
    assert [line.split("  ")[0] for line in draw(both)[1:4]] == ["moves", "actions", "archery"]
