"""Find videos that arrive in folders, once they are complete."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from vswin_cli.batch.inputs import BatchInput
from vswin_cli.errors import OptionError, SourceError, redacted
from vswin_cli.storage.files import is_folder
from vswin_cli.storage.remote import is_remote

__all__ = ["FolderWatch", "check_folders"]

_STABLE_SECONDS = 5.0


def check_folders(arguments: Sequence[str]) -> None:
    """Check that all inputs of a watch are folders on this machine.

    Raises:
        OptionError: one is not.
    """
    address = next((name for name in arguments if is_remote(name)), None)
    if address is not None:
        raise OptionError(
            f"--watch takes folders on this machine, and {redacted(address)} is an address",
            hint="without --watch, the same command run again takes what is new there",
        )
    other = next((name for name in arguments if not is_folder(Path(name))), None)
    if other is not None:
        raise OptionError(
            f"--watch takes folders, and {other} is not one",
            hint="give folders on this machine, which must exist",
        )


class FolderWatch:
    """Videos in folders whose size and time have not changed for some seconds.

    Empty files are left out: what writes them has not begun. Videos that were complete once stay
    in the list, so that moving them away does not remove their rows.

    Args:
        find: lists what is in the folders; raises `SourceError` if there is nothing.
        stable_seconds: how long a file must be unchanged.
        clock: returns the time in seconds, as `time.time` does.
    """

    def __init__(
        self,
        find: Callable[[], Iterable[BatchInput]],
        *,
        stable_seconds: float = _STABLE_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._find = find
        self._stable_seconds = stable_seconds
        self._clock = clock
        self._seen: dict[str, tuple[str | None, float]] = {}
        self._complete: dict[str, BatchInput] = {}
        self.num_incomplete = 0
        """Number of files that were still being written at the last call of `look`."""

    def look(self) -> list[BatchInput] | None:
        """Return all videos that are complete, in the order of their arrival; `None` if no change.

        A video that is written again is there as it was until it is complete again.
        """
        try:
            found = list(self._find())
        except SourceError:  # such as a folder in which nothing is yet
            found = []
        now, is_changed = self._clock(), False
        self.num_incomplete = 0
        for item in found:
            if not self._is_stable(item, now):
                self.num_incomplete += 1
                continue
            before = self._complete.get(item.place)
            is_changed |= before is None or before.identity != item.identity
            self._complete[item.place] = item
        return list(self._complete.values()) if is_changed else None

    def _is_stable(self, item: BatchInput, now: float) -> bool:
        identity, since = self._seen.get(item.place, (None, now))
        if identity != item.identity:
            since = now
        self._seen[item.place] = (item.identity, since)
        if item.problem is not None:
            return True
        # A file that was moved here is old, so it is complete at once.
        return (
            item.size_bytes > 0 and max(now - since, now - _modified(item)) >= self._stable_seconds
        )


def _modified(item: BatchInput) -> float:
    """Return the time of a file in seconds, from its identity."""
    return int((item.identity or "").partition(":")[2] or 0) / 1e9
