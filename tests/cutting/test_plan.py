"""Which segments are cut, when, and the names of their clips."""

from pathlib import Path

import pytest

from vswin_cli.cutting.plan import plan_clips
from vswin_cli.cutting.records import CutOptions, VideoSegments
from vswin_cli.errors import OptionError
from vswin_cli.evaluation.intervals import Interval

FOLDER = Path("out")


def video(*intervals, uri="a/movie.mp4"):
    return VideoSegments(uri, Path(uri), tuple(Interval(*one) for one in intervals))


def names(*videos, **options):
    plans = plan_clips(videos, FOLDER, CutOptions(**options))
    return [clip.path.name for plan in plans for clip in plan.clips]


def test_a_name_says_video_times_and_label():
    assert names(video((3725.5, 3731, "pan-right", 0.9))) == [
        "movie_03725.500-03731.000_pan-right.mp4"
    ]


def test_names_are_unique_even_where_the_disk_ignores_case():
    found = names(
        video((0, 1, "A"), (0, 1, "a"), (0, 1, "a!")), video((0, 1, "a"), uri="b/Movie.mkv")
    )
    assert len({name.casefold() for name in found}) == 4
    assert found[1] == "movie_00000.000-00001.000_a-2.mp4"


@pytest.mark.parametrize(
    ("uri", "label"),
    [
        ("../../=cmd.mp4", "../../etc/passwd"),
        ("-rf.mp4", "a:b*c?\"<>|'$x`\n\x1b[0m"),
        ("@x.mp4", "=1+1"),
        ("..mp4", ""),
        ("+x y.mp4", "  .. "),
    ],
)
def test_names_are_safe_for_disks_shells_and_spreadsheets(uri, label):
    (name,) = names(video((0, 1, label), uri=uri))
    assert not set(name) & set("/\\:*?\"<>|'$`\n\x1b !;&")
    assert name[0].isalnum()


def test_long_names_fit_the_disk():
    (name,) = names(video((0, 1, "映" * 200), uri="長" * 80 + ".mp4"))
    assert len(name.encode()) <= 255
    assert name.endswith(".mp4")
    assert "_00000.000-00001.000_映" in name


def test_labels_and_scores_choose():
    one = video((0, 1, "pan-left", 0.9), (1, 2, "pan-right", 0.4), (2, 3, "zoom", 0.9), (3, 4, "p"))
    assert len(names(one, labels=("pan-*",))) == 2
    assert len(names(one, labels=("PAN-LEFT",))) == 1
    assert len(names(one, min_score=0.5)) == 3  # a row without a score is no low score
    with pytest.raises(OptionError, match="no label matches `pam`"):
        names(one, labels=("pam",))
    with pytest.raises(OptionError) as caught:
        names(one, labels=("xyz",))
    assert caught.value.hint == "the segments have `p`, `pan-left`, `pan-right`, `zoom`"


def test_padding_stays_after_the_start_and_makes_clips_of_instants():
    one = video((0.2, 1, "a"), (5, 5, "cut"))
    (bare,) = plan_clips([one], FOLDER, CutOptions())
    assert (len(bare.clips), bare.num_instants) == (1, 1)
    (padded,) = plan_clips([one], FOLDER, CutOptions(pad_seconds=0.5))
    spans = [(clip.start_seconds, clip.end_seconds) for clip in padded.clips]
    assert spans == [(0.0, 1.5), (4.5, 5.5)]
    assert padded.num_instants == 0


@pytest.mark.parametrize(
    "wrong",
    [{"mode": "fast"}, {"pad_seconds": -1.0}, {"pad_seconds": float("nan")}, {"min_score": 2}],
)
def test_options_without_sense_are_refused(wrong):
    with pytest.raises(OptionError):
        CutOptions(**wrong)


def test_without_segments_there_is_nothing_to_cut_whatever_the_label():
    assert names(video(), labels=("a",)) == []


def test_labels_are_left_out_by_name_or_pattern():
    one = video((0, 1, "cut"), (1, 2, "pan-left"), (2, 3, "pan-right"))
    assert names(one, exclude=("pan-*",)) == ["movie_00000.000-00001.000_cut.mp4"]
    assert len(names(one, labels=("pan-*",), exclude=("pan-right",))) == 1
    with pytest.raises(OptionError, match="no label matches `pam-left`"):
        names(one, exclude=("pam-left",))
