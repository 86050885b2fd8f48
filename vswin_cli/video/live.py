"""Receive a live stream as sampled frames, from a process of its own."""

from __future__ import annotations

import json
import queue
from collections.abc import Callable, Generator
from dataclasses import asdict

from vswin_cli.errors import DecodeError
from vswin_cli.storage.child_python import python_command
from vswin_cli.video.decoder_pool import DecoderProcess
from vswin_cli.video.info import Gap
from vswin_cli.video.sampling import RunEnd, SampledFrame, SamplingPlan
from vswin_cli.video.stream import Sample

__all__ = ["receive_live"]

_MAIN = """
from vswin_cli.video.live_worker import main
main(*map(int, sys.argv[1:]))
"""
_WAIT_SECONDS = 1.0


def receive_live(
    address: str, plan: SamplingPlan, on_gap: Callable[[Gap], None]
) -> Generator[Sample, None, None]:
    """Iterate over the sampled frames of a live stream, and the ends of its runs, without an end.

    Args:
        address: of the stream.
        plan: which frames are sampled; by time.
        on_gap: called with a gap of no length when the connection is lost, and with the whole gap
            when frames come again.

    Raises:
        SourceError: the first connection fails.
        DecodeError: the process that receives has ended.
    """
    process = DecoderProcess(python_command(_MAIN))
    try:
        request = {"address": address, "plan": asdict(plan)}
        process.begin(json.dumps(request).encode("ascii") + b"\n")
        while True:
            try:
                event = process.next_event(_WAIT_SECONDS)
            except queue.Empty:  # between connections; an interrupt is handled here
                continue
            if event is None:
                raise DecodeError(
                    f"the process that receives the stream ended: {process.exit_status()}",
                    hint="run the same command again",
                )
            if isinstance(event, Gap):
                on_gap(event)
            elif isinstance(event, (SampledFrame, RunEnd)):
                yield event
    finally:
        process.close()
