"""A video that fails does not stop the others; an error that all would meet does."""

import errno

import pytest

from vswin_cli.cli.each_video import find_videos, require_coverage, work_on_each
from vswin_cli.errors import (
    CoverageError,
    OptionError,
    OutputError,
    SelectionError,
    SourceError,
    SourceNotFoundError,
)
from vswin_cli.storage.sources import VideoSource

SOURCES = [VideoSource.of(name) for name in ("a.mp4", "b.mp4", "c.mp4")]


def failing(error, *, at=("b.mp4",)):
    """Return a function that raises for some videos, and returns the name of others."""

    def work(source):
        if source.uri in at:
            raise error
        return source.uri

    return work


def run(work, sources=SOURCES):
    done, errors = [], []
    num_failed = work_on_each(sources, work, done.append, errors.append)
    return num_failed, done, [error.message for error in errors]


def test_a_failure_is_reported_with_its_video_and_the_others_go_on():
    assert run(failing(SourceError("too short"))) == (1, ["a.mp4", "c.mp4"], ["b.mp4: too short"])
    assert run(failing(SourceError("b.mp4 is damaged")))[2] == ["b.mp4 is damaged"]


def test_the_last_error_is_raised_where_every_video_failed():
    with pytest.raises(SourceError, match="too short"):
        run(failing(SourceError("too short"), at=("a.mp4", "b.mp4", "c.mp4")))
    with pytest.raises(OptionError):
        run(failing(OptionError("starts after the end")), [SOURCES[1]])


def test_what_every_video_would_meet_ends_the_work():
    full = OutputError("cannot write")
    full.__cause__ = OSError(errno.ENOSPC, "no space")
    for error in (full, SelectionError("no such label")):
        with pytest.raises(type(error)):
            run(failing(error))
    assert run(failing(OutputError("cannot write b")))[0] == 1


def test_arguments_without_a_match_are_counted(tmp_path):
    (tmp_path / "a.mp4").touch()
    errors = []
    found, num_missing = find_videos(
        [str(tmp_path / "a.mp4"), str(tmp_path / "b.mp4"), str(tmp_path)], errors.append
    )
    assert [source.path.name for source in found] == ["a.mp4"]
    assert num_missing == len(errors) == 2
    assert find_videos([str(tmp_path)], errors.append, folders=True)[1] == 0
    with pytest.raises(SourceNotFoundError):
        find_videos([str(tmp_path / "b.mp4")], errors.append)


def test_too_little_coverage_names_every_video():
    require_coverage([("a", 0.98)], 0.98)
    with pytest.raises(CoverageError, match=r"a \(50\.0%\), c \(0\.0%\)"):
        require_coverage([("a", 0.5), ("b", 1.0), ("c", 0.0)], 0.98)
