"""Where `vswin tag` writes: every file of one call is known, and checked, before any work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vswin_cli.cli.output import Output
from vswin_cli.cli.output_paths import Place, check_distinct, page_path
from vswin_cli.errors import OptionError
from vswin_cli.storage.files import check_spares

if TYPE_CHECKING:
    from vswin_cli.cli.model_choice import ModelChoice
    from vswin_cli.storage.sources import VideoSource

__all__ = ["TagPlaces", "plan_places"]


@dataclass(frozen=True, slots=True)
class TagPlaces:
    """Everything that one call will write."""

    results: Mapping[str, Path]
    """A file for each video, by `VideoSource.id`; empty if all goes to stdout."""
    scores: Mapping[str, Path]
    """Likewise; empty if nobody wants to keep scores."""
    page: Path | None
    """The report."""
    folders: Sequence[Place]
    """Folders for scores and report that may have to be made."""

    def make_folders(self) -> None:
        """Make what the work writes into.

        Raises:
            OutputError: a folder cannot be made.
        """
        for place in self.folders:
            place.make()

    def named(self) -> Iterator[tuple[str, Path]]:
        """Every file with the option that asks for it."""
        yield from (("--out", path) for path in self.results.values())
        yield from (("--save-scores", path) for path in self.scores.values())
        if self.page is not None:
            yield "--report", self.page


def plan_places(
    output: Output,
    save_scores: str | None,
    report: str | None,
    sources: Sequence[VideoSource],
    choice: ModelChoice,
) -> TagPlaces:
    """Settle every file, and refuse before the work what could not be written or would destroy.

    Raises:
        OptionError: several videos for a file of one, two results in one place, or an input in it.
        UnknownModelError: the model has no such name.
        OutputError: a folder is missing or read-only.
    """
    output.check_holds(len(sources))
    uris = [source.uri for source in sources]
    output.check_tells_apart(uris)
    ids = [source.id for source in sources]
    scores = None if save_scores is None else Place.parse(save_scores)
    page = None if report is None else Place.parse(report)
    places = TagPlaces(
        results=dict(zip(ids, output.files(uris), strict=False)),
        scores={} if scores is None else dict(zip(ids, _score_files(scores, ids), strict=True)),
        page=None if page is None else page_path(page, uris),
        folders=[place for place in (scores, page) if place is not None],
    )
    check_distinct(places.named())
    paths = [path for _, path in places.named()]
    check_spares(paths, (source.path for source in sources), "a video to be tagged")
    check_spares(paths, choice.files())
    return places


def _score_files(place: Place, ids: Sequence[str]) -> list[Path]:
    if place.is_folder:
        return [place.path / f"{one}.npz" for one in ids]
    if len(ids) > 1:
        raise OptionError(
            f"--save-scores {place.path} is one file for {len(ids)} videos",
            hint="give a folder/; each video gets a file in it",
        )
    return [place.path]
