"""`vswin search` with the embedded model on the example: a part of a video finds itself."""

import json
import shutil
from pathlib import Path

import av
import pytest

from tests.support.shapes import shapes_script
from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cli.app import run
from vswin_cli.timeline.files import read_timelines

pytestmark = pytest.mark.slow  # networks are run or fitted in nearly every test

EXAMPLE = Path(__file__).parents[2] / "examples" / "camera.mp4"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The example, its timeline, and its features in a folder."""
    directory = tmp_path_factory.mktemp("search")
    shutil.copy2(EXAMPLE, directory / "camera.mp4")
    command = ["tag", str(directory / "camera.mp4"), "-o", str(directory / "camera.json"), "-q"]
    assert run(command) == 0
    command = ["features", str(directory / "camera.mp4"), "-o", f"{directory}/index/", "-q"]
    assert run(command) == 0
    return directory


@pytest.fixture
def search(folder, capfd, monkeypatch):
    """Run `vswin search` in the folder; returns exit code, stdout and stderr."""
    monkeypatch.chdir(folder)

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run(["search", *map(str, arguments)])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return call


def cut(source: Path, target: Path, start: float, end: float) -> Path:
    """Encode a part of a video anew, as lossless as H.264 can."""
    with av.open(source) as old, av.open(target, "w") as new:
        stream = old.streams.video[0]
        made = new.add_stream("libx264", rate=stream.average_rate, options={"qp": "0"})
        made.width, made.height, made.pix_fmt = stream.width, stream.height, "yuv420p"
        kept = (frame for frame in old.decode(stream) if start <= frame.time < end)
        for number, frame in enumerate(kept):
            frame.pts, frame.time_base = number, 1 / stream.average_rate
            new.mux(made.encode(frame))
        new.mux(made.encode(None))
    return target


def test_a_part_of_an_indexed_video_finds_itself_first(search):
    code, out, _ = search("camera.mp4", "index", "--start", 6.5, "--end", 8.5, "--top", 3)
    assert code == 0
    header, best, *others = out.splitlines()
    assert header.split() == ["similarity", "start", "end", "video"]
    similarity, start, end, video = best.split()
    assert (similarity, start, end) == ("1.000", "00:00:06.500", "00:00:08.500")
    assert video.endswith("camera.mp4")
    assert len(others) == 2


def test_a_query_cut_from_a_video_finds_where_it_was_cut(search, tmp_path):
    piece = cut(EXAMPLE, tmp_path / "piece.mp4", 9.5, 11.5)
    code, out, _ = search(piece, "index", "--json", "--top", 2)
    assert code == 0
    found = json.loads(out)
    best, second = found["matches"]
    assert found["schema"] == "vswin.search/1"
    assert found["query"]["model"] == "camera-motion"
    assert best["start"] == pytest.approx(9.5, abs=0.25)
    assert best["similarity"] > 0.97
    assert second["similarity"] < 0.8


def test_a_part_that_is_not_indexed_is_analysed_with_what_lies_around_it(search, tmp_path):
    copy = shutil.copy(EXAMPLE, tmp_path / "other.mp4")
    code, out, _ = search(copy, "index", "--start", 7, "--end", 9, "--json", "--top", 1)
    assert code == 0
    (best,) = json.loads(out)["matches"]
    assert best["start"] == pytest.approx(7.0)
    assert best["similarity"] > 0.9999


@pytest.mark.parametrize("query", [["camera.json#3"], ["camera.json", "--segment", "3"]])
def test_a_segment_of_a_timeline_is_a_query(search, folder, query):
    segment = read_timelines(folder / "camera.json")[0].segments[3]
    code, out, _ = search(*query, "index", "--json", "--top", 1)
    assert code == 0
    (best,) = json.loads(out)["matches"]
    assert (best["start"], best["end"]) == (segment.start_seconds, segment.end_seconds)


def test_a_features_file_is_a_query(search, folder):
    (path,) = (folder / "index").iterdir()
    code, out, _ = search(path, "index", "--start", "0:15", "--end", "0:17", "--json")
    assert code == 0
    assert json.loads(out)["matches"][0]["start"] == pytest.approx(15.0)


def test_moments_are_exported_as_segments(search, tmp_path):
    part = ("--start", 6.5, "--end", 8.5, "--top", 3)
    out = tmp_path / "found.json"
    assert search("camera.mp4", "index", *part, "--label", "tilt", "-o", out)[0] == 0
    (timeline,) = read_timelines(out)
    assert [segment.label for segment in timeline.segments] == ["tilt"] * 3
    best = max(timeline.segments, key=lambda segment: segment.score)
    assert (best.start_seconds, best.end_seconds) == (6.5, 8.5)
    code, text, _ = search("camera.mp4", "index", *part, "-f", "csv")
    assert code == 0
    assert len(text.splitlines()) == 4
    code, text, _ = search("camera.mp4", "index", *part, "-o", tmp_path / "found.srt", "--json")
    assert code == 0
    assert len(json.loads(text)["matches"]) == 3
    assert (tmp_path / "found.srt").read_text().count("-->") == 3


def test_a_page_shows_the_moments(search, tmp_path):
    page = tmp_path / "found.html"
    part = ("--start", 6.5, "--end", 8.5, "--top", 2)
    code, out, err = search("camera.mp4", "index", *part, "-o", page)
    assert (code, out) == (0, "")
    assert f"wrote {page}" in err
    text = " ".join(page.read_text().split())
    assert "moments like camera.mp4 from 0:06.5 to 0:08.5" in text
    assert "Found by a search" in text
    assert "vswin tag --save-scores" not in text
    assert search("camera.mp4", "index", *part, "-o", page)[0] == 0  # our own page is replaced
    page.write_text("mine")
    code, _, err = search("camera.mp4", "index", *part, "-o", page)
    assert code == 8
    assert "was not written by vswin" in err


def test_nothing_similar_is_no_error(search, folder, tmp_path):
    shutil.copytree(folder / "index", tmp_path / "index")
    other = make_video(tmp_path / "other.mp4", VideoRecipe(num_frames=60))
    code, out, err = search(other, tmp_path / "index", "--min-similarity", 0.999)
    assert (code, len(out.splitlines())) == (0, 1)
    assert "a smaller --min-similarity finds more" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message", "hint"),
    [
        (["camera.mp4", "index", "--start", "30"], 2, "no clip of", "lasts 21.0 s"),
        (["camera.mp4", "index", "--start", "3", "--end", "2"], 2, "must come after", "duration"),
        (["camera.mp4", "camera.json"], 4, "does not hold features", "vswin features"),
        (["camera.mp4", "gone"], 4, "cannot read gone", "spelling"),
        (["gone.mp4", "index"], 4, "no such file: gone.mp4", "spelling"),
        (["a red car", "index"], 4, "no such file: a red car", "description in words"),
        (["camera.json", "index"], 2, "no segment is chosen", "segments are 0 to 10"),
        (["camera.json#99", "index"], 2, "there is no segment 99", "segments are 0 to 10"),
        (["camera.json#1", "index", "--end", "3"], 2, "belong to a video", "omit them"),
        (["camera.json#1", "index", "--segment", "2"], 2, "exclude each other", "leave one out"),
        (["camera.mp4", "index", "--segment", "2"], 2, "needs a timeline", "vswin tag"),
        (["camera.mp4", "index", "--json", "-f", "csv"], 2, "both go to stdout", "leave one out"),
        (["camera.mp4", "index", "-o", "a.html", "-f", "csv"], 2, "exclude", "--format out"),
        (["camera.mp4", "index", "-o", "camera.mp4"], 2, "belongs to no format", "--format"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_clear_error(search, arguments, code, message, hint):
    got, out, err = search(*arguments)
    assert (got, out) == (code, "")
    assert message in err
    assert hint in err
    assert len(err.splitlines()) <= 2


def test_a_start_after_the_end_of_a_video_outside_the_index_fails(search, tmp_path):
    piece = cut(EXAMPLE, tmp_path / "piece.mp4", 9.5, 11.5)
    code, _, err = search(piece, "index", "--start", 30)
    assert code == 2
    assert f"the moment starts at 30 s, after the end of {piece}" in err


def test_features_of_the_base_are_searched_with_a_head_trained_on_them(search, tmp_path, capfd):
    table = shapes_script().make_shapes(tmp_path, 1, labels=("move left", "move right"))
    head = tmp_path / "head"
    assert run(["train", str(table), "-o", str(head), "--quiet"]) == 0
    assert capfd.readouterr().out == f"{head}\n"
    piece = cut(EXAMPLE, tmp_path / "piece.mp4", 9.5, 11.5)
    with_base = search(piece, "index", "--json")
    assert with_base[0] == 0
    found, expected = (
        [(m["start"], m["end"], m["similarity"]) for m in json.loads(out)["matches"]]
        for _, out, _ in (search(piece, "index", "--json", "--model", head), with_base)
    )
    assert found == expected


def test_features_of_another_model_fail(search, tiny_model):
    code, _, err = search(EXAMPLE, "index", "--weights", tiny_model, "--end", 1)
    assert code == 2
    assert "and the index of camera-motion" in err
    assert "--model camera-motion" in err
