"""`vswin tag --evidence` on videos in which something happens in one part of the frame only."""

import json
from fractions import Fraction

import pytest

from tests.support.corner_video import make_corner_video
from vswin_cli.cli.app import run

pytestmark = pytest.mark.slow

ASKED = ["--evidence", "--include", "pan-right", "--onset", "0.01", "--device", "cpu"]


@pytest.fixture
def tag(capfd):
    """Run `vswin tag` with the embedded model; returns the segments' evidence, longest first."""

    def call(*arguments: object) -> list[dict]:
        assert run(["tag", "-m", "camera-motion", "--json", *map(str, arguments)]) == 0
        segments = json.loads(capfd.readouterr().out)["segments"]
        segments.sort(key=lambda one: one["start"] - one["end"])
        return [one["evidence"] for one in segments]

    return call


@pytest.mark.parametrize("part", [(0.5, 0.0, 0.25, 0.5), (0.25, 0.5, 0.25, 0.5)])
@pytest.mark.parametrize("rotation", [0, 180])
def test_evidence_lies_where_something_moves(tag, tmp_path, part, rotation):
    video = make_corner_video(tmp_path / "corner.mp4", part, rotation=rotation)
    evidence = tag(video, *ASKED)[0]
    assert evidence["area"] == {"x": 0.25, "y": 0.0, "width": 0.5, "height": 1.0}
    assert tuple(evidence["box"].values()) == part
    inside = evidence["cells"][int(part[1] * 2)].pop(int(part[0] * 4) - 1)
    assert inside > 3 + max(value for row in evidence["cells"] for value in row)


@pytest.mark.parametrize("part", [(0.75, 0.0, 0.25, 0.5), (0.0, 0.5, 0.25, 0.5)])
def test_three_crops_find_it_beside_the_centre(tag, tmp_path, part):
    video = make_corner_video(tmp_path / "corner.mp4", part)
    evidence = tag(video, *ASKED, "--crops", "3")[0]
    assert evidence["area"] == {"x": 0.0, "y": 0.0, "width": 1.0, "height": 1.0}
    assert tuple(evidence["box"].values()) == part
    assert [len(row) for row in evidence["cells"]] == [4, 4]


def test_a_video_that_is_stored_on_its_side_is_upright(tag, tmp_path):
    part = (0.5, 0.5, 0.25, 0.5)
    video = make_corner_video(tmp_path / "side.mp4", part, rotation=90)
    assert tuple(tag(video, *ASKED)[0]["box"].values()) == part


def test_evidence_changes_nothing_else(tmp_path, capfd):
    video = make_corner_video(tmp_path / "corner.mp4", (0.5, 0.0, 0.25, 0.5))
    found = []
    for options in ([], ["--evidence"]):
        assert run(["tag", "-m", "camera-motion", "--json", *options, str(video)]) == 0
        found.append(json.loads(capfd.readouterr().out)["segments"])
    plain, rich = found
    assert all("evidence" not in one for one in plain)
    assert [{**one, "evidence": None} for one in rich] == [
        {**one, "evidence": None} for one in plain
    ]
    duration = Fraction(1, 6)  # two frames of twelve a second
    for one in rich:
        length = one["evidence"]["end"] - one["evidence"]["start"]
        assert length == pytest.approx(float(duration), abs=1e-5)
        assert one["evidence"]["start"] - duration < one["peak"] < one["evidence"]["end"] + duration


def test_segments_of_saved_scores_keep_it(tmp_path, capfd):
    video = make_corner_video(tmp_path / "corner.mp4", (0.5, 0.0, 0.25, 0.5))
    scores = tmp_path / "scores.npz"
    command = ["tag", "-m", "camera-motion", "--json", *ASKED, str(video)]
    assert run([*command, "--save-scores", str(scores)]) == 0
    before = json.loads(capfd.readouterr().out)["segments"]
    assert run(["segment", str(scores), "--onset", "0.02", "--json"]) == 0
    after = json.loads(capfd.readouterr().out)["segments"]
    assert after
    known = {one["peak"]: one["evidence"] for one in before}
    assert [one["evidence"] for one in after] == [known[one["peak"]] for one in after]


@pytest.fixture
def batch(tmp_path, capfd):
    """Run `vswin batch --evidence` on two videos; returns the summary and all segments."""
    (tmp_path / "videos").mkdir()
    for name, part in {"a": (0.5, 0.0, 0.25, 0.5), "b": (0.25, 0.5, 0.25, 0.5)}.items():
        make_corner_video(tmp_path / "videos" / f"{name}.mp4", part)

    def call(*arguments: str) -> tuple[dict, list[dict]]:
        out = tmp_path / "results.jsonl"
        command = ["batch", str(tmp_path / "videos"), "-m", "camera-motion", "-o", str(out)]
        assert run([*command, *ASKED[1:], "--json", "-q", *arguments]) == 0
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        return json.loads(capfd.readouterr().out), [one for row in rows for one in row["segments"]]

    return call


def test_a_batch_finds_the_same_as_a_video_alone(batch, tag, tmp_path):
    shared = ["--workers", "2", "--batch-size", "4"]  # processes, and passes of several videos
    found = [one["evidence"] for one in batch("--evidence", *shared)[1]]
    expected = [one for name in "ab" for one in tag(tmp_path / "videos" / f"{name}.mp4", *ASKED)]
    assert len(found) == len(expected)
    assert {str(one["box"]) for one in found} == {str(one["box"]) for one in expected}


def test_a_batch_is_done_again_only_for_evidence_that_is_missing(batch):
    batch()
    summary, found = batch("--evidence")
    assert summary["resumed"] == 0
    assert all("evidence" in one for one in found)
    summary, found = batch()  # without the option it is kept
    assert summary["resumed"] == 2
    assert all("evidence" in one for one in found)
    summary, same = batch("--evidence", "--min-duration", "0")
    assert all("evidence" in one for one in same)
    assert batch("--evidence", "--min-duration", "0")[0]["resumed"] == 2


def test_a_batch_finds_evidence_again_after_other_thresholds(batch):
    _, found = batch("--evidence")
    _, none = batch("--onset", "0.9999")  # segments with few peaks, or none
    summary, again = batch("--evidence")
    assert (summary["resumed"], len(none) < len(found)) == (2, True)
    assert [one["evidence"] for one in again] == [one["evidence"] for one in found]


def test_evidence_needs_a_place_to_be_shown(tmp_path, capfd):
    assert run(["tag", "video.mp4", "--evidence", "-f", "srt"]) == 2
    assert "--evidence needs JSON" in capfd.readouterr().err
