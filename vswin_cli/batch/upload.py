"""Takes the results of a batch to the address that the user gave, if it was one.

What is to go there is complete on this machine first. A note beside the journal says what has
been taken, so that a batch that goes on takes only what is new.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from vswin_cli.batch.tables import Target
from vswin_cli.errors import OutputError
from vswin_cli.storage.files import replacing_text
from vswin_cli.storage.remote import upload

__all__ = ["publish"]

_FILES_AT_A_TIME = 200


def publish(target: Target, paths: Iterable[Path]) -> None:
    """Upload those files that have changed since they were uploaded; missing ones are left out.

    Args:
        target: whose results they are; nothing happens if they stay here.
        paths: in the order in which they should appear.

    Raises:
        OutputError: the place does not take them; what is here stays, and is tried again.
    """
    if target.address is None:
        return
    shard = target.shard
    note = target.state / ("published.json" if shard is None else f"published-{shard}.json")
    done = _read(note)
    new = {path: mark for path in paths if (mark := _mark(path)) and mark != done.get(str(path))}
    pending = list(new)
    for first in range(0, len(pending), _FILES_AT_A_TIME):
        group = pending[first : first + _FILES_AT_A_TIME]
        try:
            upload([(path, target.place_of(path)) for path in group])
        except OutputError as error:
            raise OutputError(
                error.message,
                hint=f"the results are in {target.folder}; {error.hint}, and the same command "
                "uploads them without doing anything again",
            ) from error
        done |= {str(path): new[path] for path in group}
        with replacing_text(note) as file:
            json.dump(done, file)


def _mark(path: Path) -> str | None:
    """Tells one state of a file from another."""
    try:
        status = path.stat()
    except OSError:
        return None
    return f"{status.st_size}:{status.st_mtime_ns}"


def _read(note: Path) -> dict[str, str]:
    try:
        content = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
