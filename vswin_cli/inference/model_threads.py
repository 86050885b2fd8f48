"""Score the clips of one video with several models, each in a thread of its own.

The caller's thread puts each clip into the queue of its model. The queues are short, and it waits
while the queue is full, so that memory stays bounded; the slowest model sets the pace of all. The
models' threads never wait for each other, so none can block another.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import torch

from vswin_cli.inference.scorer import Scorer
from vswin_cli.models.network.cpu_threads import single_threaded_pool
from vswin_cli.timeline.track_builder import TrackBuilder
from vswin_cli.video.clips import Clip, PlannedClip

__all__ = ["score_with_models"]

_QUEUED_CLIPS = 4  # per model, beside those that its engine takes ahead
_CHECK_SECONDS = 0.2  # between looks at whether a model has failed
_INTERRUPT_SECONDS = 0.5  # for each thread to end after Ctrl-C; a pass cannot be interrupted


def score_with_models(
    clips: Iterable[PlannedClip], engines: Sequence[Scorer], tracks: Sequence[TrackBuilder]
) -> None:
    """Score all clips and add the results to the tracks.

    Results are those of `engine.score` on the clips of each model alone.

    Args:
        clips: `plan_index` counts the models.
        engines: the models.
        tracks: where the results of each model go.

    Raises:
        Exception: an error of a model, or of `clips`; the other models are stopped, and their
            threads have ended.
    """
    if any(engine.device.type == "cpu" for engine in engines):
        # Here, as two threads that start the pool at once would change each other's thread counts.
        single_threaded_pool(torch.get_num_threads())
    threads: list[_ModelThread] = []
    try:
        for pair in zip(engines, tracks, strict=True):
            threads.append(_ModelThread(*pair))
        for planned in clips:
            threads[planned.plan_index].put(planned.clip)
            _check(threads)
        for thread in threads:
            thread.put(None)
        for thread in threads:
            while thread.is_alive():
                thread.join(_CHECK_SECONDS)
                _check(threads)
        _check(threads)
    except BaseException as error:
        for thread in threads:
            thread.stop()
        # After an error, the next video may be scored with the same engines. Ctrl-C ends the
        # program, and must not wait for a pass that takes long.
        seconds = None if isinstance(error, Exception) else _INTERRUPT_SECONDS
        for thread in threads:
            thread.join(seconds)
        raise


def _check(threads: Iterable[_ModelThread]) -> None:
    """Raise the error of a model that has failed."""
    for thread in threads:
        if thread.error is not None:
            raise thread.error


class _StoppedError(Exception):
    """The clips end early, because another model failed."""


class _ModelThread:
    """A thread that scores the clips of one model.

    Attributes:
        error: that ended the thread; `None` while it runs and after success.
    """

    def __init__(self, engine: Scorer, track: TrackBuilder) -> None:
        self.error: BaseException | None = None
        self._engine = engine
        self._track = track
        self._clips: queue.Queue[Clip | None] = queue.Queue(_QUEUED_CLIPS)
        self._is_stopped = False
        self._thread = threading.Thread(target=self._work, name="vswin-model", daemon=True)
        self._thread.start()

    def put(self, clip: Clip | None) -> None:
        """Pass on a clip, or `None` after the last one; waits for room unless the thread ended."""
        while self._thread.is_alive():
            with suppress(queue.Full):
                self._clips.put(clip, timeout=_CHECK_SECONDS)
                return

    def stop(self) -> None:
        """Let the thread end without scoring what waits."""
        self._is_stopped = True
        with suppress(queue.Full):  # then it takes a clip before it would wait for one
            self._clips.put_nowait(None)

    def is_alive(self) -> bool:
        """Return whether the thread still runs."""
        return self._thread.is_alive()

    def join(self, timeout_seconds: float | None = None) -> None:
        """Wait for the end of the thread, for no longer than the time if one is given."""
        self._thread.join(timeout_seconds)

    def _work(self) -> None:
        try:
            for logits in self._engine.score(self._taken()):
                self._track.add(logits)
        except BaseException as error:  # raised in the caller's thread
            self.error = error

    def _taken(self) -> Iterator[Clip]:
        while True:
            clip = self._clips.get()
            if self._is_stopped:
                raise _StoppedError
            if clip is None:
                return
            yield clip
