"""Parse the index of a TensorFlow checkpoint: integers, messages, tables and entries."""

import pytest

from tests.support.layout_files import tf_table
from vswin_cli.errors import CheckpointError
from vswin_cli.models.checkpoints.tf_index import BundleIndex, Cursor, message_fields


def test_a_varint_without_end_is_refused():
    with pytest.raises(CheckpointError, match="damaged"):
        Cursor(b"\xff" * 20, "file").varint()


def test_message_fields_of_all_wire_types():
    message = bytes([0x08, 0x96, 0x01, 0x12, 2]) + b"ab" + bytes([0x1D, 1, 0, 0, 0])
    assert list(message_fields(message, "file")) == [(1, 150), (2, b"ab"), (3, 1)]
    with pytest.raises(CheckpointError, match="wire type 3"):
        list(message_fields(bytes([0x0B]), "file"))


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (bytes([0x08, 2]), "data type 2, expected float32"),
        (bytes([0x08, 1, 0x3A, 0]), "stored in slices"),
        (bytes([0x08, 1, 0x28, 8]), "8 bytes for the shape"),
        (bytes([0x0A, 0]), "damaged"),
    ],
)
def test_entries_that_are_not_plain_float32_are_refused(tmp_path, entry, problem):
    file = tmp_path / "variables.index"
    file.write_bytes(tf_table({b"": b"", b"weights": entry}))
    with pytest.raises(CheckpointError, match=problem):
        BundleIndex.read(file)


def test_big_endian_bundles_are_refused(tmp_path):
    file = tmp_path / "variables.index"
    file.write_bytes(tf_table({b"": bytes([0x08, 1, 0x10, 1])}))
    with pytest.raises(CheckpointError, match="big-endian"):
        BundleIndex.read(file)
