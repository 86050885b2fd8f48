"""Choose the kind of CSV that Excel opens in the locale of the user."""

from __future__ import annotations

import locale

from vswin_cli.errors import OptionError

__all__ = ["csv_for_excel"]


def csv_for_excel(name: str) -> str:
    """Return `csv-bom` for `csv`, or `csv-semicolon` where numbers have a decimal comma.

    Raises:
        OptionError: the format is not CSV.
    """
    if name == "csv":
        return "csv-semicolon" if _has_decimal_comma() else "csv-bom"
    if name in ("csv-bom", "csv-semicolon"):
        return name
    raise OptionError(
        f"--excel is for CSV, and the format is {name}",
        hint="leave out --excel, or give --out with a name that ends with .csv or .xlsx",
    )


def _has_decimal_comma() -> bool:
    before = locale.setlocale(locale.LC_NUMERIC)
    try:
        locale.setlocale(locale.LC_NUMERIC, "")
        return locale.localeconv()["decimal_point"] == ","
    except locale.Error:  # a locale that is not installed
        return False
    finally:  # C libraries would write decimal commas, too
        locale.setlocale(locale.LC_NUMERIC, before)
