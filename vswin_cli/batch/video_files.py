"""Write one file per video, and keep the files up to date.

Whether a file is up to date follows from what it was made of, not from its time, which may be
wrong: a record in the journal's folder holds a fingerprint for each file that was written. An
edited file stays as it is until its entry in the journal changes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from vswin_cli.batch.inputs import BatchInput
from vswin_cli.batch.journal import Journal, fingerprint
from vswin_cli.batch.outcome import Outcome
from vswin_cli.batch.target import Target, video_paths
from vswin_cli.export import render_timelines
from vswin_cli.storage.files import file_state, replacing_binary, replacing_text, writing
from vswin_cli.storage.json_records import to_json

__all__ = ["VideoFiles", "read_record", "written_names"]


class VideoFiles:
    """The files of a batch that writes one per video.

    Args:
        target: the folder and the format.
        journal: has the timelines.
        inputs: all inputs of the batch.
    """

    def __init__(self, target: Target, journal: Journal, inputs: Sequence[BatchInput]) -> None:
        self._target = target
        self._journal = journal
        self._paths = video_paths(target, inputs)
        self._record_path = target.record_of("written")
        self._written = read_record(self._record_path)

    @property
    def paths(self) -> Mapping[str, Path]:
        """Path of the file of each entry."""
        return self._paths

    def write(self, outcome: Outcome) -> None:
        """Write the file of one video, unless it is up to date.

        Raises:
            OptionError: the format cannot hold it.
            SourceError: its entry in the journal is damaged.
            OutputError: the file cannot be written.
        """
        path = self._paths[outcome.entry]
        name = path.relative_to(self._target.folder).as_posix()
        # Size and time of the entry stand for the timeline in it, which need not be read then.
        entry = file_state(self._journal.entry_path(outcome.entry))
        origin = fingerprint(to_json(outcome), self._target.format, entry)
        if self._written.get(name) == origin and path.is_file():
            return
        timeline = self._journal.timeline(outcome.entry)
        if timeline is None:
            return
        content = render_timelines([timeline], self._target.format)
        # A file with the same content keeps its time, so that it is not uploaded again.
        if not _holds(path, content):
            with writing(f"{path.parent}"):
                path.parent.mkdir(parents=True, exist_ok=True)
            with replacing_binary(path) as file:
                file.write(content)
        self._written[name] = origin

    def save_record(self) -> None:
        """Record which files were written, for the next run."""
        with replacing_text(self._record_path) as file:
            json.dump(self._written, file)


def written_names(target: Target) -> set[str]:
    """Return the files that earlier runs have written, relative to the folder of the results."""
    return set(read_record(target.record_of("written")))


def _holds(path: Path, content: bytes) -> bool:
    with suppress(OSError):
        return path.is_file() and path.read_bytes() == content
    return False


def read_record(path: Path) -> dict[str, str]:
    """Read a record of strings by name; empty if there is none, or if it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {name: value for name, value in content.items() if isinstance(value, str)}
