"""Decode a clip of every example before training, to leave out what cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vswin_cli.errors import OptionError, SourceError
from vswin_cli.models.architecture import InputSpec
from vswin_cli.storage.files import file_sha256, is_file
from vswin_cli.training.clip_reader import ClipReader
from vswin_cli.training.processes import ProcessGroup
from vswin_cli.training.progress import OnTraining, TrainingProgress, no_progress
from vswin_cli.training.records import Example, joined_by_content, none_readable
from vswin_cli.video.decoder_pool import DecoderPool
from vswin_cli.video.read_ahead import read_ahead

__all__ = ["ReadableExamples", "check_readable"]

_WORKERS = 2


@dataclass(frozen=True, slots=True)
class ReadableExamples:
    """Examples that can be decoded."""

    examples: tuple[Example, ...]
    """Copies of a video have one identity."""
    digests: tuple[str | None, ...]
    """Hash of each one's file; `None` for an address."""
    problems: tuple[tuple[str, str], ...]
    """(example, what is wrong) of each that cannot."""


def check_readable(
    examples: Sequence[Example],
    spec: InputSpec,
    pool: DecoderPool,
    *,
    group: ProcessGroup,
    on_progress: OnTraining = no_progress,
) -> ReadableExamples:
    """Decode the middle clip of every example, and hash its file.

    Args:
        examples: what to read.
        spec: input of the network.
        pool: where decoder processes come from.
        group: the processes among which the work is divided.
        on_progress: called after each example of this process.

    Raises:
        SourceError: not one example can be read.
    """
    reader = ClipReader(spec, pool)

    def check(item: tuple[int, Example]) -> tuple[int, str | None, str | None]:
        number, example = item
        try:
            reader.read(example)
        except (OptionError, SourceError) as problem:
            return number, None, problem.message
        path = example.source.path
        return number, file_sha256(path) if path is not None and is_file(path) else None, None

    mine = group.share(list(enumerate(examples)))
    found = []
    for one in read_ahead(check, mine, workers=_WORKERS, ahead=_WORKERS):
        found.append(one)
        on_progress(TrainingProgress("checking examples", len(found), len(mine)))
    found = sorted(group.gather(found), key=lambda one: one[0])
    good = [(examples[i], digest) for i, digest, problem in found if problem is None]
    problems = tuple((str(examples[i]), text) for i, _, text in found if text is not None)
    if not good:
        raise none_readable(problems)
    digests = tuple(digest for _, digest in good)
    return ReadableExamples(
        joined_by_content([example for example, _ in good], digests), digests, problems
    )
