import errno
import io
import json
import os

import pytest

from vswin_cli.cli import console
from vswin_cli.errors import OptionError, OutputError


@pytest.fixture
def json_lines():
    console.use_json_lines(True)
    yield
    console.use_json_lines(False)


def test_controls_and_marks_of_direction_become_escapes():
    assert console.printable("a\x1b[31mb\u202ec\n") == r"a\x1b[31mb\u202ec\n"
    assert console.printable("a\n\tb", keep="\n\t") == "a\n\tb"
    assert console.printable("schöne Grüße") == "schöne Grüße"


def test_text_ends_with_one_line_end_and_keeps_undecodable_names(capfdbinary):
    console.write("caf\udce9.mp4")
    console.write("two\n")
    assert capfdbinary.readouterr().out == b"caf\xe9.mp4\ntwo\n"


def test_a_reader_that_has_gone_is_distinguished_from_a_full_disk():
    with pytest.raises(console.ReaderGoneError), console.to_stdout():
        raise BrokenPipeError
    with pytest.raises(OutputError, match="cannot write stdout"), console.to_stdout():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_stdin_is_read_as_bytes(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9"), "ascii"))
    assert console.read_stdin() == b"caf\xe9"


def test_notes_can_be_left_out(capsys):
    console.note_unless(True)("unseen")
    console.note_unless(False)("seen")
    console.warn("careful")
    assert capsys.readouterr().err == "seen\nwarning: careful\n"


def test_an_error_has_its_hint_on_a_line_of_its_own_or_is_json(capsys):
    problem = OptionError("--fps must be positive", hint="give 15")
    console.error(problem)
    console.error(problem, as_json=True)
    *lines, document = capsys.readouterr().err.splitlines()
    assert lines == ["error: --fps must be positive", "hint: give 15"]
    assert json.loads(document)["error"]["hint"] == "give 15"


def test_json_lines_hold_notes_warnings_and_errors(json_lines, capsys):
    console.note("one")
    console.warn("two\x1b")
    console.error(OptionError("three"))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["note", "warning", "error"]
    assert lines[1]["message"] == "two\x1b"
    assert lines[2]["error"]["message"] == "three"


def test_progress_draws_nothing_without_a_terminal(capsys):
    with console.progress("a video") as on_progress:
        on_progress(1.0, None)
    assert capsys.readouterr() == ("", "")
