"""Determine whether the end of a video is missing.

Compares the last frame with the declared duration, the size of the file and the packets that gave
no frame: what is in the file and was not decoded counts as lost. That includes a second movie, a
whole file after the first, as made by `cat a.mp4 b.mp4`, where FFmpeg does not read it.
"""

from __future__ import annotations

from vswin_cli.video.frame_rate import GAP_SECONDS, Intervals
from vswin_cli.video.info import EndReason
from vswin_cli.video.reader import VideoReader
from vswin_cli.video.structure import second_movie

__all__ = ["missing_end"]

# Of the bytes that the missing time would take at the average rate. Missing video takes about all
# of them, audio that is longer than a complete video few: half separates the two.
_UNREAD_SHARE = 0.5


def missing_end(
    reader: VideoReader, last_end: float, intervals: Intervals
) -> tuple[EndReason, float]:
    """Return why the stream ended, and the time at which it should have ended.

    Args:
        reader: at its end, all frames read.
        last_end: time at which the last frame leaves the display.
        intervals: statistics of the time between frames.
    """
    info = reader.info
    declared = info.declared_duration_seconds or 0.0
    if declared > info.longest_seconds:  # more than the file could hold: a damaged header
        # Frames that an edit list drops because of a stretched clock are lost all the same.
        declared = info.longest_seconds if intervals.are_stretched else 0.0
    if intervals.are_stretched and declared - last_end > GAP_SECONDS:
        return "read_error", declared
    if reader.read_failed:
        return "read_error", max(declared, last_end)
    if info.cut_off:
        return "truncated", max(declared, last_end)
    if _ends_early(reader, last_end, intervals):
        return ("truncated" if info.cut_off is None else "end"), declared
    lost_seconds = max(
        _undecoded_seconds(reader, last_end, intervals), _unread_seconds(reader, last_end)
    )
    if lost_seconds > intervals.longest_step_seconds:
        return "read_error", last_end + lost_seconds
    return "end", last_end


def _ends_early(reader: VideoReader, last_end: float, intervals: Intervals) -> bool:
    """Return whether a declared duration that was not reached counts as loss.

    An estimate does not. The duration of the whole container may be that of longer audio; then
    little of the file lies after the last frame.
    """
    info = reader.info
    declared = info.declared_duration_seconds or 0.0
    if declared > info.longest_seconds or declared - last_end <= intervals.longest_step_seconds:
        return False
    if info.duration_source == "container":
        return reader.unread_share > _UNREAD_SHARE * (1 - last_end / declared)
    return info.duration_source == "stream"


def _undecoded_seconds(reader: VideoReader, last_end: float, intervals: Intervals) -> float:
    """Return the display time of the packets after the last frame.

    They are counted, because their timestamps may be damaged as well. A timestamp far beyond it
    counts as far as the bytes that nothing was decoded from can last at the average rate.
    """
    counted = len(reader.undecoded) * intervals.usual_seconds
    decoded_bytes = reader.undecoded.decoded_bytes
    if not decoded_bytes:  # positions in the file are unknown
        return counted
    behind_bytes = reader.info.size_bytes - decoded_bytes
    possible = last_end * behind_bytes / decoded_bytes
    return max(counted, min(reader.undecoded_until - last_end, possible))


def _unread_seconds(reader: VideoReader, last_end: float) -> float:
    """Return the duration, at the average rate, of bytes that belong to no packet."""
    size, second = reader.info.size_bytes, second_movie(reader.path)
    if second is not None and size * (1 - reader.unread_share) > second.offset:
        second = None  # what follows in it counts as in a file of its own
    if second is not None and second.seconds is not None:
        return min(second.seconds, reader.info.longest_seconds)
    unread = reader.unread_bytes if second is None else size - second.offset
    return last_end * unread / max(1, size - unread)
