"""Files appear completely or not at all, under names that file systems take."""

import pytest

from vswin_cli.files import replacing_text


@pytest.mark.parametrize("name", ["🎬" * 62, "映" * 84, "a" * 255], ids=len)
def test_the_longest_names_can_be_written(tmp_path, name):
    with replacing_text(tmp_path / name) as file:
        file.write("here")
    assert [path.name for path in tmp_path.iterdir()] == [name]
