"""`vswin config`: show and change the defaults of `vswin tag` and `vswin batch`."""

from __future__ import annotations

import os
from functools import cache
from typing import Annotated, Any

import typer

from vswin_cli.cli import console
from vswin_cli.cli.batch import batch
from vswin_cli.cli.models import choose_default
from vswin_cli.cli.options import JsonOption
from vswin_cli.cli.settings import check_values, key_of, parse_value
from vswin_cli.cli.tag import tag
from vswin_cli.cli.typer_command import Command, Group
from vswin_cli.errors import OptionError
from vswin_cli.storage.json_records import clean_json
from vswin_cli.storage.user_config import (
    SETTINGS,
    read_settings,
    remove_setting,
    settings_path,
    unknown_key_hint,
    write_setting,
)

__all__ = ["config"]

_MODEL = "model"
_KEY_COLUMNS = 16

config = typer.Typer(
    cls=Group,
    help="Show and change the defaults of `tag` and `batch`.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _complete_key(incomplete: str) -> list[str]:
    return [key for key in SETTINGS if key.startswith(incomplete)]


KeyArgument = Annotated[
    str,
    typer.Argument(
        metavar="KEY",
        help="An option of `tag` or `batch` without its dashes, such as min-duration.",
        show_default=False,
        autocompletion=_complete_key,
    ),
]


@config.command("show", cls=Command)
def show(json: JsonOption = False) -> None:
    """Print every key with its value, and what can be set.

    Examples:
        vswin config show

        vswin config show --json
    """
    settings = read_settings()
    if json:
        known = {key: settings.get(key) for key in SETTINGS}
        body = {"schema": "vswin.config/1", "path": str(settings_path()), "settings": known}
        console.write(clean_json(body, indent=2))
        return
    for key, (param, commands) in options_by_key().items():
        value = clean_json(settings[key]) if key in settings else f"({_default(param)})"
        only = f"  [{commands[0]} only]" if len(commands) == 1 else ""
        console.write(f"{key:{_KEY_COLUMNS}}{value}{only}")
    if os.environ.get("VSWIN_MODEL"):
        console.note("VSWIN_MODEL is set and replaces `model`")
    console.note(f"from {settings_path()}; values in parentheses are the defaults of vswin")


@config.command("path", cls=Command)
def path() -> None:
    """Print the path of the configuration file, whether it is there or not.

    Examples:
        vswin config path
    """
    console.write(str(settings_path()))


@config.command("set", cls=Command)
def set_value(
    key: KeyArgument,
    values: Annotated[
        list[str],
        typer.Argument(metavar="VALUE", help="Its value; several for a repeatable option."),
    ],
) -> None:
    """Set a default; options on the command line still override it.

    Examples:
        vswin config set stride 50%

        vswin config set exclude static "pan-*"

        vswin config set quiet true
    """
    options = options_by_key()
    if key not in options:
        raise OptionError(f"unknown key `{key}`", hint=unknown_key_hint(key))
    param = options[key][0]
    parsed = parse_value(param, values if len(values) > 1 else values[0])
    if key == _MODEL:
        choose_default(parsed)
        return
    others = {
        str(options[name][0].name): parse_value(options[name][0], value)
        for name, value in read_settings().items()
        if name not in (key, _MODEL)
    }
    check_values({**others, str(param.name): parsed})
    if key == "format":
        from vswin_cli.batch.target import PARQUET
        from vswin_cli.export.formats import get_format

        parsed = PARQUET if parsed == PARQUET else get_format(parsed).name
    written = write_setting(key, list(parsed) if param.multiple else parsed)
    console.note(f"{key} = {clean_json(parsed)} ({written})")


@config.command("unset", cls=Command)
def unset(key: KeyArgument) -> None:
    """Remove a key from the configuration file.

    Examples:
        vswin config unset stride
    """
    console.note(f"removed {key} from {remove_setting(key)}")


@cache
def options_by_key() -> dict[str, tuple[Any, list[str]]]:
    """Return each option that can be set, with the commands that have it, by key."""
    found: dict[str, tuple[Any, list[str]]] = {}
    for command in (
        batch,
        tag,
    ):  # the first one's count: `tag` takes several models, as no file can
        app = typer.Typer()
        app.command(cls=Command)(command)
        for param in typer.main.get_command(app).params:
            key = key_of(param)
            if key in SETTINGS:
                found.setdefault(key, (param, []))[1].append(command.__name__)
    return {key: found[key] for key in SETTINGS}


def _default(param: Any) -> str:  # noqa: ANN401
    """Describe the default of an option in words."""
    if isinstance(param.show_default, str):
        return param.show_default
    return "none" if param.default in (None, ()) else clean_json(param.default)
