"""Skip packets of frames that no other frame refers to and that no clip samples.

Half the frames of a typical H.264 video are not referred to, and a clip samples every second or
third. In H.264, a frame with `nal_ref_idc` 0 in all its slices is never used to predict another
(ITU-T H.264, 7.4.1), so that the frames that remain are decoded to the same bits. HEVC guarantees
that within a temporal layer only; frames of other codecs are never skipped. This module reads
packets and uses no decoder.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from av import Packet, VideoStream

    VideoPacket: TypeAlias = Packet[VideoStream]

__all__ = [
    "FrameNumbers",
    "FrameSkipping",
    "IsWanted",
    "SkippedFrame",
    "allows_fields",
    "frame_num_bits",
    "frame_skipping_for",
    "is_disposable",
    "nal_length_bytes",
]

IsWanted: TypeAlias = Callable[[float, float], bool]
"""Whether a frame on display over `[begin_seconds, end_seconds)` is wanted."""

_REACH = 20
"""Packets examined on either side: H.264 reorders a frame by 16 at most (A.3.1)."""
_SLICE, _FIRST_PARTITION, _LAST_PARTITION = 1, 2, 4  # kinds of NAL units (H.264, table 7-1)
_KEY_SLICE = 5
_LAST_SLICE_TYPE = 9  # table 7-6
_HEADER_BYTES = 24  # of a slice header, up to `frame_num`: at the most
_TIMING_PACKETS = ("mov", "matroska")  # containers where every packet is a frame, with its time
_HARMLESS = {6, 9, 12}  # messages, delimiters, filler: of no use without their frame
_HIGH_PROFILES = {44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244}  # 7.3.2.1.1


def nal_length_bytes(extradata: bytes | None) -> int | None:
    """Return the size of the length field before each NAL unit; `None` if there is none.

    Args:
        extradata: the decoder configuration of a stream (ISO 14496-15, 5.3.3.1).
    """
    if extradata is None or len(extradata) < 7 or extradata[0] != 1:
        return None
    return (extradata[4] & 3) + 1


def allows_fields(extradata: bytes) -> bool:
    """Return whether a frame may be coded as two fields, each in a packet of its own.

    Args:
        extradata: as for `nal_length_bytes`, for which it is not `None`.
    """
    try:
        found = [_has_frames_only(_Bits(unit)) for unit in _parameter_sets(extradata)]
    except ValueError:
        return True  # cut short
    return not (found and all(found))


def frame_num_bits(extradata: bytes) -> int | None:
    """Return the size of `frame_num` in slice headers; `None` where it is not the same in all.

    Args:
        extradata: as for `nal_length_bytes`, for which it is not `None`.
    """
    try:
        found = {_frame_num_bits(_Bits(unit)) for unit in _parameter_sets(extradata)}
    except ValueError:
        return None
    return found.pop() if len(found) == 1 else None


def _parameter_sets(extradata: bytes) -> Iterator[bytes]:
    """Yield the sequence parameter sets of a decoder configuration (ISO 14496-15, 5.3.3.1)."""
    at = 6
    for _ in range(extradata[5] & 31):
        size = int.from_bytes(extradata[at : at + 2], "big")
        yield extradata[at + 2 : at + 2 + size]
        at += 2 + size


class _Bits:
    """Read numbers of a NAL unit (H.264, 7.2 and 9.1); `ValueError` at its end."""

    def __init__(self, unit: bytes) -> None:
        plain = unit.replace(b"\0\0\3", b"\0\0")  # emulation_prevention_three_byte
        self._bits = "".join(f"{byte:08b}" for byte in plain)
        self._at = 0

    def take(self, count: int) -> int:
        """Read an unsigned number of `count` bits: u(n)."""
        self._at += count
        return int(self._bits[self._at - count : self._at], 2)

    def unsigned(self) -> int:
        """Read an unsigned Exp-Golomb number: ue(v)."""
        zeros = self._bits.index("1", self._at) - self._at
        self._at += zeros
        return self.take(zeros + 1) - 1

    def signed(self) -> int:
        """Read a signed Exp-Golomb number: se(v)."""
        number = self.unsigned()
        return (number + 1) // 2 if number % 2 else -(number // 2)


def _frame_num_bits(settings: _Bits) -> int | None:
    """Return log2_max_frame_num of a sequence parameter set (H.264, 7.3.2.1.1).

    `None` where slice headers hold the number of a colour plane ahead of it.
    """
    settings.take(8)  # NAL unit header: forbidden_zero_bit, nal_ref_idc, nal_unit_type
    profile = settings.take(8)  # profile_idc
    settings.take(16)  # constraint_set flags, reserved_zero_2bits, level_idc
    settings.unsigned()  # seq_parameter_set_id
    has_planes = profile in _HIGH_PROFILES and _skip_chroma_and_scaling(settings)
    bits = settings.unsigned() + 4  # log2_max_frame_num_minus4
    return None if has_planes else bits


def _has_frames_only(settings: _Bits) -> bool:
    """Return `frame_mbs_only_flag` of a sequence parameter set (H.264, 7.3.2.1.1)."""
    _frame_num_bits(settings)
    order_type = settings.unsigned()  # pic_order_cnt_type
    if order_type == 0:
        settings.unsigned()  # log2_max_pic_order_cnt_lsb_minus4
    elif order_type == 1:
        settings.take(1)  # delta_pic_order_always_zero_flag
        for _ in range(2):  # offset_for_non_ref_pic, offset_for_top_to_bottom_field, signed
            settings.unsigned()  # but only skipped, and se(v) is as long as ue(v)
        for _ in range(settings.unsigned()):  # num_ref_frames_in_pic_order_cnt_cycle
            settings.unsigned()  # offset_for_ref_frame, signed
    settings.unsigned()  # max_num_ref_frames
    settings.take(1)  # gaps_in_frame_num_value_allowed_flag
    for _ in range(2):  # pic_width_in_mbs_minus1, pic_height_in_map_units_minus1
        settings.unsigned()
    return settings.take(1) == 1  # frame_mbs_only_flag


def _skip_chroma_and_scaling(settings: _Bits) -> bool:
    """Skip what only `_HIGH_PROFILES` have in a sequence parameter set (H.264, 7.3.2.1.1).

    Returns:
        Whether colour planes are coded apart.
    """
    chroma = settings.unsigned()  # chroma_format_idc; 3 is 4:4:4
    has_planes = chroma == 3 and settings.take(1) == 1  # separate_colour_plane_flag
    for _ in range(2):  # bit_depth_luma_minus8, bit_depth_chroma_minus8
        settings.unsigned()
    settings.take(1)  # qpprime_y_zero_transform_bypass_flag
    if settings.take(1):  # seq_scaling_matrix_present_flag
        for number in range(12 if chroma == 3 else 8):
            if settings.take(1):  # seq_scaling_list_present_flag
                _skip_scaling_list(settings, 16 if number < 6 else 64)
    return has_planes


def _skip_scaling_list(settings: _Bits, size: int) -> None:
    """Skip a scaling list of `size` entries (H.264, 7.3.2.1.1.1)."""
    last = 8
    for _ in range(size):
        last = (last + settings.signed()) % 256  # delta_scale
        if last == 0:  # the rest repeats the one before
            return


def is_disposable(packet: bytes | memoryview, length_bytes: int) -> bool:
    """Return whether an H.264 packet holds nothing but slices that no other frame refers to."""
    at, slices = 0, 0
    # Any unit that is not understood, such as a parameter set, makes the packet necessary.
    while at + length_bytes < len(packet):
        size = int.from_bytes(packet[at : at + length_bytes], "big")
        at += length_bytes
        kind, is_referred_to = packet[at] & 31, packet[at] & 0x60
        at += size
        if kind == _SLICE or _FIRST_PARTITION <= kind <= _LAST_PARTITION:
            if is_referred_to:
                return False
            slices += 1
        elif kind not in _HARMLESS:
            return False
    return slices > 0 and at == len(packet)


class FrameNumbers:
    """Check that slice headers continue the numbers of the frames before (H.264, 7.4.3).

    A decoder refuses a packet with a damaged slice header. One that is skipped would go unnoticed,
    so only packets that continue the numbers are.

    Args:
        length_bytes: as `nal_length_bytes` says.
        num_bits: as `frame_num_bits` says.
    """

    def __init__(self, length_bytes: int, num_bits: int) -> None:
        self._length_bytes = length_bytes
        self._num_bits = num_bits
        self._expected: int | None = None  # `frame_num` after the last frame that is referred to

    def is_next(self, packet: bytes | memoryview) -> bool:
        """Take the next packet in decoding order; return whether its slices have the next number.

        `False` before the first frame that others refer to.
        """
        expected, previous, at = self._expected, -1, 0
        is_next = expected is not None
        while at + self._length_bytes < len(packet):
            size = int.from_bytes(packet[at : at + self._length_bytes], "big")
            at += self._length_bytes
            kind, is_referred_to = packet[at] & 31, packet[at] & 0x60
            if kind in (_SLICE, _KEY_SLICE):
                first, slice_type, number = self._header(bytes(packet[at + 1 : at + _HEADER_BYTES]))
                is_rising = first > previous and (previous >= 0 or first == 0)
                is_next &= number == expected and slice_type <= _LAST_SLICE_TYPE and is_rising
                previous = first
                if is_referred_to:
                    self._expected = (number + 1) % (1 << self._num_bits)
            at += size
        return is_next

    def _header(self, unit: bytes) -> tuple[int, int, int]:
        """Return first_mb_in_slice, slice_type and frame_num of a slice header (7.3.3)."""
        header = _Bits(unit)
        try:
            first, slice_type = header.unsigned(), header.unsigned()
            header.unsigned()  # pic_parameter_set_id
            return first, slice_type, header.take(self._num_bits)
        except ValueError:
            return -1, -1, -1  # never right


@dataclass(frozen=True, slots=True, order=True)
class SkippedFrame:
    """A frame that was not decoded; sorts by time."""

    pts: int
    time_base: Fraction
    duration: int
    rotation: int
    is_corrupt: bool = False

    @classmethod
    def of(cls, packet: VideoPacket, time_base: Fraction, rotation: int) -> SkippedFrame:
        """Create one for a packet with a timestamp, rotated like the frame before."""
        assert packet.pts is not None
        return cls(packet.pts, time_base, packet.duration or 0, rotation)


class FrameSkipping:
    """Look ahead in a stream of packets and find those that can be skipped.

    Args:
        length_bytes: from `nal_length_bytes`.
        numbers: checks slice headers.
        longest_step_back: in ticks; a longer one is a timestamp reset, and nothing is skipped.
        is_wanted: called with a frame's timestamp and the next one's, in ticks; with a later
            one where the next is not known.
    """

    def __init__(
        self,
        length_bytes: int,
        numbers: FrameNumbers,
        longest_step_back: int,
        is_wanted: Callable[[int, int], bool],
    ) -> None:
        self._length_bytes = length_bytes
        self._numbers = numbers
        self._longest_step_back = longest_step_back
        self._is_wanted = is_wanted
        self._ahead: deque[VideoPacket] = deque()
        self._behind: deque[int] = deque()  # timestamps
        self._timestamps: list[int] = []  # of both, sorted
        self._newest: int | None = None
        self._is_regular = True

    def examine(self, packets: Iterator[VideoPacket]) -> Iterator[tuple[VideoPacket, bool]]:
        """Yield every packet, 20 packets late, with whether it can be skipped."""
        for packet in packets:
            self._note(packet)
            self._ahead.append(packet)
            if len(self._ahead) > _REACH:
                yield self._classify(self._ahead.popleft())
        while self._ahead:
            yield self._classify(self._ahead.popleft())

    def _note(self, packet: VideoPacket) -> None:
        pts, newest = packet.pts, self._newest
        # How long a frame is on display follows from the next larger timestamp, which after a
        # reset may belong to another recording: then nothing is skipped any more.
        if pts is None or (newest is not None and pts < newest - self._longest_step_back):
            self._is_regular = False
        if pts is not None and self._is_regular:
            insort(self._timestamps, pts)
            self._newest = pts if newest is None else max(newest, pts)

    def _classify(self, packet: VideoPacket) -> tuple[VideoPacket, bool]:
        """Return the packet and whether it can be skipped."""
        is_next = self._numbers.is_next(memoryview(packet))
        if not self._is_regular or packet.pts is None:
            return packet, False
        following = bisect_right(self._timestamps, packet.pts)
        is_spare = (
            is_next
            and following < len(self._timestamps)
            and not (packet.is_keyframe or packet.is_discard or packet.is_corrupt)
            and not self._is_wanted(packet.pts, self._timestamps[following])
            and is_disposable(memoryview(packet), self._length_bytes)
        )
        # Timestamps of earlier packets are kept for a while, as packets are in decoding order:
        # the frame that is shown next may have been decoded before this one.
        self._behind.append(packet.pts)
        if len(self._behind) > _REACH:
            del self._timestamps[bisect_right(self._timestamps, self._behind.popleft()) - 1]
        return packet, is_spare


def frame_skipping_for(
    stream: VideoStream,
    container: str,
    longest_step_back: int,
    is_wanted: Callable[[int, int], bool],
) -> FrameSkipping | None:
    """Return the frame skipping for a stream; `None` if its packets do not allow it.

    Args:
        stream: to be decoded.
        container: FFmpeg's name of its format.
        longest_step_back: as for `FrameSkipping`.
        is_wanted: as for `FrameSkipping`.
    """
    context = stream.codec_context
    settings = context.extradata if context.name == "h264" else None
    length_bytes = nal_length_bytes(settings)
    # A frame in two packets could lose one of its fields, which would change the other's pixels.
    # FFmpeg's own skip_frame=NONREF gives the same frames but does not report which it skipped.
    if settings is None or length_bytes is None or allows_fields(settings):
        return None
    if container not in _TIMING_PACKETS:
        return None
    num_bits = frame_num_bits(settings)
    if num_bits is None:
        return None
    numbers = FrameNumbers(length_bytes, num_bits)
    return FrameSkipping(length_bytes, numbers, longest_step_back, is_wanted)
