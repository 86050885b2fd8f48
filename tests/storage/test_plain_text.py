"""Names of files and labels on one line."""

from vswin_cli.storage.plain_text import shortened


def test_long_labels_are_shortened():
    assert shortened("x" * 40) == "x" * 40
    assert shortened("x" * 41) == "x" * 39 + "…"
    assert shortened("a label", 3) == "a…"
