"""Where a batch may write: folders that it makes, and files that it must not replace."""

from pathlib import Path

import pytest

from vswin_cli.batch.inputs import collect_inputs
from vswin_cli.batch.tables import FILES_COLUMNS
from vswin_cli.batch.target import choose_target
from vswin_cli.cli.batch_paths import (
    check_replaced_files,
    prepare_features,
    prepare_pages,
    prepare_paths,
)
from vswin_cli.errors import OptionError, OutputError


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"frames")


def inputs():
    return collect_inputs(["a.mp4"])


def test_scores_are_kept_beside_the_journal_unless_a_folder_is_named():
    target = choose_target("r.csv", None)
    assert prepare_paths(target, None, keep=True) == (target.state / "scores").absolute()
    assert prepare_paths(target, None, keep=False) is None
    assert prepare_paths(target, Path("scores"), keep=True) == Path("scores").absolute()
    assert Path("scores").is_dir()


def test_parents_are_not_made():
    with pytest.raises(OutputError):
        prepare_paths(choose_target("missing/r.csv", None), None, keep=True)
    assert not Path("missing").exists()


@pytest.mark.parametrize(
    ("scores", "keep", "message"),
    [
        ("scores", False, "exclude each other"),
        ("s3://bucket/scores", True, "is an address"),
        ("r.csv", True, "r.csv"),
    ],
)
def test_scores_that_can_go_nowhere_are_refused(scores, keep, message):
    with pytest.raises(OptionError, match=message):
        prepare_paths(choose_target("r.csv", None), Path(scores), keep=keep)


def test_features_and_scores_need_two_folders():
    target = choose_target("r.csv", None)
    assert prepare_features(target, None, None) is None
    assert prepare_features(target, Path("f"), Path("s")) == Path("f").absolute()
    with pytest.raises(OptionError, match="save-scores"):
        prepare_features(target, Path("s"), Path("s"))


@pytest.mark.parametrize(
    ("wanted", "page"),
    [("pages", "pages/index.html"), ("pages/", "pages/index.html"), ("all.html", "all.html")],
)
def test_the_page_to_open_first(wanted, page):
    target = choose_target("r.csv", None)
    assert prepare_pages(target, inputs(), wanted, force=False) == Path(page)
    assert prepare_pages(target, inputs(), None, force=False) is None


def test_a_page_of_others_stays(tmp_path):
    Path("all.html").write_text("<p>mine</p>")
    target = choose_target("r.csv", None)
    with pytest.raises(OutputError, match=r"all\.html"):
        prepare_pages(target, inputs(), "all.html", force=False)
    assert prepare_pages(target, inputs(), "all.html", force=True) == Path("all.html")


def test_a_table_of_others_is_not_replaced_and_one_of_ours_is():
    target = choose_target("r.csv", None)
    check_replaced_files(target, inputs(), force=False)
    Path("r.csv").write_text("date,amount\n")
    with pytest.raises(OutputError, match=r"r\.csv"):
        check_replaced_files(target, inputs(), force=False)
    check_replaced_files(target, inputs(), force=True)
    Path("r.csv").write_text(",".join(FILES_COLUMNS) + "\n")
    check_replaced_files(target, inputs(), force=False)


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path):
    Path("theirs.csv").write_text("date,amount\n")
    Path("r.csv").symlink_to("theirs.csv")
    check_replaced_files(choose_target("r.csv", None), inputs(), force=False)
