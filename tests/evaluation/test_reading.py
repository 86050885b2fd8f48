"""Text files given by the user."""

import pytest

from vswin_cli.errors import SourceError, SourceNotFoundError
from vswin_cli.evaluation.reading import read_text


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes("\ufeffpath,label\né.mp4,a\n".encode())
    assert read_text(path) == "path,label\né.mp4,a\n"


def test_text_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes("é.mp4,a\n".encode("latin-1"))
    with pytest.raises(SourceError, match="is not UTF-8 text"):
        read_text(path)


def test_a_missing_file_and_a_folder_are_not_found(tmp_path):
    for path in (tmp_path / "gone.csv", tmp_path):
        with pytest.raises(SourceNotFoundError, match=f"cannot read {path}"):
            read_text(path)
