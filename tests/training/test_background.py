from pathlib import Path

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.errors import OptionError
from vswin_cli.training.background import NO_BACKGROUND, UNLABELLED, add_background
from vswin_cli.training.examples import read_examples


@pytest.fixture
def found(tmp_path: Path):
    """Ten seconds of video, of which two are labelled."""
    make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=300))
    (tmp_path / "list.csv").write_text(
        "path,start,end,label\na.mp4,4,6,run\na.mp4,0,1,background\n"
    )
    return read_examples([tmp_path / "list.csv"])


def background_of(examples):
    return [(e.start_seconds, e.end_seconds) for e in examples.examples if not e.labels]


def test_unlabelled_parts_are_taken_if_asked_for(found):
    merged = add_background(found, UNLABELLED)
    given, *added = background_of(merged)
    assert given == (0.0, 1.0)
    assert added
    for start, end in added:
        assert end <= 3.5 or start >= 6.5
        assert 1 < end - start < 3


def test_a_table_does_not_promise_that_the_rest_is_background(found):
    assert background_of(add_background(found, None)) == [(0.0, 1.0)]


def test_videos_of_a_folder_are_background(found, tmp_path):
    (tmp_path / "others").mkdir()
    make_video(tmp_path / "others" / "b.mp4", VideoRecipe(num_frames=2))
    merged = add_background(found, tmp_path / "others")
    assert [e.source.path.name for e in merged.examples if not e.labels] == ["a.mp4", "b.mp4"]


def test_none_leaves_background_out(found):
    assert not background_of(add_background(found, NO_BACKGROUND))


def test_without_background_a_note_says_what_that_means(tmp_path):
    (tmp_path / "a.mp4").touch()
    (tmp_path / "list.csv").write_text("path,label\na.mp4,run\n")
    merged = add_background(read_examples([tmp_path / "list.csv"]), None)
    assert "no background class" in merged.notes[0]


def test_asking_for_unlabelled_parts_where_there_are_none_fails(tmp_path):
    (tmp_path / "a.mp4").touch()
    (tmp_path / "list.csv").write_text("path,label\na.mp4,run\n")
    with pytest.raises(OptionError, match="no part of the videos is without a label"):
        add_background(read_examples([tmp_path / "list.csv"]), UNLABELLED)
