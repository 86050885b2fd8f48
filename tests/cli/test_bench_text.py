"""The tables of a benchmark, of a report without a measurement."""

import io
import re
from dataclasses import replace

from rich.console import Console

from vswin_cli.bench.record import (
    BenchReport,
    Ceiling,
    DecodeCeiling,
    Machine,
    Memory,
    NetworkReport,
    NetworkRow,
    PeerVideo,
    PrecisionRow,
    Stage,
    SubjectRecord,
    Timing,
    VideoReport,
)
from vswin_cli.cli.bench_text import bench_tables

TIMING = Timing.of([0.5, 1.0, 2.0])
STAGE = Stage(TIMING, 20.0)
OURS = NetworkRow("vswin", "float32", TIMING, False, 1, None, 2.0, 1234.5, 0.5, 1.0, 1.5, None)
REPORT = BenchReport(
    machine=Machine("A CPU", 1, 1, 2**34, "Linux", "3.11", "2.6", 1, "cpu", "A CPU"),
    subject=SubjectRecord("tiny", "swin3d_tiny", False, 10, (8, 32, 32), 10**9, 9 * 10**8),
    network=NetworkReport(
        (Ceiling("float32", 2469.0, "64 × 64 × 64", 3),),
        (OURS,),
        (PrecisionRow("bfloat16", 0.1, 1.0, 0.75, 1.0, 1),),
    ),
    video=VideoReport(
        "a.mp4", False, 64, 48, "h264", 10.0, 1, 1, "float32", STAGE, 90.0, STAGE, STAGE, 1.1, 0.6,
        None, decode_ceiling=DecodeCeiling(9.0, 1, 0.5, 8.0, 1),
    ),
    passes=1,
)  # fmt: skip
PEER = replace(OURS, name="torchvision", slower=1.25, slower_than_best=2.5, difference=1e-6)


def text_of(report):
    text = io.StringIO()
    Console(file=text, width=300).print(bench_tables(report))
    return text.getvalue()


def test_a_single_one_of_anything_is_no_plural():
    text = text_of(REPORT)
    assert re.findall(r"\b1 (?:cores|threads|passes|frames|clips|decoders)\b", text) == []
    assert "1 of 1 core, 1 thread, 16 GiB" in text
    assert "fastest of 1 pass," in text
    assert "1 frame, 1 clip\n" in text
    assert "on 1 clip:" in text
    assert "1 decoder on NVDEC 8; decoding alone is at 50%" in text


def test_columns_about_peers_are_there_only_with_peers():
    assert "vswin faster" not in text_of(REPORT)
    network = replace(REPORT.network, rows=(OURS, PEER))
    text = text_of(replace(REPORT, network=network))
    (line,) = re.findall(r"torchvision .*", text)
    assert line.split()[-3:] == ["1.25×", "2.50×", "1.0e-06"]


def test_the_ceiling_is_the_last_row_and_all_of_itself():
    (line,) = re.findall(r"matrix product .*", text_of(REPORT))
    assert line.split()[-2:] == ["2,469", "100.0%"]


def test_a_tool_is_compared_on_the_same_video():
    peer = PeerVideo("demo", "float32", "one crop", TIMING, 5.0, 7, 4.0, 4.5, 1e-5)
    text = text_of(replace(REPORT, video=replace(REPORT.video, peers=(peer,), float32=STAGE)))
    assert "demo: one crop; 7 clips, vswin 1" in text
    assert "differ by at most 1.0e-05; vswin in float32 is 4.50× faster" in text


def test_memory_and_notes_are_lines_of_their_own():
    memory = Memory(2 * 10**6, 10**6, 3 * 10**6)
    video = replace(REPORT.video, memory=memory, notes=("something",), synthesised=True)
    text = text_of(replace(REPORT, video=video))
    assert "peak memory 3 MB in total" in text
    assert "on the device" not in text
    assert "a.mp4 (made for this): h264 64×48" in text
    assert text.rstrip().endswith("note: something")
