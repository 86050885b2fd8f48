"""Upload the results of a batch, if `--out` is an address.

Files are complete on this machine before they are uploaded: object stores cannot append, and a
table is rewritten as a whole. A record beside the journal says what was uploaded, so that the next
run uploads only what has changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from vswin_cli.batch.target import Target
from vswin_cli.batch.video_files import read_record
from vswin_cli.errors import OutputError
from vswin_cli.storage.files import file_state, replacing_text
from vswin_cli.storage.remote import upload

__all__ = ["publish", "uploaded_paths"]

_FILES_AT_A_TIME = 200  # then the record is saved: an interrupted upload continues from there


def publish(target: Target, paths: Iterable[Path]) -> None:
    """Upload files that have changed since their last upload; missing ones are left out.

    Args:
        target: of the batch; nothing is done if its results stay on this machine.
        paths: in the order in which they should appear at the address.

    Raises:
        OutputError: the upload failed; the files are kept and uploaded by the next run.
    """
    if target.address is None:
        return
    record = target.record_of("published")
    done = read_record(record)
    new = {
        path: state
        for path in paths
        if (state := file_state(path)) and state != done.get(str(path))
    }
    pending = list(new)
    for first in range(0, len(pending), _FILES_AT_A_TIME):
        group = pending[first : first + _FILES_AT_A_TIME]
        try:
            upload([(path, target.destination_of(path)) for path in group])
        except OutputError as error:
            raise OutputError(
                error.message,
                hint=f"the results are in {target.folder}; {error.hint}, and the same command "
                "uploads them without doing anything again",
            ) from error
        done |= {str(path): new[path] for path in group}
        with replacing_text(record) as file:
            json.dump(done, file)


def uploaded_paths(target: Target) -> set[Path]:
    """Return the local paths of the files that earlier runs have uploaded."""
    return {Path(name) for name in read_record(target.record_of("published"))}
