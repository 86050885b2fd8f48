"""The script that checks a GPU machine, as far as it works without a GPU."""

import subprocess
import sys
from pathlib import Path

import av
import pytest

from vswin_cli.bench.synthesis import VideoSize, synthesise

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def check_gpu(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import check_gpu

    return check_gpu


def test_a_repeated_video_is_as_long_as_its_copies(check_gpu, tmp_path):
    once = synthesise(tmp_path / "once.mp4", VideoSize(64, 48, 2))
    path = check_gpu.repeat_video(once, tmp_path / "thrice.mp4", 3)
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert len(times) == 3 * 60
    assert times == pytest.approx([number / 30 for number in range(180)], abs=1e-3)


def test_figures_are_compared_with_what_is_expected(check_gpu):
    least, most = check_gpu.Bound(0.45), check_gpu.Bound(1.1, is_least=False)
    assert least.row("share", 0.5, "%", "8 clips") == check_gpu.Row(
        "share", "50% (8 clips)", "≥ 45%", True
    )
    assert most.row("memory", 1.25, "×") == check_gpu.Row("memory", "1.25×", "≤ 1.1×", False)


def test_a_check_that_fails_leaves_the_others_alone(check_gpu, monkeypatch, tmp_path, capsys):
    def breaks(check):
        raise RuntimeError("no such thing")

    def lacks(check):
        raise check_gpu.NotMeasuredError("needs a GPU")

    def works(check):
        yield check_gpu.Row("this", "seen")

    monkeypatch.setattr(check_gpu, "CHECKS", (breaks, lacks, works))
    rows = list(check_gpu.measure_all(check_gpu.Check("cpu", True, tmp_path), []))
    assert [row.seen for row in rows] == [
        "failed: RuntimeError: no such thing",
        "not measured: needs a GPU",
        "seen",
    ]
    check_gpu.print_table(rows)
    assert "MISSED  breaks" in capsys.readouterr().out


@pytest.mark.slow
def test_the_script_runs_without_a_gpu(tmp_path):
    script = str(EXAMPLES / "check_gpu.py")
    command = [sys.executable, script, "--device", "cpu", "--quick"]
    command += ["--only", "run_tests", "end_to_end", "float32_kernels"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "end to end against the slower stage" in done.stdout
    assert done.stdout.count("not measured: needs an NVIDIA GPU") == 2
