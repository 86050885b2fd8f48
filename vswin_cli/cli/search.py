"""`vswin search`: find moments like a given one in the features of many videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vswin_cli.cli import console
from vswin_cli.cli.model_choice import ModelChoice
from vswin_cli.cli.option_groups import VideoEngineChoice, with_option_groups
from vswin_cli.cli.options import ForceOption, FormatOption, OutOption, QuietOption, output_option
from vswin_cli.config import parse_seconds
from vswin_cli.errors import SOME_FAILED, OptionError

__all__ = ["search"]


@with_option_groups
def search(
    query: Annotated[
        str,
        typer.Argument(
            metavar="QUERY",
            help="A video, a features file, or a segment of a timeline: movie.json#3.",
            show_default=False,
        ),
    ],
    index: Annotated[
        list[Path],
        typer.Argument(
            metavar="INDEX",
            help="Files written by `vswin features`, or folders of them.",
            show_default=False,
        ),
    ],
    *,
    start: Annotated[
        str | None,
        typer.Option(
            "--start", metavar="TIME", help="Start of the moment: 90, 1:30 or 00:01:30.5."
        ),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", metavar="TIME", help="End of the moment (exclusive).")
    ] = None,
    segment: Annotated[
        int | None,
        typer.Option(
            "--segment", min=0, metavar="NUMBER", help="Segment of a timeline, by its id in JSON."
        ),
    ] = None,
    top: Annotated[
        int, typer.Option("--top", min=1, metavar="COUNT", help="Maximum number of moments.")
    ] = 20,
    min_similarity: Annotated[
        float,
        typer.Option(
            "--min-similarity",
            min=0.0,
            max=1.0,
            metavar="SHARE",
            help="Leave out moments that are less similar; 1 is the same.",
        ),
    ] = 0.0,
    label: Annotated[
        str, output_option("--label", metavar="LABEL", help="Label of moments in exported formats.")
    ] = "match",
    format: FormatOption = None,
    out: OutOption = None,
    json: Annotated[
        bool,
        output_option("--json", help="Print the moments as JSON on stdout, and errors as JSON."),
    ] = False,
    force: ForceOption = False,
    choice: ModelChoice,
    running: VideoEngineChoice,
    quiet: QuietOption = False,
) -> None:
    """Find moments like a given one in videos whose features were saved.

    Moments are as long as QUERY, do not overlap, and come with the most similar one first.

    With -o page.html the result is a report page. Exported formats hold a segment per moment.

    Examples:
        vswin features day1/*.mp4 -o features/

        vswin search movie.mp4 features/ --start 12 --end 14

        vswin search movie.json#3 features/ --top 50 -o found.csv

        vswin search movie.mp4 features/ --start 1:30 --end 1:33 -o found.html
    """
    from vswin_cli.cli.search_output import SearchOutput
    from vswin_cli.cli.search_query import find_query, read_query
    from vswin_cli.search.index import load_index
    from vswin_cli.search.search import search as find

    begin = None if start is None else parse_seconds(start)
    until = None if end is None else parse_seconds(end)
    if until is not None and until <= (begin or 0.0):
        raise OptionError(
            f"the end ({until:g} s) must come after the start ({begin or 0:g} s)",
            hint="both are times in the video; the end is not a duration",
        )
    output = SearchOutput.choose(out, format, json=json, force=force)
    part = find_query(query, segment, begin, until)
    files, problems = load_index(index)
    for problem in () if quiet else problems:
        console.warn(f"left out: {problem.message}")
    video = None if part.source is None else part.source.path
    output.check([part.path, video, *(file.path for file in files)])
    wanted = read_query(part, files, choice, running.options(), quiet=quiet)
    matches = find(wanted, files, top=top, min_similarity=min_similarity)
    if not matches and not quiet:
        console.note("nothing is that similar; a smaller --min-similarity finds more")
    if output.write(wanted, matches, label, min_similarity, quiet=quiet):
        raise typer.Exit(SOME_FAILED)
