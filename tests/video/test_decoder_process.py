"""A decoder in its own process: what it costs when it crashes, hangs or is left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from tests.support.events import assert_same_events, without_heartbeats
from tests.support.videos import VideoRecipe, make_video, overwrite, read_indices
from vswin_cli.config import SamplingOptions
from vswin_cli.errors import (
    DecodeError,
    InstallationError,
    NoVideoStreamError,
    SourceError,
    VswinError,
)
from vswin_cli.models.architecture import InputSpec
from vswin_cli.storage.sources import VideoSource
from vswin_cli.video import decoder_pool, decoder_process
from vswin_cli.video.clips import open_clips
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.decoder_pool import DecoderPool, decoder_command
from vswin_cli.video.decoder_process import decode_isolated
from vswin_cli.video.info import DecodeReport, VideoInfo
from vswin_cli.video.sampler import decode_samples
from vswin_cli.video.sampling import Progress, RunEnd, SampledFrame, SamplingPlan

pytestmark = pytest.mark.slow

PLAN = SamplingPlan(num_frames=8, stride=8, short_side=32, positions_per_second=10.0)
SPEC = InputSpec(
    num_frames=8, frame_rate=10.0, resize_short_side=32, crop_size=32, stride_percent=100.0
)
ROOT = Path(__file__).parents[2]

# Decodes as usual until 20 images of its n-th video are out, then misbehaves.
FAULTY_DECODER = """
import ctypes, os, signal, sys, time
sys.path[:0] = [{root!r}]
from vswin_cli.video import decoder_worker, sampler

real = sampler.decode_samples

videos = 0

def faulty(path, plan, options):
    global videos
    videos += 1
    sampled = 0
    for event in real(path, plan, options):
        yield event
        sampled += type(event).__name__ == "SampledFrame"
        if sampled == {after} and videos == {video}:
            {fault}

sampler.decode_samples = faulty
decoder_worker.main({limit})
"""


def faulty_command(fault, *, after=20, limit=60.0, video=1):
    script = FAULTY_DECODER.format(
        root=str(ROOT), after=after, fault=fault, limit=limit, video=video
    )
    return [sys.executable, "-c", script]


def stall_after(seconds):
    return DecodeOptions(stall_timeout_seconds=seconds)


@pytest.fixture
def video(tmp_path):
    return make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=150))


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def wait_until_gone(pid, seconds=10.0):
    deadline = time.monotonic() + seconds
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_running(pid)


def test_decoder_process_starts_no_threads_for_algebra(monkeypatch, video):
    seen = []
    start = subprocess.Popen

    def popen(*arguments, **options):
        seen.append(options["env"])
        return start(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    monkeypatch.setenv("VSWIN_TEST", "kept")
    list(decode_isolated(video, PLAN))
    assert (seen[0]["OPENBLAS_NUM_THREADS"], seen[0]["VSWIN_TEST"]) == ("1", "kept")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    list(decode_isolated(video, PLAN))
    assert seen[1]["OPENBLAS_NUM_THREADS"] == "3"


def test_events_are_those_of_decoding_in_place(video):
    here = list(decode_samples(video, PLAN))
    there = list(decode_isolated(video, PLAN))
    assert [type(event) for event in there] == [type(event) for event in here]
    for ours, theirs in zip(here, there, strict=True):
        if isinstance(ours, SampledFrame) and isinstance(theirs, SampledFrame):
            assert np.array_equal(ours.image, theirs.image)
            assert (ours.position, ours.count, ours.seconds) == (
                theirs.position,
                theirs.count,
                theirs.seconds,
            )
        else:
            assert ours == theirs


@pytest.mark.parametrize(
    ("fault", "sign"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("ctypes.string_at(0)", "SIGSEGV"),
        ("os._exit(3)", "exit code 3"),
        ("raise MemoryError('no room')", "MemoryError: no room"),
    ],
)
def test_crash_keeps_what_came_before(video, fault, sign):
    events = list(decode_isolated(video, PLAN, command=faulty_command(fault)))
    report = events[-1]
    assert isinstance(report, DecodeReport)
    assert isinstance(events[-2], RunEnd)
    assert (report.end_reason, report.status, report.frames_sampled) == (
        "decode_crashed",
        "partial",
        20,
    )
    (gap,) = report.gaps
    assert (gap.start_seconds, gap.end_seconds) == pytest.approx((2.0, 5.0))
    assert gap.reason == "decode_crashed"
    assert report.coverage == pytest.approx(0.4)
    assert sign in report.warnings[-1].message


def test_clips_before_a_crash_are_given_with_a_tail(video, monkeypatch):
    command = faulty_command("os.kill(os.getpid(), signal.SIGKILL)")
    monkeypatch.setattr(decoder_process, "decoder_command", lambda _: command)
    with open_clips(VideoSource.of(str(video)), SPEC, SamplingOptions()) as stream:
        clips = list(stream)
    assert [round(float(clip.step_edges_seconds[0]), 3) for clip in clips] == [0.0, 0.8, 1.2]
    assert read_indices(clips[-1].frames) == list(range(36, 60, 3))
    assert stream.report.end_reason == "decode_crashed"


@pytest.mark.parametrize("fault", ["time.sleep(600)", "os.kill(os.getpid(), signal.SIGSTOP)"])
def test_hang_is_ended_and_keeps_what_came_before(video, fault):
    events = decode_isolated(video, PLAN, command=faulty_command(fault), options=stall_after(5.0))
    began = time.monotonic()
    report = list(events)[-1]
    assert time.monotonic() - began < 20
    assert isinstance(report, DecodeReport)
    assert (report.end_reason, report.status) == ("decode_timeout", "partial")
    assert report.gaps[-1].reason == "decode_timeout"
    assert "no progress for 5 s" in report.warnings[-1].message


@pytest.mark.parametrize("pause", [0.1, 0.0])
def test_heartbeats_without_progress_are_a_hang(video, pause):
    fault = f"yield from iter(lambda: [time.sleep({pause}), Progress(2.0, 60, 0)][1], None)"
    command = faulty_command(fault)
    command[2] = "from vswin_cli.video.sampling import Progress\n" + command[2]
    events = decode_isolated(video, PLAN, command=command, options=stall_after(5.0))
    report = list(events)[-1]
    assert isinstance(report, DecodeReport)
    assert (report.end_reason, report.frames_sampled) == ("decode_timeout", 20)
    assert "no progress for 5 s" in report.warnings[-1].message


def test_slow_progress_is_no_hang(video):
    fault = "for n in range(70): time.sleep(0.1); yield Progress(2.0, 60, 0, n)"
    command = faulty_command(fault)
    command[2] = "from vswin_cli.video.sampling import Progress\n" + command[2]
    events = list(decode_isolated(video, PLAN, command=command, options=stall_after(5.0)))
    assert sum(isinstance(event, Progress) for event in events) >= 70
    assert events[-1].end_reason == "end"


def process_of(events):
    """Take the first event and tell which process gave it."""
    next(events)
    return events.gi_yieldfrom.gi_frame.f_locals["self"]._child.pid


def test_one_process_decodes_several_videos(video, tmp_path):
    other = make_video(tmp_path / "b.mp4", VideoRecipe(num_frames=60))
    with DecoderPool() as pool:
        pids = set()
        for path in (video, other, video):
            events = decode_isolated(path, PLAN, pool=pool)
            pids.add(process_of(events))
            there = [event for event in events if isinstance(event, SampledFrame)]
            here = [e for e in decode_samples(path, PLAN) if isinstance(e, SampledFrame)]
            assert [e.seconds for e in there] == [e.seconds for e in here]
            for ours, theirs in zip(here, there, strict=True):
                assert np.array_equal(ours.image, theirs.image)
        (pid,) = pids
        assert is_running(pid)
    assert not is_running(pid)


def test_without_leave_every_video_has_its_own_process(video):
    first, second = (decode_isolated(video, PLAN) for _ in range(2))
    pids = {process_of(first), process_of(second)}
    assert len(pids) == 2
    assert_same_events(*map(without_heartbeats, (first, second)))
    assert not any(map(is_running, pids))


@pytest.mark.parametrize("fault", ["os.kill(os.getpid(), signal.SIGSEGV)", "time.sleep(600)"])
def test_crash_and_hang_cost_one_video_and_the_next_gets_a_new_process(video, fault):
    command = faulty_command(fault)
    with DecoderPool() as pool:
        bad = decode_isolated(video, PLAN, pool=pool, command=command, options=stall_after(5.0))
        pid = process_of(bad)
        report = list(bad)[-1]
        assert isinstance(report, DecodeReport)
        assert report.status == "partial"
        assert not is_running(pid)
        good = decode_isolated(video, PLAN, pool=pool)
        assert process_of(good) != pid
        assert list(good)[-1].status == "ok"


def test_video_does_not_pay_for_what_another_did_to_the_process(video):
    command = faulty_command("os.kill(os.getpid(), signal.SIGSEGV)", video=2)
    alone = list(decode_isolated(video, PLAN, command=command))
    with DecoderPool() as pool:
        assert len(list(decode_isolated(video, PLAN, pool=pool, command=command))) == len(alone)
        events = decode_isolated(video, PLAN, pool=pool, command=command)
        pid = process_of(events)
        again = list(events)  # begun anew after 20 images, by a process whose first it is
        assert not is_running(pid)
    assert [type(event) for event in again] == [type(event) for event in alone[1:]]
    assert again[-1] == alone[-1]
    for ours, theirs in zip(alone[1:], again, strict=True):
        if isinstance(ours, SampledFrame):
            assert (ours.position, ours.seconds) == (theirs.position, theirs.seconds)
            assert np.array_equal(ours.image, theirs.image)


def test_video_that_crashes_every_process_is_given_up(video):
    command = faulty_command("os.kill(os.getpid(), signal.SIGSEGV)").copy()
    command[2] = command[2].replace("videos == 1", "path.stem == 'poison'")
    poison = video.with_name("poison.mp4")
    poison.write_bytes(video.read_bytes())
    with DecoderPool() as pool:
        reasons = [
            list(decode_isolated(path, PLAN, pool=pool, command=command))[-1].end_reason
            for path in (video, poison, video)
        ]
    assert reasons == ["end", "decode_crashed", "end"]


def test_process_that_dies_while_it_waits_is_replaced(video):
    with DecoderPool() as pool:
        first = decode_isolated(video, PLAN, pool=pool)
        pid = process_of(first)
        list(first)
        os.kill(pid, signal.SIGKILL)
        assert list(decode_isolated(video, PLAN, pool=pool))[-1].status == "ok"


def test_process_is_replaced_after_some_videos(video, monkeypatch):
    monkeypatch.setattr(decoder_pool, "VIDEOS_PER_DECODER", 2)
    pids = []
    with DecoderPool() as pool:
        for _ in range(4):
            events = decode_isolated(video, PLAN, pool=pool)
            pids.append(process_of(events))
            list(events)
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_damage_ends_the_process_but_a_refused_file_does_not(video, tmp_path):
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(video.read_bytes())
    overwrite(damaged, 0.4, 0.6)
    nothing = tmp_path / "nothing.mp4"
    nothing.write_bytes(b"nothing" * 100)
    pids = []
    with DecoderPool() as pool:
        for path in (video, nothing, damaged, video):
            events = decode_isolated(path, PLAN, pool=pool)
            if path == nothing:
                with pytest.raises(SourceError):
                    next(events)
                continue
            pids.append(process_of(events))
            list(events)
    assert pids[0] == pids[1] != pids[2]


def test_crash_before_the_first_word_is_an_error(video):
    command = [sys.executable, "-c", "import os; os.abort()"]
    with pytest.raises(DecodeError, match="SIGABRT"):
        next(decode_isolated(video, PLAN, command=command))


@pytest.mark.parametrize(
    ("fault", "sign"),
    [
        ("import av_that_is_not_there", "ModuleNotFoundError: No module named 'av_that_is_not"),
        ("from av import name_that_is_not_there", "ImportError: cannot import name"),
        ("raise ImportError('libav is missing\\n\\nREAD THIS:\\n * run x')", "ImportError: libav"),
    ],
)
def test_decoder_that_cannot_import_blames_the_installation(video, fault, sign):
    with pytest.raises(VswinError, match=sign) as caught:
        next(decode_isolated(video, PLAN, command=[sys.executable, "-c", fault]))
    assert not isinstance(caught.value, SourceError)
    assert (caught.value.code, caught.value.exit_code) == ("INSTALLATION", 1)
    assert "reinstall" in str(caught.value.hint)


def test_a_damaged_package_blames_the_installation(video, tmp_path):
    (tmp_path / "av.py").write_text("raise RuntimeError('built for another NumPy')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
    code += "from vswin_cli.video.decoder_worker import main; main(60.0)"
    with pytest.raises(InstallationError, match="RuntimeError: built for another NumPy"):
        next(decode_isolated(video, PLAN, command=[sys.executable, "-c", code]))


def test_import_error_after_the_first_word_keeps_what_came_before(video):
    *events, report = decode_isolated(video, PLAN, command=faulty_command("import not_there"))
    assert sum(isinstance(event, SampledFrame) for event in events) == 20
    assert report.end_reason == "decode_crashed"


def test_hang_before_the_first_word_is_an_error(video):
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    with pytest.raises(DecodeError, match="no progress"):
        next(decode_isolated(video, PLAN, command=command, options=stall_after(0.5)))


def test_errors_of_the_decoder_arrive_as_they_were(tmp_path):
    from tests.support.videos import make_audio

    with pytest.raises(NoVideoStreamError, match="audio") as caught:
        list(decode_isolated(make_audio(tmp_path / "a.mp4"), PLAN))
    assert caught.value.hint


def test_slow_reader_is_no_hang(tmp_path):
    path = make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=900))
    plan = SamplingPlan(num_frames=8, stride=8, short_side=256, positions_per_second=30.0)
    events = decode_isolated(path, plan, options=stall_after(5.0))
    assert isinstance(next(events), VideoInfo)
    time.sleep(7.0)  # far more images than queue and pipe hold; the decoder must wait
    report = list(events)[-1]
    assert isinstance(report, DecodeReport)
    assert (report.end_reason, report.frames_sampled) == ("end", 900)


def test_closing_early_ends_the_process(video):
    events = decode_isolated(video, PLAN)
    next(events)
    frame = events.gi_yieldfrom
    assert frame is not None
    pid = frame.gi_frame.f_locals["self"]._child.pid
    assert is_running(pid)
    events.close()
    assert wait_until_gone(pid)


@pytest.mark.parametrize("fault", ["pass", "time.sleep(600)"])
def test_no_process_is_left_when_the_parent_is_killed(video, fault):
    script = f"""
        import sys
        sys.path[:0] = [{str(ROOT)!r}]
        from pathlib import Path
        from vswin_cli.video.decoder_process import decode_isolated
        from tests.video.test_decoder_process import PLAN, faulty_command
        events = decode_isolated(
            Path({str(video)!r}), PLAN, command=faulty_command({fault!r}, after=2)
        )
        next(events)
        print(events.gi_yieldfrom.gi_frame.f_locals["self"]._child.pid, flush=True)
        import time
        time.sleep(600)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert wait_until_gone(pid)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
def test_decoder_ends_itself_when_a_native_call_does_not_return(video):
    # A native call that keeps the interpreter's lock: neither threads nor handlers can run.
    fault = "ctypes.PyDLL(None).sleep(600)"
    command = faulty_command(fault, after=2, limit=1.0)
    events = decode_isolated(video, PLAN, command=command, options=stall_after(30.0))
    report = list(events)[-1]
    assert isinstance(report, DecodeReport)
    assert report.end_reason == "decode_crashed"
    assert "SIGALRM" in report.warnings[-1].message


def test_decoder_loads_nothing_heavy(video):
    script = (
        "import sys\n"
        "from vswin_cli.video import decoder_protocol, decoder_worker, sampler\n"
        "print(sorted({'torch', 'typer', 'rich', 'huggingface_hub'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_parent_does_not_load_the_decoder(video):
    script = (
        "import sys\n"
        "from vswin_cli.video.clips import open_clips\n"
        "from vswin_cli.config import SamplingOptions\n"
        "from vswin_cli.storage.sources import VideoSource\n"
        "from vswin_cli.models.architecture import InputSpec\n"
        f"source = VideoSource.of({str(video)!r})\n"
        "with open_clips(source, InputSpec(), SamplingOptions()) as stream:\n"
        "    print(len(list(stream)))\n"
        "print('av' in sys.modules)"
    )
    # A script without a `__main__` guard, which multiprocessing's spawn would run again.
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["3", "False"]
    assert done.stderr == ""


def test_script_without_main_guard_runs_once(tmp_path, video):
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys; sys.path[:0] = [{str(ROOT)!r}]\n"
        "print('started')\n"
        "from pathlib import Path\n"
        "from vswin_cli.video.decoder_process import decode_isolated\n"
        "from vswin_cli.video.sampling import SamplingPlan\n"
        f"print(len(list(decode_isolated(Path({str(video)!r}), SamplingPlan(8, 8, 32)))) > 2)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.split() == ["started", "True"]


def test_name_that_is_not_utf8_is_passed_on(tmp_path, video):
    strange = Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.mp4"))
    try:
        strange.write_bytes(video.read_bytes())
    except OSError:
        pytest.skip("this file system wants UTF-8 names")
    with open_clips(VideoSource.of(str(strange)), InputSpec(), SamplingOptions()) as stream:
        assert len(list(stream)) == 3


def test_decoder_command_imports_the_same_packages():
    assert decoder_command(60.0)[0] == sys.executable
    assert float(decoder_command(60.0)[-1]) > 60.0
