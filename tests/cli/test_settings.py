import csv
import json
from pathlib import Path

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cli.app import run
from vswin_cli.storage.user_config import settings_path


@pytest.fixture(scope="module")
def movie(tmp_path_factory) -> Path:
    return make_video(tmp_path_factory.mktemp("videos") / "a.mp4", VideoRecipe(num_frames=60))


@pytest.fixture
def configure():
    def write(text: str) -> None:
        settings_path().parent.mkdir(exist_ok=True)
        settings_path().write_text(text)

    return write


@pytest.fixture
def tag(movie, capfd):
    """Tag the video; returns exit code, stdout and stderr."""

    def call(*options: str) -> tuple[int, str, str]:
        code = run(["tag", str(movie), *options])
        return (code, *capfd.readouterr())

    return call


@pytest.mark.slow
def test_the_file_sets_defaults_and_the_command_line_overrides_them(configure, tag):
    configure('stride = "8f"\nonset = 0.4\nexclude = ["cut"]\nquiet = true\nworkers = 3\n')
    code, out, err = tag("--json")
    of_file = json.loads(out)
    assert (code, err) == (0, "")
    assert of_file["postprocess"]["on"] == 0.4
    assert of_file["postprocess"]["exclude"] == ["cut"]
    overridden = json.loads(tag("--json", "--onset", "0.9", "--exclude", "pan-*")[1])
    assert overridden["postprocess"]["on"] == 0.9
    assert overridden["postprocess"]["exclude"] == ["pan-*"]
    assert overridden["sampling"] == of_file["sampling"]
    assert json.loads(tag("--json", "--stride", "4f")[1])["sampling"] != of_file["sampling"]


@pytest.mark.slow
def test_a_default_does_not_count_beside_an_option_that_excludes_it(configure, tag, tmp_path):
    configure('fps = 10\nformat = "srt"\n')
    assert json.loads(tag("--json", "--frame-interval", "3")[1])["sampling"]["frame_interval"] == 3
    assert tag("--out", str(tmp_path / "a.csv"))[0] == 0
    assert (tmp_path / "a.csv").read_text().startswith("video,start")
    assert "-->" in tag("--onset", "0", "--offset", "0")[1]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("strides = 3\n", "did you mean `stride`?"),
        ("stride = '50x'\n", "cannot read the stride '50x'"),
        ("crops = 1.5\n", "`crops` cannot be 1.5"),
        ("crops = [1, 3]\n", "`crops` takes one value, got 2"),
        ("exclude = [[1]]\n", "`exclude` cannot be [[1]]"),
        ("onset = 2012-01-01\n", "`onset` cannot be datetime.date"),
        ("onset = 0.3\noffset = 0.4\n", "offset <= onset"),
        ("device = 'gpu'\n", "unknown device 'gpu'"),
    ],
)
def test_a_bad_value_names_the_file_before_any_work(configure, tag, content, named):
    configure(content)
    code, out, err = tag()
    assert (code, out) == (2, "")
    assert f"error: {settings_path()}" in err
    assert named in err


def test_an_error_of_an_option_says_that_the_file_sets_it(configure, tag):
    configure("windows = 3\noffset = 0.9\n")
    assert f"`windows` is set in {settings_path()}" in tag()[2]
    assert f"`offset` is set in {settings_path()}" in tag("--json", "--onset", "0.8")[2]
    assert "is set in" not in tag("--windows", "2")[2]


def test_the_file_is_not_read_for_help(configure, tag, capfd):
    configure("nonsense = 3\n")
    assert run(["tag", "--help"]) == 0


@pytest.mark.slow
def test_a_batch_takes_its_own_options_from_the_file(configure, movie, tmp_path, capfd):
    configure('skip-files = ["b*"]\nscores = false\njson = true\nevidence = true\n')
    (tmp_path / "b.mp4").write_bytes(movie.read_bytes())
    out = tmp_path / "r.csv"
    assert run(["batch", str(movie), str(tmp_path / "b.mp4"), "-o", str(out)]) == 0
    assert json.loads(capfd.readouterr().out)["inputs"] == 1
    with (tmp_path / "r.files.csv").open() as file:
        assert [row["video"] for row in csv.DictReader(file)] == [str(movie)]
    assert not any((tmp_path / ".r.vswin" / "scores").iterdir())
