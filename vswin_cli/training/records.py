"""Records of training examples, and the checks that every way of training needs.

An example is a video, or a part of one, with its labels. An example without labels is background:
none of the labels holds there. A label that is named `background` means the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from vswin_cli.errors import SourceError
from vswin_cli.quantities import wrong_type
from vswin_cli.storage.plain_text import loose_spelling
from vswin_cli.storage.sources import VideoSource

__all__ = [
    "BACKGROUND",
    "FEW_EXAMPLES",
    "Example",
    "ExampleSet",
    "LabelledVideo",
    "Part",
    "check_examples",
    "check_labels",
    "joined_by_content",
    "labels_of",
    "merge_sets",
    "none_readable",
    "notes_on_counts",
]

BACKGROUND = "background"
"""Label of the class for everything else; it is not reported as a segment."""
FEW_EXAMPLES = 12
"""Classes with fewer examples than this are named in a warning."""

Part = Literal["train", "held-out"]


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled video, or a labelled part `[start_seconds, end_seconds)` of one."""

    source: VideoSource
    labels: tuple[str, ...] = ()
    """Sorted; empty for background."""
    start_seconds: float | None = None
    """`None`: from the start of the video."""
    end_seconds: float | None = None
    """`None`: to the end of the video."""
    video: str = ""
    """Identity of the video that it was recorded in, which a split keeps together; filled in."""
    part: Part | None = None
    """Side of the split, if the examples state it."""

    def __post_init__(self) -> None:
        if not self.video:
            object.__setattr__(self, "video", self.source.place)

    def __str__(self) -> str:
        if self.start_seconds is None and self.end_seconds is None:
            return self.source.uri
        end = "the end" if self.end_seconds is None else f"{self.end_seconds:g} s"
        return f"{self.source.uri} from {self.start_seconds or 0:g} s to {end}"


@dataclass(frozen=True, slots=True)
class LabelledVideo:
    """A video of which parts are labelled: the rest may serve as background."""

    source: VideoSource
    labelled: tuple[tuple[float, float], ...]
    """(start, end) of all parts that are labelled, or of which nothing is known."""
    duration_seconds: float | None = None
    """Length, if the examples state it."""
    part: Part | None = None
    is_complete: bool = False
    """Whether every appearance of a label is given, as in a timeline."""


@dataclass(frozen=True, slots=True)
class ExampleSet:
    """The examples of a file or a folder."""

    examples: tuple[Example, ...]
    problems: tuple[tuple[str, str], ...] = ()
    """(file, what is wrong) of each file that is left out."""
    notes: tuple[str, ...] = ()
    """Further remarks for the user."""
    videos: tuple[LabelledVideo, ...] = ()
    """Videos of which parts are labelled."""


def labels_of(examples: Iterable[Example]) -> tuple[str, ...]:
    """Return the labels of examples, sorted, without background."""
    return tuple(sorted({label for example in examples for label in example.labels}))


def merge_sets(sets: Sequence[ExampleSet]) -> ExampleSet:
    """Join the examples of several files; each label named `background` becomes no label."""
    examples = tuple(
        replace(
            example,
            labels=tuple(label for label in example.labels if label.casefold() != BACKGROUND),
        )
        for each in sets
        for example in each.examples
    )
    return ExampleSet(
        examples,
        tuple(problem for each in sets for problem in each.problems),
        tuple(note for each in sets for note in each.notes),
        tuple(video for each in sets for video in each.videos),
    )


def joined_by_content(
    examples: Sequence[Example], digests: Sequence[str | None]
) -> tuple[Example, ...]:
    """Give videos with the same content one identity, so that a split keeps copies together.

    Args:
        examples: any.
        digests: hash of each one's file; `None` if unknown.
    """
    owner: dict[str, str] = {}

    def find(video: str) -> str:
        while owner.get(video, video) != video:
            video = owner[video]
        return video

    first: dict[str, str] = {}
    for example, digest in zip(examples, digests, strict=True):
        if digest is not None:
            owner[find(example.video)] = find(first.setdefault(digest, example.video))
    return tuple(replace(example, video=find(example.video)) for example in examples)


def check_labels(
    examples: Sequence[Example], left_out: Sequence[tuple[str, str]] = ()
) -> tuple[str, ...]:
    """Check that examples can be told apart by their labels, and return the labels.

    Args:
        examples: of all classes.
        left_out: (example, problem) of those that cannot be used, for the message.

    Raises:
        SourceError: there is no example, one class only, or two labels differ only in upper case
            or spaces.
    """
    labels = labels_of(examples)
    _check_spelling(labels)
    has_background = any(not example.labels for example in examples)
    if not labels:
        raise SourceError(
            "there are no labelled examples",
            hint="give videos with labels: a CSV with the columns path,label, or a folder with "
            "one folder per class",
        )
    if len(labels) + has_background < 2:
        raise SourceError(
            f"all examples are of one class, {labels[0]!r}{_and_left_out(left_out)}",
            hint="give examples of another class, or of none of them as `--background FOLDER`",
        )
    return labels


def _and_left_out(left_out: Sequence[tuple[str, str]]) -> str:
    if not left_out:
        return ""
    name, problem = left_out[0]
    more = f" (and {len(left_out) - 1} more)" if len(left_out) > 1 else ""
    return f"; left out are {name}: {problem}{more}"


def _check_spelling(labels: Sequence[str]) -> None:
    first: dict[str, str] = {}
    for label in labels:
        plain = loose_spelling(label)
        if plain in first:
            raise SourceError(
                f"the labels {first[plain]!r} and {label!r} differ only in upper case or spaces",
                hint="write them alike if they mean the same, else give one another name",
            )
        first[plain] = label


def none_readable(problems: Sequence[tuple[str, str]], hint: str | None = None) -> SourceError:
    """Make the error for examples of which not one can be read.

    Args:
        problems: (example, what is wrong) of each.
        hint: what to do about the first.
    """
    return SourceError(
        f"not one of {len(problems)} examples can be read; {': '.join(problems[0])}",
        hint=hint or "`vswin probe VIDEO` shows what is wrong with a file",
    )


def notes_on_counts(examples: Sequence[Example]) -> tuple[str, ...]:
    """Name the classes with few examples, and those with examples of a single video."""
    counts: Counter[str] = Counter()
    videos: dict[str, set[str]] = {}
    for example in examples:
        for label in example.labels or (BACKGROUND,):
            counts[label] += 1
            videos.setdefault(label, set()).add(example.video)
    few = [f"{label} {counts[label]}" for label in sorted(counts) if counts[label] < FEW_EXAMPLES]
    single = [label for label in sorted(videos) if len(videos[label]) == 1]
    notes = []
    if few:
        notes.append(f"classes with fewer than {FEW_EXAMPLES} examples: {', '.join(few)}")
    if single:
        notes.append(
            "classes with examples of one video only, whose accuracy cannot be measured: "
            f"{', '.join(single)}"
        )
    return tuple(notes)


def check_examples(found: object) -> None:
    """Check that an argument is a set of examples.

    Raises:
        OptionError: it is something else.
    """
    if not isinstance(found, ExampleSet):
        hint = 'read some: read_examples("examples.csv")'
        raise wrong_type("found", "an ExampleSet", found, hint)
