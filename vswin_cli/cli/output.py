"""Where a command's timelines go: which format, which file, or stdout."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from vswin_cli.cli import console
from vswin_cli.errors import OptionError
from vswin_cli.export import FORMATS, caveats, format_by_name, get_format, write_timelines
from vswin_cli.files import check_destination, check_spares

if TYPE_CHECKING:
    from vswin_cli.sources import VideoSource
    from vswin_cli.timeline.record import Timeline

__all__ = ["Output", "choose_output"]


@dataclass(frozen=True, slots=True)
class Output:
    """Format and place of a command's result."""

    format: str
    """A name of `FORMATS`."""
    path: Path | None
    """File, or folder for one file per video; `None` for stdout."""

    def write(self, timelines: Sequence[Timeline]) -> None:
        """Write everything, a file completely or not at all.

        Raises:
            OutputError: the file cannot be written.
            OptionError: the format holds one video per file, and there are several.
        """
        for timeline in timelines:
            for notice in caveats(timeline, self.format):
                console.warn(f"{timeline.video.uri}: {notice.message}")
        if self.path is None:
            if self.format == "table" and console.stdout_is_terminal():
                _draw(timelines)
            text = io.StringIO()
            write_timelines(timelines, self.format, text)
            console.write(text.getvalue())
            return
        for path, group in self._files(timelines):
            write_timelines(group, self.format, path)
            console.note(f"wrote {path}")

    def check_holds(self, sources: Sequence[VideoSource]) -> None:
        """Refuse before the work what could not be written, or would destroy an input.

        Raises:
            OptionError: several videos for a file of one, or a video in the output's place.
        """
        if self.path is not None:
            _check_spares_videos(self.path, sources)
        many = len(sources) > 1 and not (self.path is not None and self.path.is_dir())
        if many and not get_format(self.format).holds_many:
            raise OptionError(
                f"`{self.format}` holds one video per file, and there are {len(sources)}",
                hint="give a folder as --out for a file per video, or take jsonl or csv",
            )

    def check_spares(self, inputs: Sequence[Path]) -> None:
        """Refuse to write over a saved file that the result is made of.

        Raises:
            OptionError: the output's place is one of the inputs.
        """
        if self.path is not None:
            check_spares(self.path, inputs)

    def _files(self, timelines: Sequence[Timeline]) -> list[tuple[Path, Sequence[Timeline]]]:
        assert self.path is not None
        if not self.path.is_dir():
            return [(self.path, timelines)]
        suffix = get_format(self.format).suffix
        names = _unique_names([timeline.video.uri for timeline in timelines])
        return [
            (self.path / f"{name}{suffix}", [timeline])
            for name, timeline in zip(names, timelines, strict=True)
        ]


def check_score_place(place: Path | None, sources: Sequence[VideoSource]) -> None:
    """Refuse before the work a place where the scores of these videos could not be kept.

    Raises:
        OptionError: one file for several videos, or a video in its place.
        OutputError: the folder is missing or read-only.
    """
    if place is None:
        return
    check_destination(place)
    _check_spares_videos(place, sources)
    if len(sources) > 1 and not place.is_dir():
        raise OptionError(
            f"--save-scores {place} is one file for {len(sources)} videos",
            hint="give a folder that exists; each video gets a file in it",
        )


def check_report_place(place: Path | None, sources: Sequence[VideoSource]) -> None:
    """Refuse before the work a place where no page could be written.

    Raises:
        OptionError: a video lies there.
        OutputError: the folder is missing or read-only.
    """
    if place is not None:
        check_destination(place)
        _check_spares_videos(place, sources)


def _check_spares_videos(path: Path, sources: Sequence[VideoSource]) -> None:
    check_spares(path, (source.path for source in sources), "a video to be tagged")


def _draw(timelines: Sequence[Timeline]) -> None:
    """For a person: a lane per label over time, above the table."""
    from vswin_cli.cli.lanes import Lanes

    for timeline in timelines:
        if timeline.segments:
            console.show(Lanes(timeline))


def choose_output(out: Path | None, format: str | None, *, default: str = "table") -> Output:
    """Settle format and place before any work begins.

    Args:
        out: file, folder, `-` or nothing for stdout.
        format: as the user named it; by default the ending of `out` decides.
        default: format where nothing tells.

    Raises:
        OptionError: no such format, or an ending that belongs to none.
        OutputError: the place cannot be written to.
    """
    path = None if out is None or str(out) == "-" else out
    if path is not None:
        check_destination(path)
    if format is None and path is not None and not path.is_dir():
        format = _format_of(path)
    return Output(get_format(format or default).name, path)


def _format_of(path: Path) -> str:
    form = format_by_name(path.name)
    if form is None:
        raise OptionError(
            f"the ending of {path} does not tell the format",
            hint=f"add --format with one of {', '.join(FORMATS)}",
        )
    return form.name


def _unique_names(uris: Sequence[str]) -> list[str]:
    """File names without suffix, one per video, also where two videos share a name."""
    stems = [PurePosixPath(uri.replace("\\", "/")).stem or "video" for uri in uris]
    names: list[str] = []
    for stem in stems:
        name, number = stem, 2
        while name in names:
            name, number = f"{stem}-{number}", number + 1
        names.append(name)
    return names
