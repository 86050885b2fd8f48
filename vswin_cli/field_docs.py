"""Show the docstrings of a record's fields in `help()`, which has those of classes only."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path

__all__ = ["with_field_docs"]

_HEADING = "\n\nFields:\n"
_SECTION = re.compile(r"\n\n(?=Args:|Raises:)")
_WIDTH = 92


def with_field_docs(record: object) -> None:
    """Add the docstrings below the fields of a dataclass to its own, once.

    Anything else, or a class whose source is not there, stays as it is.
    """
    if not (isinstance(record, type) and is_dataclass(record) and record.__doc__):
        return
    if _HEADING in record.__doc__:
        return
    texts = _field_texts(record)
    lines = [
        textwrap.fill(
            f"{name}: {texts[name]}", _WIDTH, initial_indent="    ", subsequent_indent="        "
        )
        for name in (field.name for field in fields(record))
        if name in texts
    ]
    if lines:
        about, *rest = _SECTION.split(inspect.cleandoc(record.__doc__), maxsplit=1)
        record.__doc__ = "\n\n".join([about + _HEADING + "\n".join(lines), *rest])


def _field_texts(record: type) -> dict[str, str]:
    """Return the texts below the fields of a class and of those that it is made from."""
    found: dict[str, str] = {}
    for cls in reversed(record.__mro__):
        path = getattr(sys.modules.get(cls.__module__), "__file__", None)
        if is_dataclass(cls) and path is not None:
            found |= _texts_in_file(path).get(cls.__name__, {})
    return found


@cache
def _texts_in_file(path: str) -> dict[str, dict[str, str]]:
    """Return the texts below annotated names in the classes of a file."""
    try:
        tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return {}
    return {one.name: _texts_in_class(one) for one in tree.body if isinstance(one, ast.ClassDef)}


def _texts_in_class(node: ast.ClassDef) -> dict[str, str]:
    texts = {}
    for field, below in zip(node.body, node.body[1:], strict=False):
        is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text:
            value = below.value.value  # type: ignore[attr-defined]
            texts[field.target.id] = " ".join(str(value).split())
    return texts
