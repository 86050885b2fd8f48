"""Take over results of earlier runs from the journal.

A result counts if the file is unchanged (size and time) and its scores were made with the same
options and weights. Other thresholds, or another name for the file, need new segments only.

Entries of the journal are named after full paths. If a folder with videos and results was moved as
a whole, entries are found by the paths that its files had before: the journal records in which
folders it has been.

Another batch nearby may have tagged the same files, into another format: its results count as well.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

from vswin_cli.batch.inputs import BatchInput, entry_name
from vswin_cli.batch.job import Task
from vswin_cli.batch.journal import Journal, unlink_link
from vswin_cli.batch.outcome import Outcome
from vswin_cli.batch.target import FOLDER_STEM, Target
from vswin_cli.errors import SourceError, SourceNotFoundError
from vswin_cli.storage.files import is_file, replacing_binary, replacing_text, writing
from vswin_cli.storage.humanize import counted
from vswin_cli.timeline.feature_files import load_features
from vswin_cli.timeline.record import Timeline, with_segments
from vswin_cli.timeline.score_files import load_track
from vswin_cli.timeline.scores import ScoreTrack

__all__ = ["EarlierResults", "other_journals"]

_MAX_FORMER_FOLDERS = 8
_ENTRIES_TO_LOOK_AT = 20


def other_journals(target: Target) -> list[Path]:
    """List the journals of other batches nearby, which may have results of the same videos.

    Those beside the results, in the folder above, and in folders of results beside.
    """
    if target.address is not None:
        return []
    around = target.folder.absolute().parent if target.is_folder else target.folder.absolute()
    found = [
        *target.folder.absolute().glob(".*.vswin"),
        *around.glob(".*.vswin"),
        *around.glob(f"*/.{FOLDER_STEM}.vswin"),
    ]
    own = target.state.absolute()
    return [one for one in dict.fromkeys(found) if one != own and (one / "entries").is_dir()]


class EarlierResults:
    """Results of earlier runs that are valid for this one.

    Args:
        journal: of this and earlier runs.
        task: options and fingerprints of this run.
        retry_failed: whether failures do not count.
        needs_scores: whether a result counts only with its score file.
        on_note: called with notes for the user.
        others: journals of other batches, in which missing results are looked up.
    """

    def __init__(
        self,
        journal: Journal,
        task: Task,
        *,
        retry_failed: bool,
        needs_scores: bool,
        on_note: Callable[[str], None],
        others: Sequence[Journal] = (),
    ) -> None:
        self._journal = journal
        self._others = others
        self._num_by_other: Counter[str] = Counter()
        self._task = task
        self._retry_failed = retry_failed
        self._needs_scores = needs_scores
        self._on_note = on_note
        self._folder = journal.folder.parent
        self._recorded_folders = self._read_folders()
        self._former_folders = [
            folder for folder in self._recorded_folders if folder != str(self._folder)
        ][:_MAX_FORMER_FOLDERS]
        self._num_found = 0
        self._num_moved = 0
        self._num_other_time = 0

    def outcome(self, item: BatchInput) -> Outcome | None:
        """Return the outcome of an input; `None` if it has to be done."""
        return self._valid(self._find(item), item) or self._outcome_of_other(item)

    def _valid(self, old: Outcome | None, item: BatchInput) -> Outcome | None:
        """Return an earlier outcome as it is valid now; `None` if it is not."""
        # `scoring` covers all that the scores depend on (weights, labels, sampling, precision), so
        # another value makes them useless. `segmenting` covers the thresholds alone: new segments
        # are computed from the saved scores below.
        if old is None or old.scoring != self._task.scoring or not item.is_as_before(old.identity):
            return None
        if old.status == "failed":
            # A missing file may exist by now; other failures would occur again.
            may_differ = self._retry_failed or old.error_code == SourceNotFoundError.code
            return None if may_differ else replace(old, uri=item.source.uri)
        if self._needs_scores and not self._copy_scores(old):
            return None
        if not self._copy_features(old):
            return None
        if old.segmenting != self._task.segmenting or old.uri != item.source.uri:
            return self._segment_again(item, old)
        lacks_evidence = self._task.evidence and not old.has_evidence
        return None if lacks_evidence else self._with_reason(old)

    def _outcome_of_other(self, item: BatchInput) -> Outcome | None:
        """Take over a result of another batch; its scores stay where they are."""
        for journal in self._others:
            old = journal.result(item.entry)
            if old is None or old.status == "failed" or old.scoring != self._task.scoring:
                continue
            if (kept := journal.scores_of(old)) is not None:
                old = replace(old, scores=str(kept))
            with suppress(SourceError):
                self._journal.record(old, journal.timeline(old.entry))
                if (outcome := self._valid(old, item)) is not None:
                    self._num_by_other[str(journal.folder)] += 1
                    self._num_found += 1
                    return outcome
        return None

    def finish(self, *, is_part: bool = False) -> None:
        """Record the folder of the journal, and note which results were found elsewhere.

        Args:
            is_part: whether the inputs are a shard, so that results of other files are expected.
        """
        for folder, count in self._num_by_other.items():
            self._on_note(f"{counted(count, 'result')} of an earlier batch taken from {folder}")
        if self._num_moved:
            self._on_note(f"{counted(self._num_moved, 'result')} found by the paths before a move")
        if self._num_other_time:
            self._on_note(
                f"{counted(self._num_other_time, 'file')} changed size or time in a move and "
                "will be done again; `mv`, `cp -p` and `rsync -t` keep times"
            )
        if not (is_part or self._num_found) and (other := next(self._journal.entries(), None)):
            outcome = self._journal.outcome(other)
            example = f", such as {outcome.uri}" if outcome is not None else ""
            self._on_note(
                f"none of the inputs has a result in {self._journal.folder}, only other files"
                f"{example}; files that were moved are found if the table moved with them"
            )
        if self._recorded_folders[:1] != [str(self._folder)]:
            folders = [str(self._folder), *self._former_folders]
            with replacing_text(self._locations_path) as file:
                json.dump({"folders": folders}, file)

    @property
    def _locations_path(self) -> Path:
        return self._journal.folder / "locations.json"

    def _find(self, item: BatchInput) -> Outcome | None:
        """Return the outcome of an input, under its present or a former name."""
        old = self._journal.result(item.entry)
        if old is not None:
            self._num_found += 1
            return old
        for entry, is_moved in self._former_entries(item):
            old = self._journal.result(entry)
            if old is None:
                continue
            self._num_found += 1
            if old.scoring != self._task.scoring:
                return None
            if not item.is_as_before(old.identity):
                self._num_other_time += is_moved
                return None
            self._num_moved += is_moved
            return self._rename(old, item)
        return None

    def _former_entries(self, item: BatchInput) -> Iterator[tuple[str, bool]]:
        """Yield names under which an earlier run may have kept an input, and if it was moved."""
        if item.source.path is None:
            return
        # Version 0.1.0 resolved symbolic links.
        yield entry_name(os.path.realpath(item.place)), False
        # With and without links: entries are named by the path that the user gave, made absolute.
        for place in dict.fromkeys((item.place, os.path.realpath(item.place))):
            for folder in (str(self._folder), os.path.realpath(self._folder)):
                if not place.startswith(f"{folder}/"):
                    continue
                inside = place[len(folder) :]
                for former in self._former_folders:
                    for name in dict.fromkeys((former, os.path.realpath(former))):
                        yield entry_name(name + inside), True

    def _read_folders(self) -> list[str]:
        """Return the folders in which the results have been, the last one first."""
        with suppress(OSError, ValueError, RecursionError, TypeError, KeyError):
            content = json.loads(self._locations_path.read_text(encoding="utf-8"))
            folders = content["folders"]
            return [one for one in folders if isinstance(one, str) and _can_be_path(one)]
        # Version 0.1.0 kept no record, but the full paths of score files.
        for entry in islice(self._journal.entries(), _ENTRIES_TO_LOOK_AT):
            old = self._journal.outcome(entry)
            state = Path((old and old.scores) or "").parent.parent
            if state.name == self._journal.folder.name:
                return [str(state.parent)]
        return []

    def _rename(self, old: Outcome, item: BatchInput) -> Outcome | None:
        """Write an entry under the name that its file has now."""
        timeline = None
        if old.status != "failed":
            with suppress(SourceError):
                timeline = self._journal.timeline(old.entry)
            if timeline is None:
                return None
            timeline = replace(timeline, video=replace(timeline.video, uri=item.source.uri))
        scores = self._task.scores_path(old.entry)
        new = replace(old, entry=item.entry, uri=item.source.uri)
        if scores is not None and is_file(scores):
            new = replace(new, scores=str(scores))
            if self._copy_scores(new):
                new = replace(new, scores=str(self._task.scores_path(new.entry)))
        features = self._task.features_path(old.entry)
        renamed = self._task.features_path(new.entry)
        if features is not None and renamed is not None and is_file(features):
            # Moved: with both names in the folder, a search would find the video twice.
            unlink_link(renamed)
            with writing(f"{renamed}"):
                features.replace(renamed)
            new = replace(new, features=str(renamed))
        self._journal.record(new, timeline)
        return new

    def _with_reason(self, old: Outcome) -> Outcome:
        """Add why a video is partial, which entries of version 0.1.0 do not say."""
        if old.status != "partial" or old.error is not None:
            return old
        with suppress(SourceError):
            timeline = self._journal.timeline(old.entry)
            return old if timeline is None else old.of_timeline(timeline)
        return old  # damaged; `write_results` reports it

    def _copy_scores(self, old: Outcome) -> bool:
        """Copy the scores to this run's folder if they are elsewhere; whether they are there."""
        return _copy(old.scores, self._task.scores_path(old.entry))

    def _copy_features(self, old: Outcome) -> bool:
        """Copy the features, too, if this run saves them; whether they are there.

        They count only if they were computed with these scores: another batch may have written
        features of other weights under the same name.
        """
        wanted = self._task.features_path(old.entry)
        if wanted is None:
            return True
        if old.features is None or not _copy(old.features, wanted):
            return False
        try:
            record, timeline = load_features(wanted).record, self._journal.timeline(old.entry)
        except SourceError:
            return False
        return timeline is not None and (record.model, record.sampling, record.video) == (
            timeline.model,
            timeline.sampling,
            replace(timeline.video, uri=record.video.uri),
        )

    def _open_scores(self, old: Outcome) -> tuple[ScoreTrack, Timeline] | None:
        """Open the scores in this run's folder, else where they were written then."""
        for path in (self._task.scores_path(old.entry), old.scores and Path(old.scores)):
            with suppress(SourceError):
                if path:
                    return load_track(path)
        return None

    def _segment_again(self, item: BatchInput, old: Outcome) -> Outcome | None:
        """Make the result for this run's thresholds and name from the saved scores."""
        try:
            before = self._journal.timeline(old.entry)
        except SourceError:
            return None  # a damaged entry: the video is done again
        if before is None:
            return None
        timeline = replace(before, video=replace(before.video, uri=item.source.uri))
        has_evidence = bool(old.has_evidence)
        if old.segmenting != self._task.segmenting:
            opened = self._open_scores(old)
            if opened is None:
                return None
            track, saved = opened
            with track:
                if (saved.model, saved.sampling) != (before.model, before.sampling):
                    return None  # scores that another run has overwritten
                # The saved timeline has the evidence of the run that made the scores.
                first = replace(timeline, segments=saved.segments, postprocess=saved.postprocess)
                timeline = with_segments(first, track, self._task.segments)
            has_evidence |= any(one.evidence for one in saved.segments)
        # Of segments with other peaks there is no evidence; the video is done again for it.
        has_evidence = has_evidence and all(one.evidence for one in timeline.segments)
        if self._task.evidence and not has_evidence:
            return None
        outcome = replace(
            old,
            uri=item.source.uri,
            segmenting=self._task.segmenting,
            has_evidence=has_evidence or None,
        ).of_timeline(timeline)
        self._journal.record(outcome, timeline)
        return outcome


def _can_be_path(text: str) -> bool:
    """Return whether the system accepts a text as a path: no null byte, no half a character."""
    with suppress(UnicodeEncodeError):
        return b"\0" not in os.fsencode(text)
    return False


def _copy(kept: str | None, wanted: Path | None) -> bool:
    """Copy a file of an earlier run to where this run keeps it; returns whether it is there."""
    if wanted is None or is_file(wanted):
        return True
    if kept is None or not is_file(Path(kept)):
        return False
    # Copied, not moved: the folder of the earlier run may belong to another table.
    unlink_link(wanted)
    with Path(kept).open("rb") as source, replacing_binary(wanted) as copy:
        shutil.copyfileobj(source, copy)
    return True
