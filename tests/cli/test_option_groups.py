"""Records of options: what they become, and how a command takes them."""

import inspect

import pytest

from vswin_cli.cli.option_groups import (
    EngineChoice,
    ExactEngineChoice,
    SamplingChoice,
    SegmentChoice,
    VideoEngineChoice,
    with_option_groups,
)
from vswin_cli.config import SegmentOptions, Stride
from vswin_cli.errors import OptionError


def test_texts_are_parsed_into_records_of_the_library():
    options = SamplingChoice(
        stride="50%", start="1:30", end="100", input_fps="30000/1001"
    ).options()
    assert options.stride == Stride(50)
    assert (options.start_seconds, options.end_seconds) == (90.0, 100.0)
    assert options.input_frame_rate == pytest.approx(29.97003)
    assert SamplingChoice(crops=3).options().crops == 3


def test_given_values_replace_advised_ones_and_no_others():
    advised = SegmentOptions(onset=0.4, offset=0.2, merge_gap_seconds=2.0)
    chosen = SegmentChoice(onset=0.6, include=["pan*"]).over(advised)
    assert (chosen.onset, chosen.merge_gap_seconds, chosen.include) == (0.6, 2.0, ("pan*",))
    assert SegmentChoice().over(advised) == advised


def test_a_group_that_no_pattern_includes_is_refused():
    SegmentChoice(include=["SPORT"], group=["sport=*ball*"])
    with pytest.raises(OptionError, match="--include leaves out the group `sport`"):
        SegmentChoice(include=["pan*"], group=["sport=*ball*"])


def test_only_evaluation_is_exact_by_default():
    assert EngineChoice().options().precision == "auto"
    assert ExactEngineChoice().options().precision == "float32"
    assert VideoEngineChoice(decoder="software").options().decoder == "software"


def test_a_command_takes_the_fields_of_its_records_as_options():
    seen = []

    def plain(name: str, *, running: EngineChoice, quiet: bool = False) -> None:
        seen.append((name, running, quiet))

    command = with_option_groups(plain)
    names = list(inspect.signature(command).parameters)
    assert names == ["name", "device", "precision", "batch_size", "quiet"]
    command(name="a", device="cpu", precision="tf32", batch_size=2, quiet=True)
    assert seen == [("a", EngineChoice("cpu", "tf32", 2), True)]
