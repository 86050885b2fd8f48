"""Load packages that only some functions need, which are not installed with vswin."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from vswin_cli.errors import OptionError

__all__ = ["load_extra"]


def load_extra(package: str, what: str, *, install: str | None = None) -> ModuleType:
    """Load a package that need not be installed.

    Args:
        package: its name.
        what: needs it, for the message.
        install: what pip installs it from; by default the package.

    Raises:
        OptionError: it is not installed.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise OptionError(
            f"{what} needs {package}, which is not installed",
            hint=f'pip install "{install or package}"',
        ) from error
