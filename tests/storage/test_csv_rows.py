"""Rows of text with commas or tabs: line numbers, and quotes that are not closed."""

import pytest

from vswin_cli.errors import LabelsError, SourceError
from vswin_cli.storage.csv_rows import (
    csv_text,
    decimal,
    named_columns,
    read_rows,
    read_seconds,
    read_span,
    read_table_rows,
)


def test_rows_have_the_number_of_their_first_line():
    text = 'a, b \n\n"c\nd",e\n , \nf\n'
    assert list(read_rows(text, "list.csv")) == [(1, ["a", "b"]), (3, ["c\nd", "e"]), (6, ["f"])]


def test_only_line_feeds_and_carriage_returns_end_a_row():
    text = "a\u2028b\tc\x85d\r\ne\x0bf\tg\n"
    rows = [cells for _, cells in read_rows(text, "list.tsv", delimiter="\t")]
    assert rows == [["a\u2028b", "c\x85d"], ["e\x0bf", "g"]]


@pytest.mark.parametrize(
    "text",
    [
        'a,b\nc,"d\ne,f\n',  # never closed
        'a,b\nc,"d\ne,"f"\n',  # closed by the quote of another row
        'a,b\nc,"d\n' + "e,f\n" * 40_000,  # longer than a field may be
    ],
    ids=["open", "crossed", "long"],
)
def test_a_stray_quote_is_reported_at_the_start_of_its_row(text):
    with pytest.raises(SourceError, match=r"^list\.csv, line 2: ") as caught:
        list(read_rows(text, "list.csv"))
    assert "close it" in str(caught.value.hint)


def test_quotes_inside_a_field_are_text():
    assert list(read_rows('5\'10" tall,"say ""a"""\n', "x")) == [(1, ["5'10\" tall", 'say "a"'])]


def test_the_reader_of_labels_hears_of_labels():
    with pytest.raises(LabelsError, match="line 1"):
        list(read_rows('"a', "labels.csv", error=LabelsError))


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_table_has_the_delimiter_that_its_first_line_has_most_of(delimiter):
    text = f"video{delimiter}start{delimiter}label\n1.mp4{delimiter}1.5{delimiter}a"
    rows = [cells for _, cells in read_table_rows(text, "list.csv")]
    assert rows == [["video", "start", "label"], ["1.mp4", "1.5", "a"]]


def test_decimal_commas_get_a_point_where_semicolons_divide():
    text = "video;start;label\na,5.mp4;1,25;salt, pepper\n7,5;-0,5;1,2,3\n"
    rows = [cells for _, cells in read_table_rows(text, "list.csv")]
    assert rows[1:] == [["a,5.mp4", "1.25", "salt, pepper"], ["7.5", "-0.5", "1,2,3"]]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.5, "1.5"), (100.0, "100"), (-1e-9, "0"), (0.1 + 0.2, "0.3"), (1e21, "1" + 21 * "0")],
)
def test_numbers_in_tables_have_no_exponent_and_no_needless_digits(value, text):
    assert decimal(value) == text
    assert decimal(29.97003, 2) == "29.97"
    assert decimal(None) == ""


def test_the_first_alias_of_a_column_that_a_header_has_counts():
    aliases = {"start": ("source_start", "start"), "label": ("label", "class"), "end": ("end",)}
    cells = ["Start", "CLASS", "source_start"]
    assert named_columns(cells, aliases) == {"start": (2, "source_start"), "label": (1, "class")}
    assert named_columns([], aliases) == {}


def test_a_cell_that_is_no_time_is_reported_with_its_place():
    assert read_seconds("1:02:03.5", "list.csv, line 4") == 3723.5
    with pytest.raises(SourceError, match=r"^list\.csv, line 4: cannot read the time 'soon'"):
        read_seconds("soon", "list.csv, line 4")
    with pytest.raises(SourceError, match="cannot read the time"):
        read_seconds("9" * 400, "list.csv, line 4")  # beyond all floats


def test_cells_with_delimiters_quotes_or_line_ends_are_quoted():
    assert csv_text([("a", 1), ('b,"c"', None)]) == 'a,1\n"b,""c""",\n'
    assert csv_text([("a,b", 1.5)], "\t") == "a,b\t1.5\n"


def test_a_span_has_no_ends_where_cells_are_empty_or_missing():
    assert read_span({"start": "1:02", "end": "63.5"}, "window", "a.csv") == (62.0, 63.5)
    assert read_span({"start": "", "label": "x"}, "window", "a.csv") == (None, None)


@pytest.mark.parametrize("cells", [{"start": "4", "end": "4"}, {"end": "0"}])
def test_a_span_ends_after_its_start(cells):
    with pytest.raises(SourceError, match=r"a\.csv, line 2: the window ends at \d s, before it"):
        read_span(cells, "window", "a.csv, line 2")
