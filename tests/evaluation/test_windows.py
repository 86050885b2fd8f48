"""Scores of labelled windows, and what is counted."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.conftest import LABELS
from tests.support.timelines import STEP, track_of
from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cli.app import run
from vswin_cli.config import LabelOnset, SegmentOptions
from vswin_cli.errors import DeviceError
from vswin_cli.evaluation.window_list import read_window_list
from vswin_cli.evaluation.windows import WindowTest, pieces_of, score_window


def scored(scores, window, **options):
    """Score a window of a track with the given scores (N, 4)."""
    segments = SegmentOptions(onset=0.4, instants=("cut",), **options)
    test = WindowTest.of(LABELS, segments, "static")
    with track_of(np.array(scores), labels=LABELS, activation="sigmoid") as track:
        return score_window(track, window, test)


@pytest.fixture
def window(table):
    return read_window_list(table, LABELS, exclude={"cut"}).windows[0]


def test_the_label_with_the_highest_mean_is_predicted_and_moments_are_not(window):
    # three quarters of the two seconds are a pan, and a cut is certain throughout
    rows = [[0.1, 0.8, 0.2, 1.0]] * 12 + [[0.1, 0.1, 0.7, 1.0]] * 4 + [[0.9, 0.0, 0.0, 0.0]] * 8
    one = scored(rows, window)
    assert (one.predicted, one.is_right, one.is_true) == ("pan", True, True)
    assert one.score == pytest.approx((12 * 0.8 + 4 * 0.1) / 16, abs=1e-3)
    assert one.false_alarm is None


def test_another_true_label_is_a_lesser_success(window):
    one = scored([[0.1, 0.5, 0.6, 0.0]] * 16, window)
    assert (one.predicted, one.is_right, one.is_true) == ("tilt", False, True)


def test_a_label_that_would_be_reported_and_does_not_hold_is_a_false_alarm(table, window):
    (row,) = read_window_list(table, ("static", "tilt"), exclude={"pan", "cut"}).windows
    piece = next(pieces_of(row, 3.0, 2.0))
    rows = [[0.9, 0.45, 0.5, 0.0]] * 24
    assert scored(rows, piece).false_alarm == "pan"
    assert scored(rows, piece, onsets=(LabelOnset("pan", 0.6),)).false_alarm is None
    assert scored(rows, window).false_alarm is None  # pan and tilt are both true of it


def test_a_whole_video_is_taken_in_pieces_of_equal_length(table):
    row = read_window_list(table, LABELS, exclude={"cut"}).windows[1]
    assert [(p.start_seconds, p.end_seconds) for p in pieces_of(row, 6.9, 2.0)] == [(1, 3), (3, 5)]
    assert [(p.start_seconds, p.end_seconds) for p in pieces_of(row, 1.5, 2.0)] == [(1, 3)]


def test_a_window_that_no_clip_has_seen_is_a_failure(window):
    late = replace(window, start_seconds=100.0, end_seconds=102.0)
    assert scored([[0.9, 0.1, 0.1, 0.0]] * 8, late).problem == "no clip covers 100 to 102 s"
    assert 8 * STEP < 100


@pytest.fixture
def videos(tmp_path):
    make_video(tmp_path / "video.mp4", VideoRecipe(num_frames=90))
    (tmp_path / "broken.mp4").write_text("no video")
    return tmp_path


def evaluate(capsys, *arguments):
    code = run(["evaluate", "windows", *map(str, arguments), "--device", "cpu"])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.slow
def test_every_window_is_counted_and_a_broken_video_named(tiny_model, videos, capsys):
    listed = videos / "list.csv"
    listed.write_text(
        "video,start,end,label,others,sure\n"
        "video.mp4,0,1,label a,label b,yes\nvideo.mp4,1,2,label c,,yes\n"
        "video.mp4,1,2,label c,,no\nvideo.mp4,0,1,label d,,yes\nbroken.mp4,,,label a,,yes\n"
    )
    options = ("--weights", tiny_model, "--exclude", "label d", "--background", "label c")
    code, out, _ = evaluate(capsys, listed, *options, "--json")
    body = json.loads(out)
    assert code == 3
    assert body["schema"] == "vswin.evaluation.windows/1"
    assert [body[key] for key in ("videos", "windows", "unsure", "excluded")] == [2, 2, 1, 1]
    assert (body["right"]["total"], body["background_right"]["total"]) == (1, 1)
    assert [failure["video"] for failure in body["failures"]] == [str(videos / "broken.mp4")]
    assert sum(row["right"] for row in body["labels"]) == (
        body["right"]["hits"] + body["background_right"]["hits"]
    )
    code, out, _ = evaluate(capsys, listed, *options)
    assert out.startswith("tiny: 2 windows of 2 videos\nleft out    1 unsure, 1 of other labels\n")
    assert "failed and left out: 1" in out


@pytest.mark.slow
def test_the_background_is_the_label_that_the_option_means(tiny_model, videos, capsys):
    listed = videos / "list.csv"
    listed.write_text("video,start,end,label\nvideo.mp4,0,1,label a\nvideo.mp4,1,2,label c\n")
    reports = []
    for background in ("label c", "LABEL C", "*c"):
        options = ("--weights", tiny_model, "--background", background, "--json")
        reports.append(json.loads(evaluate(capsys, listed, *options)[1]))
    assert reports[0]["background_right"]["total"] == 1
    assert reports[0] == reports[1] == reports[2]


def test_a_background_of_several_labels_is_refused(tiny_model, videos, capsys):
    listed = videos / "list.csv"
    listed.write_text("video,start,end,label\nvideo.mp4,0,1,label a\n")
    code, _, err = evaluate(capsys, listed, "--weights", tiny_model, "--background", "label ?")
    assert code == 2
    assert "--background `label ?` fits several labels: `label a`, `label b`" in err


@pytest.mark.slow
def test_nothing_but_broken_videos_is_an_error(tiny_model, videos, capsys):
    listed = videos / "list.csv"
    listed.write_text("video,label\nbroken.mp4,label a\n")
    code, _, err = evaluate(capsys, listed, "--weights", tiny_model)
    assert code == 4
    assert "no window could be scored" in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "hint"),
    [("gone.mp4,0,1,label a", "relative paths start"), ("video.mp4,90,92,label a", "how long the")],
)
def test_the_hint_fits_what_is_wrong_with_the_first_window(tiny_model, videos, capsys, row, hint):
    listed = videos / "list.csv"
    listed.write_text(f"video,start,end,label\n{row}\n")
    code, _, err = evaluate(capsys, listed, "--weights", tiny_model)
    assert code == 4
    assert hint in err.splitlines()[-1]


def test_the_decoder_can_be_chosen(capsys, tmp_path, monkeypatch):
    listed = tmp_path / "labels.tsv"
    listed.write_text("video\tstart\tend\tlabel\nvideo.mp4\t0\t1\tstatic\n")
    chosen = []

    def make_engine(choice, options, **_):
        chosen.append(options.decoder)
        raise DeviceError("enough")

    monkeypatch.setattr("vswin_cli.cli.windows.make_engine", make_engine)
    assert evaluate(capsys, listed, "--decoder", "software")[0] == 6
    code, _, err = evaluate(capsys, listed, "--decoder", "cuda")
    assert (code, chosen) == (2, ["software"])
    assert "unknown decoder 'cuda'" in err
