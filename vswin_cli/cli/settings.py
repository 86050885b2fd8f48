"""Use the values of the configuration file as defaults of the options of `tag` and `batch`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

from vswin_cli.cli.batch_options import ExecutionChoice
from vswin_cli.cli.option_groups import SamplingChoice, SegmentChoice, VideoEngineChoice
from vswin_cli.cli.typer_command import Command, usage_message
from vswin_cli.errors import OptionError
from vswin_cli.storage.user_config import read_settings, settings_path

__all__ = ["ConfiguredCommand", "check_values", "key_of", "parse_value"]

_MODEL = "model"  # every command reads it by itself
# Defaults that do not count where the command line has the option that excludes them.
_EXCLUDED_BY = {"fps": "frame_interval", "frame_interval": "fps", "keep_scores": "save_scores"}
_CHECKS: dict[Any, Callable[[Any], object]] = {
    SamplingChoice: lambda chosen: chosen.options(),
    SegmentChoice: lambda chosen: chosen,  # checked where it is made
    VideoEngineChoice: lambda chosen: chosen.options(),
    ExecutionChoice: lambda chosen: chosen.check(),
}


class ConfiguredCommand(Command):
    """A command whose options take their defaults from the configuration file."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Parse the arguments; raises as `Command.parse_args`, or for a value of the file."""
        if args and not ctx.resilient_parsing:
            given, _ = self.parse_words(ctx, args)
            if not given.get("help"):
                ctx.default_map = _without_excluded(self._defaults(ctx), given)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401
        """Run the command; an error that names an option says if the file has set it."""
        try:
            return super().invoke(ctx)
        except OptionError as problem:
            sources = {name: ctx.get_parameter_source(name) for name in ctx.default_map or ()}
            for param in self.params:
                is_from_file = getattr(sources.get(param.name), "name", "") == "DEFAULT_MAP"
                text = f"{problem.message} {problem.hint}"
                if is_from_file and re.search(rf"--{key_of(param)}\b", text):
                    where = f"`{key_of(param)}` is set in {settings_path()}"
                    problem.hint = f"{problem.hint}; {where}" if problem.hint else where
            raise

    def _defaults(self, ctx: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return the values of the file for this command, by name of the parameter.

        Raises:
            OptionError: the file cannot be read, or holds what an option cannot take.
        """
        params = {key_of(param): param for param in self.params}
        settings = {
            key: value
            for key, value in read_settings().items()
            if key != _MODEL and key in params  # else it belongs to the other command
        }
        try:
            values = {
                str(params[key].name): parse_value(params[key], value, ctx)
                for key, value in settings.items()
            }
            check_values(values)
        except OptionError as problem:
            raise OptionError(f"{settings_path()}: {problem.message}", hint=problem.hint) from None
        return values


def key_of(param: Any) -> str:  # noqa: ANN401
    """Return the key of an option in the configuration file: its long name without dashes."""
    return next((name[2:] for name in param.opts if name.startswith("--")), "")


def parse_value(param: Any, value: object, ctx: Any = None) -> Any:  # noqa: ANN401
    """Convert a value of the configuration file as the same text on the command line.

    Args:
        param: the option.
        value: a text, number, truth value, or a list of these for a repeatable option.
        ctx: of the command.

    Raises:
        OptionError: the option cannot take it.
    """
    texts = [_as_text(part) for part in value] if isinstance(value, list) else [_as_text(value)]
    if len(texts) > 1 and not param.multiple:
        raise OptionError(
            f"`{key_of(param)}` takes one value, got {len(texts)}",
            hint="lists are for repeatable options, such as exclude",
        )
    if None in texts:
        raise OptionError(
            f"`{key_of(param)}` cannot be {value!r:.80}",
            hint="give a text, a number, true or false"
            + (", or a list of these" if param.multiple else ""),
        )
    try:
        return param.process_value(ctx, texts if param.multiple else texts[0])
    except Exception as problem:  # an error of Typer, whose class is private
        if not hasattr(problem, "format_message"):
            raise
        raise OptionError(
            f"`{key_of(param)}` cannot be {value!r:.80}",
            hint=usage_message(problem).partition(": ")[2],
        ) from problem


def check_values(values: Mapping[str, Any]) -> None:
    """Check parsed values by name of their parameter, alone and beside each other.

    Raises:
        OptionError: a value is out of range, or two contradict each other.
    """
    for record, check in _CHECKS.items():
        names = {field.name for field in dataclasses.fields(record)} & values.keys()
        if names:
            check(record(**{name: values[name] for name in names}))


def _as_text(value: object) -> str | None:
    """Write a value as on the command line; `None` if it cannot be."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (str, int, float)) else None


def _without_excluded(defaults: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out defaults that options on the command line exclude or make pointless."""
    excluded = {name for name, other in _EXCLUDED_BY.items() if given.get(other) is not None}
    if given.get("json") or _names_format(given.get("out")):
        excluded.add("format")
    return {name: value for name, value in defaults.items() if name not in excluded}


def _names_format(out: str | None) -> bool:
    """Return whether the ending of `--out` says which format is meant."""
    from vswin_cli.export.formats import format_by_name

    return out is not None and (format_by_name(out) is not None or out.endswith(".parquet"))
