"""Docstrings below fields become a part of the class's own, which `help` shows."""

from dataclasses import dataclass

from vswin_cli.errors import VswinError
from vswin_cli.field_docs import with_field_docs


@dataclass(frozen=True)
class Size:
    """A size.

    Raises:
        ValueError: never.
    """

    width: int
    """Pixels from
    left to right."""
    height: int = 0


@dataclass(frozen=True)
class Box(Size):
    """A size at a place."""

    left: int = 0
    """Pixels from the left edge."""


def test_fields_are_listed_before_the_other_sections_and_once():
    with_field_docs(Size)
    once = Size.__doc__
    with_field_docs(Size)
    assert Size.__doc__ == once
    assert once == (
        "A size.\n\nFields:\n    width: Pixels from left to right.\n\n"
        "Raises:\n    ValueError: never."
    )


def test_inherited_fields_are_listed_too():
    with_field_docs(Box)
    assert Box.__doc__ is not None
    assert Box.__doc__.splitlines()[-2:] == [
        "    width: Pixels from left to right.",
        "    left: Pixels from the left edge.",
    ]


def test_what_is_no_record_stays_as_it_is():
    before = VswinError.__doc__
    for other in (VswinError, with_field_docs, 3):
        with_field_docs(other)
    assert VswinError.__doc__ == before
