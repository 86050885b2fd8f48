"""Convert frozen dataclasses to plain JSON values and back.

A field's JSON name and rounding are in its metadata (`named`), so a record is declared once.
Reading checks types, reports the field that is wrong, fills in defaults and ignores unknown keys.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import types
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache, partial
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from vswin_cli.errors import SourceError

__all__ = [
    "UNREADABLE",
    "JsonValue",
    "clean_json",
    "escape_controls",
    "fingerprint",
    "from_json",
    "json_key",
    "json_text",
    "named",
    "to_json",
]

UNREADABLE = (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""Exceptions of Python on hostile data: nesting without end, numbers of a million digits, and so
on."""

JsonValue = Any
Record = TypeVar("Record")
_Parser = Callable[[JsonValue, str], Any]

# DEL, C1 and marks of the reading direction; JSON itself escapes the controls of C0.
_CONTROLS = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_FINGERPRINT_DIGITS = 16
_EXACT = 2**53  # larger whole numbers would change as floats
_SCALARS = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}


def named(
    key: str | None = None, *, digits: int | None = None, is_optional: bool = False
) -> dict[str, object]:
    """Make a field's metadata.

    Args:
        key: in JSON, if it differs from the field's name.
        digits: decimals in JSON.
        is_optional: left out of JSON while it is `None`.
    """
    return {"key": key, "digits": digits, "is_optional": is_optional}


def json_key(field: dataclasses.Field[Any]) -> str:
    """Return the name of a field in JSON."""
    return field.metadata.get("key") or field.name


def to_json(record: object) -> dict[str, JsonValue]:
    """Convert a record to a dict of JSON values, keys in the order of the fields."""
    if not dataclasses.is_dataclass(record):
        raise TypeError(f"not a record: {record!r}")
    return {
        key: _plain(value, digits)
        for name, key, digits, is_optional in _outputs(type(record))  # type: ignore[arg-type]
        if (value := getattr(record, name)) is not None or not is_optional
    }


def from_json(cls: type[Record], data: JsonValue, where: str = "") -> Record:
    """Build a record from JSON values.

    Args:
        cls: the dataclass.
        data: from a JSON parser.
        where: dotted path of the record, for errors.

    Raises:
        SourceError: a field is missing or has the wrong type; it is named.
    """
    if not isinstance(data, Mapping):
        raise _wrong(where, "an object", data)
    values = {}
    prefix = f"{where}." if where else ""
    for name, key, parse, is_required in _inputs(cls):  # type: ignore[arg-type]
        if key in data:
            values[name] = parse(data[key], prefix + key)
        elif is_required:
            raise SourceError(f"`{prefix}{key}` is missing")
    return cls(**values)


def json_text(document: JsonValue, *, indent: int | None = None) -> str:
    """Serialise JSON that is valid UTF-8 for any strings.

    File names that are not UTF-8 are lone surrogates in Python; they are escaped, and parsing
    restores them.
    """
    separators = (",", ":") if indent is None else None
    text = json.dumps(
        document, indent=indent, separators=separators, ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def fingerprint(*values: JsonValue) -> str:
    """Hash a combination of settings; equal settings give the same digits in every run.

    Results count only under the fingerprints that they were made with. The values and their
    order must therefore stay as they are, or every journal of earlier versions is invalid.
    """
    text = json_text(values)
    return hashlib.sha256(text.encode()).hexdigest()[:_FINGERPRINT_DIGITS]


def clean_json(document: JsonValue, *, indent: int | None = None) -> str:
    """Serialise JSON with escapes for terminal control characters; parsing restores them."""
    return escape_controls(json_text(document, indent=indent))


def escape_controls(text: str) -> str:
    """Escape terminal control characters in a JSON text without changing its value."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


# What follows from a type alone is found once: an archive has millions of values.


@cache
def _outputs(cls: Hashable) -> tuple[tuple[str, str, int | None, bool], ...]:
    """List name, key, digits and whether `None` is left out, for each field of a record."""
    return tuple(
        (
            field.name,
            json_key(field),
            field.metadata.get("digits"),
            bool(field.metadata.get("is_optional")),
        )
        for field in dataclasses.fields(cls)  # type: ignore[arg-type]
    )


@cache
def _inputs(cls: Hashable) -> tuple[tuple[str, str, _Parser, bool], ...]:
    """List name, key, parser and whether it must be there, for each field of a record."""
    hints = get_type_hints(cls)
    return tuple(
        (field.name, json_key(field), _parser(hints[field.name]), _is_required(field))
        for field in dataclasses.fields(cls)  # type: ignore[arg-type]
    )


def _is_required(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _plain(value: object, digits: int | None) -> JsonValue:
    if isinstance(value, float):
        rounded = value if digits is None else round(value, digits)
        return float(rounded) + 0.0  # no numpy scalar, no -0.0
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, (tuple, list)):
        return [_plain(item, digits) for item in value]
    return to_json(value) if dataclasses.is_dataclass(value) else value


@cache
def _parser(hint: Any) -> _Parser:  # noqa: ANN401
    """Make the function that checks and converts a value of a type; called with its place."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (_parser(one) for one in arguments if one is not type(None))
        if type(None) not in arguments:
            return inner
        return lambda value, where: None if value is None else inner(value, where)
    if origin is Literal:
        return partial(_choice, arguments)
    if origin is tuple:
        return partial(_items, _parser(arguments[0]))
    if dataclasses.is_dataclass(hint):
        return partial(from_json, hint)  # type: ignore[arg-type]
    return partial(_scalar, hint)


def _choice(allowed: tuple[object, ...], value: JsonValue, where: str) -> object:
    if value not in allowed:
        raise _wrong(where, f"one of {', '.join(map(str, allowed))}", value)
    return value


def _items(parse: _Parser, value: JsonValue, where: str) -> tuple[object, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise _wrong(where, "a list", value)
    return tuple(parse(element, f"{where}[{i}]") for i, element in enumerate(value))


def _scalar(hint: type, value: JsonValue, where: str) -> object:
    if hint is float and type(value) is int and abs(value) < _EXACT:
        return float(value)
    if type(value) is not hint or (isinstance(value, float) and not math.isfinite(value)):
        raise _wrong(where, _SCALARS[hint], value)
    return value


def _wrong(where: str, expected: str, value: JsonValue) -> SourceError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return SourceError(f"`{where or 'the document'}` must be {expected}, got {shown}")
