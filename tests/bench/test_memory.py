"""Peak memory of a process of its own."""

import pytest

from vswin_cli.bench.memory import MemoryRequest, measure_memory


@pytest.mark.slow
def test_memory_is_that_of_a_process_of_its_own(tiny_model, bench_video):
    notes = []
    request = MemoryRequest(
        str(tiny_model), False, str(bench_video.source.path), "cpu", "float32", None, 1
    )
    taken = measure_memory(request, notes)
    assert notes == []
    assert taken.main_bytes > 50e6
    assert taken.decoder_bytes > 10e6
    # The total is that of the network alone where its peak comes after the decoder has ended.
    assert taken.main_bytes <= taken.total_bytes <= taken.main_bytes + taken.decoder_bytes
    assert taken.device_bytes is None


@pytest.mark.slow
def test_memory_that_cannot_be_measured_is_noted(tiny_model, tmp_path):
    notes = []
    gone = str(tmp_path / "gone.mp4")
    request = MemoryRequest(str(tiny_model), False, gone, "cpu", "float32", None, 1)
    assert measure_memory(request, notes) is None
    assert "peak memory could not be measured" in notes[0]
    assert "gone.mp4" in notes[0]
