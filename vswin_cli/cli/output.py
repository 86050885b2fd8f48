"""Where a command's timelines go: which format, which file, or stdout."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vswin_cli.cli import console
from vswin_cli.cli.output_paths import Place
from vswin_cli.errors import OptionError, OutputError, VswinError
from vswin_cli.export import (
    FORMATS,
    caveats,
    check_holds,
    check_tells_apart,
    format_by_name,
    get_format,
    write_timelines,
)
from vswin_cli.storage.files import check_spares, holds_for_all
from vswin_cli.storage.result_names import unique_names

if TYPE_CHECKING:
    from vswin_cli.timeline.record import Timeline

__all__ = ["Output", "choose_output"]

_JSON_FORMATS = ("json", "jsonl")
_FOR_FILES = "give a folder/ as --out for a file per video, or take jsonl or csv"
_FOR_STDOUT = "take --format jsonl, or give a folder/ as --out, without --json"


@dataclass(frozen=True, slots=True)
class Output:
    """Formats and place of a command's result."""

    format: str
    """A name of `FORMATS`: of the files, or of stdout if there are none."""
    place: Place | None
    """File, or folder for one file per video; `None` for stdout."""
    printed: str | None
    """A name of `FORMATS` for stdout; `None` to print nothing."""
    json: bool = False
    """Whether errors are told as JSON."""

    def write(
        self,
        timelines: Sequence[Timeline],
        *,
        files: Sequence[Path] | None = None,
        linked: Sequence[Timeline] | None = None,
        quiet: bool = False,
    ) -> int:
        """Write everything, a file completely or not at all, and print what is to be printed.

        One video that cannot be written does not keep the others from it.

        Args:
            timelines: what to write.
            files: one for each timeline; by default as `files` tells from their videos.
            linked: the same for formats that lead to the videos, which are to be found from here.
            quiet: say neither what was written nor what to beware of.

        Returns:
            How many videos could not be written; an error has been told of each.

        Raises:
            OutputError: no file can be written; stdout has got its part nevertheless.
            OptionError: likewise, as the format can hold none of the videos, or not all in one
                file.
        """
        problems = _misfits(timelines, self.format)
        if not quiet:
            for _, timeline in _without(problems, timelines):
                for notice in caveats(timeline, self.format):
                    console.warn(notice.message)
        suited = _suited(timelines, linked, self.format)
        try:
            self._write_files(suited, files, problems, quiet=quiet)
        finally:
            shown = timelines
            if self.place is None:  # else it is JSON, which holds everything
                shown = [one for _, one in _without(problems, suited)]
            if self.printed is not None and (shown or not timelines):
                _print(shown, self.printed)
        told = list(dict.fromkeys(problems.values()))
        has_failed = bool(told) and len(problems) == len(timelines)
        for problem in told[:-1] if has_failed else told:
            self.tell(problem)
        if has_failed:
            raise told[-1]
        return len(problems)

    def tell(self, problem: VswinError) -> None:
        """Say what is wrong with one of several videos."""
        console.error(problem, as_json=self.json)

    def files(self, uris: Sequence[str]) -> list[Path]:
        """A file for each video, all the same if one holds them; empty if all goes to stdout."""
        if self.place is None:
            return []
        if not self.place.is_folder:
            return [self.place.path] * len(uris)
        suffix = get_format(self.format).suffix
        return [self.place.path / f"{name}{suffix}" for name in unique_names(uris, suffix)]

    def check_holds(self, num_videos: int) -> None:
        """Refuse before the work what could not be written.

        Raises:
            OptionError: several videos for a file, or for a stdout, of one.
        """
        if num_videos < 2:
            return
        if self.place is not None and not self.place.is_folder:
            _check_holds_many(self.format, num_videos, _FOR_FILES)
        if self.printed is not None:
            hint = _FOR_STDOUT if self.printed == "json" else _FOR_FILES
            _check_holds_many(self.printed, num_videos, hint)

    def check_shows_windows(self) -> None:
        """Refuse before the work to look at clips for a result without them.

        Raises:
            OptionError: no part of the output is JSON.
        """
        if self.format not in _JSON_FORMATS and self.printed not in _JSON_FORMATS:
            raise OptionError(
                f"--windows adds to JSON, and the output is {self.format}",
                hint="add --json, or give a FILE.json as --out",
            )

    def check_tells_apart(self, uris: Sequence[str]) -> None:
        """Refuse before the work videos that one result would call alike.

        Raises:
            OptionError: it would.
        """
        if self.place is None or not self.place.is_folder:
            check_tells_apart(self.format, uris)

    def check_spares(self, inputs: Sequence[Path], timelines: Sequence[Timeline]) -> None:
        """Refuse to write over a saved file that the result is made of.

        Raises:
            OptionError: one of the files to be written is one of the inputs.
        """
        check_spares(self.files([timeline.video.uri for timeline in timelines]), inputs)

    def _write_files(
        self,
        timelines: Sequence[Timeline],
        files: Sequence[Path] | None,
        problems: dict[int, VswinError],
        *,
        quiet: bool,
    ) -> None:
        """Write what has no problem; what cannot be written gets one."""
        if self.place is None:
            return
        self.place.make()
        files = files or self.files([timeline.video.uri for timeline in timelines])
        groups: dict[Path, list[int]] = {}
        for i, _ in _without(problems, timelines):
            groups.setdefault(files[i], []).append(i)
        for path, members in groups.items():
            try:
                write_timelines([timelines[i] for i in members], self.format, path)
            except OutputError as problem:
                if holds_for_all(problem):
                    raise
                problems.update(dict.fromkeys(members, problem))
            else:
                if not quiet:
                    console.note(f"wrote {path}")


def _misfits(timelines: Sequence[Timeline], format: str) -> dict[int, VswinError]:
    """Which timelines the format cannot hold, and why."""
    found: dict[int, VswinError] = {}
    for i, timeline in enumerate(timelines):
        try:
            check_holds(format, timeline)
        except OptionError as problem:
            found[i] = problem
    return found


def _without(
    problems: Mapping[int, VswinError], timelines: Sequence[Timeline]
) -> list[tuple[int, Timeline]]:
    return [(i, one) for i, one in enumerate(timelines) if i not in problems]


def _check_holds_many(format: str, num_videos: int, hint: str) -> None:
    if not get_format(format).holds_many:
        raise OptionError(
            f"`{format}` holds one video per file, and there are {num_videos}", hint=hint
        )


def _suited(
    timelines: Sequence[Timeline], linked: Sequence[Timeline] | None, format: str
) -> Sequence[Timeline]:
    return linked if linked is not None and get_format(format).links else timelines


def _print(timelines: Sequence[Timeline], format: str) -> None:
    if format == "table" and console.stdout_is_terminal():
        _draw(timelines)
    text = io.StringIO()
    write_timelines(timelines, format, text)
    console.write(text.getvalue())


def _draw(timelines: Sequence[Timeline]) -> None:
    """For a person: a lane per label over time, above the table."""
    from vswin_cli.cli.terminal_timeline import Lanes

    for timeline in timelines:
        if timeline.segments:
            console.show(Lanes(timeline))


def choose_output(out: str | None, format: str | None, *, json: bool = False) -> Output:
    """Settle formats and place before any work begins.

    Args:
        out: file, folder, `-` or nothing for stdout.
        format: as the user named it; by default the ending of `out` decides.
        json: whether stdout gets JSON, also beside a file.

    Raises:
        OptionError: no such format, an ending that belongs to none, or two formats for stdout.
        OutputError: the place cannot be written to.
    """
    chosen = None if format is None else get_format(format).name
    place = None if out is None or out == "-" else Place.parse(out)
    as_json = chosen if chosen in _JSON_FORMATS else "json"
    if place is not None:
        name = chosen or _format_of(place, json=json)
        return Output(name, place, as_json if json else None, json)
    if json and chosen not in (None, *_JSON_FORMATS):
        raise OptionError(
            f"--json and --format {chosen} would both go to stdout",
            hint=f"leave one out, or give a file as --out for the {chosen}",
        )
    name = as_json if json else chosen or "table"
    return Output(name, None, name, json)


def _format_of(place: Place, *, json: bool) -> str:
    """JSON in a folder, else what the ending of the file tells.

    Args:
        place: file or folder.
        json: whether to take JSON where the ending tells nothing.

    Raises:
        OptionError: nothing tells.
    """
    form = None if place.is_folder else format_by_name(place.path.name)
    if form is not None:
        return form.name
    if place.is_folder or json:
        return "json"
    raise OptionError(
        f"the ending of {place.path} does not tell the format",
        hint=f"add --format with one of {', '.join(FORMATS)}; for a folder, end it with a /",
    )
