"""Typer commands and groups that print help in one piece and refuse empty names.

A shell replaces an unset variable by an empty name. As a path it would mean the current folder, as
a choice of weights the default.
"""

from __future__ import annotations

import difflib
import io
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, get_args, get_type_hints

from typer.core import TyperCommand, TyperGroup

from vswin_cli.cli import console
from vswin_cli.errors import OptionError

__all__ = ["Command", "Group", "spelling_hint", "usage_message"]

_TEXTS_THAT_NAME = frozenset({"name", "names", "model", "labels", "a", "b", "video"})
"""Text parameters that hold a name; path parameters are recognised by type. Inputs and outputs are
checked where they are opened."""

_LINE_BREAK = re.compile(r"(?<=[^\n])(?<!Examples:)\n(?=[^\s])")
"""A break within a paragraph of a docstring, which Typer would keep; examples are indented."""

_NO_BRACES = str.maketrans("", "", "{}")

_PLAIN = (
    (re.compile(r"Input should be a valid number\b.*"), "not a number such as 0.5"),
    (re.compile(r"Input should be a valid integer\b.*"), "not a whole number such as 5"),
    (re.compile(r"Input should be greater than or equal to"), "must be at least"),
    (re.compile(r"Input should be less than or equal to"), "must be at most"),
    (re.compile(r" \(Possible options: .*\)$|\. Did you mean .*\?$"), ""),  # in `spelling_hint`
)
"""Sentences of Pydantic, which Typer shows, and the usual words."""

_UNKNOWN_COMMAND = re.compile(r"No such command '(?P<name>.*?)'")
_OTHER_NAMES = {
    "--threshold": "--onset",
    "--output": "--out",
    "--overwrite": "--force",
    "--labels-file": "--labels",
}
"""Options of other tools, and what has this meaning here."""
_MOST_NAMES = 2


class _HelpPrinter:
    """Print the help as data, so that stdout's errors end as they do for a result.

    Contexts and parameters are `Any`: Typer keeps their types private.
    """

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401
        """Return the parameters; flags and arguments show no type in the help.

        Typer would write `<bool>` beside every flag, and Python's `<list[str]>` beside arguments.
        """
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if param.param_type_name == "argument" or param.is_flag:
                param.display_type_rich = _no_type
        return params

    def get_help(self, ctx: Any) -> str:  # noqa: ANN401
        """Print the help; nothing is left for Typer to print."""
        help_of: Callable[[Any], str] = super().get_help  # type: ignore[misc]
        if console.stdout_is_terminal():
            with console.to_stdout():
                return help_of(ctx)
        text = io.StringIO()
        with redirect_stdout(text):
            rest = help_of(ctx)
        console.write(text.getvalue() + rest)
        return ""

    def get_help_option(self, ctx: Any) -> Any:  # noqa: ANN401
        """Return the option that prints the help, without an empty line after it."""
        option = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            option.callback = _show_help
        return option


class Command(_HelpPrinter, TyperCommand):
    """A command of vswin; the paragraphs of its help fill the width of the terminal."""

    def __init__(self, *args: Any, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **settings)
        if self.help is not None:
            self.help = _LINE_BREAK.sub(" ", self.help)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Parse the arguments; refuse empty names and a repeated `--out` or `--model`.

        Raises:
            OptionError: a name is empty, or --out, or --model where one is taken, is repeated.
        """
        # Parsed twice: the words are checked before Typer makes paths of them.
        if args and not ctx.resilient_parsing:
            given, order = self.parse_words(ctx, args)
            self._check_names(given)
            self._check_one_output(order)
            self._check_one_model(order, ctx.command_path)
        return super().parse_args(ctx, args)

    def parse_words(self, ctx: Any, args: list[str]) -> tuple[dict[str, Any], list[str]]:  # noqa: ANN401
        """Parse the arguments without converting them; return them by name, and the names in order.

        Raises:
            Exception: an error of Typer, with this context, which the parser itself may leave out.
        """
        try:
            given, _, order = self.make_parser(ctx).parse_args(args=list(args))
        except Exception as problem:
            if getattr(problem, "ctx", ctx) is None:  # of an option without its value
                problem.ctx = ctx  # type: ignore[attr-defined]
            raise
        return given, [str(param.name) for param in order]

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401
        """Return the words of the usage line; braces, which Typer writes, would mean a choice."""
        return [piece.translate(_NO_BRACES) for piece in super().collect_usage_pieces(ctx)]

    def _check_one_output(self, names: list[str]) -> None:
        """Refuse a second --out, which would silently replace the first."""
        if (count := names.count("out")) > 1:
            can_export = {"format", "timecode_start"} <= {param.name for param in self.params}
            raise OptionError(
                f"--out given {count} times",
                hint="save JSON once, then `vswin export` it in every other format"
                if can_export
                else "give it once",
            )

    def _check_one_model(self, names: list[str], path: str) -> None:
        """Refuse a second --model where one is taken; it would silently replace the first."""
        can_repeat = any(param.name == "model" and param.multiple for param in self.params)
        if names.count("model") > 1 and not can_repeat:
            raise OptionError(
                f"{self.name} takes one model, and --model names {names.count('model')}",
                hint=f"run `{path}` once for each of them, or `vswin tag`, which takes several",
            )

    def _check_names(self, given: dict[str, Any]) -> None:
        """Refuse empty names in the words given, before they are converted to paths."""
        hints = get_type_hints(self.callback)
        for param in self.params:
            name = str(param.name)
            if name not in _TEXTS_THAT_NAME and not _holds_path(hints.get(name)):
                continue
            value = given.get(name)
            if "" in (value if isinstance(value, (list, tuple)) else (value,)):
                option = param.opts[0] if param.param_type_name == "option" else param.metavar
                raise OptionError(
                    f"{option or name} is empty", hint="check that the shell variable in it is set"
                )


class Group(_HelpPrinter, TyperGroup):
    """A command with subcommands."""


def usage_message(problem: Any) -> str:  # noqa: ANN401
    """Return the message of an error of the option parser, in usual words.

    Args:
        problem: the error, whose class Typer keeps private.
    """
    message: str = problem.format_message().strip().removesuffix(".")
    for pattern, plain in _PLAIN:
        message = pattern.sub(plain, message)
    return message


def spelling_hint(problem: Any) -> str | None:  # noqa: ANN401
    """Return which options or commands a misspelt one may stand for; `None` if none is near.

    Args:
        problem: the error, whose class Typer keeps private.
    """
    command = getattr(getattr(problem, "ctx", None), "command", None)
    wanted = getattr(problem, "option_name", None)
    if command is None:
        return None
    if hasattr(problem, "possibilities") and wanted:
        options = [
            name for param in command.params for name in (*param.opts, *param.secondary_opts)
        ]
        known = {name: name for name in options if name.startswith("--")}
        known |= {other: name for other, name in _OTHER_NAMES.items() if name in known}
    elif found := _UNKNOWN_COMMAND.match(problem.format_message()):
        wanted = found["name"]
        known = {name: name for name in getattr(command, "commands", ())}
    else:
        return None
    near = difflib.get_close_matches(wanted, known, n=_MOST_NAMES, cutoff=0.5)
    names = dict.fromkeys(known[name] for name in near)
    return f"did you mean {' or '.join(f'`{name}`' for name in names)}?" if names else None


def _no_type(*, ctx: Any) -> str:  # noqa: ANN401
    return ""


def _show_help(ctx: Any, _param: Any, wanted: bool) -> None:  # noqa: ANN401
    if wanted and not ctx.resilient_parsing:
        ctx.get_help()
        ctx.exit()


def _holds_path(hint: Any) -> bool:  # noqa: ANN401
    """Return whether a type is `Path`, or holds it, as `Path | None` and `list[Path]` do."""
    return hint is Path or any(_holds_path(part) for part in get_args(hint))
