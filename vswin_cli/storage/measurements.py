"""Keep what was measured on this machine, as positive numbers in small cached files.

A file is read only if no other user can have written it; one that is damaged counts as missing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path

from vswin_cli.errors import OutputError
from vswin_cli.storage.files import is_private, replacing_text
from vswin_cli.storage.user_config import cache_folder

__all__ = ["keep_measurement", "measurement_path", "read_measurement"]


def measurement_path(kind: str, *conditions: object) -> Path:
    """Return the path of a measurement.

    Args:
        kind: what was measured; the name of a folder.
        conditions: all that the numbers depend on, such as device, version and shapes.
    """
    marks = "|".join(map(str, conditions))
    return cache_folder() / kind / f"{hashlib.sha256(marks.encode()).hexdigest()[:20]}.json"


def read_measurement(path: Path, fields: Sequence[str]) -> tuple[float, ...] | None:
    """Read the numbers of these names; `None` if there is no such file, or not a usable one."""
    with suppress(OSError, ValueError, RecursionError, TypeError, KeyError):
        if not is_private(path):
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
        numbers = tuple(float(content[name]) for name in fields)
        if all(0 < number < inf for number in numbers):
            return numbers
    return None


def keep_measurement(path: Path, numbers: Mapping[str, float]) -> None:
    """Write numbers to the cache; where that is impossible, each process measures again."""
    with suppress(OSError, OutputError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if is_private(path.parent):
            with replacing_text(path) as file:
                json.dump(dict(numbers), file)
