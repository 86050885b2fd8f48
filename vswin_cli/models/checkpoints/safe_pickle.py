"""Read the tensors of a PyTorch pickle without calling anything that it refers to.

PyTorch's own safe loader rejects a whole file because of one unknown object beside the tensors,
such as a training log or a configuration. The reader below executes a pickle's instructions but
cannot import or call anything: a call to a tensor's rebuild function becomes a pending tensor,
which is built afterwards with every bound checked; any other call becomes a placeholder. A file
that refers to a function which could run code is rejected all the same, since no training log needs
`os.system`.

Instructions: Lib/pickletools.py. Containers: torch/serialization.py.
"""

from __future__ import annotations

import pickletools
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO

import torch

from vswin_cli.errors import CheckpointError, UnsafeCheckpointError

__all__ = ["PendingTensor", "PickleContent", "Placeholder", "Storage", "run_pickle"]

_DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
# Everything that an exploit needs is in the standard library: of it, only modules with plain data
# are accepted. Other packages become placeholders anyway.
_PLAIN_MODULES = {
    "_codecs", "argparse", "collections", "copyreg", "datetime", "decimal", "enum",
    "fractions", "logging", "pathlib", "uuid", "zoneinfo",
}  # fmt: skip
# Older pickles refer to a class's method by `getattr`, as MMEngine's training logs do.
_PLAIN_BUILTINS = {
    "bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "getattr", "int",
    "list", "object", "range", "set", "slice", "str", "tuple",
}  # fmt: skip
_BUILTINS = {"builtins", "__builtin__"}

_CONSTANTS: Mapping[str, object] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
    "BYTEARRAY8", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
}  # fmt: skip
_EMPTY: Mapping[str, Callable[[], object]] = {
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": set,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = {"PROTO", "FRAME", "STOP"}
_DAMAGE = (
    IndexError, KeyError, TypeError, ValueError, OverflowError, MemoryError, RecursionError,
)  # fmt: skip
# Hashing a tuple, as for a key, takes a part of the C stack for each level of nesting.
_MAX_NESTED_TUPLES = 1000
# Items copied by all calls together: one long list can be the argument of many calls.
_MOST_COPIED = 10_000_000
_BYTES = {f"{module}.{name}" for module in _BUILTINS for name in ("bytes", "bytearray")}


@dataclass(frozen=True, slots=True)
class Storage:
    """A block of numbers in the file, of which tensors are views."""

    key: str
    dtype: torch.dtype
    count: int
    """Elements."""


@dataclass(frozen=True, slots=True, eq=False)
class PendingTensor:
    """A tensor as described in the pickle; nothing is checked yet."""

    storage: object
    offset: object
    """Elements from the storage's start."""
    size: object
    stride: object


@dataclass(frozen=True, slots=True, eq=False)
class Placeholder:
    """An object, class or function in the file that is not rebuilt."""

    name: str
    """`module.name` of the class or function."""


@dataclass(frozen=True, slots=True)
class PickleContent:
    """Content of a pickle."""

    root: object
    """Top-level object, of plain containers, pending tensors and placeholders."""
    storages: Mapping[str, Storage]
    """All storages that it refers to, by key."""
    ignored: frozenset[str]
    """Names of the classes and functions that became placeholders."""


def run_pickle(file: IO[bytes], where: str) -> PickleContent:
    """Read one pickle to its end and leave the file positioned after it.

    Args:
        file: at the pickle's first byte.
        where: name of the checkpoint, for messages.

    Raises:
        UnsafeCheckpointError: the pickle refers to a function that could run code.
        CheckpointError: it is damaged or not from PyTorch.
    """
    reader = _PickleReader(where)
    try:
        for opcode, argument, _ in pickletools.genops(file):
            reader.step(opcode.name, argument)
        root = reader.stack.pop()
    except _DAMAGE as error:
        raise CheckpointError(
            f"{where}: its pickle is cut off or damaged", hint="download the file again"
        ) from error
    return PickleContent(root, reader.storages, frozenset(reader.ignored))


class _PickleReader:
    """Execute the instructions of one pickle: stack, marks and memo."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.stack: list[object] = []
        self.storages: dict[str, Storage] = {}
        self.ignored: set[str] = set()
        self._marked: list[list[object]] = []
        self._memo: dict[object, object] = {}
        self._nested: dict[int, tuple[int, object]] = {}
        self._copied = 0

    def step(self, name: str, argument: object) -> None:
        """Execute one instruction."""
        if name in _CONSTANTS:
            self._push(_CONSTANTS[name])
        elif name in _LITERALS:
            self._push(argument)
        elif name in _EMPTY:
            self._push(_EMPTY[name]())
        elif name in _TUPLES:
            self._push_tuple(self._pop_many(_TUPLES[name]))
        elif name not in _IGNORED:
            self._step_stack(name, argument)

    def _step_stack(self, name: str, argument: object) -> None:
        match name:
            case "MARK":
                self._marked.append(self.stack)
                self.stack = []
            case "POP":
                self.stack.pop() if self.stack else self._pop_mark()
            case "POP_MARK":
                self._pop_mark()
            case "DUP":
                self._push(self.stack[-1])
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = self.stack[-1]
            case "MEMOIZE":
                self._memo[len(self._memo)] = self.stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                self._push(self._memo[argument])
            case _:
                self._step_container(name, argument)

    def _step_container(self, name: str, argument: object) -> None:
        match name:
            case "TUPLE":
                self._push_tuple(self._pop_mark())
            case "LIST":
                self._push(self._pop_mark())
            case "FROZENSET":
                self._push(frozenset(self._pop_mark()))
            case "DICT":
                items = self._pop_mark()
                self._push(dict(zip(items[::2], items[1::2], strict=True)))
            case "APPEND":
                self._extend([self.stack.pop()])
            case "APPENDS" | "ADDITEMS":
                self._extend(self._pop_mark())
            case "SETITEM":
                self._set_items(self._pop_many(2))
            case "SETITEMS":
                self._set_items(self._pop_mark())
            case _:
                self._step_object(name, argument)

    def _step_object(self, name: str, argument: object) -> None:
        match name:
            case "GLOBAL":
                self._push(self._global(*str(argument).split(" ", 1)))
            case "STACK_GLOBAL":
                module, attribute = self._pop_many(2)
                if not isinstance(module, str) or not isinstance(attribute, str):
                    raise TypeError(name)  # `str` of lists in shared lists would never end
                self._push(self._global(module, attribute))
            case "INST":
                self._pop_mark()
                self._push(self._global(*str(argument).split(" ", 1)))
            case "OBJ":
                self._push(self._pop_mark()[0])
            case "REDUCE" | "NEWOBJ":
                function, arguments = self._pop_many(2)
                self._push(self._call(function, arguments))
            case "NEWOBJ_EX":
                function, _, _ = self._pop_many(3)
                self._push(function)
            case "BUILD":
                self.stack.pop()  # an object's state; only OrderedDict's `_metadata` in state dicts
            case "BINPERSID":
                self._push(self._persistent(self.stack.pop()))
            case _:
                raise ValueError(name)

    def _push(self, value: object) -> None:
        self.stack.append(value)  # a method, because computing the value may replace the stack

    def _push_tuple(self, items: list[object]) -> None:
        """Push a tuple, counting the tuples nested in it, each as often as it is reached."""
        inner = [id(item) for item in items if isinstance(item, tuple)]
        count = 1 + sum(self._nested[key][0] if key in self._nested else 1 for key in inner)
        if count > _MAX_NESTED_TUPLES:
            raise ValueError(count)
        made = tuple(items)
        if inner:
            self._nested[id(made)] = count, made  # kept, so that its id is not reused
        self._push(made)

    def _pop_mark(self) -> list[object]:
        items, self.stack = self.stack, self._marked.pop()
        return items

    def _pop_many(self, count: int) -> list[object]:
        if len(self.stack) < count:
            raise IndexError(count)
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def _extend(self, items: list[object]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif isinstance(target, set):
            target.update(items)

    def _set_items(self, items: list[object]) -> None:
        target = self.stack[-1]
        if isinstance(target, dict):
            target.update(zip(items[::2], items[1::2], strict=True))

    def _global(self, module: str, name: str) -> object:
        full_name = f"{module}.{name}"
        if full_name in _REBUILD:
            return Placeholder(full_name)
        if module in ("torch", "torch.storage") and name in _DTYPES:
            return _DTYPES[name]
        root = module.partition(".")[0]
        is_standard = root in sys.stdlib_module_names and root not in _PLAIN_MODULES
        if (name not in _PLAIN_BUILTINS) if module in _BUILTINS else is_standard:
            raise UnsafeCheckpointError(
                f"{self.where}: refused: it would call `{full_name}` while loading",
                hint="do not open it with other tools either; look for the weights elsewhere, "
                "as safetensors if there are any",
            )
        self.ignored.add(full_name)
        return Placeholder(full_name)

    def _call(self, function: object, arguments: object) -> object:
        """Return what a call stands for: a pending tensor, a container or a placeholder."""
        if isinstance(function, Placeholder) and isinstance(arguments, tuple):
            if function.name in _BYTES and any(isinstance(n, int) for n in arguments):
                raise ValueError(function.name)  # bytes(10**10) would allocate 10 GB of zeros
            self._copied += sum(len(arg) for arg in arguments if isinstance(arg, (list, tuple)))
            if self._copied > _MOST_COPIED:
                raise ValueError(self._copied)
            rebuild = _REBUILD.get(function.name)
            return rebuild(*arguments) if rebuild else function
        return function

    def _persistent(self, pid: object) -> object:
        match pid:
            case ("storage", torch.dtype() as dtype, str(key), str(), int(count), *rest):
                if all(view is None for view in rest):
                    return self.storages.setdefault(key, Storage(key, dtype, count))
            case ("module", module, *_):  # a class beside its source text, before PyTorch 1.6
                return module
        return Placeholder("torch.storage")


def _ordered_dict(pairs: object = (), *_: object) -> dict[object, object]:
    return dict(pairs) if isinstance(pairs, (list, tuple)) else {}


def _tensor(storage: object, offset: object, size: object, stride: object, *_: object) -> object:
    return PendingTensor(storage, offset, size, stride)


def _first(value: object, *_: object) -> object:
    return value


# The only functions that a file can make this module call; none of them calls an argument.
_REBUILD: Mapping[str, Callable[..., object]] = {
    "collections.OrderedDict": _ordered_dict,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _first,
    "torch.Size": _first,
}
