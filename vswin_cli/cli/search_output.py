"""Write the moments that a search found: a ranked table or JSON, other formats, a report page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vswin_cli.cli import console
from vswin_cli.cli.overwriting import is_page_name
from vswin_cli.errors import OptionError

if TYPE_CHECKING:
    from vswin_cli.cli.output import Output
    from vswin_cli.search.query import Query
    from vswin_cli.search.search import Match
    from vswin_cli.storage.json_records import JsonValue
    from vswin_cli.timeline.feature_files import FeatureFile
    from vswin_cli.timeline.record import Timeline

__all__ = ["SCHEMA", "SearchOutput"]

SCHEMA = "vswin.search/1"
_COLUMNS = ("similarity", "start", "end", "video")
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class SearchOutput:
    """Where the moments go, and as what."""

    output: Output | None
    """Files or stdout in a format of `vswin export`; `None` for a table, JSON or a page alone."""
    page: Path | None
    """The report page, if that is wanted."""
    json: bool
    """Whether stdout gets the ranked moments as JSON."""
    force: bool
    """Whether files that vswin did not write may be replaced."""

    @classmethod
    def choose(
        cls, out: str | None, format: str | None, *, json: bool, force: bool
    ) -> SearchOutput:
        """Choose formats and path before any work begins.

        Raises:
            OptionError: no such format, an ending that belongs to none, or two formats for stdout.
            OutputError: the path cannot be written to.
        """
        from vswin_cli.cli.output import choose_output
        from vswin_cli.cli.output_paths import OutputPath

        if out is not None and is_page_name(Path(out)):
            if format is not None:
                raise OptionError(
                    f"--format {format} and -o {out} exclude each other",
                    hint="a name that ends with .html means a report page: leave --format out",
                )
            return cls(None, OutputPath.parse(out).path, json, force)
        is_stdout = out in (None, "-")
        if json and is_stdout and format is not None:
            raise OptionError(
                f"--json and --format {format} would both go to stdout",
                hint=f"leave one out, or give a file as --out for the {format}",
            )
        if is_stdout and format is None:
            return cls(None, None, json, force)
        return cls(choose_output(out, format, force=force), None, json, force)

    def check(self, inputs: Sequence[Path | None]) -> None:
        """Check before the work that a file or page can be written.

        Raises:
            OptionError: it is an input, or named like media.
            OutputError: a file is there that vswin did not write.
        """
        from vswin_cli.cli.overwriting import check_media_names, check_overwrites
        from vswin_cli.storage.files import check_spares

        path = self.output.path if self.output is not None else None
        files = [self.page] if self.page is not None else []
        files += [] if path is None or path.is_folder else [path.path]
        check_spares(files, inputs)
        suffix = "" if self.output is None else self.output.suffix
        check_media_names((("--out", file) for file in files), own_suffix=suffix)
        check_overwrites(files, force=self.force)

    def write(
        self,
        query: Query,
        matches: Sequence[Match],
        label: str,
        min_similarity: float,
        *,
        quiet: bool,
    ) -> int:
        """Write the moments; returns how many videos could not be written.

        Raises:
            OptionError: the format holds one video, and there are several; or it holds none.
            OutputError: nothing can be written.
        """
        from vswin_cli.search.timelines import timelines_of
        from vswin_cli.storage.json_records import clean_json

        if self.json:
            console.write(clean_json(_document(query, matches), indent=1) + "\n")
        elif self.output is None and self.page is None:
            console.write(_table(matches))
        found = timelines_of(matches, label, min_similarity=min_similarity, query=query)
        if self.page is not None and found:
            self._write_page(found, self.page, quiet=quiet)
        return 0 if self.output is None else self._export(self.output, found, quiet=quiet)

    def _export(
        self, output: Output, found: Sequence[tuple[FeatureFile, Timeline]], *, quiet: bool
    ) -> int:
        from vswin_cli.cli.find_video import with_found_video

        timelines = [timeline for _, timeline in found]
        sources = [file.path for file, _ in found]
        files = output.plan([timeline.video.uri for timeline in timelines], sources)
        linked = [with_found_video(timeline, file.path) for file, timeline in found]
        return output.write(timelines, files, linked=linked, quiet=quiet)

    def _write_page(
        self, found: Sequence[tuple[FeatureFile, Timeline]], page: Path, *, quiet: bool
    ) -> None:
        from vswin_cli.cli.find_video import find_video
        from vswin_cli.cli.output_paths import OutputPath, plan_pages
        from vswin_cli.cli.overwriting import check_overwrites
        from vswin_cli.report import ReportSource, write_report

        sources = [
            ReportSource(timeline, video=find_video(timeline, file.path))
            for file, timeline in found
        ]
        uris = [timeline.video.uri for _, timeline in found]
        check_overwrites(plan_pages(OutputPath(page, False), uris), force=self.force)
        with console.progress("report", unit="videos", quiet=quiet) as on_progress:
            write_report(sources, page, on_progress=on_progress)
        if not quiet:
            console.note(f"wrote {page}")


def _table(matches: Sequence[Match]) -> str:
    """Write aligned columns, a row per moment, best first."""
    from vswin_cli.export.naming import escaped
    from vswin_cli.export.timecodes import clock

    rows = [_COLUMNS] + [
        (
            f"{match.similarity:.3f}",
            clock(match.start_seconds),
            clock(match.end_seconds),
            escaped(match.file.record.video.uri),
        )
        for match in matches
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)


def _document(query: Query, matches: Sequence[Match]) -> JsonValue:
    """Return the moments, best first, with the query that they are like."""
    return {
        "schema": SCHEMA,
        "query": {
            "video": query.record.video.uri,
            "start": round(query.start_seconds, _DIGITS),
            "end": round(query.end_seconds, _DIGITS),
            "model": query.record.model.id,
        },
        "matches": [
            {
                "video": match.file.record.video.uri,
                "start": round(match.start_seconds, _DIGITS),
                "end": round(match.end_seconds, _DIGITS),
                "similarity": round(match.similarity, _DIGITS),
                "features": str(match.file.path),
            }
            for match in matches
        ],
    }
