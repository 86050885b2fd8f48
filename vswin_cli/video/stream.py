"""Open a video and iterate over what is sampled from it.

The only module that unpacks a decoder's events into frames or clips, whether the decoder runs in a
child process or in this one. Independent of the network.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from vswin_cli.errors import OptionError, VswinError
from vswin_cli.storage.sources import VideoSource, naming_source
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.decoder_pool import DecoderPool
from vswin_cli.video.decoder_process import decode_isolated
from vswin_cli.video.decoder_protocol import Event
from vswin_cli.video.info import DecodeReport, VideoInfo
from vswin_cli.video.sampling import Progress, RunEnd, SampledFrame, SamplingPlan, as_plans

if TYPE_CHECKING:
    from vswin_cli.storage.download import OnBytes

__all__ = ["OnPosition", "Sample", "VideoStream", "open_video"]

Sample: TypeAlias = SampledFrame | RunEnd
"""A sampled frame, or the end of a run: of a part of the video without a gap."""
OnPosition: TypeAlias = Callable[[float], None]
"""Called with the time in seconds of the newest decoded frame."""
Item = TypeVar("Item")


class VideoStream(Iterator[Item]):
    """A video that is being decoded: its metadata, its sampled frames or clips, its report.

    Use as a context manager, or call `close`, to end the decoder when not all items are taken.

    Args:
        source: what to open; an address is copied to a temporary file first.
        plan: which frames are sampled; several plans share one decoding.
        options: how they are decoded.
        convert: makes the items from the samples.
        pool: where decoder processes come from; by default one is started for this video.
        on_position: called as decoding proceeds.
        on_bytes: called as the bytes of a copy arrive.

    Attributes:
        plan, options: as given; `plan` is the first one where there are several.
        plans: all of them.
        info: metadata read before decoding.

    Raises:
        SourceError: the source cannot be opened or holds no video.
    """

    def __init__(
        self,
        source: VideoSource,
        plan: SamplingPlan | Sequence[SamplingPlan],
        options: DecodeOptions,
        convert: Callable[[Iterator[Sample]], Iterator[Item]],
        *,
        pool: DecoderPool | None = None,
        on_position: OnPosition | None = None,
        on_bytes: OnBytes | None = None,
    ) -> None:
        self.plans = as_plans(plan)
        self.plan = self.plans[0]
        self.options = options
        self._on_position = on_position
        self._report: DecodeReport | None = None
        with ExitStack() as resources:
            path = resources.enter_context(source.local(on_bytes=on_bytes))
            events = _decode(path, plan, options, pool)
            resources.callback(events.close)
            with naming_source(source, path):
                info = next(events)
            self._resources = resources.pop_all()
        assert isinstance(info, VideoInfo)  # every decoder sends it first
        self.info = info
        self._items = convert(self._samples(events))

    @property
    def report(self) -> DecodeReport:
        """Summary of the decoding; available once all items were taken.

        Raises:
            VswinError: items remain.
        """
        if self._report is None:
            raise VswinError("the decode report is available only after the last clip")
        return self._report

    def __next__(self) -> Item:
        return next(self._items)

    def __enter__(self) -> VideoStream[Item]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the decoder and release the file."""
        self._resources.close()

    def _samples(self, events: Generator[Event, None, None]) -> Iterator[Sample]:
        for event in events:
            if self._on_position is not None and isinstance(event, (SampledFrame, Progress)):
                self._on_position(event.seconds)
            if isinstance(event, (SampledFrame, RunEnd)):
                yield event
            elif isinstance(event, DecodeReport):
                self._report = event
        # Not left to `close`: a decoder process goes back to its pool as soon as it has finished.
        self._resources.close()
        _check_start(self.plan, self._report)


def open_video(
    source: VideoSource,
    plan: SamplingPlan,
    options: DecodeOptions = DecodeOptions(),
    *,
    pool: DecoderPool | None = None,
    on_position: OnPosition | None = None,
) -> VideoStream[Sample]:
    """Open a video and iterate over its sampled frames and the ends of its runs, in time order.

    The arguments and errors are those of `VideoStream`.
    """
    return VideoStream(source, plan, options, iter, pool=pool, on_position=on_position)


def _decode(
    path: Path,
    plan: SamplingPlan | Sequence[SamplingPlan],
    options: DecodeOptions,
    pool: DecoderPool | None,
) -> Generator[Event, None, None]:
    if options.isolate:
        return decode_isolated(path, plan, options, pool=pool)
    from vswin_cli.video.sampler import decode_samples  # loads PyAV

    return decode_samples(path, plan, options)


def _check_start(plan: SamplingPlan, report: DecodeReport | None) -> None:
    """Reject a start time beyond the end of the video, which is only known after decoding."""
    if report and report.frames_decoded and plan.start_seconds >= report.duration_seconds:
        raise OptionError(
            f"the part to analyse starts at {plan.start_seconds:g} s, "
            f"but the video ends at {report.duration_seconds:.3f} s",
            hint="give an earlier --start",
        )
