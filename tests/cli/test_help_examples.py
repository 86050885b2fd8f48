"""The examples in the help of every command are command lines that the command accepts."""

import re
import shlex
from dataclasses import fields

import pytest
import typer

from vswin_cli.cli.app import app, run
from vswin_cli.cli.model_choice import ModelChoice, ModelChoices
from vswin_cli.cli.option_groups import EngineChoice, SamplingChoice, SegmentChoice
from vswin_cli.export import get_format
from vswin_cli.models.weights.references import parse_reference

ROOT = typer.main.get_command(app)
GROUPS = (SamplingChoice, SegmentChoice, EngineChoice)
TABLES = ("csv", "jsonl", "parquet", "tsv")


def leaves(command, path=()):
    """Commands that do something, with the words that lead to them."""
    children = getattr(command, "commands", {})
    if not children:
        yield path, command
    for name, child in children.items():
        yield from leaves(child, (*path, name))


def examples_of(command):
    """Lines of the help below `Examples:`."""
    _, _, text = command.help.partition("Examples:")
    return [line.strip() for line in text.splitlines() if line.strip()]


def arguments_in(example):
    """Words after `vswin`, for each time that a line of the shell calls it."""
    for part in example.split("|"):
        words = shlex.split(re.split(r"\s>\s", part)[0])
        if words and words[0] == "vswin":
            yield words[1:]


def parse(words):
    """Parse a command line as `vswin` does, up to the call of the command's function."""
    command, context = ROOT, ROOT.make_context("vswin", [], resilient_parsing=True)
    while hasattr(command, "commands"):
        name, *words = words
        command = command.commands[name]
        if hasattr(command, "commands"):
            context = command.make_context(name, [], parent=context, resilient_parsing=True)
    return command.make_context(name, list(words), parent=context)


COMMANDS = dict(leaves(ROOT))
EXAMPLES = [(path, line) for path, command in COMMANDS.items() for line in examples_of(command)]


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_paragraphs_of_the_help_fill_the_width(path):
    text, _, _ = COMMANDS[path].help.partition("Examples:")
    assert not [paragraph for paragraph in text.strip().split("\n\n") if "\n" in paragraph]


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_shows_an_example_of_itself(path):
    shown = [words for line in examples_of(COMMANDS[path]) for words in arguments_in(line)]
    assert any(tuple(words[: len(path)]) == path for words in shown)


@pytest.mark.parametrize("line", [line for _, line in EXAMPLES])
def test_an_example_is_a_command_line_that_is_accepted(line):
    calls = list(arguments_in(line))
    assert calls
    for words in calls:
        given = parse(words).params
        models = given.get("model")
        choice = ModelChoices if isinstance(models, (list, tuple)) else ModelChoice
        for group in (choice, *GROUPS):
            names = {field.name for field in fields(group)} & set(given)
            record = group(**{name: given[name] for name in names})
            if hasattr(record, "options"):
                record.options()
        for name in [models] if isinstance(models, str) else models or ():
            parse_reference(name)
        if given.get("format") and given["format"] not in TABLES:
            get_format(given["format"])


@pytest.mark.parametrize(
    "line", ["vswin tag", "vswin tag a.mp4 --nope", "vswin bench --passes 0", "vswin probe"]
)
def test_what_is_not_accepted_would_be_found(line):
    (words,) = arguments_in(line)
    with pytest.raises(Exception, match=r"(?i)missing|no such option|greater than"):
        parse(words)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_shows_no_types_of_python_and_no_braces(path, capsys):
    assert run([*path, "--help"]) == 0
    assert not re.search(r"<(bool|str|path|int|float|list)\b|[{}]", capsys.readouterr().out)
