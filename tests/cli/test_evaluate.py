"""`vswin evaluate` as a user calls it."""

import csv
import json
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.support.timelines import segment, timeline
from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cli.app import run
from vswin_cli.cli.evaluation_text import topk_text
from vswin_cli.evaluation.accuracy import Confusion, Failure, Rate
from vswin_cli.evaluation.topk import TopkReport
from vswin_cli.export import write_timeline
from vswin_cli.timeline.record import Coverage, GapRecord, VideoRecord

LABELS = [f"label {letter}" for letter in "abcdefghij"]


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    for i in range(3):
        make_video(folder / f"{i}.mp4", VideoRecipe(num_frames=40, first_index=1000 * i))
    (folder / "broken.mp4").write_text("no video")
    return folder


@pytest.fixture
def pair(tmp_path):
    """A timeline and ground truth that it half fulfils."""
    found = timeline(
        video=VideoRecord(uri="/videos/video.mp4", duration_seconds=20.0),
        segments=(segment(0, 5, "run"), segment(10, 14, "jump")),
        coverage=Coverage(0.9, 18.0, gaps=(GapRecord(18.0, 20.0),)),
    )
    write_timeline(found, "json", tmp_path / "video.json")
    (tmp_path / "truth.csv").write_text("video.mp4,0,5,run\nvideo.mp4,15,19,jump\n")
    return str(tmp_path / "video.json"), str(tmp_path / "truth.csv")


def call(capsys, *arguments: object) -> tuple[int, str, str]:
    code = run(["evaluate", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def write_list(videos, *lines: str):
    path = videos / "list.csv"
    path.write_text("path,label\n" + "".join(f"{line}\n" for line in lines))
    return path


@pytest.mark.slow
def test_topk_names_protocol_and_interval_and_published_form(tiny_model, videos, capsys):
    listed = write_list(videos, "0.mp4,label a", "1.mp4,label b", "2.mp4,2")
    code, out, _ = call(capsys, "topk", listed, "--weights", tiny_model, "--device", "cpu")
    assert code == 0
    assert "protocol    paper: 8 frames, 2 source frames apart" in out
    assert "mean score of 12 views; float32" in out
    assert "top-1" in out
    assert "(95 % Wilson:" in out
    assert "top-5" in out


def test_topk_sets_published_numbers_beside_its_own():
    report = TopkReport(
        model="swin-t-k400",
        weights_sha256="0" * 64,
        protocol="paper",
        description="12 views",
        precision="float32",
        num_videos=11,
        top1=Rate.of(8, 10),
        top5=Rate.of(10, 10),
        mean_class_accuracy=0.75,
        confusions=(Confusion("archery", "abseiling", 2, 3),),
        damaged=(),
        failures=(Failure("gone.mp4", "no such file"),),
    )
    text = topk_text(report)
    assert "top-1       80.00 % (95 % Wilson: 49.02 to 94.33)" in text
    assert "published   78.8 / 93.6" in text
    assert "2 of 3  archery taken for abseiling" in text
    assert "failed and left out: 1\n  gone.mp4: no such file" in text


@pytest.mark.slow
def test_topk_goes_on_after_a_broken_video_and_says_so(tiny_model, videos, capsys, tmp_path):
    listed = write_list(
        videos, "broken.mp4,label a", "0.mp4,label a", "gone.mp4,label b", "1.mp4,label c"
    )
    predictions = tmp_path / "predictions.csv"
    code, out, _ = call(
        capsys,
        *("topk", listed, "--weights", tiny_model, "--device", "cpu", "--json"),
        *("--predictions", predictions),
    )
    body = json.loads(out)
    assert code == 3
    assert body["schema"] == "vswin.evaluation.topk/1"
    assert (body["videos"], body["top1"]["total"], len(body["failures"])) == (4, 2, 2)
    assert body["failures"][1]["problem"].startswith("no such file")
    assert (body["protocol"], body["interval"]) == ("paper", "95 % Wilson")
    rows = list(csv.DictReader(predictions.read_text().splitlines()))
    assert [row["label"] for row in rows] == ["label a", "label a", "label b", "label c"]
    assert [bool(row["problem"]) for row in rows] == [True, False, True, False]
    assert rows[1]["predicted"] in LABELS


@pytest.mark.slow
def test_topk_counts_what_the_model_says(tiny_model, videos, capsys, tmp_path):
    predictions = tmp_path / "predictions.csv"
    options = ("--weights", tiny_model, "--device", "cpu", "--json", "--predictions", predictions)
    call(
        capsys,
        "topk",
        write_list(videos, "0.mp4,label a", "1.mp4,label a", "2.mp4,label a"),
        *options,
    )
    best = [row["predicted"] for row in csv.DictReader(predictions.read_text().splitlines())]
    right = write_list(videos, *(f"{i}.mp4,{name}" for i, name in enumerate(best)))
    body = json.loads(call(capsys, "topk", right, *options)[1])
    assert body["top1"]["share"] == 1.0
    assert body["mean_class_accuracy"] == 1.0
    assert body["confusions"] == []
    other = "label a" if best[0] != "label a" else "label b"
    wrong = write_list(videos, f"0.mp4,{other}")
    (mistake,) = json.loads(call(capsys, "topk", wrong, *options)[1])["confusions"]
    assert mistake == {"truth": other, "predicted": best[0], "count": 1, "of": 1}


@pytest.mark.slow
def test_topk_by_torchvisions_protocol(tiny_model, videos, capsys):
    listed = write_list(videos, "0.mp4,label a")
    code, out, _ = call(
        capsys,
        *("topk", listed, "--weights", tiny_model, "--device", "cpu", "--protocol", "torchvision"),
    )
    assert code == 0
    assert "torchvision: 8 frames at 15 frames per second, 12 clips" in out
    assert "short side 37" in out


@pytest.mark.slow
def test_topk_without_any_readable_video_fails(tiny_model, videos, capsys):
    listed = write_list(videos, "broken.mp4,label a")
    code, out, err = call(capsys, "topk", listed, "--weights", tiny_model, "--device", "cpu")
    assert (code, out) == (4, "")
    assert "no video of the list could be decoded; the first: " in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--protocol", "ssv2"], 2, "ssv2 samples uniformly"),
        (["--protocol", "k400"], 2, "unknown protocol"),
        (["--predictions", "/nowhere/x.csv"], 8, "nowhere"),
    ],
)
def test_topk_refuses_options_without_sense(tiny_model, videos, capsys, arguments, code, message):
    listed = write_list(videos, "0.mp4,label a")
    got, _, err = call(
        capsys, "topk", listed, "--weights", tiny_model, "--device", "cpu", *arguments
    )
    assert got == code
    assert message in err


def test_topk_does_not_write_predictions_over_an_input(tiny_model, videos, capsys):
    listed = write_list(videos, "0.mp4,label a")
    card = tiny_model / "config.json"
    before = card.read_bytes()
    for place in (listed, card):
        code, _, err = call(
            capsys, "topk", listed, "--weights", tiny_model, "--predictions", str(place)
        )
        assert (code, "would destroy it" in err) == (2, True), err
    assert listed.read_text() == "path,label\n0.mp4,label a\n"
    assert card.read_bytes() == before


def test_topk_names_an_unknown_label(tiny_model, videos, capsys):
    listed = write_list(videos, "0.mp4,zebra")
    code, _, err = call(capsys, "topk", listed, "--weights", tiny_model, "--device", "cpu")
    assert code == 4
    assert "list.csv, line 2: 'zebra'" in err


def test_map_in_words_and_as_json(pair, capsys):
    code, out, err = call(capsys, "map", *pair)
    assert (code, err) == (0, "")
    assert "mAP @ tIoU 0.5     50.00 %" in out
    body = json.loads(call(capsys, "map", *pair, "--tiou", "0.3,0.5", "--json")[1])
    assert body["schema"] == "vswin.evaluation.map/1"
    assert body["tiou"] == [0.3, 0.5]
    assert body["average_map"] == 0.5


def test_f1_in_words_and_as_json(pair, capsys):
    code, out, _ = call(capsys, "f1", *pair)
    assert code == 0
    assert "F1@10         50.00 %" in out
    assert "edit score   100.00 %" in out
    assert "event F1      50.00 %" in out
    body = json.loads(call(capsys, "f1", *pair, "--collar", "5", "--json")[1])
    assert body["events"]["overall"]["f1"] == 1.0
    assert body["segments"]["f1"][2]["overlap"] == 0.5
    assert body["segments"]["accuracy"] == pytest.approx(12 / 20)


def test_f1_leaves_out_videos_that_nobody_corrected_and_says_so(tmp_path, capsys):
    rows = "video,start,end,label\na.mp4,0,5,run\nb.mp4,0,5,run\nc.mp4,0,5,hop\n"
    (tmp_path / "results.csv").write_text(rows)
    (tmp_path / "truth.csv").write_text("video,start,end,label\na.mp4,0,5,run\n")
    pair = [str(tmp_path / "results.csv"), str(tmp_path / "truth.csv")]
    assert run(["evaluate", "f1", *pair, "--json"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report["events"]["overall"]["f1"] == 1
    assert report["segments"]["f1"][0]["f1"] == 1
    assert report["videos_left_out"] == 2
    assert "2 videos of the prediction missing from the ground truth, which are left out" in err
    assert "hop" not in err


def test_the_truth_may_be_several_corrected_timelines_or_a_folder_of_them(tmp_path, capsys):
    folder = tmp_path / "corrected"
    folder.mkdir()
    rows, files = "video,start,end,label,score\n", []
    for name in ("a", "b"):
        video = replace(timeline().video, uri=f"{name}.mp4")
        one = timeline(video=video, segments=(segment(0, 5, "run"),))
        files.append(folder / f"{name}.corrected.json")
        write_timeline(one, "json", files[-1])
        rows += f"{name}.mp4,0,5,run,0.9\n"
    (tmp_path / "results.csv").write_text(rows)
    for truth in ([folder], files):
        code, out, err = call(capsys, "f1", tmp_path / "results.csv", *truth, "--json")
        assert code == 0
        report = json.loads(out)
        assert report["segments"]["videos"] == 2
        assert report["events"]["overall"]["f1"] == 1
        assert err == ""
    assert run(["evaluate", "map", str(tmp_path / "results.csv"), *map(str, files)]) == 0
    same = [str(files[0])] * 2
    assert run(["evaluate", "f1", str(tmp_path / "results.csv"), *same]) == 4
    assert "would both be the video 'a'" in capsys.readouterr().err


def test_f1_of_moments_with_doubtful_stretches(tmp_path, capsys):
    prediction, truth = tmp_path / "cuts.csv", tmp_path / "truth.csv"
    prediction.write_text("a.mp4,2.1,2.2,cut\na.mp4,7,7.1,cut\nb.mp4,1,1.1,cut\n")
    truth.write_text("a.mp4,2,2,cut\na.mp4,6.5,7.5,doubtful\nb.mp4,1,1,cut\nb.mp4,3,3,cut\n")
    options = ("--moment", "cut", "--ignore", "doubtful", "--collar", "0.15")
    code, out, err = call(capsys, "f1", prediction, truth, *options)
    assert (code, err) == (0, "")
    assert out.startswith("event F1      80.00 %  (precision 100.00, recall 66.67;")
    assert "66.67 %  b (1 found, 1 missed, 0 wrong)" in out
    body = json.loads(call(capsys, "f1", prediction, truth, *options, "--json")[1])
    assert body["segments"] is None
    assert [one["video"] for one in body["events"]["videos"]] == ["a", "b"]


@pytest.mark.parametrize("option", ["--moment", "--ignore"])
def test_f1_refuses_a_label_that_neither_file_has(pair, capsys, option):
    code, out, err = call(capsys, "f1", *pair, option, "nosuch")
    assert (code, out) == (2, "")
    assert "has a label 'nosuch'" in err
    assert "hint: they have 'jump', 'run'" in err


def test_a_label_map_makes_vocabularies_meet(pair, capsys, tmp_path):
    prediction, truth = pair
    names = tmp_path / "names.csv"
    names.write_text("run,running\n")
    (tmp_path / "truth.csv").write_text("video.mp4,0,5,running\n")
    code, _, err = call(capsys, "map", prediction, truth)
    assert code == 4
    assert "no label in common" in err
    code, out, err = call(capsys, "map", prediction, truth, "--label-map", names, "--json")
    assert code == 0
    assert "warning" in err
    assert json.loads(out)["average_map"] == 1.0


def test_compare_shows_where_two_results_differ(pair, capsys, tmp_path):
    prediction, truth = pair
    code, out, _ = call(capsys, "compare", prediction, truth)
    assert code == 0
    assert "the same on 61.1 % of 18.0 s" in out
    assert "10.00 to     14.00 s  A: jump" in out
    assert "·" in out  # the end could not be decoded
    body = json.loads(call(capsys, "compare", prediction, truth, "--json", "--parts", "4")[1])
    (video,) = body["videos"]
    assert video["over_time"] == [1.0, 1.0, 0.2, 0.0]
    assert [one["only_b"] for one in video["differences"]] == [[], ["jump"]]


def test_compare_warns_that_two_videos_may_differ(pair, capsys, tmp_path):
    other = timeline(video=VideoRecord(uri="other.mp4", duration_seconds=9.0))
    write_timeline(other, "json", tmp_path / "other.json")
    code, out, err = call(capsys, "compare", pair[0], tmp_path / "other.json", "--json")
    assert code == 0
    (warning,) = err.splitlines()
    assert "the names differ, video and other; the lengths differ, 20.0 and 9.0 s" in warning
    assert len(json.loads(out)["videos"][0]["warnings"]) == 2
    assert call(capsys, "compare", pair[0], pair[0])[2] == ""


@pytest.mark.slow
def test_compare_tags_a_video_with_two_models(tiny_model, videos, capsys):
    arguments = (
        "compare",
        tiny_model,
        tiny_model,
        "--video",
        videos / "0.mp4",
        "--device",
        "cpu",
        "--json",
    )
    code, out, _ = call(capsys, *arguments)
    assert code == 0
    assert json.loads(out)["agreement"] == 1.0


def test_compare_finds_a_slip_in_the_second_model_before_the_first_one_works(videos, capsys):
    arguments = ("compare", "camera-motion", "swin-x", "--video", videos / "0.mp4")
    code, _, err = call(capsys, *arguments)
    assert code == 5
    assert err.startswith("error: there are no weights called 'swin-x'")


@pytest.mark.slow
def test_compare_tags_as_tag_does(videos, capsys, tmp_path):
    """With the rules that the weights advise, on both sides."""
    video = videos / "0.mp4"
    assert run(["tag", str(video), "-q", "-o", str(tmp_path / "tag.json")]) == 0
    saved = json.loads((tmp_path / "tag.json").read_text())
    arguments = ("compare", "camera-motion", "camera-motion", "--video", video, "--json")
    (found,) = json.loads(call(capsys, *arguments)[1])["videos"]
    seconds = {one["label"]: one["seconds_a"] for one in found["labels"]}
    expected = {one["label"]: one["seconds"] for one in saved["summary"]}
    assert seconds == pytest.approx(expected, abs=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["map", "f1", "compare"])
def test_measuring_files_loads_no_torch(pair, command):
    script = (
        "import sys; from vswin_cli.cli.app import run; code = run(sys.argv[1:]); "
        "sys.exit(code or ('torch' in sys.modules) or ('av' in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "evaluate", command, *pair], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_broken_files_end_with_an_error_as_json(pair, capsys):
    code, _, err = call(capsys, "map", pair[0], "/nowhere.csv", "--json")
    assert code == 4
    assert json.loads(err)["error"]["code"] == "SOURCE_NOT_FOUND"


@pytest.mark.slow
@pytest.mark.parametrize("command", ["map", "f1"])
def test_timelines_are_drawn_but_not_over_the_users_images(command, pair, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    folder = tmp_path / "plots"
    assert call(capsys, command, *pair, "--plots", folder)[0] == 0
    code, _, err = call(capsys, command, *pair, "--plots", folder)  # they are ours
    assert (code, err.splitlines()[-1]) == (0, f"wrote the timelines of 1 video to {folder}")
    (folder / "timeline-video.png").write_bytes(b"precious")
    assert call(capsys, command, *pair, "--plots", folder)[0] == 8
    assert (folder / "timeline-video.png").read_bytes() == b"precious"
    assert call(capsys, command, *pair, "--plots", folder, "--force")[0] == 0
