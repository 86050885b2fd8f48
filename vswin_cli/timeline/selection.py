"""Select and group labels, and find cells in which no label stands out (gating)."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from vswin_cli.config import LabelGroup, SegmentOptions
from vswin_cli.errors import SelectionError
from vswin_cli.models.architecture import Activation
from vswin_cli.timeline.scores import ScoreTrack

__all__ = [
    "LabelView",
    "check_selection",
    "match_labels",
    "normalised_entropy",
    "selection_per_model",
    "top_margin",
    "undecided",
]

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class LabelView:
    """The columns to segment: groups in place of their members, other labels as they are."""

    names: tuple[str, ...]
    """Name of each column: labels in their own order, then groups."""
    class_ids: tuple[int | None, ...]
    """Row of the head; `None` for a group."""
    reported: NDArray[np.bool_]
    """(L,) columns that may become segments; the others only compete and serve as alternatives."""
    members: tuple[NDArray[np.intp], ...]
    """Classes of each group."""
    singles: NDArray[np.intp]
    """Classes that are in no group."""
    activation: Activation
    """Decides how the scores of members combine."""

    def __repr__(self) -> str:
        return (
            f"LabelView({len(self.singles)} labels and {len(self.members)} groups, "
            f"{int(self.reported.sum())} reported, {self.activation})"
        )

    @property
    def num_columns(self) -> int:
        """Number of columns, L: labels outside of groups, plus groups."""
        return len(self.names)

    @classmethod
    def of(
        cls, labels: Sequence[str], activation: Activation, options: SegmentOptions
    ) -> LabelView:
        """Make a view by matching the options' names and patterns to a model's labels.

        Raises:
            OptionError: a name or pattern matches nothing, or nothing is left.
        """
        members = tuple(
            np.array(match_labels(group.members, labels), np.intp) for group in options.groups
        )
        grouped = {int(i) for group in members for i in group}
        singles = np.array([i for i in range(len(labels)) if i not in grouped], np.intp)
        names = (*(labels[i] for i in singles), *(group.name for group in options.groups))
        reported = np.ones(len(names), np.bool_)
        if options.include:
            reported[:] = False
            reported[match_labels(options.include, names)] = True
        reported[match_labels(options.exclude, names)] = False
        hidden = set(options.background) - set(options.include)
        reported[[i for i, name in enumerate(names) if name in hidden]] = False
        if not reported.any():
            raise SelectionError(
                "the label options leave no label to report",
                hint="--exclude removes all that --include selects; change one of them",
            )
        ids = (*(int(i) for i in singles), *(None for _ in members))
        return cls(names, ids, reported, members, singles, activation)

    def apply(self, rows: NDArray[np.floating], wanted: NDArray[np.intp] | None = None) -> Floats:
        """Compute the scores of columns (n, L) from those of classes (n, K).

        A group's score is the sum of its members' where scores share one unit among them
        (softmax), and the largest where each stands alone (sigmoid).

        Args:
            rows: scores of all classes.
            wanted: columns to compute, rising; by default all.
        """
        if wanted is None:
            wanted = np.arange(self.num_columns)
        alone = wanted[wanted < len(self.singles)]
        plain = rows[:, self.singles[alone]].astype(np.float32)
        if len(alone) == len(wanted):
            return plain
        combine = np.sum if self.activation == "softmax" else np.max
        groups = [
            combine(rows[:, self.members[i]].astype(np.float32), axis=1, keepdims=True)
            for i in wanted[len(alone) :] - len(self.singles)
        ]
        return np.asarray(np.minimum(np.concatenate([plain, *groups], axis=1), 1.0), np.float32)


def check_selection(labels: Sequence[str], activation: Activation, options: SegmentOptions) -> None:
    """Check before any decoding that the options fit a model.

    Raises:
        SelectionError: they name labels that it does not have, or leave none, or gate by margin or
            entropy where scores do not compete (sigmoid).
    """
    LabelView.of(labels, activation, options)
    _gates(activation, options)


def selection_per_model(
    options: SegmentOptions, labels: Mapping[str, Sequence[str]]
) -> list[SegmentOptions]:
    """Return the options for each of several models: less the label patterns that match nothing.

    Args:
        options: for all models; only values that were given are in the results.
        labels: names of the classes, by the model's name.

    Raises:
        SelectionError: a pattern matches no label of any model, or `include` none of one model.
    """
    everything = [name for names in labels.values() for name in names]
    match_labels([member for group in options.groups for member in group.members], everything)
    everything += [group.name for group in options.groups]
    match_labels((*options.include, *options.exclude), everything)
    return [_selection_of(options, model, names) for model, names in labels.items()]


def _selection_of(options: SegmentOptions, model: str, labels: Sequence[str]) -> SegmentOptions:
    """Leave out what does not match the labels of one model."""
    groups = [(group.name, _matching(group.members, labels)) for group in options.groups]
    own = tuple(LabelGroup(name, members) for name, members in groups if members)
    names = (*labels, *(group.name for group in own))
    include = _matching(options.include, names)
    if options.include and not include:
        raise SelectionError(
            f"{model} has none of the labels to include",
            hint="leave this model out, or include a label of each model",
        )
    values = {name: getattr(options, name) for name in options.given}
    values |= {"groups": own} if "groups" in values else {}
    values |= {"include": include} if "include" in values else {}
    values |= {"exclude": _matching(options.exclude, names)} if "exclude" in values else {}
    return SegmentOptions(**values)


def _matching(patterns: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    return tuple(pattern for pattern in patterns if _hits(pattern, names))


def _gates(activation: Activation, options: SegmentOptions) -> bool:
    """Return whether the options gate by margin or entropy."""
    if options.min_margin <= 0 and options.max_entropy >= 1:
        return False
    if activation != "softmax":
        raise SelectionError(
            "margin and entropy need scores that compete (softmax), these weights use sigmoid",
            hint="raise `--onset` instead",
        )
    return True


def match_labels(patterns: Sequence[str], names: Sequence[str]) -> list[int]:
    """Find the indices of the names that any pattern matches, in order, ignoring case.

    A name matches itself even if it holds `*`, `?` or `[`.

    Raises:
        SelectionError: a pattern matches none of the names.
    """
    folded = [name.casefold() for name in names]
    found: set[int] = set()
    for pattern in patterns:
        hits = _hits(pattern, names)
        if not hits:
            wanted = pattern.casefold()
            near = difflib.get_close_matches(wanted, folded, n=3, cutoff=0.5)
            shown = ", ".join(f"`{names[folded.index(name)]}`" for name in near)
            raise SelectionError(
                f"no label matches `{pattern}`",
                hint=f"did you mean {shown}?" if near else "`vswin labels MODEL` lists them",
            )
        found.update(hits)
    return sorted(found)


def _hits(pattern: str, names: Sequence[str]) -> list[int]:
    wanted, folded = pattern.casefold(), [name.casefold() for name in names]
    hits = [i for i, name in enumerate(folded) if name == wanted]
    # only without an exact match, so that `a*` can name the label `a*` alone
    return hits or [i for i, name in enumerate(folded) if fnmatchcase(name, wanted)]


def top_margin(scores: Floats) -> Floats:
    """Compute how far the best score is above the second (n,); with one column the score itself."""
    if scores.shape[1] < 2:
        return scores[:, 0]
    top = np.partition(scores, -2, axis=1)[:, -2:]
    return np.asarray(top[:, 1] - top[:, 0], np.float32)


def normalised_entropy(scores: Floats) -> Floats:
    """Compute each row's entropy (n,), scaled: 0 if one label has it all, 1 if all are equal."""
    if scores.shape[1] < 2:
        return np.zeros(len(scores), np.float32)
    shares = scores / np.maximum(scores.sum(axis=1, keepdims=True), 1e-12)
    bits = -(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=1)
    return np.asarray(bits / np.log(scores.shape[1]), np.float32)


def undecided(track: ScoreTrack, view: LabelView, options: SegmentOptions) -> NDArray[np.bool_]:
    """Find the valid cells (N,) in which no label stands out by margin or entropy.

    All columns count, reported or not: excluding a label does not make another one certain.

    Raises:
        SelectionError: scores do not compete (sigmoid), so a margin or entropy means nothing.
    """
    gated = np.zeros(track.num_cells, np.bool_)
    if not _gates(track.activation, options):
        return gated
    for first, rows in track.chunks():
        scores = view.apply(rows)
        gated[first : first + len(rows)] = (top_margin(scores) < options.min_margin) | (
            normalised_entropy(scores) > options.max_entropy
        )
    return gated & track.valid
