"""Upload the results of a batch, if `--out` is an address: now and then, and at its end.

Files are complete on this machine before they are uploaded: object stores cannot append, and a
table is rewritten as a whole. A record beside the journal says what was uploaded, so that the next
run uploads only what has changed.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from vswin_cli.batch.target import Target
from vswin_cli.batch.video_files import read_record
from vswin_cli.errors import OutputError
from vswin_cli.storage.files import file_state, replacing_text
from vswin_cli.storage.remote import upload

__all__ = ["Uploads", "publish", "uploaded_paths"]

_INTERVAL_SECONDS = 300.0
_SHARE = 5  # at most this part of the time is spent on uploads during a run
_FILES_AT_A_TIME = 200  # then the record is saved: an interrupted upload continues from there


class Uploads:
    """Uploads during a batch, in a thread, so that the work goes on; never two at a time.

    Args:
        target: of the batch; nothing is done if its results stay on this machine.
        paths: returns the files in the order in which they should appear at the address.
        on_note: called with a note when an upload fails; the next one tries again.
    """

    def __init__(
        self,
        target: Target,
        paths: Callable[[], Iterable[Path]],
        on_note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._target = target
        self._paths = paths
        self._on_note = on_note
        self._thread: threading.Thread | None = None
        self._next = time.monotonic() + _INTERVAL_SECONDS

    def start_if_due(self) -> None:
        """Begin to upload what has changed, if the last upload was some time ago."""
        is_running = self._thread is not None and self._thread.is_alive()
        if self._target.address is None or is_running or time.monotonic() < self._next:
            return
        self._thread = threading.Thread(target=self._upload, name="upload", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Wait for the upload that is running, then upload the rest.

        Raises:
            OutputError: the upload failed; the files are kept and uploaded by the next run.
        """
        if self._thread is not None:
            self._thread.join()
        publish(self._target, self._paths())

    def _upload(self) -> None:
        began = time.monotonic()
        try:
            publish(self._target, self._paths())
        except OutputError as problem:
            self._on_note(f"{problem.message}; tried again later")
        now = time.monotonic()
        self._next = now + max(_INTERVAL_SECONDS, _SHARE * (now - began))


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
