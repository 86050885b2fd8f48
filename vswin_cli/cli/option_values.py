"""From what was typed to the records of options: what several commands share of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, cast

from vswin_cli.config import LabelGroup, SegmentOptions
from vswin_cli.errors import OptionError

__all__ = ["parse_crops", "segment_options"]


def parse_crops(number: int) -> Literal[1, 3]:
    """The number of crops as the options' record wants it.

    Raises:
        OptionError: neither 1 nor 3.
    """
    if number not in (1, 3):
        raise OptionError(
            f"--crops takes 1 or 3, got {number}",
            hint="1 sees the centre of the picture, 3 see all of it",
        )
    return cast("Literal[1, 3]", number)


def segment_options(
    advised: SegmentOptions,
    *,
    onset: float | None,
    offset: float | None,
    min_duration: float | None,
    merge_gap: float | None,
    max_labels: int | None,
    include: Sequence[str] | None,
    exclude: Sequence[str] | None,
    group: Sequence[str] | None,
    smooth: float | None,
    min_margin: float | None,
    max_entropy: float | None,
) -> SegmentOptions:
    """What the user chose; where nothing was chosen, what the weights or an earlier run advise.

    An onset holds for all labels, also for those that the weights advise another for. An onset
    below the advised offset, or an offset above the advised onset, takes the other along.

    Raises:
        OptionError: the choices make no sense together.
    """
    low = advised.offset if onset is None else min(advised.offset, onset)
    high = advised.onset if offset is None else max(advised.onset, offset)
    chosen: dict[str, Any] = {
        "onset": high if onset is None else onset,
        "offset": low if offset is None else offset,
        "min_duration_seconds": min_duration,
        "merge_gap_seconds": merge_gap,
        "max_labels": max_labels,
        "smooth_seconds": smooth,
        "min_margin": min_margin,
        "max_entropy": max_entropy,
    }
    return replace(
        advised,
        **{name: value for name, value in chosen.items() if value is not None},
        include=tuple(include or advised.include),
        exclude=tuple(exclude or advised.exclude),
        groups=tuple(LabelGroup.parse(text) for text in group) if group else advised.groups,
        onsets=advised.onsets if onset is None else (),
    )
