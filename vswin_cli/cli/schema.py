"""`vswin schema`: print the JSON Schemas of the JSON output."""

from __future__ import annotations

from typing import Annotated

import typer

from vswin_cli.cli import console

__all__ = ["schema"]


def schema(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="timeline, of results (vswin.timeline/1), or live-segment, of the lines of "
            "`vswin tag --live` (vswin.live-segment/1).",
        ),
    ] = "timeline",
) -> None:
    """Print the JSON Schema of the JSON output.

    Examples:
        vswin schema > timeline.schema.json

        vswin schema live-segment > live-segment.schema.json
    """
    from vswin_cli.timeline.files import schema_text

    console.write(schema_text(name))
