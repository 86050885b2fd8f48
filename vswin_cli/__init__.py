"""vswin: what happens when in a video.

The names below load on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vswin_cli.errors import VswinError

__version__ = "0.1.0"

_HOMES = {
    "VswinError": "vswin_cli.errors",
}

__all__ = ["VswinError", "__version__"]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
