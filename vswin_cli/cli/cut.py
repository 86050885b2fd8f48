"""`vswin cut`: cut a clip out of the video for every segment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vswin_cli.cli import console
from vswin_cli.cli.options import (
    ExcludeOption,
    ForceOption,
    IncludeOption,
    JsonOption,
    QuietOption,
    output_option,
    segment_option,
)
from vswin_cli.errors import SOME_FAILED, OptionError, OutputError, SourceError
from vswin_cli.storage.humanize import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vswin_cli.cutting import Clip, CutResult, VideoSegments

__all__ = ["cut"]

_TIMELINE_SUFFIXES = (".json", ".jsonl")


def cut(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="TIMELINE|TABLE|FOLDER",
            help="Timelines (JSON, JSON Lines), a folder of them, or a table such as results.csv "
            "with the columns video, start, end and label.",
            show_default=False,
        ),
    ],
    out: Annotated[
        str | None,
        output_option("--out", "-o", metavar="FOLDER", help="Folder for the clips and clips.csv."),
    ] = None,
    include: IncludeOption = None,
    exclude: ExcludeOption = None,
    min_score: Annotated[
        float,
        segment_option(
            "--min-score",
            min=0.0,
            max=1.0,
            metavar="SCORE",
            help="Leave out segments with a lower mean score.",
        ),
    ] = 0.0,
    pad: Annotated[
        float,
        segment_option(
            "--pad", min=0.0, metavar="SECONDS", help="Add this before and after each segment."
        ),
    ] = 0.0,
    copy: Annotated[
        bool,
        typer.Option(
            "--copy",
            help="Never encode: a clip begins at the key frame before its start.",
            show_default="copy where that is safe",
        ),
    ] = False,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Encode every clip again (H.264, AAC), exact to the frame."),
    ] = False,
    list_file: Annotated[
        str | None,
        output_option(
            "--list",
            metavar="FILE",
            help="Write the segments as an ffconcat list of parts of the originals.",
        ),
    ] = None,
    json: JsonOption = False,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> None:
    """Cut a clip out of the video for every segment, with sound.

    Clips are named VIDEO_START-END_LABEL.mp4. The table clips.csv lists them, with the place of
    the segment in each clip and in its video.

    The same command goes on after an interruption. Clips of other commands stay in the table.

    Examples:
        vswin tag movie.mp4 -o movie.json

        vswin cut movie.json -o clips

        vswin cut results.csv --include "pan-*" --min-score 0.8 --pad 0.5 -o clips

        vswin cut movie.json --exact -o clips

        vswin cut movie.json --include zoom-in --list zooms.ffconcat
    """
    from vswin_cli.cutting import CutOptions, cut_videos
    from vswin_cli.cutting.run import write_list

    if copy and exact:
        raise OptionError("--copy and --exact exclude each other", hint="leave one of them out")
    if out is None and list_file is None:
        raise OptionError("nothing to write", hint="add -o FOLDER, or --list FILE")
    options = CutOptions(
        labels=tuple(include or ()),
        exclude=tuple(exclude or ()),
        min_score=min_score,
        pad_seconds=pad,
        mode="copy" if copy else "exact" if exact else "auto",
    )
    folder = None if out is None else _folder(out)
    list_path = None if list_file is None else _list_path(list_file, force=force)
    videos = [video for path in inputs for video in _read(path)]
    results = []
    if folder is not None:
        _check_apart(videos, folder, force=force)
        with console.progress("cut", unit="clips", quiet=quiet) as on_progress:
            results.append(
                cut_videos(videos, folder, options, force=force, on_progress=on_progress)
            )
    if list_path is not None:
        results.append(write_list(videos, list_path, options))
        if not quiet:
            console.note(f"wrote {list_path}")
    _finish(results, folder, json=json, quiet=quiet)


def _check_apart(videos: Sequence[VideoSegments], folder: Path, *, force: bool) -> None:
    """Refuse to put clips among the videos they are cut from, unless there are clips already.

    A later run over the folder would take the clips for videos.

    Raises:
        OutputError: one of the videos is in the folder.
    """
    from vswin_cli.cutting.table import CLIPS_NAME
    from vswin_cli.storage.files import is_there

    if force or is_there(folder / CLIPS_NAME):
        return
    for path in (video.path for video in videos if video.path is not None):
        if path.absolute().parent.resolve() == folder.resolve():
            raise OutputError(
                f"{folder} holds {path.name}, which clips are cut from",
                hint="give a folder for the clips alone, or add --force to put them there",
            )


def _folder(text: str) -> Path:
    from vswin_cli.cli.output_paths import OutputPath

    return OutputPath.parse(f"{text}/" if text else text).path


def _list_path(text: str, *, force: bool) -> Path:
    from vswin_cli.cli.output_paths import OutputPath
    from vswin_cli.cli.overwriting import check_media_names, check_overwrites

    output = OutputPath.parse(text)
    if output.is_folder:
        raise OptionError(
            f"--list {text} is a folder", hint="give a file, such as segments.ffconcat"
        )
    check_media_names([("--list", output.path)])
    check_overwrites([output.path], force=force)
    return output.path


def _read(path: Path) -> list[VideoSegments]:
    """Read timelines, a folder of timelines, or a table.

    Raises:
        SourceError: it cannot be read, or is something else.
    """
    from vswin_cli.cli.find_video import find_file, find_video
    from vswin_cli.cutting import VideoSegments
    from vswin_cli.evaluation.annotations import table_intervals
    from vswin_cli.evaluation.reading import read_text
    from vswin_cli.storage.files import is_folder
    from vswin_cli.timeline.files import read_timelines

    if is_folder(path):
        return [video for file in _timelines_in(path) for video in _read(file)]
    _refuse_video(path)
    if not _is_table(path):
        return [VideoSegments.of(one, find_video(one, path)) for one in read_timelines(path)]
    return [
        VideoSegments(uri, find_file(uri, path), tuple(intervals))
        for uri, intervals in table_intervals(read_text(path), str(path)).items()
    ]


def _timelines_in(folder: Path) -> list[Path]:
    files = sorted(one for one in folder.iterdir() if one.suffix.lower() in _TIMELINE_SUFFIXES)
    if not files:
        raise SourceError(
            f"no timelines in {folder}",
            hint="give the folder that `vswin batch -f json` or `vswin tag -o FOLDER/` wrote",
        )
    return files


def _refuse_video(path: Path) -> None:
    from vswin_cli.storage.files import is_file
    from vswin_cli.storage.sources import VIDEO_SUFFIXES

    if path.suffix.lower() in VIDEO_SUFFIXES and is_file(path):
        raise SourceError(
            f"{path} looks like a video; cutting needs its timeline",
            hint=f"`vswin tag {path} -o {path.with_suffix('.json').name}` makes it",
        )


def _is_table(path: Path) -> bool:
    """Return whether a file is not JSON, by its first character; results in ZIP are not tables."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError:
        return False  # the reader of timelines reports the error
    return not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"[", b"PK"))


def _finish(results: list[CutResult], folder: Path | None, *, json: bool, quiet: bool) -> None:
    """Report clips and failures, and end with the exit code for them."""
    clips = [clip for result in results for clip in result.clips]
    failures = list({one.error.message: one for r in results for one in r.failures}.values())
    for failure in failures:
        console.error(failure.error, as_json=json)
    if not quiet:
        if results[0].num_instants:
            console.warn(
                f"{counted(results[0].num_instants, 'segment')} without length left out; "
                "--pad SECONDS makes clips of them"
            )
        if folder is not None:
            _note_clips(clips, folder)
    if json:
        console.write(_summary(clips, folder, len(failures), results[0].num_instants))
    if failures:
        raise typer.Exit(SOME_FAILED if clips else failures[0].error.exit_code)


def _note_clips(clips: list[Clip], folder: Path) -> None:
    if not clips:
        console.note("no clip was cut")
        return
    old = sum(not clip.is_new for clip in clips)
    copied = [clip for clip in clips if clip.mode == "copy"]
    kept = f", {old} of them there already" if old else ""
    console.note(
        f"{counted(len(clips), 'clip')} in {folder}{kept}: {len(copied)} copied, "
        f"{len(clips) - len(copied)} encoded"
    )
    for video, reason in dict.fromkeys((clip.video, clip.reason) for clip in clips if clip.reason):
        console.note(f"encoded, not copied, from {video}: {reason}")
    early = max((clip.early_seconds for clip in copied), default=0.0)
    if early:
        console.note(
            f"copied clips begin up to {early:.1f} s early, at a key frame; clips.csv says where "
            "each segment begins, --exact cuts there"
        )


def _summary(clips: list[Clip], folder: Path | None, num_failures: int, num_instants: int) -> str:
    from vswin_cli.storage.json_records import clean_json

    rows: list[dict[str, Any]] = [
        {
            "path": str(clip.path),
            "label": clip.label,
            "start": clip.start_seconds,
            "end": clip.end_seconds,
            "score": clip.score,
            "video": clip.video,
            "source_start": clip.source_start_seconds,
            "source_end": clip.source_end_seconds,
            "mode": clip.mode,
            "early_seconds": clip.early_seconds,
            "new": clip.is_new,
        }
        for clip in clips
    ]
    return clean_json(
        {
            "folder": None if folder is None else str(folder),
            "clips": rows,
            "failures": num_failures,
            "instants": num_instants,
        },
        indent=1,
    )
