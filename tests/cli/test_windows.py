"""`vswin evaluate windows` on real videos with a small network."""

import json

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cli.app import run
from vswin_cli.errors import DeviceError


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
