"""Write the timelines of a command to files or stdout, in the chosen format."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vswin_cli.cli import console
from vswin_cli.cli.excel import csv_for_excel
from vswin_cli.cli.output_paths import OutputPath
from vswin_cli.cli.overwriting import check_media_names, check_overwrites
from vswin_cli.errors import OptionError, OutputError, VswinError
from vswin_cli.export import (
    FORMATS,
    caveats,
    check_distinct_ids,
    check_holds,
    did_you_mean,
    format_by_name,
    get_format,
    write_timelines,
)
from vswin_cli.export.naming import escaped
from vswin_cli.storage.files import check_spares, holds_for_all
from vswin_cli.storage.humanize import counted

if TYPE_CHECKING:
    from vswin_cli.timeline.record import Timeline

__all__ = ["Output", "choose_output"]

_SHOWN = 3  # names of further videos in a warning
_MOST_NAMED = 10  # files; of more only their number is noted
_JSON_FORMATS = ("json", "jsonl")
_FOR_FILES = "give a folder/ as --out for a file per video, or take jsonl or csv"
_FOR_STDOUT = "take --format jsonl, or give a folder/ as --out, without --json"


@dataclass(frozen=True, slots=True)
class Output:
    """Formats of a command's result, and where it goes."""

    format: str
    """A name of `FORMATS`: of the files, or of stdout if there are none."""
    path: OutputPath | None
    """File, or folder for one file per video; `None` for stdout."""
    printed: str | None
    """A name of `FORMATS` for stdout; `None` to print nothing."""
    json: bool = False
    """Whether errors are reported as JSON."""
    force: bool = False
    """Whether files that vswin did not write may be replaced."""

    def write(
        self,
        timelines: Sequence[Timeline],
        files: Sequence[Path],
        *,
        linked: Sequence[Timeline] | None = None,
        is_printed: bool = False,
        quiet: bool = False,
    ) -> int:
        """Write everything, a file completely or not at all, and print what is to be printed.

        An error in one video does not prevent the others from being written.

        Args:
            timelines: what to write.
            files: the file of each timeline, as planned; empty if all goes to stdout.
            linked: the same with paths that are valid here, for formats that link to the videos.
            is_printed: whether `print_one` has printed them already.
            quiet: print neither the files written nor warnings.

        Returns:
            How many videos could not be written; the error of each has been reported.

        Raises:
            OutputError: no file can be written; stdout is written nevertheless.
            OptionError: likewise, as the format can hold none of the videos, or not all in one
                file.
        """
        problems = _misfits(timelines, self.format)
        fitting = [timeline for _, timeline in _without(problems, timelines)]
        suited = linked if linked and get_format(self.format).links else timelines
        try:
            self._write_files(suited, files, problems, quiet=quiet)
        finally:  # stdout is written even if no file can be
            shown = timelines
            if self.path is None:  # else it is JSON, which holds everything
                shown = [timeline for _, timeline in _without(problems, suited)]
            if self.printed is not None and not is_printed and (shown or not timelines):
                _print(shown, self.printed)
            if not quiet:
                _warn(fitting, self.format)
        errors = list(dict.fromkeys(problems.values()))
        has_failed = bool(errors) and len(problems) == len(timelines)
        for problem in errors[:-1] if has_failed else errors:
            self.report_error(problem)
        if has_failed:
            raise errors[-1]
        return len(problems)

    @property
    def suffix(self) -> str:
        """Ending of the format's files."""
        return get_format(self.format).suffix

    @property
    def prints_each(self) -> bool:
        """Whether stdout gets a result per video that can be printed as soon as it is ready."""
        return self.path is None and self.printed in ("table", "jsonl")

    def print_one(self, timeline: Timeline, *, number: int, num_videos: int) -> None:
        """Print the result of one of several videos, as `write` prints them together.

        Args:
            timeline: the result.
            number: how many have been printed before it.
            num_videos: how many there may be.
        """
        if self.printed == "table" and num_videos > 1:
            console.write(("\n" if number else "") + escaped(timeline.video.uri))
        _print([timeline], self.printed or self.format)

    def report_error(self, problem: VswinError) -> None:
        """Report an error that concerns one of several videos."""
        console.error(problem, as_json=self.json)

    def plan(self, uris: Sequence[str], inputs: Sequence[Path | None] | None = None) -> list[Path]:
        """Plan the file of each video, and check before the work that it can be written.

        Args:
            uris: the videos, in their order.
            inputs: files that the result is made of; `None` if the caller checks the files
                together with other results.

        Returns:
            A path for each video, all the same if one file holds them; empty if all goes to
            stdout.

        Raises:
            OptionError: the format holds one video, or would confuse two; or a path is an input,
                or named like media.
            OutputError: a file is there that vswin did not write.
        """
        self._check_holds(len(uris))
        if self.path is None or not self.path.is_folder:
            check_distinct_ids(self.format, uris)
        if self.path is None:
            return []
        files = self.path.files(uris, self.suffix)
        if inputs is not None:
            check_spares(files, inputs)
            check_media_names((("--out", path) for path in files), own_suffix=self.suffix)
            check_overwrites(files, force=self.force)
        return files

    def _check_holds(self, num_videos: int) -> None:
        if num_videos < 2:
            return
        if self.path is not None and not self.path.is_folder:
            _check_holds_many(self.format, num_videos, _FOR_FILES)
        if self.printed is not None:
            hint = _FOR_STDOUT if self.printed == "json" else _FOR_FILES
            _check_holds_many(self.printed, num_videos, hint)

    def check_is_json(self, option: str) -> None:
        """Check before the work that the output can contain what an option adds.

        Args:
            option: such as `--windows`.

        Raises:
            OptionError: no part of the output is JSON.
        """
        if self.format not in _JSON_FORMATS and self.printed not in _JSON_FORMATS:
            raise OptionError(
                f"{option} needs JSON, and the output is {self.format}",
                hint="add --json, or give a FILE.json as --out",
            )

    def _write_files(
        self,
        timelines: Sequence[Timeline],
        files: Sequence[Path],
        problems: dict[int, VswinError],
        *,
        quiet: bool,
    ) -> None:
        """Write the timelines without a problem; an error of writing is added to `problems`."""
        if self.path is None:
            return
        self.path.make()
        groups: dict[Path, list[int]] = {}
        for i, _ in _without(problems, timelines):
            groups.setdefault(files[i], []).append(i)
        num_written = 0
        for path, members in groups.items():
            try:
                write_timelines([timelines[i] for i in members], self.format, path)
            except OutputError as problem:
                if holds_for_all(problem):
                    raise
                problems.update(dict.fromkeys(members, problem))
            else:
                num_written += 1
                if not quiet and len(groups) <= _MOST_NAMED:
                    console.note(f"wrote {path}")
        if not quiet and len(groups) > _MOST_NAMED:
            console.note(f"wrote {counted(num_written, 'file')} in {self.path.path}")


def _misfits(timelines: Sequence[Timeline], format: str) -> dict[int, VswinError]:
    """Find the timelines that the format cannot hold, with the reason."""
    found: dict[int, VswinError] = {}
    for i, timeline in enumerate(timelines):
        try:
            check_holds(format, timeline)
        except OptionError as problem:
            found[i] = problem
    return found


def _warn(timelines: Sequence[Timeline], format: str) -> None:
    """Warn of what the format loses, once for all videos that a warning concerns."""
    by_code: dict[str, list[tuple[str, str]]] = {}
    for timeline in timelines:
        for notice in caveats(timeline, format):
            by_code.setdefault(notice.code, []).append((notice.message, timeline.video.uri))
    for (first, _), *others in by_code.values():
        names = ", ".join(uri for _, uri in others[:_SHOWN])
        more = f" and {len(others) - _SHOWN:,} more" if len(others) > _SHOWN else ""
        console.warn(f"{first}; likewise of {names}{more}" if others else first)


def _without(
    problems: Mapping[int, VswinError], timelines: Sequence[Timeline]
) -> list[tuple[int, Timeline]]:
    return [(i, timeline) for i, timeline in enumerate(timelines) if i not in problems]


def _check_holds_many(format: str, num_videos: int, hint: str) -> None:
    if not get_format(format).holds_many:
        raise OptionError(
            f"`{format}` holds one video per file, and there are {num_videos}", hint=hint
        )


def _print(timelines: Sequence[Timeline], format: str) -> None:
    if format == "table" and console.stdout_is_terminal():
        _draw(timelines)
    text = io.StringIO()
    write_timelines(timelines, format, text)
    console.write(text.getvalue())


def _draw(timelines: Sequence[Timeline]) -> None:
    """Draw each timeline above the table, as a row per label over time."""
    from vswin_cli.cli.terminal_timeline import TerminalTimeline

    for timeline in timelines:
        if any(one.segments for one in timeline.each_model()):
            console.show(TerminalTimeline(timeline))


def choose_output(
    out: str | None,
    format: str | None,
    *,
    json: bool = False,
    excel: bool = False,
    force: bool = False,
) -> Output:
    """Choose formats and path before any work begins.

    Args:
        out: file, folder, `-` or nothing for stdout.
        format: as the user named it; by default the ending of `out` decides.
        json: whether stdout gets JSON, also beside a file.
        excel: whether CSV is written as Excel opens it in the locale of the user.
        force: whether files that vswin did not write may be replaced.

    Raises:
        OptionError: no such format, an ending that belongs to none, two formats for stdout, or
            `excel` with another format than CSV.
        OutputError: the path cannot be written to.
    """
    chosen = None if format is None else get_format(format).name
    path = None if out is None or out == "-" else OutputPath.parse(out)
    as_json = chosen if chosen in _JSON_FORMATS else "json"
    if path is not None:
        name = chosen or _format_of(path, json=json)
        name = csv_for_excel(name) if excel else name
        return Output(name, path, as_json if json else None, json, force)
    if json and chosen not in (None, *_JSON_FORMATS):
        raise OptionError(
            f"--json and --format {chosen} would both go to stdout",
            hint=f"leave one out, or give a file as --out for the {chosen}",
        )
    name = as_json if json else chosen or ("csv" if excel else "table")
    name = csv_for_excel(name) if excel else name
    if get_format(name).is_binary:
        raise OptionError(
            f"`{name}` is not text and cannot be printed",
            hint=f"give --out FILE{get_format(name).suffix}",
        )
    return Output(name, None, name, json)


def _format_of(output: OutputPath, *, json: bool) -> str:
    """Choose JSON in a folder, else the format that the ending of the file names.

    Args:
        output: file or folder.
        json: whether to use JSON where the ending names no format.

    Raises:
        OptionError: nothing names a format.
    """
    form = None if output.is_folder else format_by_name(output.path.name)
    if form is not None:
        return form.name
    if output.is_folder or json:
        return "json"
    raise OptionError(
        f"the ending of {output.path} belongs to no format",
        hint=f"{did_you_mean(output.path.suffix)}add --format with one of {', '.join(FORMATS)}; "
        "for a folder, end it with a /",
    )
