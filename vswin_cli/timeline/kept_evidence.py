"""Keep the evidence of segments where other options find a segment with the same peak.

Evidence is about one time step and one class, so it does not depend on thresholds. The numbers it
was made of are not saved; a segment with another peak has none.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from vswin_cli.config import LabelGroup
from vswin_cli.timeline.segments import Segment

__all__ = ["with_kept_evidence"]

_DIGITS = 6  # of a peak in JSON


def with_kept_evidence(
    segments: Sequence[Segment], before: Sequence[Segment], groups: Collection[LabelGroup]
) -> tuple[Segment, ...]:
    """Return segments with the evidence of earlier ones of the same label with the same peak.

    Args:
        segments: found in the same scores with other options.
        before: of the earlier run.
        groups: that both runs have; a group with other members has other evidence.
    """
    known = {_key(one): one.evidence for one in before if one.evidence is not None}
    names = {group.name for group in groups}
    return tuple(
        replace(one, evidence=known[_key(one)])
        if _key(one) in known and (one.class_id is not None or one.label in names)
        else one
        for one in segments
    )


def _key(one: Segment) -> tuple[str, int | None, float]:
    return one.label, one.class_id, round(one.peak_seconds, _DIGITS)
