"""Hostile and damaged files end at once, with little memory, in the documented error."""

import io
import json
import subprocess
import sys
import zipfile

import pytest
import torch

from tests.support.golden import golden_network, golden_state
from tests.support.layout_files import official_file, tf_table
from vswin_cli.errors import CheckpointError, VswinError
from vswin_cli.models.card import ModelCard
from vswin_cli.models.checkpoints.hostile import reading_checkpoint
from vswin_cli.models.checkpoints.load import read_checkpoint, save_model
from vswin_cli.models.checkpoints.safe_pickle import run_pickle
from vswin_cli.models.checkpoints.tensor_files import read_tensor_file
from vswin_cli.models.checkpoints.tf_bundle import graph_names
from vswin_cli.models.checkpoints.tf_index import _block_items

STATE = golden_state("w877")
CARD = ModelCard("x", golden_network("w877").architecture, 10)
SHOW_PEAK = """
import resource, sys
from pathlib import Path
from vswin_cli.errors import CheckpointError
from vswin_cli.models.checkpoints.load import read_checkpoint
import vswin_cli.models.network.swin3d, safetensors.torch
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_checkpoint(Path(sys.argv[1]))
except CheckpointError as error:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error.message)
"""


class Log:
    """A class that PyTorch's safe loader refuses."""


def peak_kilobytes(path):
    done = subprocess.run(
        [sys.executable, "-c", SHOW_PEAK, str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout, done.stderr
    return int(done.stdout.split()[0])


@pytest.mark.slow
@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("has_object", [True, False], ids=["object", "plain"])
def test_a_view_with_a_stride_of_zero_needs_no_memory(tmp_path, is_zip, has_object):
    wide = {**STATE, "norm.bias": torch.zeros(1).expand(1 << 30)}
    meta = {"log": Log()} if has_object else {}
    torch.save(
        {"state_dict": wide, "meta": meta},
        tmp_path / "file.pth",
        _use_new_zipfile_serialization=is_zip,
    )
    assert (tmp_path / "file.pth").stat().st_size < 5_000_000
    assert peak_kilobytes(tmp_path / "file.pth") < 300_000


@pytest.mark.slow
def test_a_compressed_archive_does_not_expand(tmp_path):
    path = tmp_path / "file.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("file/data.pkl", b"\x80\x02}." + bytes(1 << 28))
    with pytest.raises(CheckpointError, match="more than a file of its size"):
        read_tensor_file(path)


def test_storages_that_are_not_there_are_not_allocated(tmp_path):
    path = tmp_path / "file.pth"
    torch.save({"a": torch.ones(3)}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    assert content.count(b"K\x03N") == 1
    path.write_bytes(content.replace(b"K\x03N", b"J\xff\xff\xff\x7fN"))  # 2**31 - 1 numbers
    with pytest.raises(CheckpointError, match="more than a file of its size"):
        read_tensor_file(path)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
        b"\x80\x04]\x94" + b"(h\x00h\x00e" * 40 + b"h\x00\x93.",
    ],
    ids=["bytearray", "global of lists"],
)
def test_hostile_pickles_end_in_the_documented_error(content):
    with pytest.raises(CheckpointError):
        run_pickle(io.BytesIO(content), "file")


def test_shared_lists_never_become_text(tmp_path):
    shared = b"]\x94" + b"".join(b"(h%ch%cl\x94" % (i, i) for i in range(60))
    pickled = b"\x80\x04" + shared + b"h\x3c\x8c\x01x\x93."
    with pytest.raises(CheckpointError, match="damaged"):
        run_pickle(io.BytesIO(pickled), "file")


def test_one_list_as_the_argument_of_many_calls_ends(tmp_path):
    many = b"(" + b"N" * 20_000 + b"lq\x00"
    call = b"ccollections\nOrderedDict\nh\x00\x85R0"
    with pytest.raises(CheckpointError, match="damaged"):
        run_pickle(io.BytesIO(b"\x80\x02" + many + call * 2_000 + b"."), "file")


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


@pytest.mark.slow
def test_a_graph_whose_paths_explode_ends():
    nodes = b""
    for depth in range(8):
        children = b"".join(
            field(1, b"\x08" + varint(depth + 1) + field(2, str(number).encode()))
            for number in range(300)
        )
        nodes += field(1, children)
    with pytest.raises(CheckpointError, match="damaged object graph"):
        graph_names(nodes + field(1, b""), "graph")


def test_keys_that_add_up_are_refused():
    first = varint(0) + varint(5000) + varint(0) + b"k" * 5000
    again = varint(5000) + varint(0) + varint(0)  # the whole key once more, in four bytes
    with pytest.raises(CheckpointError, match="a key of 5000 bytes"):
        list(_block_items(first + again * 10 + bytes(4), "index"))


def test_more_shards_than_the_header_names_are_refused(tmp_path):
    path = tmp_path / "variables.index"
    entry = b"\x08\x07\x18\x05"  # a string in shard 5
    path.write_bytes(tf_table({b"": b"", b"_CHECKPOINTABLE_OBJECT_GRAPH": entry}))
    with pytest.raises(CheckpointError, match="a shard too many"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "change",
    [
        {"depths": [10**9], "num_heads": [1]},
        {"depths": [1] * 1000, "num_heads": [1] * 1000},
        {"window_size": [10**6, 7, 7]},
        {"patch_size": [10**9, 4, 4]},
        {"embed_dim": 10**12},
        {"embed_dim": 10**400},
        {"mlp_ratio": 10**400},
        {"num_heads": [[[[1]]]]},
    ],
    ids=str,
)
def test_a_card_that_claims_anything_is_refused_at_once(tmp_path, change):
    save_model(tmp_path / "m", STATE, CARD)
    content = json.loads(CARD.to_json())
    content["architecture"] |= change
    (tmp_path / "m" / "config.json").write_text(json.dumps(content))
    with pytest.raises(CheckpointError):
        read_checkpoint(tmp_path / "m")


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"schema": "vswin.model/1", "mean": ' + "9" * 5000 + "}", "\ud800", "3"],
    ids=["deep", "digits", "surrogate", "number"],
)
def test_a_card_that_is_none_is_refused(text):
    with pytest.raises(CheckpointError, match="card"):
        ModelCard.from_json(text, "card")


@pytest.mark.parametrize(
    "error",
    [RuntimeError, NotImplementedError, OverflowError, RecursionError, MemoryError, KeyError],
)
def test_whatever_a_library_raises_becomes_the_documented_error(tmp_path, error):
    with pytest.raises(CheckpointError, match="file"), reading_checkpoint(tmp_path / "file"):
        raise error("from deep below")
    with pytest.raises(VswinError, match="kept"), reading_checkpoint(tmp_path / "file"):
        raise VswinError("kept")


def test_encrypted_archives_and_unknown_compression_are_rejected(tmp_path):
    path = official_file(tmp_path / "x.pth", STATE)
    torch.save(torch.load(path), path)
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02")
    content[at + 10] = 99  # the compression method of the last entry
    path.write_bytes(content)
    with pytest.raises(CheckpointError):
        read_checkpoint(path)
