"""Build the Typer application and turn every error into text and an exit code."""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import PurePath
from typing import Annotated, Any, NoReturn

import typer

from vswin_cli._version import __version__
from vswin_cli.cli import console
from vswin_cli.cli.batch import batch
from vswin_cli.cli.bench import bench
from vswin_cli.cli.config import config
from vswin_cli.cli.convert import convert
from vswin_cli.cli.cut import cut
from vswin_cli.cli.doctor import doctor
from vswin_cli.cli.download import download
from vswin_cli.cli.evaluate import evaluate
from vswin_cli.cli.export import export
from vswin_cli.cli.features import features
from vswin_cli.cli.models import labels, models
from vswin_cli.cli.probe import probe
from vswin_cli.cli.report import report
from vswin_cli.cli.schema import schema
from vswin_cli.cli.search import search
from vswin_cli.cli.segment import segment
from vswin_cli.cli.settings import ConfiguredCommand
from vswin_cli.cli.tag import tag
from vswin_cli.cli.train import train
from vswin_cli.cli.typer_command import Command, Group, spelling_hint, usage_message
from vswin_cli.errors import OptionError, VswinError, redacted
from vswin_cli.storage.sources import VIDEO_SUFFIXES

__all__ = ["app", "main", "run"]

_INTERRUPTED = 128 + signal.SIGINT
_ENDED = 128 + signal.SIGTERM

EXIT_CODES = (
    "Exit codes: 0 success; 1 internal error; 2 wrong usage; 3 some inputs failed; 4 no input "
    "could be processed; 5 weights missing or unusable; 6 device missing or out of memory; 7 too "
    "little could be analysed (--strict); 8 a result cannot be written; 130 interrupted."
)

app = typer.Typer(
    name="vswin",
    cls=Group,
    help="Find what happens in videos, and when, with a Video Swin Transformer.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (tag, batch):
    app.command(cls=ConfiguredCommand)(command)
for command in (
    probe,
    segment,
    export,
    report,
    features,
    search,
    cut,
    bench,
    doctor,
    download,
    labels,
    convert,
    train,
    schema,
):
    app.command(cls=Command)(command)
app.add_typer(models, name="models")
app.add_typer(evaluate, name="evaluate")
app.add_typer(config, name="config")


def _version(wanted: bool) -> None:
    if wanted:
        console.write(f"vswin {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            "-V",
            "-v",
            callback=_version,
            is_eager=True,
            help="Print the version and exit.",
        ),
    ] = False,
) -> None:
    """Find what happens in videos, and when, with a Video Swin Transformer."""


@cache
def _command_line() -> Callable[..., Any]:
    """All commands with their options, built once for a process that runs several."""
    return typer.main.get_command(app)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; every error ends here."""
    as_json = "--json" in arguments
    console.use_json_lines("--log-json" in arguments)
    try:
        code = _command_line()(arguments, prog_name="vswin", standalone_mode=False)
    except VswinError as problem:
        console.error(problem, as_json=as_json)
        _give_up_full_stdout()
        return problem.exit_code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except console.ReaderGoneError:
        return _end_without_reader()
    except Exception as problem:  # the traceback only with VSWIN_DEBUG
        if hasattr(problem, "format_message"):  # an error of Typer, whose class is private
            return _end_wrong_usage(problem, arguments, as_json=as_json)
        if os.environ.get("VSWIN_DEBUG"):
            sys.stderr.write(redacted(traceback.format_exc()))
        console.error(_internal(problem), as_json=as_json)
        return VswinError.exit_code
    if code == _INTERRUPTED:  # Typer returns this for a KeyboardInterrupt
        console.note("interrupted")
    return code if isinstance(code, int) else 0


def _end_wrong_usage(problem: Any, arguments: list[str], *, as_json: bool) -> int:  # noqa: ANN401
    """Report an error of the option parser, whose class Typer keeps private.

    A group without a command has printed its help by then, so no error follows.
    """
    message = usage_message(problem)
    if type(problem).__name__ != "NoArgsIsHelpError" and message:
        context = getattr(problem, "ctx", None)
        command = "vswin" if context is None else context.command_path
        is_leaf = isinstance(getattr(context, "command", None), Command)
        listed = "options" if is_leaf else "commands and options"
        near = spelling_hint(problem)
        hint = f"{near or ''} `{command} --help` lists the {listed}".lstrip()
        console.error(
            OptionError(
                message[0].lower() + message[1:],
                hint=_dash_hint(getattr(problem, "option_name", None), arguments) or hint,
            ),
            as_json=as_json,
        )
    return OptionError.exit_code


def _dash_hint(unknown: str | None, arguments: list[str]) -> str | None:
    """Return what to do if an unknown option is a file whose name begins with a dash."""
    for argument in arguments if unknown else ():
        is_video = PurePath(argument).suffix.lower() in VIDEO_SUFFIXES
        if is_video and argument.startswith(str(unknown)):
            return f"a file whose name begins with a dash is written ./{argument}"
    return None


def _internal(problem: Exception) -> VswinError:
    return VswinError(
        f"internal error: {type(problem).__name__}: {problem}",
        hint="this is a bug in vswin; run again with VSWIN_DEBUG=1 and report what it prints",
    )


def _end_without_reader() -> int:
    _close_stdout()
    return 128 + signal.SIGPIPE


def _give_up_full_stdout() -> None:
    """Drop unwritten output: flushing it when the interpreter exits would fail again."""
    try:
        sys.stdout.flush()
    except OSError:
        _close_stdout()


def _close_stdout() -> None:
    """Redirect stdout to the null device, so that flushing it at exit does not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_closed_descriptors() -> None:
    """Open the null device in place of each standard stream that the caller has closed.

    Otherwise the first file opened would get the descriptor of stdout, and output would be written
    into it. For stdout the null device is opened read-only: writing a result fails as on a full
    disk. Messages for a closed stderr are dropped.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        opened = os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
        os.set_inheritable(number, True)
        mode = "r" if name == "stdin" else "w"
        setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def main() -> None:
    """Entry point of the `vswin` script."""
    _open_closed_descriptors()
    warnings.showwarning = console.show_warning
    end = _EndRequest()
    signal.signal(signal.SIGTERM, end.on_signal)
    code = run(sys.argv[1:])
    if code == _INTERRUPTED and end.is_requested:
        code = _ENDED
    if code in (_INTERRUPTED, _ENDED):
        _exit_at_once(code)
    sys.exit(code)


class _EndRequest:
    """Interrupt the command on SIGTERM, as Ctrl-C does, so that it writes what is finished."""

    def __init__(self) -> None:
        self.is_requested = False

    def on_signal(self, _number: int, _frame: object) -> None:
        """Handle the signal."""
        self.is_requested = True
        raise KeyboardInterrupt


def _exit_at_once(code: int) -> NoReturn:
    """End the process without waiting for threads inside a pass of a large network.

    Everything that has to be written is written, and every child process has been ended, by then.
    """
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(code)
