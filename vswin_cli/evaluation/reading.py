"""Read text files given by the user: lists, annotations, label maps."""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from vswin_cli.errors import SourceError, SourceNotFoundError
from vswin_cli.storage.files import reading_hint
from vswin_cli.storage.json_records import UNREADABLE

__all__ = ["guarded", "read_text"]

_Rest = ParamSpec("_Rest")
_Result = TypeVar("_Result")


def guarded(
    read: Callable[Concatenate[Path, _Rest], _Result],
) -> Callable[Concatenate[Path, _Rest], _Result]:
    """Decorate a reader of a file: whatever hostile data makes it raise becomes a `SourceError`."""

    @wraps(read)
    def guarded_read(path: Path, /, *rest: _Rest.args, **named: _Rest.kwargs) -> _Result:
        try:
            return read(path, *rest, **named)
        except UNREADABLE as error:
            raise SourceError(
                f"{path} cannot be read: {type(error).__name__}: {reprlib.repr(str(error))}",
                hint="it is damaged, or holds numbers or nesting beyond all measure",
            ) from error

    return guarded_read


def read_text(path: Path) -> str:
    """Read a UTF-8 file, with or without byte order mark.

    Raises:
        SourceNotFoundError: no such file, or not readable.
        SourceError: not text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        hint = reading_hint(error)
        if isinstance(error, IsADirectoryError):
            table = min(path.glob("*.csv"), default=None)
            hint = hint if table is None else f"{hint}, such as {table}"
        raise SourceNotFoundError(f"cannot read {path}: {error.strerror}", hint=hint) from error
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path} is not UTF-8 text", hint="give a timeline, a list or a table as text, in UTF-8"
        ) from error
