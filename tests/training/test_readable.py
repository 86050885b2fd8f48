"""What cannot be decoded is left out before training, with its reason."""

import shutil

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.errors import SourceError
from vswin_cli.models.architecture import InputSpec
from vswin_cli.storage.files import file_sha256
from vswin_cli.storage.sources import VideoSource
from vswin_cli.training.processes import ProcessGroup
from vswin_cli.training.readable import check_readable
from vswin_cli.training.records import Example
from vswin_cli.video.decoder_pool import DecoderPool

SPEC = InputSpec(num_frames=4, frame_rate=10.0, resize_short_side=32, crop_size=32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    make_video(folder / "a.mp4", VideoRecipe(num_frames=25))
    shutil.copy(folder / "a.mp4", folder / "copy.mp4")
    (folder / "text.mp4").write_text("no video")
    return folder


def check(folder, *names, on_progress=lambda _: None):
    examples = [Example(VideoSource.of(folder / name), ("cat",)) for name in names]
    with DecoderPool() as pool:
        return check_readable(examples, SPEC, pool, group=ProcessGroup(), on_progress=on_progress)


def test_the_readable_ones_stay_in_order_with_their_hashes(folder):
    steps = []
    found = check(folder, "a.mp4", "text.mp4", "copy.mp4", on_progress=steps.append)
    assert [one.source.path.name for one in found.examples] == ["a.mp4", "copy.mp4"]
    assert found.digests == (file_sha256(folder / "a.mp4"),) * 2
    ((example, reason),) = found.problems
    assert "text.mp4" in example
    assert "not a video" in reason
    assert [(step.done, step.total) for step in steps] == [(1, 3), (2, 3), (3, 3)]


def test_copies_of_a_video_have_one_identity(folder):
    one, two = check(folder, "a.mp4", "copy.mp4").examples
    assert one.video == two.video


def test_nothing_readable_is_an_error_that_names_the_first(folder):
    with pytest.raises(SourceError, match=r"text\.mp4"):
        check(folder, "text.mp4", "gone.mp4")
