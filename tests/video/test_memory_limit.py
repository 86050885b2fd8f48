"""Memory of decoding follows from what a computer has, not from what a file declares."""

import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.support.events import probe
from vswin_cli.errors import DecodeError
from vswin_cli.storage.child_python import python_command
from vswin_cli.video import memory_limit
from vswin_cli.video.decoder_process import decode_isolated
from vswin_cli.video.memory_limit import limit_decoders, limit_threads
from vswin_cli.video.sampling import SamplingPlan

PLAN = SamplingPlan(num_frames=8, stride=8, short_side=32, positions_per_second=10.0)
SIZE = 3000  # 72 MB a frame
LIMITED = """
from vswin_cli.video import decoder_worker, memory_limit
memory_limit.MOST_BYTES = {bytes}
decoder_worker.main(60.0)
"""
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems set no such limit")


@pytest.fixture(scope="module")
def huge(tmp_path_factory):
    """A file of a few hundred kilobytes with large frames."""
    path = tmp_path_factory.mktemp("videos") / "huge.mov"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("png", rate=2, width=SIZE, height=SIZE, pix_fmt="rgba64be")
        stream.codec_context.thread_count = 1
        image = np.zeros((SIZE, SIZE, 4), np.uint16)
        frame = av.VideoFrame.from_ndarray(image, format="rgba64be")
        packets: list[av.Packet] = [*stream.encode(frame), *stream.encode(None)]
        content = bytes(packets[0])
        for i in range(6):
            one = av.Packet(content)
            one.stream, one.time_base, one.is_keyframe = stream, Fraction(1, 2), True
            one.pts = one.dts = i
            one.duration = 1
            output.mux(one)
    return path


@pytest.mark.parametrize(
    ("size", "threads"), [((1920, 1080), 0), ((16000, 16000), 1), ((8000, 8000), 2)]
)
def test_large_frames_are_decoded_by_few_threads(monkeypatch, size, threads):
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    context = av.CodecContext.create("png", "r")
    context.width, context.height = size
    context.pix_fmt = "rgba64be"
    limit_threads(context)
    assert context.thread_count == threads


@pytest.mark.slow
@pytest.mark.parametrize(("width", "most"), [(1920, 69), (3840, 17), (7680, 4), (65536, 1)])
def test_large_frames_have_fewer_decoders(huge, width, most):
    info = replace(probe(huge), pixel_format="yuv420p", width=width, height=width * 9 // 16)
    assert limit_decoders(info) == most


def test_unknown_pixels_count_as_the_largest(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    context = av.CodecContext.create("png", "r")
    context.width = context.height = 16000
    limit_threads(context)
    assert context.thread_count == 1


@only_linux
def test_allocations_beyond_the_limit_fail():
    code = (
        "from vswin_cli.video import memory_limit\n"
        "memory_limit.MOST_BYTES = 1 << 28\n"
        "memory_limit.limit_memory()\n"
        "bytearray(1 << 26)\n"
        "try:\n"
        "    bytearray(1 << 29)\n"
        "except MemoryError:\n"
        "    print('refused')\n"
    )
    done = subprocess.run(python_command(code), capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"


@only_linux
def test_lower_limit_of_the_system_stays():
    code = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (1 << 28, 1 << 29))\n"
        "from vswin_cli.video.memory_limit import limit_memory\n"
        "limit_memory()\n"
        "print(resource.getrlimit(resource.RLIMIT_DATA) == (1 << 28, 1 << 29))\n"
    )
    done = subprocess.run(python_command(code), capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


@only_linux
@pytest.mark.slow
def test_video_beyond_the_limit_fails_alone(huge):
    command = python_command(LIMITED.format(bytes=120 << 20))
    with pytest.raises(DecodeError, match="no frame"):
        list(decode_isolated(huge, PLAN, command=command))
    assert list(decode_isolated(huge, PLAN))[-1].status == "ok"
    assert memory_limit.MOST_BYTES == 4 << 30
