"""`vswin schema`: print the JSON Schema of the JSON output."""

from __future__ import annotations

from vswin_cli.cli import console

__all__ = ["schema"]


def schema() -> None:
    """Print the JSON Schema of the JSON output (vswin.timeline/1).

    Examples:
        vswin schema > timeline.schema.json
    """
    from vswin_cli.timeline.files import schema_text

    console.write(schema_text())
