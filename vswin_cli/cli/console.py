"""Write to the terminal: data to stdout, everything else to stderr. Nothing else prints.

Rich is loaded on first use. Colour follows the terminal and NO_COLOR; nothing animates unless
stderr is a terminal. `use_json_lines` makes every line on stderr a JSON object.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from vswin_cli.errors import VswinError, redacted
from vswin_cli.storage.files import writing
from vswin_cli.storage.json_records import escape_controls

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = [
    "OnProgress",
    "ReaderGoneError",
    "error",
    "log",
    "note",
    "note_unless",
    "printable",
    "progress",
    "read_stdin",
    "show",
    "show_warning",
    "stdout_columns",
    "stdout_is_terminal",
    "to_stdout",
    "use_json_lines",
    "warn",
    "write",
]

_PACKAGE = Path(__file__).parents[1]
OnProgress = Callable[[float, "float | None"], None]
"""Called with the amount done so far and the total, or None while it is unknown."""


# ESC and the other control characters, those of C1, and marks that change the reading direction: a
# terminal interprets them, so a file name could colour, hide or rewrite what is printed.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

_HALVES = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # surrogates that stand for no byte

_writes_json_lines = False


class ReaderGoneError(Exception):
    """The reader of stdout closed the pipe; Typer would exit with code 1 on the plain error."""


def stdout_is_terminal() -> bool:
    """Return whether stdout is a terminal."""
    return sys.stdout.isatty()


def stdout_columns() -> int:
    """Return the width of stdout in characters; 200 if it is not a terminal."""
    return shutil.get_terminal_size().columns if stdout_is_terminal() else 200


@contextmanager
def to_stdout() -> Iterator[None]:
    """Convert errors of writing to stdout inside the block to errors of vswin.

    Raises:
        ReaderGoneError: it is a pipe whose reader has ended.
        OutputError: it cannot be written, such as a file on a full disk.
    """
    try:
        with writing("stdout"):
            yield
            sys.stdout.flush()
    except BrokenPipeError as cause:
        raise ReaderGoneError from cause


def read_stdin() -> bytes:
    """Read all of stdin as bytes, whatever the locale."""
    binary = getattr(sys.stdin, "buffer", None)
    if binary is None:
        return sys.stdin.read().encode("utf-8", "surrogateescape")
    content: bytes = binary.read()
    return content


def printable(text: str, *, keep: str = "") -> str:
    r"""Replace control characters by their escapes in Python, such as `\x1b`.

    Args:
        text: what may hold them, such as a file name.
        keep: characters that stay as they are.
    """
    return _CONTROLS.sub(
        lambda found: found[0] if found[0] in keep else found[0].encode("unicode_escape").decode(),
        text,
    )


def write(text: str) -> None:
    """Write text to stdout as UTF-8, whatever the locale, and end it with a newline.

    On a terminal control characters become escapes; in a pipe or a file data stays as it is. JSON
    must come from `clean_json`, as these escapes are none of JSON.
    """
    if stdout_is_terminal():
        text = printable(text, keep="\n\t")
    text = text if text.endswith("\n") else text + "\n"
    binary = getattr(sys.stdout, "buffer", None)
    with to_stdout():
        sys.stdout.flush()  # text written before must come before what goes to the buffer below
        if binary is None:
            sys.stdout.write(text)
        else:
            # Bytes of names that are no UTF-8 come back; JSON may hold other halves of characters.
            whole = _HALVES.sub("\ufffd", text)
            binary.write(whole.encode("utf-8", "surrogateescape"))


def show(renderable: RenderableType, *, width: int | None = None) -> None:
    """Draw a rich table or panel on stdout; piped, it is plain text that is not cut."""
    from rich.console import Console

    width = width or stdout_columns()  # rich takes a terminal without colours to be 80 wide
    with to_stdout():
        Console(width=width, soft_wrap=False, highlight=False).print(renderable)


def use_json_lines(wanted: bool) -> None:
    """Choose whether lines on stderr are JSON objects or text; in this process."""
    global _writes_json_lines
    _writes_json_lines = wanted


def log(event: str, **fields: object) -> None:
    """Print an event as a line of JSON to stderr, with the time in UTC."""
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    body = {"time": now, "event": event, **fields}
    # ASCII: stderr has an encoding of its own
    _say(escape_controls(json.dumps(body, default=str)))


def note(text: str) -> None:
    """Print a note to stderr."""
    if _writes_json_lines:
        log("note", message=text)
    else:
        _say(text)


def note_unless(quiet: bool) -> Callable[[str], None]:
    """Return `note`, or a function that does nothing."""
    return (lambda _: None) if quiet else note


def warn(text: str) -> None:
    """Print a warning to stderr."""
    if _writes_json_lines:
        log("warning", message=text)
    else:
        _say(f"warning: {text}")


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print what Python code warns of: ours as a sentence, other code's as Python does it.

    Takes the place of `warnings.showwarning`.
    """
    if Path(filename).is_relative_to(_PACKAGE):
        warn(str(message))
    else:
        note(warnings.formatwarning(message, category, filename, lineno, line).rstrip())


def error(problem: VswinError, *, as_json: bool = False) -> None:
    """Print an error and its hint to stderr."""
    body = {"code": problem.code, "message": problem.message, "hint": problem.hint}
    if _writes_json_lines:
        log("error", error=body)
        return
    if as_json:
        # ASCII: stderr has an encoding of its own
        _say(escape_controls(json.dumps({"error": body})))
        return
    _say(f"error: {problem.message}")
    if problem.hint:
        _say(f"hint: {problem.hint}")


def _say(text: str) -> None:
    encoding = sys.stderr.encoding or "utf-8"
    text = printable(redacted(text))
    sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    sys.stderr.flush()


@contextmanager
def progress(title: str, *, unit: str = "seconds", quiet: bool = False) -> Iterator[OnProgress]:
    """Show a progress bar with the time left; calling the yielded function updates it.

    Args:
        title: what is going on, a few words.
        unit: `seconds` of video or `bytes`.
        quiet: draw nothing.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    amounts = (
        [DownloadColumn(), TransferSpeedColumn()] if unit == "bytes" else [TaskProgressColumn()]
    )
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *amounts,
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(printable(title), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
