"""Share one engine among several videos, so that clips of different videos fill a batch.

Each video is analysed in a thread of its own that calls `score` as on a plain engine; one more
thread runs the engine on the clips of all of them and returns the logits to their senders.
An incomplete batch is run when no video is being decoded that could fill it, or when decoding
takes longer than `_FULL_BATCH_WAIT_SECONDS`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from vswin_cli.config import Decoder
from vswin_cli.timeline.scores import ClipLogits
from vswin_cli.video.clips import Clip

if TYPE_CHECKING:
    import torch

    from vswin_cli.inference.engine import Engine
    from vswin_cli.models.checkpoints.load import LoadedModel

__all__ = ["SharedEngine", "clips_per_batch"]

# How long the engine holds an incomplete batch while videos are still being decoded: the logits of
# its clips must not wait for a slow decoder without bound.
_FULL_BATCH_WAIT_SECONDS = 0.5


def clips_per_batch(engine: Engine) -> int:
    """Return how many clips fill a batch: each is one view per crop."""
    return -(-engine.batch_size // engine.crops)


class _Request:
    """A clip to be scored and, later, its logits."""

    __slots__ = ("clip", "logits")

    def __init__(self, clip: Clip) -> None:
        self.clip: Clip | None = clip
        self.logits: ClipLogits | None = None


class SharedEngine:
    """An engine that many threads may use at once; `serve` runs it in one more.

    Args:
        engine: does the work.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._limit = clips_per_batch(engine)
        self._changed = threading.Condition()
        # Not yet taken by the engine. At most one batch, so that decoders that are faster than
        # the engine wait instead of filling the memory with clips.
        self._pending: deque[_Request] = deque()
        self._decoding: dict[int, Callable[[], None]] = {}  # threads that may still send clips
        self._failure: BaseException | None = None
        self._is_closed = False

    @property
    def model(self) -> LoadedModel:
        """Same as `Engine.model`."""
        return self._engine.model

    @property
    def decoder(self) -> Decoder:
        """Same as `Engine.decoder`."""
        return self._engine.decoder

    @property
    def spare_decoders(self) -> int:
        """One per video: other videos take the other cores."""
        return 1

    def with_crops(self, crops: Literal[1, 3]) -> SharedEngine:
        """Refuse: clips of all videos share batches and therefore the number of views.

        Raises:
            ValueError: always; make the engine with these crops.
        """
        raise ValueError(f"a shared engine keeps its {self.crops} crop(s), got {crops = }")

    def with_features(self) -> SharedEngine:
        """Refuse unless the engine keeps features already: clips of all videos share batches.

        Raises:
            ValueError: it does not; share an engine made by `Engine.with_features`.
        """
        if not self._engine.keeps_features:
            raise ValueError("a shared engine keeps features only if its engine does")
        return self

    def with_cells(self, classes: Sequence[int]) -> SharedEngine:
        """Refuse unless the engine keeps the cells of these classes already.

        Raises:
            ValueError: it does not; share an engine made by `Engine.with_cells`.
        """
        kept = self._engine.cell_classes
        if kept != tuple(classes):
            raise ValueError(f"a shared engine keeps the cells of {kept}, got {classes = }")
        return self

    @property
    def crops(self) -> Literal[1, 3]:
        """Same as `Engine.crops`."""
        return self._engine.crops

    @property
    def device(self) -> torch.device:
        """Same as `Engine.device`."""
        return self._engine.device

    @property
    def precision(self) -> str:
        """Same as `Engine.precision`."""
        return self._engine.precision

    @contextmanager
    def expecting(self, on_decoded: Callable[[], None]) -> Iterator[None]:
        """Declare that this thread sends the clips of a video inside the block.

        Args:
            on_decoded: called when its last clip was sent, before its logits are complete.
        """
        with self._changed:
            self._decoding[threading.get_ident()] = on_decoded
        try:
            yield
        finally:
            self._expect_no_more()

    def score(self, clips: Iterable[Clip]) -> Iterator[ClipLogits]:
        """Score clips, in order; called inside `expecting`.

        Raises:
            VswinError: raised by the engine, for a clip of any video.
        """
        requests: deque[_Request] = deque()
        for clip in clips:
            requests.append(self._submit(clip))
            while requests and (logits := requests[0].logits) is not None:
                requests.popleft()
                yield logits
        on_decoded = self._expect_no_more()
        if on_decoded is not None:
            on_decoded()
        while requests:
            yield self._wait_for_logits(requests.popleft())

    def serve(self) -> None:
        """Run the engine until `close`; its exceptions are raised in the threads that wait."""
        in_engine: deque[_Request] = deque()
        try:
            while self._wait_for_clips():
                for logits in self._engine.score(self._next_clips(in_engine)):
                    with self._changed:
                        in_engine.popleft().logits = logits
                        self._changed.notify_all()
        except BaseException as failure:
            self.fail(failure)

    def fail(self, failure: BaseException) -> None:
        """Raise this in all threads that submit or wait."""
        with self._changed:
            self._failure = failure
            self._changed.notify_all()

    def close(self) -> None:
        """Let `serve` return once all clips are scored."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _expect_no_more(self) -> Callable[[], None] | None:
        with self._changed:
            self._changed.notify_all()
            return self._decoding.pop(threading.get_ident(), None)

    def _submit(self, clip: Clip) -> _Request:
        request = _Request(clip)
        with self._changed:
            self._changed.wait_for(lambda: len(self._pending) < self._limit or self._failure)
            if self._failure is not None:
                raise self._failure
            self._pending.append(request)
            self._changed.notify_all()
        return request

    def _wait_for_logits(self, request: _Request) -> ClipLogits:
        with self._changed:
            self._changed.wait_for(lambda: request.logits is not None or self._failure)
            if request.logits is not None:
                return request.logits
            assert self._failure is not None
            raise self._failure

    def _wait_for_clips(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._is_closed or self._failure)
            return bool(self._pending) and self._failure is None

    def _next_clips(self, in_engine: deque[_Request]) -> Iterator[Clip]:
        """Yield clips until there are none and no more can be expected soon.

        Ending this iterator makes the engine run the incomplete batch that it holds.
        """
        while True:
            with self._changed:
                self._changed.wait_for(self._need_not_wait, _FULL_BATCH_WAIT_SECONDS)
                if self._pending:
                    request = self._pending.popleft()
                    in_engine.append(request)
                    self._changed.notify_all()
                elif in_engine or self._need_not_wait():
                    return
                else:
                    continue  # the engine holds no clip, so no thread waits for this batch
                clip, request.clip = request.clip, None  # only the engine holds its memory now
            assert clip is not None
            yield clip

    def _need_not_wait(self) -> bool:
        return bool(self._pending) or not self._decoding or self._failure is not None
