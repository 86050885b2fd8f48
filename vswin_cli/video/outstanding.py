"""Keep track of the packets that were sent to the decoder and gave no frame yet."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from vswin_cli.video.timestamps import RESET_SECONDS

__all__ = ["OutstandingPackets"]

_MOST_HELD_PACKETS = 64  # by a decoder, for reordering and in its threads


class _SentPacket(NamedTuple):
    number: int
    """Position in the order of decoding."""
    pts: int
    end_bytes: int
    """Offset in the file at which it ends."""


class OutstandingPackets:
    """The packets without a frame, in the order of decoding.

    Attributes:
        decoded_bytes: offset in the file at which the packet of the furthest frame ends.

    Args:
        time_base: seconds per timestamp tick.
    """

    def __init__(self, time_base: Fraction) -> None:
        self._step_back = int(RESET_SECONDS / time_base)
        self._packets: list[_SentPacket] = []
        self._num_sent = 0
        self._newest_number = -1  # of a packet whose frame came
        self._newest_pts: int | None = None
        self.decoded_bytes = 0

    def __len__(self) -> int:
        return len(self._packets)

    @property
    def latest_pts(self) -> int | None:
        """Latest timestamp of a packet without a frame; `None` if there is no such packet."""
        return max((packet.pts for packet in self._packets), default=None)

    def clear(self) -> None:
        """Drop all packets, as after a seek."""
        self._packets = []
        self._newest_pts = None

    def add(self, pts: int, end_bytes: int) -> None:
        """Add a packet that is sent to the decoder."""
        self._packets.append(_SentPacket(self._num_sent, pts, end_bytes))
        self._num_sent += 1

    def remove(self, shown_pts: int) -> None:
        """Remove the packet of a frame, and those that were to be shown before it.

        If these gave no frame, they were counted as bad.
        """
        newest_pts = self._newest_pts
        if newest_pts is not None and 0 < newest_pts - shown_pts <= self._step_back:
            return  # out of order
        self._newest_pts = shown_pts
        # The first one: in joined recordings, a later one may have the same timestamp.
        own = next((one for one in self._packets if one.pts == shown_pts), None)
        if own is not None:
            self._newest_number = own.number
            self.decoded_bytes = max(self.decoded_bytes, own.end_bytes)
        else:  # its packet had no timestamp: one shown shortly before it stands for it
            self._newest_number = max(self._numbers_near(shown_pts), default=self._newest_number)
        number = self._newest_number
        self._packets = [
            one
            for one in self._packets
            if (one.pts > shown_pts and one.number > number - _MOST_HELD_PACKETS)
            # Where timestamps are reset, later packets have earlier ones.
            or (one.number > number and one.pts < shown_pts - self._step_back)
        ]

    def _numbers_near(self, shown_pts: int) -> Iterator[int]:
        for number, pts, _ in self._packets:
            is_near = shown_pts - self._step_back <= pts < shown_pts
            if is_near and number <= self._newest_number + _MOST_HELD_PACKETS:
                yield number
