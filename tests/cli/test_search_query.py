"""What QUERY means: a video, a segment of a timeline, or a file of features."""

from dataclasses import replace

import pytest

from tests.support.timelines import timeline
from vswin_cli.cli.search_query import find_query
from vswin_cli.errors import OptionError, SourceError, SourceNotFoundError
from vswin_cli.export import write_timeline


@pytest.fixture
def saved(tmp_path):
    """A timeline beside its video."""
    (tmp_path / "a.mp4").write_bytes(b"frames")
    result = timeline()
    result = replace(result, video=replace(result.video, uri="a.mp4"))
    write_timeline(result, "json", tmp_path / "a.json")
    return tmp_path / "a.json", result


def test_a_segment_is_the_part_of_its_video(saved):
    path, result = saved
    for part in (find_query(f"{path}#1", None, None, None), find_query(str(path), 1, None, None)):
        assert part.source.path == path.with_name("a.mp4")
        assert part.start_seconds == result.segments[1].start_seconds
        assert part.end_seconds == result.segments[1].end_seconds


def test_a_file_whose_name_has_a_number_sign_is_itself(tmp_path):
    (tmp_path / "a#1").write_bytes(b"frames")
    part = find_query(str(tmp_path / "a#1"), None, 1.0, 2.0)
    assert part.source.path == tmp_path / "a#1"
    assert (part.start_seconds, part.end_seconds) == (1.0, 2.0)


def test_features_are_known_by_their_content(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04")
    part = find_query(str(tmp_path / "a.npz"), None, None, 3.0)
    assert (part.path, part.source, part.end_seconds) == (tmp_path / "a.npz", None, 3.0)


@pytest.mark.parametrize(
    ("query", "segment", "start", "message"),
    [
        ("a.json#1", 2, None, "exclude each other"),
        ("a.json#99", None, None, "there is no segment 99"),
        ("a.json", None, None, "no segment is chosen"),
        ("a.json#1", None, 1.0, "--start and --end belong to a video"),
        ("a.mp4", 1, None, "--segment 1 needs a timeline"),
    ],
)
def test_options_that_do_not_fit_the_query_are_refused(saved, query, segment, start, message):
    path, _ = saved
    with pytest.raises(OptionError, match=message):
        find_query(str(path.with_name(query)), segment, start, None)


def test_a_query_that_is_not_there_is_no_description_in_words(saved, tmp_path):
    with pytest.raises(SourceNotFoundError) as caught:
        find_query("a dog that runs", None, None, None)
    assert "cannot be a description in words" in (caught.value.hint or "")
    (tmp_path / "a.mp4").unlink()
    with pytest.raises(SourceError, match="the video of"):
        find_query(f"{tmp_path / 'a.json'}#0", None, None, None)
