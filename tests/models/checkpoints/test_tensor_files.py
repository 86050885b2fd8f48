import argparse
import collections
import contextlib
import datetime
import os
import pickle
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from vswin_cli.errors import CheckpointError, UnsafeCheckpointError
from vswin_cli.models.checkpoints.tensor_files import read_tensor_file

TENSORS: dict[str, Tensor] = {
    "weight": torch.arange(6.0).reshape(2, 3).t(),  # a view that is not contiguous
    "parameter": torch.nn.Parameter(torch.ones(2)),
    "index": torch.arange(4).reshape(2, 2),
    "half": torch.full((3,), 0.5, dtype=torch.float16),
    "scalar": torch.tensor(3.0),
    "empty": torch.zeros(0, 3),
}
BOTH_FORMATS = pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])


class Log:
    """A class that no safe loader knows; it holds a tensor, as training logs do."""

    def __init__(self) -> None:
        self.history = torch.ones(3)


class HistoryBuffer:
    """Pickles its own methods beside its numbers, as MMEngine's class of this name does."""

    def __init__(self) -> None:
        self.values = np.arange(3.0)

    def mean(self) -> float:
        return float(self.values.mean())

    def __getstate__(self) -> dict[str, Any]:
        methods = collections.OrderedDict(mean=HistoryBuffer.mean)
        return {**self.__dict__, "statistics_methods": methods}


class Attack:
    """Calls something when it is unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class AttackInState:
    """Hides the call in the state that BUILD hands to `__setstate__`."""

    def __init__(self, attack: Attack) -> None:
        self.attack = attack

    def __reduce__(self):
        return Log, (), {"history": self.attack}


@pytest.fixture
def save(tmp_path):
    def save(content, *, is_zip=True, name="file.pth"):
        torch.save(content, tmp_path / name, _use_new_zipfile_serialization=is_zip)
        return tmp_path / name

    return save


@pytest.fixture
def target(tmp_path):
    """A file that exists once an attack has run."""
    target = tmp_path / "attacked"
    yield target
    assert not target.exists()


def attacks(target: Path) -> list[Attack]:
    script = f"open({str(target)!r}, 'w')"
    return [
        Attack(os.system, f"touch {target}"),
        Attack(eval, script),
        Attack(exec, script),
        Attack(open, str(target), "w"),
        Attack(os.mkdir, str(target)),
    ]


def assert_tensors(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert not found[name].requires_grad
        assert torch.equal(found[name], tensor.detach())


@BOTH_FORMATS
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_reads_tensors_at_the_top_or_under_a_usual_key(save, is_zip, wrapper):
    content = TENSORS if wrapper is None else {wrapper: TENSORS, "epoch": 3}
    file = read_tensor_file(save(content, is_zip=is_zip))
    assert_tensors(file.tensors, TENSORS)
    assert file.wrapper == wrapper
    assert file.ignored == ()


@BOTH_FORMATS
def test_the_format_is_detected_by_content_not_by_name(save, is_zip):
    path = save(TENSORS, is_zip=is_zip, name="file.safetensors")
    assert_tensors(read_tensor_file(path).tensors, TENSORS)


def test_reads_safetensors_under_any_name(tmp_path):
    plain = {name: t.detach().contiguous() for name, t in TENSORS.items() if t.numel()}
    save_file(plain, tmp_path / "file.pth")
    found = read_tensor_file(tmp_path / "file.pth").tensors
    assert_tensors({name: found[name] for name in plain}, plain)


@BOTH_FORMATS
def test_objects_beside_the_tensors_are_left_out_and_named(save, is_zip):
    meta = {
        "log": Log(),
        "when": datetime.datetime(2022, 9, 30),
        "options": argparse.Namespace(epochs=30),
        "lr": np.float64(0.1),
        "curve": np.arange(3),
        "names": collections.Counter("abc"),
        "sets": [{1, 2}, frozenset({3}), (), (1,), (1, 2), (1, 2, 3, 4)],
    }
    file = read_tensor_file(save({"meta": meta, "state_dict": TENSORS}, is_zip=is_zip))
    assert_tensors(file.tensors, TENSORS)
    assert f"{__name__}.Log" in file.ignored
    assert "argparse.Namespace" in file.ignored


@BOTH_FORMATS
def test_a_training_checkpoint_with_its_log_gives_its_weights(save, is_zip):
    content = {
        "meta": {"epoch": 3},
        "state_dict": TENSORS,
        "message_hub": {"log_scalars": {"loss": HistoryBuffer()}},
        "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}},
    }
    file = read_tensor_file(save(content, is_zip=is_zip))
    assert_tensors(file.tensors, TENSORS)
    assert f"{__name__}.HistoryBuffer" in file.ignored


@BOTH_FORMATS
@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("wrap", [lambda a: a, AttackInState, lambda a: {"deep": [(a,)]}])
def test_code_in_the_meta_is_refused_and_does_not_run(save, target, is_zip, number, wrap):
    content = {"meta": wrap(attacks(target)[number]), "state_dict": TENSORS}
    with pytest.raises(UnsafeCheckpointError, match="refused: it would call") as caught:
        read_tensor_file(save(content, is_zip=is_zip))
    assert caught.value.hint


@BOTH_FORMATS
def test_code_instead_of_tensors_is_refused_and_named(save, target, is_zip):
    with pytest.raises(UnsafeCheckpointError, match=r"`(posix|nt)\.system`"):
        read_tensor_file(save(attacks(target)[0], is_zip=is_zip))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_code_in_a_bare_pickle_is_refused_in_every_protocol(tmp_path, target, protocol):
    path = tmp_path / "file.pth"
    path.write_bytes(pickle.dumps({"state_dict": attacks(target)[0]}, protocol))
    with pytest.raises(UnsafeCheckpointError, match="refused"):
        read_tensor_file(path)


@BOTH_FORMATS
def test_a_whole_pickled_model_is_refused_with_advice(save, is_zip):
    with pytest.raises(UnsafeCheckpointError, match=r"torch\.nn\.modules") as caught:
        read_tensor_file(save(torch.nn.Linear(2, 2), is_zip=is_zip))
    assert "state_dict" in str(caught.value.hint)


def test_a_tensor_of_an_unknown_class_is_rejected_by_name(save):
    with pytest.raises(UnsafeCheckpointError, match=r"tensor odd is built by .*Log"):
        read_tensor_file(save({"state_dict": {**TENSORS, "odd": Log()}}))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "is empty"),
        (b"\x80\x04K\x01.", "a Python pickle that PyTorch did not write"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"),
        (b"\x89HDF\r\n\x1a\n" + bytes(64), "an HDF5 file"),
        (b"\x1f\x8b" + bytes(64), "a gzip archive"),
        (b"hello world, this is no checkpoint", "unknown data"),
        (b"PK\x03\x04" + bytes(100), "cut off or damaged zip"),
        ((10).to_bytes(8, "little") + b"{not json}", "damaged or cut off safetensors"),
    ],
)
def test_other_files_are_named_for_what_they_are(tmp_path, content, found):
    path = tmp_path / "file.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=found) as caught:
        read_tensor_file(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"gone\.pth: no such file"):
        read_tensor_file(tmp_path / "gone.pth")


@BOTH_FORMATS
@pytest.mark.parametrize("content", [{"epoch": 3}, [1, 2], 3])
def test_error_for_a_file_without_tensors_lists_its_contents(save, is_zip, content):
    with pytest.raises(
        CheckpointError, match=r"contains no tensors \(found (keys epoch|list|int)\)"
    ):
        read_tensor_file(save(content, is_zip=is_zip))


def test_other_zip_archives_are_refused(tmp_path):
    path = tmp_path / "file.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(CheckpointError, match="not one that PyTorch wrote"):
        read_tensor_file(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/constants.pkl", "")
        archive.writestr("model/data.pkl", "")
    with pytest.raises(CheckpointError, match="a TorchScript program"):
        read_tensor_file(path)


def test_a_changed_weight_in_a_zip_file_is_found(save):
    path = save({"state_dict": {"weight": torch.ones(1000)}})
    content = bytearray(path.read_bytes())
    content[content.find(torch.ones(100).numpy().tobytes()) + 401] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"checksum of .*data/0 differs"):
        read_tensor_file(path)


@BOTH_FORMATS
@pytest.mark.parametrize("meta", [None, Log()], ids=["plain", "with-objects"])
def test_a_cut_off_file_is_refused_wherever_it_is_cut(save, is_zip, meta):
    path = save({"meta": meta, "state_dict": TENSORS}, is_zip=is_zip)
    content = path.read_bytes()
    for length in range(1, len(content) - 1, 23):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError):
            read_tensor_file(path)


def damaged(original: bytes, randomness: random.Random) -> bytearray:
    content = bytearray(original)
    kind = randomness.choice(["bits", "bits", "bits", "cut", "repeat", "erase"])
    start = randomness.randrange(len(content))
    if kind == "cut":
        return content[:start]
    if kind == "repeat":
        return content[:start] + content[start : start + 20] + content[start:]
    if kind == "erase":
        content[start : start + 4] = bytes(len(content[start : start + 4]))
        return content
    for _ in range(randomness.randrange(1, 6)):
        content[randomness.randrange(len(content))] ^= 1 << randomness.randrange(8)
    return content


@pytest.mark.parametrize("kind", ["zip", "legacy", "zip-objects", "legacy-objects", "safetensors"])
def test_any_damage_ends_in_tensors_or_a_clear_error(save, tmp_path, kind):
    tensors = {"weight": torch.arange(6.0), "bias": torch.ones(2)}
    meta = Log() if kind.endswith("objects") else {"epoch": 1}
    path = save({"meta": meta, "state_dict": tensors}, is_zip=kind.startswith("zip"))
    if kind == "safetensors":
        save_file(tensors, path)
    content, randomness = path.read_bytes(), random.Random(kind)
    for _ in range(150):
        path.write_bytes(damaged(content, randomness))
        with contextlib.suppress(CheckpointError):
            assert read_tensor_file(path).tensors


DEEP = b"\x80\x02}N" + 1500 * b"\x85" + b"K\x01s."  # ((((None,),),),) as a key
IN_A_CALL = b"\x80\x02ccollections\nCounter\n]N" + 1500 * b"\x85" + b"a\x85R."


@BOTH_FORMATS
def test_what_could_crash_it_never_gets_to_pytorch(tmp_path, monkeypatch, is_zip):
    monkeypatch.delattr(torch, "load")
    path = tmp_path / "file.pth"
    if is_zip:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("file/data.pkl", IN_A_CALL)
    else:
        start = (0x1950A86A20F9469CFC6C, 1001, {})
        path.write_bytes(b"".join(pickle.dumps(one, 2) for one in start) + DEEP)
    with pytest.raises(CheckpointError, match=r"file\.pth: its pickle is cut off or damaged"):
        read_tensor_file(path)


def test_a_zip_archive_with_two_pickles_is_refused(tmp_path):
    path = tmp_path / "file.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("file/data.pkl", pickle.dumps({}, 2))
        archive.writestr("FILE/DATA.PKL", DEEP)
    with pytest.raises(CheckpointError, match="not one that PyTorch wrote"):
        read_tensor_file(path)


@BOTH_FORMATS
def test_data_types_unknown_to_numpy_are_read_by_pytorch(save, is_zip):
    tensors = {"phase": torch.zeros(2, dtype=torch.complex64), "weight": torch.ones(2)}
    assert_tensors(read_tensor_file(save(tensors, is_zip=is_zip)).tensors, tensors)
    with pytest.raises(CheckpointError, match="unknown kind of tensor storage"):
        read_tensor_file(save({"meta": Log(), "state_dict": tensors}, is_zip=is_zip))


def test_legacy_files_start_as_the_authors_releases_do(save):
    start = bytes.fromhex("80028a0a6cfc9c46f920 6aa850192e")
    assert save(TENSORS, is_zip=False).read_bytes().startswith(start)
