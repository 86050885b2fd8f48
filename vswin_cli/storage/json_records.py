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
from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from vswin_cli.errors import SourceError

__all__ = [
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

JsonValue = Any
Record = TypeVar("Record")

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
        json_key(field): _plain(getattr(record, field.name), field.metadata.get("digits"))
        for field in dataclasses.fields(record)
        if not (field.metadata.get("is_optional") and getattr(record, field.name) is None)
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
    hints = _hints(cls)  # type: ignore[arg-type]
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        key = json_key(field)
        place = f"{where}.{key}" if where else key
        if key in data:
            values[field.name] = _parse(hints[field.name], data[key], place)
        elif _is_required(field):
            raise SourceError(f"`{place}` is missing")
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


@cache
def _hints(cls: Hashable) -> dict[str, Any]:
    return get_type_hints(cls)


def _is_required(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _plain(value: object, digits: int | None) -> JsonValue:
    if dataclasses.is_dataclass(value):
        return to_json(value)
    if isinstance(value, (tuple, list)):
        return [_plain(item, digits) for item in value]
    if isinstance(value, float):
        rounded = value if digits is None else round(value, digits)
        return float(rounded) + 0.0  # no numpy scalar, no -0.0
    return value


def _parse(hint: Any, value: JsonValue, where: str) -> Any:  # noqa: ANN401
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in get_args(hint):
            return None
        (inner,) = (arg for arg in get_args(hint) if arg is not type(None))
        return _parse(inner, value, where)
    if origin is Literal:
        if value not in get_args(hint):
            raise _wrong(where, f"one of {', '.join(map(str, get_args(hint)))}", value)
        return value
    if origin is tuple:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise _wrong(where, "a list", value)
        item = get_args(hint)[0]
        return tuple(_parse(item, element, f"{where}[{i}]") for i, element in enumerate(value))
    if dataclasses.is_dataclass(hint):
        return from_json(hint, value, where)  # type: ignore[arg-type]
    return _scalar(hint, value, where)


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
