"""Label files in their common forms, and those that are refused."""

from __future__ import annotations

import pytest

from vswin_cli.errors import LabelsError
from vswin_cli.models.labels import LabelMap

FORMS = {
    "plain.txt": "walk\nrun\njump\n",
    "no_newline.txt": "walk\nrun\njump",
    "windows.txt": "walk\r\nrun\r\njump\r\n\r\n",
    "bom.txt": "\ufeffwalk\nrun\njump\n",
    "numbered.txt": "0\twalk\n1\trun\n2\tjump\n",
    "shuffled.tsv": "2\tjump\n0\twalk\n1\trun\n",
    "header.csv": "id,name\n0,walk\n1,run\n2,jump\n",
    "turned.csv": "label,class_id\njump,2\nrun,1\nwalk,0\n",
    "bare.csv": "0,walk\n1,run\n2,jump\n",
    "names.csv": "name\nwalk\nrun\njump\n",
    "single.csv": "walk\nrun\njump\n",
    "list.json": '["walk", "run", "jump"]',
    "id2label.json": '{"id2label": {"0": "walk", "2": "jump", "1": "run"}}',
    "label2id.json": '{"jump": 2, "run": 1, "walk": 0}',
    "text_ids.json": '{"jump": "2", "run": "1", "walk": "0"}',
    "ours.json": '{"schema": "vswin.model/1", "labels": ["walk", "run", "jump"]}',
}


@pytest.mark.parametrize("name", FORMS)
def test_every_accepted_form_reads_the_same(tmp_path, name):
    path = tmp_path / name
    path.write_text(FORMS[name], encoding="utf-8", newline="")
    assert LabelMap.from_file(path).names == ("walk", "run", "jump")


def test_csv_keeps_quoted_commas(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text('id,name\n0,"Folding, twice"\n1,Rest\n', encoding="utf-8")
    assert LabelMap.from_file(path).names == ("Folding, twice", "Rest")


def test_labels_outside_ascii_survive(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("Händewaschen\n太極拳\n", encoding="utf-8")
    assert LabelMap.from_file(path).names == ("Händewaschen", "太極拳")


BAD = {
    "empty.txt": ("", "no labels"),
    "hole.txt": ("walk\n\njump\n", "class 1 is empty"),
    "twice.txt": ("walk\nrun\nwalk\n", "classes 0 and 2 are both 'walk'"),
    "gap.csv": ("id,name\n0,walk\n2,jump\n", "class index 1 is missing"),
    "dup.csv": ("id,name\n0,walk\n0,run\n", "class index 0 occurs twice"),
    "short.csv": ("id,name\n0,walk\n1\n", "line 3: got 1 column, expected 2"),
    "quote.csv": ('id,name\n0,walk\n1,"run\n2,jump\n', "line 3: unexpected end"),
    "vague.csv": ("a,b,c\n1,2,3\n", "which column"),
    "letters.csv": ("id,name\nx,walk\n", "'x' is not a class index"),
    "broken.json": ('["walk",', "not JSON"),
    "number.json": ("3", "neither a list"),
    "mixed.json": ('["walk", 3]', "neither a list"),
    "flag.json": ('{"walk": true}', "not a class index"),
}


@pytest.mark.parametrize("name", BAD)
def test_unusable_list_fails_naming_the_file(tmp_path, name):
    content, message = BAD[name]
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(LabelsError, match=message) as caught:
        LabelMap.from_file(path)
    assert str(path) in caught.value.message


INDEXED = {
    "blank.txt": "2 jump\n0 walk\n1 run\n",
    "from_one.txt": "1 walk\n2 run\n3 jump\n",
    "from_one_shuffled.txt": "3 jump\n1 walk\n2 run\n",
    "semicolon.txt": "2;jump\n1;run\n0;walk\n",
    "comma.txt": "0,walk\n1,run\n2,jump\n",
    "colon.txt": "0: walk\n1: run\n2: jump\n",
    "dot.txt": "1. walk\n2. run\n3. jump\n",
    "quoted.txt": '"2" "jump"\n"0" "walk"\n"1" "run"\n',
    "quoted_names.txt": '0 "walk"\n1 "run"\n2 "jump"\n',
    "header.txt": "id name\n2 jump\n1 run\n0 walk\n",
    "behind.txt": "jump,2\nwalk,0\nrun,1\n",
    "blank_lines.txt": "2 jump\n\n0 walk\n1 run\n",
    "label_text.csv": "label,text\n2,jump\n0,walk\n1,run\n",
    "semicolon.csv": "id;name\n2;jump\n0;walk\n1;run\n",
    "from_one.csv": "1,walk\n2,run\n3,jump\n",
    "unnamed_index.csv": "number,name\n2,jump\n1,run\n0,walk\n",
    "behind.csv": "jump,2\nwalk,0\nrun,1\n",
    "quoted.csv": '"id","name"\n"2","jump"\n"0","walk"\n"1","run"\n',
    "from_one.json": '{"2": "run", "1": "walk", "3": "jump"}',
}


@pytest.mark.parametrize("name", INDEXED)
def test_an_index_in_the_lines_decides_whatever_their_order(tmp_path, name):
    path = tmp_path / name
    path.write_text(INDEXED[name], encoding="utf-8")
    assert LabelMap.from_file(path).names == ("walk", "run", "jump")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0 walk\n1 run\njump\n3 fly\n", "line 3: .*no index"),
        ("0 walk\n1 run\n1 jump\n", "line 3: class index 1 occurs twice"),
        ("0 walk\n1 run\n3 jump\n", "class index 2 is missing"),
        ("0;walk\n1;run\n2\n", "line 3: .*no label"),
        ("-1 walk\n0 run\n1 jump\n", "line 1: -1 is not a class index"),
        ("0;walk\n-1;run\n1;jump\n", "line 2: -1 is not a class index"),
        ("0.0 walk\n1.0 run\n", "line 1: 0.0 is not a class index"),
        ("0 walk\n1 run\n1.5 jump\n", "line 3: 1.5 is not a class index"),
        ("walk,0\nrun,-1\njump,2\n", "line 2: -1 is not a class index"),
        ("walk,\nrun,\njump,\n", "line 1: ends with ','"),
        ("0,walk,\n1,run,\n", "line 1: ends with ','"),
        ("walk\nrun\njump;\n", "line 3: ends with ';'"),
    ],
)
def test_indices_in_part_are_refused_naming_the_line(tmp_path, content, message):
    path = tmp_path / "labels.txt"
    path.write_text(content)
    with pytest.raises(LabelsError, match=message):
        LabelMap.from_file(path)


@pytest.mark.parametrize(
    "names",
    [
        ("2 step", "walk", "run"),
        ("walk", "camera 1", "camera 2"),
        ("a 1", "b 2", "c 0"),
        ("1.5 turns", "walk", "run"),
        ("-5 degrees", "walk", "run"),
        ("walk, slowly", "run (fast)", "jump-2"),
    ],
)
def test_numbers_in_a_few_names_are_no_indices(tmp_path, names):
    path = tmp_path / "labels.txt"
    path.write_text("\n".join(names))
    assert LabelMap.from_file(path).names == names


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("deep.json", "[" * 100_000),
        ("digits.json", '{"' + "9" * 5000 + '": "a", "1": "b"}'),
        ("digits.txt", "9" * 5000 + " a\n" + "8" * 5000 + " b\n"),
        ("nested.json", '{"0": [[["a"]]], "1": {}}'),
    ],
)
def test_hostile_lists_end_in_a_clear_error(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(LabelsError, match=name):
        LabelMap.from_file(path)


@pytest.mark.parametrize("text", ["1|run\n0|walk\n", "0 | walk\n1 | run\n", "run|1\nwalk|0\n"])
def test_a_bar_separates_index_and_name(tmp_path, text):
    path = tmp_path / "labels.txt"
    path.write_text(text)
    assert LabelMap.from_file(path).names == ("walk", "run")
