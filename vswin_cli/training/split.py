"""Split examples by video: no video has examples on both sides.

Stratified: each side gets about the same share of every class. The same seed gives the same split,
on every machine and for every order of the examples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from vswin_cli.errors import SourceError
from vswin_cli.storage.plain_text import text_sha256
from vswin_cli.training.records import BACKGROUND, Example

__all__ = ["Split", "given_split", "make_folds", "split_examples"]


@dataclass(frozen=True, slots=True)
class Split:
    """Positions of the examples to train on, and of those to measure on."""

    train: tuple[int, ...]
    held_out: tuple[int, ...]


def given_split(examples: Sequence[Example]) -> Split | None:
    """Return the split that the examples state; `None` if they state none.

    Examples that state no side are trained on where others state one.

    Raises:
        SourceError: a video is on both sides, or all examples are on one.
    """
    parts = [example.part for example in examples]
    if not any(parts):
        return None
    held_out = tuple(i for i, part in enumerate(parts) if part == "held-out")
    train = tuple(i for i, part in enumerate(parts) if part != "held-out")
    if not train or not held_out:
        raise SourceError(
            f"the split puts all {len(examples)} examples on one side",
            hint="mark some as train and some as test, or leave the split out",
        )
    both = {examples[i].video for i in train} & {examples[i].video for i in held_out}
    if both:
        raise SourceError(
            f"the split has clips of {min(both)} on both sides",
            hint="put all clips of a video on one side: clips of one video look alike",
        )
    return Split(train, held_out)


def split_examples(examples: Sequence[Example], *, share: float = 0.2, seed: int = 0) -> Split:
    """Split as the examples state, else by video at random.

    Args:
        examples: labelled examples.
        share: part of the examples to hold out, in (0, 0.5].
        seed: of the random choice.

    Raises:
        SourceError: see `given_split`; or there is one video only.
    """
    given = given_split(examples)
    if given is not None:
        return given
    folds = make_folds(examples, max(2, round(1 / share)), seed=seed)
    sizes = Counter(folds)
    wanted = share * len(examples)
    chosen = min(sizes, key=lambda fold: (abs(sizes[fold] - wanted), fold))
    return Split(
        tuple(i for i, fold in enumerate(folds) if fold != chosen),
        tuple(i for i, fold in enumerate(folds) if fold == chosen),
    )


def make_folds(examples: Sequence[Example], count: int, *, seed: int = 0) -> tuple[int, ...]:
    """Assign each example to one of at most `count` folds, all of a video to the same.

    Videos are taken in the order of their size, largest first, and each goes to the fold that has
    the smallest share of the video's classes so far.

    Returns:
        The fold of each example; there are fewer folds where there are fewer videos.

    Raises:
        SourceError: there is one video only.
    """
    videos: dict[str, Counter[str]] = {}
    totals: Counter[str] = Counter()
    for example in examples:
        classes = example.labels or (BACKGROUND,)
        videos.setdefault(example.video, Counter()).update(classes)
        totals.update(classes)
    if len(videos) < 2:
        raise SourceError(
            "all examples are of one video, so that none can be held out to measure on",
            hint="add examples of other videos",
        )
    fold_of: dict[str, int] = {}
    held: list[Counter[str]] = [Counter() for _ in range(min(count, len(videos)))]
    for video in sorted(videos, key=lambda name: (-videos[name].total(), *_rank(name, seed))):
        counts = videos[video]
        load = [sum(counts[c] * fold[c] / totals[c] for c in counts) for fold in held]
        best = min(range(len(held)), key=lambda i: (load[i], held[i].total(), i))
        fold_of[video] = best
        held[best].update(counts)
    return tuple(fold_of[example.video] for example in examples)


def _rank(video: str, seed: int) -> tuple[str, str]:
    """Make a random but repeatable sort key, by the name of the file before its folder."""
    name = video.replace("\\", "/").rpartition("/")[2]
    return text_sha256(f"{seed}:{name}"), video
