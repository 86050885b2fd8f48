"""Find the videos that a command names, and work on one after the other.

A video that cannot be read does not stop the others; an error that all would meet does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from vswin_cli.errors import CoverageError, OptionError, OutputError, SelectionError, SourceError
from vswin_cli.storage.files import holds_for_all

if TYPE_CHECKING:
    from vswin_cli.errors import VswinError
    from vswin_cli.storage.sources import VideoSource

__all__ = ["find_videos", "require_coverage", "work_on_each"]

_Result = TypeVar("_Result")

OnError = Callable[["VswinError"], None]
"""Called with the error of one of several videos."""


def find_videos(
    videos: Sequence[str], report_error: OnError, *, folders: bool = False
) -> tuple[list[VideoSource], int]:
    """Find the sources, without duplicates, and count the arguments that match nothing.

    Args:
        videos: the arguments.
        report_error: called with the problem of each that matches nothing.
        folders: whether a folder stands for the videos in it, or is a problem.

    Raises:
        SourceError: no argument matches anything.
    """
    from vswin_cli.storage.sources import find_sources

    sources, missing = find_sources(videos, folders=folders)
    problems = list(missing.values())
    for problem in problems if sources else problems[:-1]:
        report_error(problem)
    if not sources:
        raise problems[-1]
    return sources, len(problems)


def work_on_each(
    sources: Sequence[VideoSource],
    work: Callable[[VideoSource], _Result],
    on_done: Callable[[_Result], None],
    report_error: OnError,
) -> int:
    """Work on the videos one after the other, and return how many failed.

    Args:
        sources: the videos.
        work: makes the result of one.
        on_done: called with each result.
        report_error: called with the error of one of several videos.

    Raises:
        SourceError: the only video, or every video, failed.
        OptionError: likewise, as it ends before the start; or the options do not fit the weights.
        OutputError: likewise, as its results cannot be written; or no video's could be.
    """
    num_failed = 0
    for source in sources:
        try:
            result = work(source)
        except (SourceError, OptionError, OutputError) as problem:
            num_failed += 1
            if num_failed == len(sources) or _ends_all(problem):
                raise
            report_error(_naming(problem, source))
        else:
            on_done(result)
    return num_failed


def _ends_all(problem: VswinError) -> bool:
    """Return whether the other videos would fail for the same reason."""
    is_output = isinstance(problem, OutputError) and holds_for_all(problem)
    return is_output or isinstance(problem, SelectionError)


def _naming(problem: VswinError, source: VideoSource) -> VswinError:
    """Name the video in an error that does not, such as one about its length."""
    if source.uri in problem.message:
        return problem
    return type(problem)(f"{source.uri}: {problem.message}", hint=problem.hint)


def require_coverage(fractions: Iterable[tuple[str, float]], minimum: float) -> None:
    """Check that enough of each video could be analysed.

    Args:
        fractions: name and decoded share of each video.
        minimum: share that is required.

    Raises:
        CoverageError: less of a video could be analysed.
    """
    short = [f"{uri} ({fraction:.1%})" for uri, fraction in fractions if fraction < minimum]
    if short:
        raise CoverageError(
            f"less than --min-coverage {minimum:g} could be analysed: {', '.join(short)}",
            hint="`vswin probe --scan` lists what is damaged; --min-coverage sets the limit",
        )
