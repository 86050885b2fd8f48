"""Add examples of none of the labels: from a folder, or from the rest of the labelled videos."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from vswin_cli.errors import OptionError, SourceError
from vswin_cli.storage.plain_text import text_sha256
from vswin_cli.training.examples import background_examples
from vswin_cli.training.records import (
    Example,
    ExampleSet,
    LabelledVideo,
    check_examples,
    merge_sets,
)
from vswin_cli.training.spans import unlabelled_spans
from vswin_cli.video.probe import inspect

__all__ = ["NO_BACKGROUND", "UNLABELLED", "add_background"]

UNLABELLED = "unlabelled"
NO_BACKGROUND = "none"

_MARGIN_SECONDS = 0.5  # kept from labelled parts, as edges set by hand are no more exact
_LONGEST_SECONDS = 10.0
_SHORTEST_SECONDS = 1.0
_NO_BACKGROUND_NOTE = (
    "there is no background class, so that one of the labels always has the highest score; "
    "`--background FOLDER` adds videos of none of them"
)


def add_background(found: ExampleSet, choice: str | Path | None, *, seed: int = 0) -> ExampleSet:
    """Add background to examples.

    Args:
        found: the examples.
        choice: a folder of videos (or one video) in which none of the labels occurs, `unlabelled`
            for the rest of videos of which parts are labelled, `none`, or `None`: `unlabelled`
            for videos of which every appearance of a label is given, as in timelines.
        seed: of the choice among unlabelled parts, of which as many are taken as there are
            labelled examples.

    Raises:
        SourceError: there is no video in the folder.
        OptionError: `unlabelled`, but there are no unlabelled parts.
    """
    check_examples(found)
    if choice == NO_BACKGROUND:
        return replace(found, examples=tuple(each for each in found.examples if each.labels))
    if choice is not None and choice != UNLABELLED:
        return merge_sets([found, background_examples(Path(choice))])
    videos = [video for video in found.videos if video.is_complete or choice == UNLABELLED]
    rest = _unlabelled(videos, found.examples, seed)
    if choice == UNLABELLED and not rest.examples:
        raise OptionError(
            "no part of the videos is without a label, so that there is no background",
            hint="give videos of none of the labels as `--background FOLDER`",
        )
    merged = merge_sets([found, rest])
    if all(each.labels for each in merged.examples):
        return replace(merged, notes=(*merged.notes, _NO_BACKGROUND_NOTE))
    return merged


def _unlabelled(
    videos: Iterable[LabelledVideo], examples: Sequence[Example], seed: int
) -> ExampleSet:
    """Cut unlabelled parts as long as the labelled ones usually are."""
    lengths = [
        each.end_seconds - (each.start_seconds or 0.0)
        for each in examples
        if each.end_seconds is not None
    ]
    usual = statistics.median(lengths) if lengths else _LONGEST_SECONDS
    length = min(max(usual, _SHORTEST_SECONDS), _LONGEST_SECONDS)
    parts: list[Example] = []
    problems: dict[str, str] = {}
    for video in videos:
        try:
            end = video.duration_seconds or _duration(video)
        except SourceError as problem:
            problems[video.source.uri] = problem.message
            continue
        parts += [
            Example(video.source, (), span.start_seconds, span.end_seconds, part=video.part)
            for span in unlabelled_spans(
                video.labelled, end, margin_seconds=_MARGIN_SECONDS, length_seconds=length
            )
        ]
    most = max(1, sum(bool(each.labels) for each in examples))
    parts.sort(key=lambda each: _rank(each, seed))
    return ExampleSet(tuple(parts[:most]), tuple(problems.items()))


def _duration(video: LabelledVideo) -> float:
    return inspect(video.source).info.declared_duration_seconds or 0.0


def _rank(example: Example, seed: int) -> str:
    return text_sha256(f"{seed}:{example.source.uri}:{example.start_seconds}")
