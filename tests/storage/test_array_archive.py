import io
import zipfile

import numpy as np
import pytest

from vswin_cli.errors import SourceError, SourceNotFoundError
from vswin_cli.storage.array_archive import map_array, open_archive, read_array, write_array

VALUES = np.arange(3000, dtype=np.float64)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        write_array(archive, "packed", VALUES)
        write_array(archive, "plain", VALUES.reshape(30, 100), compress=False)
    return path


def opened(path, limits=None):
    return open_archive(path, limits or {}, lambda reason: SourceError(f"no arrays: {reason}"))


def test_arrays_come_back_and_numpy_reads_them(path):
    with opened(path) as archive:
        np.testing.assert_array_equal(read_array(archive, "packed", np.float64, 1), VALUES)
        mapped = map_array(archive, str(path), "plain")
        assert isinstance(mapped, np.memmap)
        np.testing.assert_array_equal(mapped, VALUES.reshape(30, 100))
    np.testing.assert_array_equal(np.load(path)["packed"], VALUES)


def test_equal_arrays_give_equal_bytes():
    files = [io.BytesIO(), io.BytesIO()]
    for file in files:
        with zipfile.ZipFile(file, "w") as archive:
            write_array(archive, "a", VALUES)
    assert files[0].getvalue() == files[1].getvalue()


@pytest.mark.parametrize(
    ("name", "kind", "dims"), [("packed", np.float32, 1), ("packed", np.float64, 2)]
)
def test_another_type_or_rank_is_refused(path, name, kind, dims):
    with pytest.raises(SourceError, match="`packed` must be"), opened(path) as archive:
        read_array(archive, name, kind, dims)


def test_a_compressed_array_is_not_mapped(path):
    with pytest.raises(SourceError, match="`packed` is compressed"), opened(path) as archive:
        map_array(archive, str(path), "packed")


def test_damage_inside_the_block_is_the_error_of_the_caller(path):
    content = bytearray(path.read_bytes())
    content[60:400] = bytes(255 - byte for byte in content[60:400])
    path.write_bytes(content)
    with pytest.raises(SourceError, match="no arrays"), opened(path) as archive:
        read_array(archive, "packed", np.float64, 1)


def test_too_large_members_and_other_files_are_refused(path, tmp_path):
    with pytest.raises(SourceError, match=r"no arrays: `packed\.npy` is too large"):
        opened(path, {"packed.npy": 100}).__enter__()
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(SourceError, match="no arrays"), opened(tmp_path / "text"):
        pass
    with pytest.raises(SourceNotFoundError, match="cannot read"), opened(tmp_path / "missing"):
        pass
