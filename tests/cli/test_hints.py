"""An error without a next step leaves the user alone: every one has a hint, or a reason not to."""

import ast

import pytest

from tests.test_architecture import FILES
from vswin_cli import errors

KINDS = {name for name in errors.__all__ if name.endswith("Error")}

FINISHED_BY_THE_CALLER = {
    "storage.array_archive",
    "storage.json_records",
    "timeline.evidence",
    "timeline.feature_files",
    "timeline.feature_table",
    "timeline.provenance",
    "timeline.record",
    "timeline.score_files",
}  # the readers of files catch these, name the file and say what was expected
NOBODY_TYPES_THAT = (
    "a damaged video cannot be joined",  # caught: it is done in one piece
    "a part could not be analysed",  # likewise
    "a clip must have an even number",  # of a model card
    "the decode report is available only",  # a fault in the caller's Python
    "there is no timeline to report",  # likewise
    "passes and threads must be",  # the option parser is faster, as with the next three
    "the start must not be negative",
    "batch size must be at least 1",
    "the onset of {self.label!r}",  # of a model card
    "FFmpeg can write neither",  # the page goes without pictures
    "the server sent a different range",  # listed among the sources' answers, which have a hint
    "the Hub returned no commit",  # nothing helps
)


def calls_without_hint():
    for module, path in FILES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id in KINDS and not any(word.arg == "hint" for word in node.keywords):
                yield module, ast.unparse(node.args[0])


@pytest.mark.slow
def test_every_error_says_what_to_do_next():
    missing = [
        f"{module}: {message}"
        for module, message in calls_without_hint()
        if module not in FINISHED_BY_THE_CALLER
        and not any(text in message for text in NOBODY_TYPES_THAT)
    ]
    assert missing == []


@pytest.mark.slow
def test_every_exception_to_the_rule_is_still_needed():
    messages = [message for _, message in calls_without_hint()]
    assert [t for t in NOBODY_TYPES_THAT if not any(t in message for message in messages)] == []
