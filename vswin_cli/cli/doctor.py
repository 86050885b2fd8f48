"""`vswin doctor`: check the installation and say what is missing or slow."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from vswin_cli.cli import console
from vswin_cli.cli.options import JsonOption
from vswin_cli.storage.json_records import clean_json

if TYPE_CHECKING:
    from vswin_cli.bench.installation import Check

__all__ = ["doctor"]


def doctor(json: JsonOption = False) -> None:
    """Check the installation: what is there, what is missing or slow, and what to do.

    Nothing is downloaded. The exit code is 0 if videos can be tagged, also where something is slow
    or an optional part is absent; 1 if a check failed.

    Examples:
        vswin doctor

        vswin doctor --json
    """
    from vswin_cli.bench.installation import check_installation

    checks = tuple(check_installation())
    is_usable = all(check.status != "failed" for check in checks)
    if json:
        body = {
            "schema": "vswin.doctor/1",
            "ok": is_usable,
            "checks": [asdict(check) for check in checks],
        }
        console.write(clean_json(body, indent=2))
    else:
        console.write("\n".join(line for check in checks for line in _lines(check)))
    if not is_usable:
        raise typer.Exit(1)


def _lines(check: Check) -> list[str]:
    """Format a check: its result, and below it what to do."""
    lines = [f"{check.status:<7} {check.name:<13} {console.printable(check.text)}"]
    if check.advice:
        lines.append(f"{'':<21} → {console.printable(check.advice)}")
    return lines
