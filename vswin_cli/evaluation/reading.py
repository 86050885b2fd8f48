"""Read text files given by the user: lists, annotations, label maps."""

from __future__ import annotations

from pathlib import Path

from vswin_cli.errors import SourceError, SourceNotFoundError
from vswin_cli.storage.files import reading_hint

__all__ = ["read_text"]


def read_text(path: Path) -> str:
    """Read a UTF-8 file, with or without byte order mark.

    Raises:
        SourceNotFoundError: no such file, or not readable.
        SourceError: not text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SourceNotFoundError(
            f"cannot read {path}: {error.strerror}", hint=reading_hint(error)
        ) from error
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path} is not UTF-8 text", hint="give a timeline, a list or a table as text, in UTF-8"
        ) from error
