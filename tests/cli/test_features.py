"""`vswin features`: a file per video with times, and nothing computed twice."""

import os
import shutil

import numpy as np
import pytest

from tests.support.videos import VideoRecipe, cut_short, make_video
from vswin_cli.cli.app import run
from vswin_cli.timeline.feature_files import load_features

pytestmark = pytest.mark.slow  # networks are run or fitted in nearly every test

FRAMES = 48


@pytest.fixture
def video(tmp_path):
    return make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=FRAMES))


@pytest.fixture
def features(tiny_model, capfd):
    """Run `vswin features` with the tiny network; returns exit code and stderr."""

    def call(*arguments: object) -> tuple[int, str]:
        code = run(["features", "--weights", str(tiny_model), *map(str, arguments)])
        captured = capfd.readouterr()
        assert captured.out == ""
        return code, captured.err

    return call


def test_features_have_times_and_provenance(features, video, tmp_path):
    out = tmp_path / "a.npz"
    code, err = features(video, "-o", out)
    assert (code, f"wrote {out}" in err) == (0, True)
    found = load_features(out)
    assert found.record.video.uri == str(video)
    assert len(found.features) > len(found.clip_features) > 1
    assert np.isfinite(found.features).all()
    assert found.end_seconds[-1] == pytest.approx(found.record.video.duration_seconds)


def test_a_file_is_computed_again_only_when_video_or_settings_changed(features, video, tmp_path):
    out = tmp_path / "a.npz"
    features(video, "-o", out)
    before = out.stat().st_mtime_ns
    assert "up to date" in features(video, "-o", out)[1]
    assert out.stat().st_mtime_ns == before
    assert "wrote" in features(video, "-o", out, "--stride", "25%")[1]
    assert "wrote" in features(video, "-o", out)[1]
    os.utime(video, ns=(1, 1))
    assert "wrote" in features(video, "-o", out)[1]
    assert "up to date" in features(video, "-o", out)[1]
    assert "wrote" in features(video, "-o", out, "--no-resume")[1]


def test_a_folder_gets_a_file_per_video_and_a_bad_one_stops_no_other(features, video, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_text("not a video")
    folder = tmp_path / "features"
    code, err = features(broken, video, tmp_path / "gone.mp4", "-o", f"{folder}/")
    assert code == 3
    assert "broken.mp4" in err
    assert "no such file" in err
    (path,) = folder.iterdir()
    assert path.name.startswith("a-")
    assert path.suffix == ".npz"
    assert f"{path} is up to date" in features(video, "-o", folder)[1]


def test_a_folder_stands_for_its_videos(features, video, tmp_path):
    (tmp_path / "notes.txt").write_text("not a video")
    code, err = features(tmp_path, "-o", tmp_path / "out.npz")
    assert (code, "notes.txt" in err) == (0, False)
    assert load_features(tmp_path / "out.npz").record.video.uri == str(video)


def test_videos_in_subfolders_are_left_out_with_a_note(features, video, tmp_path):
    assert "left out" not in features(tmp_path, "-o", tmp_path / "first.npz")[1]
    day = tmp_path / "day 2"
    day.mkdir()
    shutil.copy(video, day / "b.mp4")
    code, err = features(tmp_path, "-o", tmp_path / "out.npz")
    assert code == 0
    assert f"1 video in subfolders of {tmp_path} left out; '{tmp_path}/**/*.mp4'" in err
    assert "left out" not in features(tmp_path, "-o", tmp_path / "out.npz", "-q")[1]


def test_parquet_is_up_to_date_in_the_same_way(features, video, tmp_path):
    pytest.importorskip("pyarrow")
    out = tmp_path / "a.parquet"
    assert "wrote" in features(video, "-o", out)[1]
    assert "up to date" in features(video, "-o", out)[1]
    assert "wrote" in features(video, "-o", out, "--end", "1")[1]


@pytest.mark.parametrize(
    ("out", "content", "code", "message"),
    [
        ("a.txt", None, 2, "belongs to no format of features"),
        ("b.npz", b"mine", 8, "exists and was not written by vswin"),
        ("b.parquet", b"PAR1 mine", 8, "exists and was not written by vswin"),
        ("gone/b.npz", None, 8, "cannot write"),
    ],
)
def test_a_wrong_output_ends_before_the_work(
    features, video, tmp_path, out, content, code, message
):
    path = tmp_path / out
    if content is not None:
        path.write_bytes(content)
    got, err = features(video, "-o", path)
    assert (got, message in err) == (code, True), err
    assert content is None or path.read_bytes() == content


def test_an_archive_of_others_is_kept_unless_forced(features, video, tmp_path):
    path = tmp_path / "b.npz"
    np.savez(path, metadata=np.array("mine"))
    assert features(video, "-o", path)[0] == 8
    assert features(video, "-o", path, "--force")[0] == 0
    assert load_features(path).record.video.uri == str(video)


def test_several_videos_need_a_folder(features, video, tmp_path):
    other = make_video(tmp_path / "b.mp4", VideoRecipe(num_frames=8))
    code, err = features(video, other, "-o", tmp_path / "c.npz")
    assert code == 2
    assert "is one file for 2 videos" in err


def test_strict_counts_what_could_be_analysed(features, tmp_path):
    short = cut_short(make_video(tmp_path / "b.mkv", VideoRecipe(num_frames=FRAMES)), 0.5)
    assert features(short, "-o", tmp_path / "b.npz")[0] == 0
    code, err = features(short, "-o", tmp_path / "b.npz", "--strict")
    assert code == 7
    assert f"{tmp_path}/b.npz is up to date" in err
    assert "less than --min-coverage 0.98" in err
    assert load_features(tmp_path / "b.npz").record.status == "partial"
