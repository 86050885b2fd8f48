"""Colours of labels: the same in every image and on every page, whatever other labels are there.

The colours differ by at least 0.1 in OKLab, for normal sight, protanopia and deuteranopia, and by
0.08 for tritanopia (matrices of Machado et al., 2009). Labels share them where there are more than
thirteen, so labels must differ in text or position as well. The numbers are in `data/palette.json`,
which the pages contain, too.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

__all__ = ["colours", "label_colour", "palette_text"]

_FNV_PRIME = 16777619
_MASK = 0xFFFFFFFF


@cache
def palette_text() -> str:
    """Return the palette as JSON, for the script of a page."""
    return files("vswin_cli").joinpath("data/palette.json").read_text(encoding="utf-8")


@cache
def colours() -> tuple[str, ...]:
    """Return all colours, as `#rrggbb`."""
    return tuple(json.loads(palette_text())["colours"])


def label_colour(label: str) -> str:
    """Return the colour of a label, as `#rrggbb`.

    A hash (FNV-1a, 32 bits, folded once) of the name chooses it. It starts at a number at which
    all labels of the embedded model get different colours.
    """
    code: int = json.loads(palette_text())["start"]
    for byte in label.encode("utf-8", "replace"):
        code = (code ^ byte) * _FNV_PRIME & _MASK
    return colours()[(code ^ code >> 15) % len(colours())]
