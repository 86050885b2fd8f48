"""One engine for several videos at once: clips of different videos share a batch.

Each video is analysed in a thread of its own, as if the engine were its alone; one more thread
runs the engine on whatever clips there are and gives every answer to the thread that asked. A
batch leaves before it is full when no video is being decoded that could add to it, or when those
that are take their time.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from vswin_cli.timeline.scores import ClipLogits
from vswin_cli.video.clips import Clip

if TYPE_CHECKING:
    import torch

    from vswin_cli.inference.engine import Engine
    from vswin_cli.models.checkpoints.load import LoadedModel

__all__ = ["SharedEngine", "clips_per_batch"]

_PATIENCE_SECONDS = 0.5  # for a batch to become full


def clips_per_batch(engine: Engine) -> int:
    """How many clips it takes to fill a batch."""
    return -(-engine.batch_size // engine.crops)


class _Question:
    """A clip on its way to the engine, and what came back."""

    __slots__ = ("answer", "clip")

    def __init__(self, clip: Clip) -> None:
        self.clip: Clip | None = clip
        self.answer: ClipLogits | None = None


class SharedEngine:
    """Looks like an `Engine` to many threads; `serve` does the work in one more.

    Args:
        engine: the real one.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._limit = clips_per_batch(engine)
        self._changed = threading.Condition()
        self._questions: deque[_Question] = deque()  # not yet with the engine; at most `_limit`
        self._decoding: dict[int, Callable[[], None]] = {}  # threads of which clips may come
        self._failure: BaseException | None = None
        self._is_closed = False

    @property
    def model(self) -> LoadedModel:
        """As of the engine."""
        return self._engine.model

    @property
    def crops(self) -> Literal[1, 3]:
        """As of the engine."""
        return self._engine.crops

    @property
    def device(self) -> torch.device:
        """As of the engine."""
        return self._engine.device

    @property
    def precision(self) -> str:
        """As of the engine."""
        return self._engine.precision

    @contextmanager
    def expecting(self, on_decoded: Callable[[], None]) -> Iterator[None]:
        """Expect clips of a video from this thread for as long as the block lasts.

        Args:
            on_decoded: called when its last clip has come, though answers may be owed.
        """
        with self._changed:
            self._decoding[threading.get_ident()] = on_decoded
        try:
            yield
        finally:
            self._expect_no_more()

    def score(self, clips: Iterable[Clip]) -> Iterator[ClipLogits]:
        """Have clips scored, in order; called inside `expecting`.

        Raises:
            VswinError: what the engine raised, whichever video's clip it was about.
        """
        asked: deque[_Question] = deque()
        for clip in clips:
            asked.append(self._ask(clip))
            while asked and (answer := asked[0].answer) is not None:
                asked.popleft()
                yield answer
        on_decoded = self._expect_no_more()
        if on_decoded is not None:
            on_decoded()
        while asked:
            yield self._await(asked.popleft())

    def serve(self) -> None:
        """Run the engine until `close`; whatever it raises is raised in the asking threads."""
        drawn: deque[_Question] = deque()
        try:
            while self._has_questions():
                for logits in self._engine.score(self._draw(drawn)):
                    with self._changed:
                        drawn.popleft().answer = logits
                        self._changed.notify_all()
        except BaseException as failure:
            self.fail(failure)

    def fail(self, failure: BaseException) -> None:
        """Raise this in all threads that ask or wait."""
        with self._changed:
            self._failure = failure
            self._changed.notify_all()

    def close(self) -> None:
        """Let `serve` return once nothing is left to do."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _expect_no_more(self) -> Callable[[], None] | None:
        with self._changed:
            self._changed.notify_all()
            return self._decoding.pop(threading.get_ident(), None)

    def _ask(self, clip: Clip) -> _Question:
        question = _Question(clip)
        with self._changed:
            self._changed.wait_for(lambda: len(self._questions) < self._limit or self._failure)
            if self._failure is not None:
                raise self._failure
            self._questions.append(question)
            self._changed.notify_all()
        return question

    def _await(self, question: _Question) -> ClipLogits:
        with self._changed:
            self._changed.wait_for(lambda: question.answer is not None or self._failure)
            if question.answer is not None:
                return question.answer
            assert self._failure is not None
            raise self._failure

    def _has_questions(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._questions or self._is_closed or self._failure)
            return bool(self._questions) and self._failure is None

    def _draw(self, drawn: deque[_Question]) -> Iterator[Clip]:
        """Clips until there are none and no more can be expected soon."""
        while True:
            with self._changed:
                self._changed.wait_for(self._need_not_wait, _PATIENCE_SECONDS)
                if self._questions:
                    question = self._questions.popleft()
                    drawn.append(question)
                    self._changed.notify_all()
                elif drawn or self._need_not_wait():
                    return
                else:
                    continue  # nothing is held up by waiting on
                clip, question.clip = question.clip, None  # from here on the engine holds it
            assert clip is not None
            yield clip

    def _need_not_wait(self) -> bool:
        return bool(self._questions) or not self._decoding or self._failure is not None
