"""Wire protocol between a decoder process and its parent: events as framed bytes on a pipe.

A message is one byte of kind, four bytes of length and a body: JSON for records, a fixed header
and raw pixels for images. Not pickle: a decoder that a hostile file has taken over must not be able
to run code in the parent.
"""

from __future__ import annotations

import contextlib
import json
import struct
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np

from vswin_cli import errors
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.image_slots import ImageSlots
from vswin_cli.video.info import DecodeReport, Gap, MediaWarning, VideoInfo
from vswin_cli.video.sampling import Progress, RunEnd, SampledFrame, SamplingPlan

__all__ = [
    "Event",
    "Request",
    "decode_request",
    "encode_request",
    "read_event",
    "set_capacity",
    "write_error",
    "write_event",
]

Event: TypeAlias = VideoInfo | SampledFrame | RunEnd | Gap | Progress | DecodeReport
"""Messages from a decoder: `VideoInfo` first, then frames, ends of runs, gaps and heartbeats in
time order, `DecodeReport` last."""

Request: TypeAlias = tuple[Path, SamplingPlan | tuple[SamplingPlan, ...], DecodeOptions]
"""The video, which of its frames are sampled, by one plan or by several, and how they are
decoded."""

_F_SETPIPE_SZ = 1031  # Linux; fcntl names it from Python 3.10 on, but not on every platform
_HEADER = struct.Struct("<cI")  # kind, length of the body
_FRAME = struct.Struct("<qqdIII")  # position, count, seconds, plan, height, width
_CHANNELS = 3
_SLOT = struct.Struct("<I")
_FRAME_KIND = b"F"  # pixels follow
_SLOT_KIND = b"S"  # pixels are in a slot
_ERROR_KIND = b"E"
_KINDS: dict[bytes, type[Any]] = {
    b"I": VideoInfo,
    b"R": RunEnd,
    b"G": Gap,
    b"P": Progress,
    b"D": DecodeReport,
}
_KIND_OF = {record: kind for kind, record in _KINDS.items()}
_NESTED = {"warnings": MediaWarning, "gaps": Gap}  # fields that hold tuples of records


def write_event(pipe: IO[bytes], event: Event, slots: ImageSlots | None = None) -> None:
    """Send one event; blocks while the pipe is full.

    Args:
        pipe: to the parent.
        event: what to send.
        slots: memory that is shared with the parent; images for which it has no room, or all
            without it, go through the pipe.
    """
    if isinstance(event, SampledFrame):
        _write_frame(pipe, event, slots)
    else:
        _write_json(pipe, _KIND_OF[type(event)], asdict(event))
    pipe.flush()


def write_error(pipe: IO[bytes], error: errors.VswinError) -> None:
    """Send the error that ended the decoding."""
    content = {"class": type(error).__name__, "message": error.message, "hint": error.hint}
    _write_json(pipe, _ERROR_KIND, content)
    pipe.flush()


def read_event(pipe: IO[bytes], slots: ImageSlots | None = None) -> Event | None:
    """Receive one event.

    Args:
        pipe: from the decoder.
        slots: memory that is shared with it; an image in it stays there until its array is gone.

    Returns:
        The event, or `None` if the pipe ended, even in the middle of a message.

    Raises:
        VswinError: the error that the decoder sent.
        ValueError: a message that no decoder of this version sends.
    """
    header = _read_exactly(pipe, _HEADER.size)
    if header is None:
        return None
    kind, length = _HEADER.unpack(header)
    if kind == _FRAME_KIND:
        return _read_frame(pipe)
    body = _read_exactly(pipe, length)
    if body is None:
        return None
    if kind == _SLOT_KIND:
        return _frame_in_slot(body, slots)
    content = json.loads(body)
    if kind == _ERROR_KIND:
        raise getattr(errors, content["class"])(content["message"], hint=content["hint"])
    return _record(_KINDS[kind], content)  # type: ignore[no-any-return]


def set_capacity(pipe: IO[bytes], size: int) -> None:
    """Let a pipe hold that many bytes, where the system can do that."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, _F_SETPIPE_SZ, size)


def encode_request(
    path: Path, plan: SamplingPlan | Sequence[SamplingPlan], options: DecodeOptions
) -> bytes:
    """Serialize the request for one video as a line of JSON."""
    plans = asdict(plan) if isinstance(plan, SamplingPlan) else [asdict(one) for one in plan]
    content = {"path": str(path), "plan": plans, "options": asdict(options)}
    return json.dumps(content).encode("ascii") + b"\n"


def decode_request(line: bytes) -> Request:
    """Parse a line from `encode_request`."""
    content = json.loads(line)
    path, plan, options = Path(content["path"]), content["plan"], content["options"]
    if isinstance(plan, list):
        return path, tuple(SamplingPlan(**one) for one in plan), DecodeOptions(**options)
    return path, SamplingPlan(**plan), DecodeOptions(**options)


def _write_frame(pipe: IO[bytes], event: SampledFrame, slots: ImageSlots | None) -> None:
    height, width, _ = event.image.shape
    head = _FRAME.pack(event.position, event.count, event.seconds, event.plan_index, height, width)
    # Without a free slot the image goes through the pipe: waiting for one could wait for ever.
    slot = None if slots is None else slots.put(event.image)
    if slot is not None:
        body = head + _SLOT.pack(slot)
        pipe.write(_HEADER.pack(_SLOT_KIND, len(body)) + body)
        return
    pipe.write(_HEADER.pack(_FRAME_KIND, len(head) + event.image.nbytes) + head)
    pipe.write(event.image.data.cast("B"))


def _write_json(pipe: IO[bytes], kind: bytes, content: dict[str, Any]) -> None:
    body = json.dumps(content).encode("ascii")
    pipe.write(_HEADER.pack(kind, len(body)) + body)


def _record(record: type[Any], content: dict[str, Any]) -> Any:  # noqa: ANN401
    for name, nested in _NESTED.items():
        if name in content:
            content[name] = tuple(nested(**item) for item in content[name])
    for name, value in content.items():
        content[name] = tuple(value) if isinstance(value, list) else value
    return record(**content)


def _read_frame(pipe: IO[bytes]) -> SampledFrame | None:
    head = _read_exactly(pipe, _FRAME.size)
    if head is None:
        return None
    position, count, seconds, plan, height, width = _FRAME.unpack(head)
    pixels = _read_exactly(pipe, height * width * _CHANNELS)
    if pixels is None:
        return None
    image = np.frombuffer(pixels, dtype=np.uint8).reshape(height, width, _CHANNELS)
    return SampledFrame(position, count, seconds, image, plan)


def _frame_in_slot(body: bytearray, slots: ImageSlots | None) -> SampledFrame:
    if slots is None or len(body) != _FRAME.size + _SLOT.size:
        raise ValueError("an image in memory that is not shared")
    position, count, seconds, plan, height, width = _FRAME.unpack_from(body)
    (slot,) = _SLOT.unpack_from(body, _FRAME.size)
    return SampledFrame(position, count, seconds, slots.get(slot, height, width), plan)


def _read_exactly(pipe: IO[bytes], size: int) -> bytearray | None:
    """Read `size` bytes; `None` if the pipe ends before."""
    content = bytearray(size)
    view = memoryview(content)
    filled = 0
    while filled < size:
        count = pipe.readinto(view[filled:])  # type: ignore[attr-defined]
        if not count:
            return None
        filled += count
    return content
