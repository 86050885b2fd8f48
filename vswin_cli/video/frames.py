"""Put decoded frames into the order in which they are shown."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av import VideoFrame

__all__ = ["CountedStamps", "DecodingOrderStamps", "TimedFrame", "in_order", "quarter_turn"]

_MAX_IN_DECODER = 256  # packets, by frame threads and reordering
_REORDER_FRAMES = 3  # window in which frames are put into the order of their times


@dataclass(frozen=True, slots=True, eq=False)
class TimedFrame:
    """One frame of a video and when it is shown."""

    seconds: float
    """Presentation time; 0 is the first frame of the video."""
    declared_seconds: float
    """Duration stored in the container; 0 if there is none."""
    rotation_degrees: int
    """Counter-clockwise rotation that puts it upright."""
    frame: VideoFrame | None
    """Pixels as decoded, before rotation; `None` where the frame was not wanted."""
    is_break: bool = False
    """Whether timestamps were reset before this frame, so that it starts a new run."""
    further_sizes: tuple[VideoFrame, ...] = ()
    """The same pixels scaled to further sizes, where a decoder scales for several plans."""

    def of_size(self, index: int) -> VideoFrame | None:
        """Return the pixels for a plan.

        Args:
            index: of the plan's size among those that a decoder scales to; 0 is the first.
        """
        return self.further_sizes[index - 1] if index and self.further_sizes else self.frame


class DecodingOrderStamps:
    """Assign timestamps to frames of containers that store only the packets' decoding times.

    A decoder outputs frames in presentation order, so that the first one has the first timestamp,
    whichever packet it came from. A packet without a frame leaves its timestamp unused, which is
    dropped as soon as it is too old: no frame is shown more than `depth` packets before its own.

    Args:
        depth: by how many frames the codec reorders.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._num_added = 0
        self._unused: deque[tuple[int, int]] = deque()  # number of the packet, timestamp
        self._numbers: dict[int, int] = {}  # of the packets without a frame so far, by timestamp

    def add(self, stamp: int) -> None:
        """Add the timestamp of a packet that is sent to the decoder."""
        self._unused.append((self._num_added, stamp))
        self._numbers[stamp] = self._num_added
        self._num_added += 1
        if len(self._numbers) > _MAX_IN_DECODER:
            del self._numbers[next(iter(self._numbers))]
            self._unused.popleft()

    def take(self, own: int) -> int:
        """Return the timestamp for the next frame, whose packet had the timestamp `own`."""
        number = self._numbers.pop(own, None)
        if number is None:
            return own
        while self._unused and self._unused[0][0] < number - self._depth:
            self._unused.popleft()
        return self._unused.popleft()[1] if self._unused else own


class CountedStamps:
    """Number frames in the order in which they are shown, for streams without timestamps.

    Used like `DecodingOrderStamps`. Packets are not counted: one may hold half a frame.
    """

    def __init__(self) -> None:
        self._num_taken = 0

    def add(self, stamp: int) -> None:
        """Ignore a packet."""

    def take(self, own: int) -> int:
        """Return the number of the next frame, whichever packet it came from."""
        self._num_taken += 1
        return self._num_taken - 1


def quarter_turn(rotation_degrees: float) -> int:
    """Round the rotation that puts a frame upright to quarter turns."""
    return round(rotation_degrees / 90) * 90 % 360


def in_order(frames: Iterable[TimedFrame], *, guessed: bool) -> Iterator[TimedFrame]:
    """Sort frames by time within a few frames; a timestamp reset is never crossed.

    Some decoders determine the depth of reordering only while they decode, and output the first
    frames of a stream too early.

    Args:
        frames: in the decoder's order.
        guessed: whether the times are the demuxer's guess, as for AVI files, which store none.
            Such times can be swapped among neighbours while the decoder's order is right: then
            the frames keep their order and get the sorted times.
    """
    window: list[TimedFrame] = []
    for frame in frames:
        if frame.is_break:
            yield from window
            window = []
        at = len(window)
        while at and window[at - 1].seconds > frame.seconds:
            at -= 1
        window.insert(at, frame)
        if guessed and at < len(window) - 1:
            window = _keep_order(window, at)
        if len(window) > _REORDER_FRAMES:
            yield window.pop(0)
    yield from window


def _keep_order(window: list[TimedFrame], at: int) -> list[TimedFrame]:
    """Undo the insertion of the newest frame at `at`, but keep the times sorted."""
    decoded = [*window[:at], *window[at + 1 :], window[at]]
    return [
        replace(frame, seconds=slot.seconds) for frame, slot in zip(decoded, window, strict=True)
    ]
