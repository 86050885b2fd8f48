"""Read single pickles: calls become placeholders, code is refused, plain data comes out equal."""

import io
import pickle
from typing import Any

import pytest

from vswin_cli.errors import CheckpointError, UnsafeCheckpointError
from vswin_cli.models.checkpoints.safe_pickle import PickleContent, Placeholder, run_pickle

# ((((None,),),),) as a key; the same twice in each of 15 levels; nested in a call's argument
DEEP = b"\x80\x02}N" + 1500 * b"\x85" + b"K\x01s."
WIDE = b"\x80\x02}N\x85" + 15 * b"2\x86" + b"K\x01s."
IN_A_CALL = b"\x80\x02ccollections\nCounter\n]N" + 1500 * b"\x85" + b"a\x85R."


class Log:
    """A class that no safe loader knows."""


def run(*parts: bytes) -> PickleContent:
    return run_pickle(io.BytesIO(b"".join(parts)), "file")


def test_calls_become_placeholders_without_calling():
    content = run(pickle.dumps({"a": Log()}, 2))
    root: Any = content.root
    assert isinstance(root["a"], Placeholder)
    assert root["a"].name == f"{__name__}.Log"
    assert f"{__name__}.Log" in content.ignored


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_comes_out_equal_in_every_protocol(protocol):
    plain: dict[object, object] = {
        "a": [1, -2.5, None, True, "ü", 2**70, "x" * 300],
        ("k", 1): ({}, [[]], ()),
        3: [],
    }
    plain["again"] = plain["a"]
    root: Any = run(pickle.dumps(plain, protocol)).root
    assert root == plain
    assert root["again"] is root["a"]


def test_instructions_to_import_or_extend_are_refused():
    with pytest.raises(UnsafeCheckpointError, match=r"`os\.system`"):
        run(b"(ios\nsystem\n.")  # INST
    with pytest.raises(UnsafeCheckpointError, match=r"`builtins\.eval`"):
        run(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.")  # STACK_GLOBAL
    with pytest.raises(CheckpointError, match="damaged"):
        run(b"\x80\x02\x82\x01.")  # EXT1: the process's own extension registry


@pytest.mark.parametrize("content", [DEEP, WIDE, IN_A_CALL], ids=["deep", "wide", "in a call"])
def test_tuples_that_take_long_or_much_stack_to_hash_are_refused(content):
    with pytest.raises(CheckpointError, match="damaged"):
        run(content)


def test_tuples_in_tuples_are_keys_all_the_same():
    plain = {((1, 2), ("a", (None,))): [((1,), 2)] * 3, (): tuple(range(5000))}
    assert run(pickle.dumps(plain, 2)).root == plain


def test_setting_attributes_on_our_own_functions_is_without_effect():
    build = b"ctorch._utils\n_rebuild_tensor_v2\nN}(X\x08\x00\x00\x00__code__K\x01u\x86b."
    assert isinstance(run(build).root, Placeholder)
