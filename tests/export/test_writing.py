"""Writing formats to paths and handles, completely or not at all."""

import io
import os
import stat
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.timelines import named, timeline, written
from vswin_cli.errors import OptionError, OutputError
from vswin_cli.export import FORMATS, export_timelines, render_timelines, write_timeline
from vswin_cli.storage.files import check_destination


@pytest.mark.parametrize("fmt", FORMATS)
def test_path_and_handle_get_the_same_text_with_line_feeds(fmt, tmp_path):
    path = tmp_path / "out"
    write_timeline(timeline(), fmt, path)
    if FORMATS[fmt].is_binary:
        assert path.read_bytes() == render_timelines([timeline()], fmt)
        with pytest.raises(OptionError, match="not text"):
            write_timeline(timeline(), fmt, io.StringIO())
        return
    assert path.read_bytes() == written(fmt).encode()
    assert b"\r" not in path.read_bytes()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_written_to_and_never_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check_destination(pipe)
    with ThreadPoolExecutor() as pool, os.fdopen(os.open(pipe, os.O_RDWR), "rb") as keeper:
        writer = pool.submit(write_timeline, timeline(), "csv", pipe)
        writer.result(timeout=10)
        assert os.read(keeper.fileno(), 65536).decode() == written("csv")
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_symbolic_link_stays_and_leads_to_the_result(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "real" / "out.csv")
    for _ in ("new", "replaced"):
        check_destination(link)
        write_timeline(timeline(), "csv", link)
        assert link.is_symlink()
        assert (tmp_path / "real" / "out.csv").read_text(encoding="utf-8") == written("csv")
    assert len(list((tmp_path / "real").iterdir())) == 1


@pytest.mark.parametrize("fmt", [name for name, form in FORMATS.items() if not form.holds_many])
def test_formats_of_one_video_reject_several(fmt):
    with pytest.raises(OptionError, match="one video per file") as caught:
        written(fmt, timeline(), named("b.mp4"))
    assert "folder" in (caught.value.hint or "")


def test_missing_folder_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="none") as caught:
        write_timeline(timeline(), "json", tmp_path / "none" / "a.json")
    assert "folder" in (caught.value.hint or "")


def test_folder_as_file_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="directory") as caught:
        write_timeline(timeline(), "json", tmp_path)
    assert "file name" in (caught.value.hint or "")


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere"
)
def test_folder_that_may_not_be_written_is_an_output_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="denied"):
        write_timeline(timeline(), "json", tmp_path / "a.json")
    tmp_path.chmod(0o700)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk_leaves_the_old_file_and_no_rubbish(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text("old")
    real = tempfile.mkstemp

    def full(**options):
        handle, name = real(**options)
        os.close(handle)
        return os.open("/dev/full", os.O_WRONLY), name

    monkeypatch.setattr(tempfile, "mkstemp", full)
    with pytest.raises(OutputError, match="No space left") as caught:
        write_timeline(timeline(), "json", path)
    assert "space" in (caught.value.hint or "")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


def test_failing_half_way_leaves_nothing(tmp_path):
    from vswin_cli.storage.files import replacing_text

    def half(path):
        with replacing_text(path) as file:
            file.write("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half(tmp_path / "a.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_new_files_follow_the_umask_and_old_ones_keep_their_mode(tmp_path):
    path = tmp_path / "a.json"
    old = os.umask(0o027)
    try:
        write_timeline(timeline(), "json", path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o600)
    write_timeline(timeline(), "json", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_export_chooses_the_format_by_the_ending(tmp_path):
    export_timelines(timeline(), str(tmp_path / "a.srt"))
    assert (tmp_path / "a.srt").read_text(encoding="utf-8") == written("srt")
    export_timelines([timeline(), timeline()], tmp_path / "all.txt", "csv")
    assert len((tmp_path / "all.txt").read_text(encoding="utf-8").splitlines()) == 7


@pytest.mark.parametrize("name", ["a.xyz", "a.srt"])
def test_export_refuses_what_has_no_format_or_does_not_fit(tmp_path, name):
    with pytest.raises(OptionError):
        export_timelines([timeline(), timeline()], tmp_path / name)
    with pytest.raises(OptionError, match="takes Timelines, got 'a"):
        export_timelines(["a.json"], tmp_path / "a.csv")
