"""Writing of figures: whose they are, what style they have, and what they need."""

import sys
from xml.etree import ElementTree

import matplotlib
import pytest

from vswin_cli.cli.overwriting import is_own_file
from vswin_cli.errors import OptionError, OutputError
from vswin_cli.evaluation.figure_files import FigureFolder, check_matplotlib


def write(folder, title="title"):
    with FigureFolder(folder).figure("one", 2, 1) as figure:
        figure.add_subplot(title=title)


def test_figures_are_recognised_as_ours_and_others_are_not(tmp_path):
    write(tmp_path / "plots")
    png, svg = FigureFolder(tmp_path / "plots").files(["one"])
    assert is_own_file(png)
    assert is_own_file(svg)
    figure = matplotlib.figure.Figure()
    for path in (tmp_path / "other.png", tmp_path / "other.svg"):
        figure.savefig(path)
        assert not is_own_file(path)
    (tmp_path / "mine.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>\n')
    assert not is_own_file(tmp_path / "mine.svg")


def test_the_users_style_is_neither_used_nor_changed(tmp_path):
    write(tmp_path / "plain")
    with matplotlib.rc_context({"axes.facecolor": "red", "svg.fonttype": "path"}):
        write(tmp_path / "styled")
        assert matplotlib.rcParams["axes.facecolor"] == "red"
    for name in ("one.png", "one.svg"):
        assert (tmp_path / "plain" / name).read_bytes() == (tmp_path / "styled" / name).read_bytes()


def test_labels_in_any_script_are_text_in_the_svg(tmp_path):
    write(tmp_path / "plots", "ズーム & $x^2$")  # the warning about the PNG's font is an error here
    texts = ElementTree.parse(tmp_path / "plots" / "one.svg").getroot().itertext()
    assert "ズーム & $x^2$" in [text.strip() for text in texts]


def test_a_folder_without_its_parent_fails(tmp_path):
    with pytest.raises(OutputError, match="cannot write"):
        write(tmp_path / "missing" / "plots")


def test_without_matplotlib_the_error_says_how_to_install_it(monkeypatch):
    check_matplotlib()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(OptionError, match="matplotlib") as caught:
        check_matplotlib()
    assert caught.value.hint == 'pip install "vswin[plots]"'
