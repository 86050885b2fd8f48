"""Check that Parquet can be written; the package for it is an extra."""

from __future__ import annotations

from importlib import import_module

from vswin_cli.errors import OptionError

__all__ = ["check_parquet"]


def check_parquet(instead: str) -> None:
    """Check before the work that Parquet can be written.

    Args:
        instead: formats that need no package, for the hint.

    Raises:
        OptionError: pyarrow is not installed.
    """
    try:
        import_module("pyarrow")
    except ImportError as error:
        raise OptionError(
            "Parquet needs pyarrow, which is not installed",
            hint=f'pip install "vswin[parquet]", or write {instead}',
        ) from error
