"""Recognise where MPEG-TS recordings were joined, as by `cat a.ts b.ts`.

The packet counters of the second recording do not continue those of the first. FFmpeg
treats that as lost data: it marks one of the last two packets of the first recording as damaged.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from vswin_cli.storage.humanize import counted
from vswin_cli.video.info import MediaWarning

if TYPE_CHECKING:
    from vswin_cli.video.packets import VideoPacket

__all__ = ["JoinDetector"]

_MOST_BETWEEN = 2  # packets from the marked one to the key frame after a join
_REMEMBERED_PACKETS = 32
_LONGEST_STEP = 1.5  # in usual intervals, from the last frame before a join to the key frame


class JoinDetector:
    """Distinguish joins from damage among the packets of one stream.

    Attributes:
        num_joins: joins found so far.

    Args:
        format_name: FFmpeg's name of the container format.
    """

    def __init__(self, format_name: str) -> None:
        self._is_possible = format_name == "mpegts"
        self._recent: deque[int] = deque(maxlen=_REMEMBERED_PACKETS)
        self.num_joins = 0

    def examine(self, packets: Iterator[VideoPacket]) -> Iterator[tuple[VideoPacket, bool]]:
        """Yield packets in the order of the file, each with whether it is damaged."""
        self._recent.clear()
        ahead: deque[VideoPacket] = deque()
        while (packet := ahead.popleft() if ahead else next(packets, None)) is not None:
            if packet.pts is not None:
                self._recent.append(packet.pts)
            is_damaged = packet.is_corrupt
            if is_damaged and self._is_possible:
                # FFmpeg marks joins and damage alike; only what follows distinguishes them.
                ahead.extend(islice(packets, _MOST_BETWEEN - len(ahead)))
                is_damaged = not self._is_before_join(ahead)
                self.num_joins += not is_damaged
            yield packet, is_damaged

    def _is_before_join(self, after: Iterable[VideoPacket]) -> bool:
        """Return whether the newest packet is marked because of a join, not of lost data.

        At a join nothing is missing: a key frame follows, one interval after the last frame or
        with earlier timestamps.
        """
        times = list(self._recent)
        for packet in after:
            if packet.pts is None or packet.is_corrupt:
                return False
            if packet.is_keyframe:
                return self._follows(sorted(times), packet.pts)
            times.append(packet.pts)
        return False

    @staticmethod
    def _follows(times: Sequence[int], begin: int) -> bool:
        steps = [later - earlier for earlier, later in pairwise(times) if later > earlier]
        return bool(steps) and begin - times[-1] <= _LONGEST_STEP * statistics.median_low(steps)

    @property
    def warnings(self) -> tuple[MediaWarning, ...]:
        """That recordings were joined, if so."""
        if not self.num_joins:
            return ()
        text = f"{counted(self.num_joins, 'join')} of recordings, without loss between them"
        return (MediaWarning("JOINED", text),)
