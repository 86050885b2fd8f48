"""Copy a part of a video to MP4 without encoding it, from the key frame before its start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from vswin_cli.cutting.frame_spans import TOLERANCE_SECONDS
from vswin_cli.video.container import best_stream, container_name, open_container

if TYPE_CHECKING:
    from av import Packet, VideoStream
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream

__all__ = ["KeyFrame", "copy_clip", "find_key_frame", "is_playable", "reason_not_to_copy"]

# Formats with presentation times of their own, and codecs that MP4 players support.
_CONTAINERS = ("mov", "matroska", "mpegts", "flv")
_VIDEO_CODECS = ("h264", "hevc", "av1", "vp9", "mpeg4")
_AUDIO_CODECS = ("aac", "mp3", "ac3", "eac3", "opus", "flac", "alac")
_MARGINS_SECONDS = (0.0, 1.0, 3.0, 10.0, 60.0)  # some containers' seeks land late
_LEAD_SECONDS = 1.0  # sound may be stored ahead of the frames
_MOST_APART_SECONDS = 10.0  # between frames and sound of one time in the file

OnPacket = Callable[[], None]


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """Where copying starts."""

    pts: int
    """In ticks of the stream."""
    seconds: float
    """From the first frame of the video."""
    sought_seconds: float | None
    """Where a seek leads to it; `None` if only reading from the beginning does."""


def reason_not_to_copy(path: Path) -> str | None:
    """Return why packets of a file should not be copied to MP4; `None` if they can be.

    Raises:
        SourceError: it cannot be opened.
    """
    with open_container(path) as source:
        name = container_name(source)
        if name not in _CONTAINERS:
            return f"its container ({name}) does not store when each frame is shown"
        codec = best_stream(source, path).codec_context.codec.canonical_name
        if codec not in _VIDEO_CODECS:
            return f"players do not expect its video codec ({codec}) in MP4"
        sound = source.streams.best("audio")
        if sound is None:
            return None
        codec = sound.codec_context.codec.canonical_name if sound.codec_context else "unknown"
        return None if codec in _AUDIO_CODECS else f"its sound ({codec}) does not fit into MP4"


def find_key_frame(path: Path, origin_seconds: float, start_seconds: float) -> KeyFrame | None:
    """Find the last key frame at or before a time.

    Args:
        path: the video.
        origin_seconds: timestamp of its first frame.
        start_seconds: from the first frame.
    """
    for margin in (*_MARGINS_SECONDS, None):
        with open_container(path) as source:
            stream = best_stream(source, path)
            sought = None if margin is None else start_seconds - margin
            if sought is not None and not (
                sought > 0 and _seek(source, stream, origin_seconds + sought)
            ):
                continue
            found = _last_key_frame(source, stream, origin_seconds + start_seconds)
            if found is not None:
                seconds = float(found * _base(stream)) - origin_seconds
                return KeyFrame(found, seconds, sought)
    return None


def _last_key_frame(source: InputContainer, stream: VideoStream, latest: float) -> int | None:
    """Return the time of the last key frame at or before `latest` seconds, in ticks."""
    last, base = (latest + TOLERANCE_SECONDS) / _base(stream), None
    for packet in _packets(source, [stream]):
        assert packet.pts is not None
        if packet.is_keyframe and not packet.is_corrupt and packet.pts <= last:
            base = packet.pts
        if (packet.pts if packet.dts is None else packet.dts) > last:
            break
    return base


def copy_clip(
    path: Path,
    target: Path,
    key_frame: KeyFrame,
    origin_seconds: float,
    end_seconds: float,
    *,
    comment: str,
    on_packet: OnPacket,
) -> float:
    """Copy frames and sound from a key frame to a time.

    Frames that are shown after the end are copied only where earlier ones refer to them.

    Args:
        path: the video.
        target: file to write.
        key_frame: of `find_key_frame`.
        origin_seconds: timestamp of the first frame.
        end_seconds: from the first frame.
        comment: metadata of the file.
        on_packet: called after each packet.

    Returns:
        The length of the clip's video in seconds; 0 if the key frame was not found again.
    """
    import av

    with open_container(path) as source, av.open(str(target), "w", format="mp4") as output:
        video = best_stream(source, path)
        sound = source.streams.best("audio")
        if key_frame.sought_seconds is not None:
            sought = min(key_frame.sought_seconds, key_frame.seconds) - _LEAD_SECONDS
            if sought > 0:
                _seek(source, video, origin_seconds + sought)
        output.metadata["comment"] = comment
        end = origin_seconds + end_seconds - TOLERANCE_SECONDS
        tracks: dict[int, _Copy] = {video.index: _VideoCopy(output, video, key_frame.pts, end)}
        if sound is not None:
            tracks[sound.index] = _Copy(output, sound, key_frame.pts * _base(video), end)
        streams = [video] if sound is None else [video, sound]
        for packet in _packets(source, streams):
            tracks[packet.stream_index].add(packet)
            on_packet()
            # A track may end early; then the other one decides, once it is well past the end.
            if all(track.is_done for track in tracks.values()) or any(
                track.newest_seconds > end + _MOST_APART_SECONDS for track in tracks.values()
            ):
                break
        for track in tracks.values():
            track.finish()
        return tracks[video.index].length_seconds


def is_playable(clip: Path) -> bool:
    """Return whether a copied clip opens and its first frame can be decoded.

    Headers that another container does not need may be missing or damaged.
    """
    import av

    try:
        with av.open(str(clip), format="mp4") as opened:
            return next(opened.decode(video=0), None) is not None
    except (av.error.FFmpegError, IndexError, ValueError):
        return False


class _Copy:
    """Copy one stream's packets, with times counted from the key frame.

    Attributes:
        newest_seconds: time in the source of the newest packet.
        length_seconds: end of the last packet written.
        is_done: whether all packets up to the end have been read.
    """

    def __init__(
        self, output: OutputContainer, stream: Stream, start: Fraction, end_seconds: float
    ) -> None:
        self._output = output
        self._base = _base(stream)
        self._start = round(start / self._base)
        self._end = end_seconds / self._base
        self._copy = output.add_stream_from_template(stream, opaque=True)
        self._newest_dts: int | None = None
        self.newest_seconds = self.length_seconds = 0.0
        self.is_done = False

    def add(self, packet: Packet[Stream]) -> None:
        """Copy a packet if it lies in the part."""
        assert packet.pts is not None
        self._note(packet)
        if self._start <= packet.pts < self._end:
            self._write(packet)

    def finish(self) -> None:
        """Write what was held back."""

    def _note(self, packet: Packet[Stream]) -> None:
        stamp = packet.pts if packet.dts is None else packet.dts
        assert stamp is not None
        self.newest_seconds = float(stamp * self._base)
        self.is_done = self.is_done or stamp >= self._end

    def _write(self, packet: Packet[Stream]) -> None:
        assert packet.pts is not None
        pts = packet.pts - self._start
        dts = pts if packet.dts is None else packet.dts - self._start
        # decoding times must advance, which those of damaged or joined files do not always
        if self._newest_dts is not None and dts <= self._newest_dts:
            dts = self._newest_dts + 1
        # MP4 cannot hold a frame that is decoded after it is shown.
        if dts > pts:
            return
        self._newest_dts = dts
        self.length_seconds = max(
            self.length_seconds, float((pts + (packet.duration or 0)) * self._base)
        )
        packet.pts, packet.dts = pts, dts
        packet.stream = self._copy
        self._output.mux(packet)


class _VideoCopy(_Copy):
    """Copy video from a key frame on, without the frames before it that follow it in the file.

    Those ("leading" frames of an open group of pictures) refer to frames that are not copied.
    """

    def __init__(
        self, output: OutputContainer, stream: VideoStream, key_pts: int, end_seconds: float
    ) -> None:
        super().__init__(output, stream, key_pts * _base(stream), end_seconds)
        if stream.codec_context.codec.canonical_name == "hevc":
            self._copy.codec_context.codec_tag = "hvc1"  # players of Apple refuse the usual hev1
        self._has_begun = False
        self._held: list[Packet[Stream]] = []  # shown after the end; maybe needed before it
        self._undated: list[Packet[Stream]] = []  # until the first decoding time is known

    def add(self, packet: Packet[Stream]) -> None:
        assert packet.pts is not None
        self._note(packet)
        self._has_begun = self._has_begun or (packet.is_keyframe and packet.pts == self._start)
        if not self._has_begun or packet.pts < self._start or self.is_done:
            return
        if packet.pts >= self._end:
            self._held.append(packet)
            return
        for needed in (*self._held, packet):
            self._date(needed)
        self._held = []

    def finish(self) -> None:
        for packet in self._undated:
            self._write(packet)

    def _date(self, packet: Packet[Stream]) -> None:
        """Write a packet, after giving decoding times to those before the first that has one."""
        if packet.dts is None:
            self._undated.append(packet)
            return
        step = max(1, packet.duration or 1)
        for distance, earlier in enumerate(reversed(self._undated), 1):
            earlier.dts = packet.dts - distance * step
        for earlier in self._undated:
            self._write(earlier)
        self._undated = []
        self._write(packet)


def _packets(
    source: InputContainer, streams: list[VideoStream | Stream]
) -> Iterator[Packet[Stream]]:
    """Yield the packets that have a presentation time; ends at damage of the container."""
    import av

    try:
        for packet in source.demux(*streams):
            if packet.size and packet.pts is not None:
                yield packet
    except (av.error.FFmpegError, IndexError):
        return


def _seek(source: InputContainer, stream: VideoStream, seconds: float) -> bool:
    import av

    try:
        source.seek(round(seconds / _base(stream)), stream=stream)
    except av.error.FFmpegError:
        return False
    return True


def _base(stream: Stream) -> Fraction:
    assert stream.time_base is not None
    return stream.time_base
