"""Tag a live stream for `vswin tag --live`: a line of JSON for every segment that has ended.

Its keys are in `data/live-segment.schema.json`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from vswin_cli.cli import console
from vswin_cli.errors import OptionError, redacted
from vswin_cli.storage.humanize import clock_text
from vswin_cli.storage.json_records import clean_json, to_json
from vswin_cli.storage.remote import is_remote

if TYPE_CHECKING:
    from vswin_cli.config import SamplingOptions, SegmentOptions
    from vswin_cli.inference.engine import Engine
    from vswin_cli.timeline.live_segments import LiveSegment, LiveSegments
    from vswin_cli.timeline.scores import ClipLogits
    from vswin_cli.video.info import Gap
    from vswin_cli.video.stream import Sample

__all__ = ["check_live", "tag_live"]

_SCHEMA = "vswin.live-segment/1"
_FIELDS_OF_FILES = ("start_frame", "end_frame")


def check_live(videos: list[str], sampling: SamplingOptions, given: Mapping[str, object]) -> str:
    """Check the options beside `--live`; returns the address.

    Args:
        videos: the arguments.
        sampling: the options for clips.
        given: options that need a whole video, by name.

    Raises:
        OptionError: more than one stream, no address, or an option that needs a whole video.
    """
    if len(videos) != 1 or not is_remote(videos[0]):
        raise OptionError(
            "--live takes the address of one stream",
            hint="write rtsp://CAMERA/STREAM, and start one `vswin tag` for each camera",
        )
    other = next((name for name, value in given.items() if value), None)
    if sampling.start_seconds is not None:
        other = "--start"
    if other is not None:
        raise OptionError(
            f"--live and {other} exclude each other",
            hint="a stream has no end: segments go to stdout as lines of JSON, one when it ends",
        )
    return videos[0]


def tag_live(
    address: str,
    engine: Engine,
    sampling: SamplingOptions,
    segments: SegmentOptions,
    *,
    quiet: bool,
) -> None:
    """Tag a stream until it is interrupted, or until `--end`.

    Raises:
        SourceError: it cannot be received.
        OptionError: the weights sample frames by number.
    """
    from vswin_cli.timeline.live_segments import LiveSegments
    from vswin_cli.video.clips import assemble_clips
    from vswin_cli.video.live import receive_live
    from vswin_cli.video.sampling import plan_sampling

    card = engine.model.card
    # The end is found here: a plan with an end would leave the last clip without its frames.
    plan = plan_sampling(card.input, replace(sampling, end_seconds=None))
    if plan.by != "time":
        raise OptionError("--live samples frames by their times", hint="add --fps 15")
    found = LiveSegments(card, segments, plan.alignment / plan.positions_per_second)
    writer = _Writer(redacted(address), card.id)
    note, end = console.note_unless(quiet), sampling.end_seconds

    def on_gap(gap: Gap) -> None:
        found.add_gap(gap)
        note(_describe(gap))

    note(f"receiving {redacted(address)}; press Ctrl-C to end")
    samples = receive_live(address, plan, on_gap)
    try:
        clips = assemble_clips(plan, writer.watched(samples))
        for clip in clips:
            # One at a time: what is scored together would have to wait for later clips.
            _add_all(engine.score([clip]), found, writer)
            if end is not None and clip.step_edges_seconds[-1] >= end:
                break
    except KeyboardInterrupt:  # the usual end
        note("ended")
    finally:
        samples.close()
        writer.write(found.finish())


def _add_all(scored: Iterable[ClipLogits], found: LiveSegments, writer: _Writer) -> None:
    for logits in scored:
        writer.write(found.add(logits))


class _Writer:
    """Writes segments with times of day, which follow from when the first frame came."""

    def __init__(self, address: str, model: str) -> None:
        self._address = address
        self._model = model
        self._began = time.time()

    def watched(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Pass samples on, and note the time of day of the first one."""
        for number, sample in enumerate(samples):
            if number == 0:
                self._began = time.time()
            yield sample

    def write(self, found: Iterable[LiveSegment]) -> None:
        """Print a line for each segment."""
        for one in found:
            values = to_json(one.segment)
            for name in _FIELDS_OF_FILES:
                values.pop(name, None)
            line = {
                "schema": _SCHEMA,
                "stream": self._address,
                "model": self._model,
                **values,
                "start_time": self._clock(one.segment.start_seconds),
                "end_time": self._clock(one.segment.end_seconds),
                "continues": one.continues,
            }
            console.write(clean_json(line))

    def _clock(self, seconds: float) -> str:
        moment = datetime.fromtimestamp(self._began + seconds, timezone.utc)
        return moment.isoformat(timespec="milliseconds")


def _describe(gap: Gap) -> str:
    if gap.end_seconds == gap.start_seconds:
        return f"connection lost at {clock_text(gap.start_seconds)}; connecting again"
    return f"no video from {clock_text(gap.start_seconds)} to {clock_text(gap.end_seconds)}"
