"""Find the video of a saved timeline on this machine.

A timeline holds the video's path as the user gave it. A relative path is valid in the folder where
the command ran, which need not be the current one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vswin_cli.export.naming import file_name
from vswin_cli.storage.files import is_file
from vswin_cli.storage.remote import as_local_path, is_remote

if TYPE_CHECKING:
    from vswin_cli.timeline.record import Timeline

__all__ = ["find_file", "find_video", "with_found_video"]


def find_video(timeline: Timeline, saved: Path) -> Path | None:
    """Find the video at its path, relative to this folder and the timeline's, or beside it.

    Args:
        timeline: contains the path.
        saved: file that the timeline was read from.
    """
    return find_file(timeline.video.uri, saved)


def find_file(uri: str, saved: Path) -> Path | None:
    """Same as `find_video`, for a path of any origin.

    Args:
        uri: path or address of the video.
        saved: file that it was read from.
    """
    if is_remote(uri):
        return None
    place, folder = as_local_path(uri), saved.parent
    candidates = [place, folder / place, folder / file_name(uri)]
    return next((path for path in candidates if is_file(path)), None)


def with_found_video(timeline: Timeline, saved: Path) -> Timeline:
    """Replace the video's path with the one where it was found, if any."""
    found = find_video(timeline, saved)
    if found is None or found == as_local_path(timeline.video.uri):
        return timeline
    place = found.parent.resolve() / found.name
    return replace(timeline, video=replace(timeline.video, uri=str(place)))
