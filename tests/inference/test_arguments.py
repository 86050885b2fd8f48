"""Arguments of the wrong type are refused before any work, with what to write instead."""

import pytest

from vswin_cli.config import SamplingOptions, SegmentOptions
from vswin_cli.errors import OptionError
from vswin_cli.inference.arguments import check_arguments, check_source


class Scorer:
    def score(self, clips):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("camera-motion", SamplingOptions()), "Engine"),
        ((Scorer(), SegmentOptions()), "segments=SegmentOptions"),
        ((Scorer(), 0.5), "SamplingOptions"),
        ((Scorer(), SamplingOptions(), 0.3), "SegmentOptions"),
    ],
)
def test_swapped_and_foreign_arguments_are_refused_with_a_hint(arguments, hint):
    with pytest.raises(OptionError) as caught:
        check_arguments(*arguments)
    assert hint in (caught.value.hint or "")


def test_usual_arguments_pass():
    check_arguments(Scorer(), SamplingOptions(), SegmentOptions())
    check_source("movie.mp4")


def test_several_sources_are_refused_where_one_is_taken():
    with pytest.raises(OptionError) as caught:
        check_source(["a.mp4", "b.mp4"])
    assert "analyze_videos" in (caught.value.hint or "")
    with pytest.raises(OptionError):
        check_source(3)
