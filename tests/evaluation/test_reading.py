"""Text files given by the user."""

import pytest

from vswin_cli.errors import SourceError, SourceNotFoundError
from vswin_cli.evaluation.annotations import read_annotations
from vswin_cli.evaluation.matching import read_label_map
from vswin_cli.evaluation.reading import guarded, read_text
from vswin_cli.evaluation.video_list import read_video_list
from vswin_cli.evaluation.window_list import read_window_list

DIGITS = "9" * 5000  # more than Python parses as a whole number
LARGE = "9" * 400  # more than a float holds
ENTRY = '{"segment": [%s], "label": "a", "score": %s}'
ANNOTATIONS = {
    "nested lists": "[" * 100_000,
    "nested objects": '{"a":' * 100_000,
    "nested results": '{"results": ' + "[" * 100_000,
    "digits": '{"schema": "vswin.timeline/1", "x": ' + DIGITS + "}",
    "large start": '{"results": {"v": [' + ENTRY % (f"{LARGE}, 1", 1) + "]}}",
    "large score": '{"results": {"v": [' + ENTRY % ("0, 1", LARGE) + "]}}",
    "large duration": '{"database": {"v": {"annotations": [], "duration": ' + LARGE + "}}}",
    "no end": '{"results": {"v": [' + ENTRY % ("0, Infinity", 1) + "]}}",
    "no number": '{"results": {"v": [' + ENTRY % ("0, NaN", 1) + "]}}",
    "subset": '{"database": {"v": {"annotations": "' + "x" * 9 + '", "subset": []}}}',
    "wide field": '"' + "x" * 200_000 + '",0,1,a',
    "zeros": "\0" * 1000,
    "large table": f"v,{LARGE},1,a",
    "clock": f"v,{DIGITS}:00,1,a",
}
LISTS = {
    "index": f"v.mp4,{DIGITS}",
    "other digits": "v.mp4,²",
    "wide field": "v.mp4," + "x" * 200_000,
    "open quote": 'v.mp4,"' + "x" * 1000,
}


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


def test_a_folder_with_a_table_has_a_hint(tmp_path):
    (tmp_path / "clips.csv").touch()
    with pytest.raises(SourceNotFoundError) as caught:
        read_text(tmp_path)
    assert str(tmp_path / "clips.csv") in str(caught.value.hint)


@pytest.mark.parametrize("name", ANNOTATIONS)
def test_annotations_that_break_parsers_are_refused(tmp_path, name):
    path = tmp_path / "truth"
    path.write_text(ANNOTATIONS[name])
    with pytest.raises(SourceError, match="truth"):
        read_annotations(path)


@pytest.mark.parametrize("name", LISTS)
def test_lists_that_break_parsers_are_refused(tmp_path, name):
    path = tmp_path / "list"
    path.write_text(f"{LISTS[name]}\n")
    with pytest.raises(SourceError, match="list"):
        read_video_list(path, ["a", "b"])


@pytest.mark.parametrize("cell", [DIGITS, f"{DIGITS}:00", "nan", "1e999", "²"])
def test_windows_that_break_parsers_are_refused(tmp_path, cell):
    path = tmp_path / "list"
    path.write_text(f"video,start,end,label\nv.mp4,{cell},1,a\n")
    with pytest.raises(SourceError, match="list"):
        read_window_list(path, ["a"])


def test_a_map_of_labels_that_breaks_the_parser_is_refused(tmp_path):
    path = tmp_path / "map"
    path.write_text("a," + "x" * 200_000)
    with pytest.raises(SourceError, match="map"):
        read_label_map(path)


@pytest.mark.parametrize(
    "raised",
    [
        RecursionError,
        OverflowError,
        MemoryError,
        RuntimeError,
        NotImplementedError,
        ValueError,
        KeyError,
        TypeError,
    ],
)
def test_whatever_a_reader_raises_names_the_file(tmp_path, raised):
    @guarded
    def read(path):
        raise raised("x" * 10_000)

    with pytest.raises(SourceError, match=f"truth cannot be read: {raised.__name__}") as caught:
        read(tmp_path / "truth")
    assert len(caught.value.message) < 300
