import os

from vswin_cli.storage.bounded_folder import mark_used, remove_unused


def write(path, size, used):
    path.write_bytes(bytes(size))
    os.utime(path, (used, used))
    return path


def test_files_used_longest_ago_are_removed_first(tmp_path):
    old, _, new = (write(tmp_path / name, 100, used) for used, name in enumerate("abc"))
    mark_used(old)
    assert old.stat().st_mtime == 0
    remove_unused(tmp_path, 250)
    assert sorted(tmp_path.iterdir()) == [old, new]
    remove_unused(tmp_path, 200)
    assert sorted(tmp_path.iterdir()) == [old, new]
    remove_unused(tmp_path, 0)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_file_stays_and_a_missing_folder_is_no_error(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    remove_unused(tmp_path, 0)
    assert len(list(tmp_path.iterdir())) == 2
    remove_unused(tmp_path / "none", 0)
