"""Fingerprints of everything that results depend on, by which earlier results count or not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vswin_cli.batch.job import Task
from vswin_cli.batch.journal import fingerprint
from vswin_cli.config import EngineOptions, SamplingOptions, SegmentOptions
from vswin_cli.storage.json_records import JsonValue, to_json
from vswin_cli.timeline.selection import check_selection
from vswin_cli.video.sampling import plan_sampling

if TYPE_CHECKING:
    from vswin_cli.models.checkpoints.load import LoadedModel

__all__ = ["make_task", "sampling_values", "scoring_fingerprint"]


def make_task(
    model: LoadedModel, options: EngineOptions, sampling: SamplingOptions, segments: SegmentOptions
) -> Task:
    """Make the task of a batch, with the fingerprints of everything that results depend on.

    The journal of earlier runs counts only if both fingerprints are the same.

    Args:
        model: of all workers.
        options: with the precision and the decoder that are in use, not `auto`.
        sampling: which clips to take.
        segments: how scores become segments, every value as it is used.

    Raises:
        OptionError: the options do not fit the weights.
    """
    card = model.card
    plan_sampling(card.input, sampling)
    check_selection(card.labels, card.activation, segments)
    scoring = scoring_fingerprint(model, sampling, options)
    chosen = to_json(segments)
    for later in ("background", "min_durations"):  # so that the journals of earlier versions count
        if not chosen[later]:
            del chosen[later]
    segmenting = fingerprint(chosen)
    return Task(sampling, segments, scoring, segmenting, journal=Path(), scores=None)


def scoring_fingerprint(
    model: LoadedModel, sampling: SamplingOptions, options: EngineOptions
) -> str:
    """Return the fingerprint of everything that scores depend on.

    Images of NVDEC differ from those of software by rounding. Fingerprints of software are those of
    earlier versions.
    """
    card = model.card
    # Additions count only where they are chosen: otherwise every journal of an earlier version
    # would be void.
    return fingerprint(
        model.weights_sha256,
        card.id,
        card.labels,
        card.activation,
        to_json(card.input),
        sampling_values(sampling),
        options.precision,
        *([] if options.decoder == "software" else ["nvdec"]),
    )


def sampling_values(sampling: SamplingOptions) -> dict[str, JsonValue]:
    """List the options for a fingerprint; later additions count only where they are chosen."""
    values = to_json(sampling)
    if sampling.input_frame_rate is None:
        del values["input_frame_rate"]
    return values
