"""Names of files and labels on one line, and how they are compared."""

import os

from vswin_cli.storage.plain_text import encodable, loose_spelling, shortened, text_sha256


def test_long_labels_are_shortened():
    assert shortened("x" * 40) == "x" * 40
    assert shortened("x" * 41) == "x" * 39 + "…"
    assert shortened("a label", 3) == "a…"


def test_a_name_that_is_not_utf8_can_be_written_and_hashed():
    name = os.fsdecode(b"caf\xe9.mp4")
    assert encodable(name) == r"caf\udce9.mp4"
    assert encodable("café") == "café"
    assert len(text_sha256(name)) == 64
    assert text_sha256(name) != text_sha256("café.mp4")


def test_labels_are_compared_without_case_underscores_and_blanks():
    assert loose_spelling("Playing_ Piano ") == loose_spelling("playing piano") == "playing piano"
