"""The parts of `vswin bench`: turns, videos, networks, memory, the peers' logic."""

import sys

import av
import pytest
import torch

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.bench.ceiling import best_products, ceiling_of
from vswin_cli.bench.machine import describe_machine, synchronise
from vswin_cli.bench.memory import MemoryRequest, measure_memory
from vswin_cli.bench.mmaction_peer import DemoWindow, import_mmaction
from vswin_cli.bench.networks import measure_networks, measure_precisions
from vswin_cli.bench.record import Timing
from vswin_cli.bench.run import BenchOptions
from vswin_cli.bench.subject import ARCHITECTURES, random_model
from vswin_cli.bench.synthesis import VideoSize, synthesise
from vswin_cli.bench.timing import Contender, measure
from vswin_cli.bench.torchvision_peer import build_torchvision, import_torchvision
from vswin_cli.bench.videos import look_at
from vswin_cli.config import EngineOptions
from vswin_cli.errors import OptionError, SourceError
from vswin_cli.inference.engine import Engine
from vswin_cli.models.weights.loading import load_model
from vswin_cli.storage.sources import VideoSource
from vswin_cli.video.probe import inspect

CPU = torch.device("cpu")


def test_contenders_take_turns_after_a_warm_up():
    order = []
    contenders = [Contender(name, lambda name=name: order.append(name)) for name in "ab"]
    timings = measure(contenders, 3)
    assert order == list("ab" + "ababab")
    assert [len(timing.passes_seconds) for timing in timings.values()] == [3, 3]


def test_without_warm_up_each_runs_once_per_pass():
    order = []
    contenders = [Contender(name, lambda name=name: order.append(name)) for name in "ab"]
    measure(contenders, 2, warm_up=False)
    assert order == list("abab")


def test_short_work_is_repeated_within_a_pass():
    calls = []
    measure([Contender("a", lambda: calls.append(1))], 1, pass_seconds=0.01)
    assert len(calls) > 100


def test_a_timing_keeps_every_pass():
    assert Timing.of([3.0, 1.0, 2.0]) == Timing(1.0, 2.0, (3.0, 1.0, 2.0))


def test_the_machine_describes_itself():
    machine = describe_machine(CPU, ("peer 1.0",))
    assert machine.processor
    assert 1 <= machine.usable_cores <= machine.logical_cores
    assert machine.threads == torch.get_num_threads()
    assert (machine.device, machine.peers) == ("cpu", ("peer 1.0",))
    synchronise(CPU)


def test_a_synthetic_video_is_what_was_asked_for_every_time(tmp_path):
    size = VideoSize.parse("97x64", 1.5)
    paths = [synthesise(tmp_path / name, size) for name in ("a.mp4", "b.mp4")]
    info = inspect(VideoSource.of(str(paths[0]))).info
    assert (info.width, info.height, info.codec) == (96, 64, "h264")
    assert info.declared_duration_seconds == pytest.approx(1.5)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_synthetic_video_has_one_slice_per_picture(tmp_path):
    path = synthesise(tmp_path / "a.mp4", VideoSize.parse("640x360", 1.0))
    with av.open(str(path)) as recording:
        for packet in recording.demux(video=0):
            data, slices = bytes(packet), 0
            while data:
                length, kind = int.from_bytes(data[:4], "big"), data[4] & 31
                slices += kind in (1, 5)
                data = data[4 + length :]
            assert slices == (1 if packet.size else 0)


@pytest.mark.parametrize(
    ("size", "seconds", "complaint"),
    [("wide", 5, "cannot read the size"), ("8x8", 5, "8x8 cannot"), ("64x64", 0.1, "0.1 s cannot")],
)
def test_useless_videos_are_refused(size, seconds, complaint):
    with pytest.raises(OptionError, match=complaint):
        VideoSize.parse(size, seconds)


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(OptionError, match="no peer is called 'keras'"):
        BenchOptions(peers=("keras",))
    with pytest.raises(OptionError, match="at least 1"):
        BenchOptions(passes=0)


def test_random_weights_are_the_same_every_time_and_keep_logits_in_range():
    a, b = (random_model("swin3d_t") for _ in range(2))
    for one, other in zip(a.network.parameters(), b.network.parameters(), strict=True):
        assert torch.equal(one, other)
    with torch.inference_mode():
        logits = a.network(torch.randn(1, 3, 4, 32, 32))
    assert 0.1 < logits.std() < 10
    assert not any(p.requires_grad for p in a.network.parameters())


def test_an_unknown_architecture_is_named_with_the_known_ones():
    with pytest.raises(OptionError, match="swin4d") as caught:
        random_model("swin4d")
    assert all(name in caught.value.hint for name in ARCHITECTURES)


@pytest.fixture(scope="module")
def recording(tiny_model, tmp_path_factory):
    path = make_video(tmp_path_factory.mktemp("videos") / "a.mp4", VideoRecipe(num_frames=75))
    return look_at(VideoSource.of(str(path)), load_model(tiny_model).card.input)


@pytest.fixture(scope="module")
def engines(tiny_model):
    return {
        precision: Engine(load_model(tiny_model), EngineOptions("cpu", precision))
        for precision in ("float32", "bfloat16")
    }


def test_looking_at_a_video_finds_its_clips(recording):
    assert recording.seconds == pytest.approx(2.5)
    assert recording.report.frames_decoded == 75
    assert recording.clips == len(recording.first_clips) > 2


def test_a_video_without_pictures_is_refused(tiny_model, tmp_path):
    path = make_video(tmp_path / "a.mp4", VideoRecipe())
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(SourceError):
        look_at(VideoSource.of(str(path)), load_model(tiny_model).card.input)


def test_float32_agrees_with_itself_and_bfloat16_nearly(engines, recording):
    twice = {"float32": engines["float32"], "again": engines["float32"]}
    (same,) = measure_precisions(twice, recording.first_clips)
    assert (same.largest_difference, same.agreement, same.step_agreement) == (0.0, 1.0, 1.0)
    (rough,) = measure_precisions(engines, recording.first_clips)
    assert rough.precision == "bfloat16"
    assert 0 < rough.largest_difference < 0.3 < rough.largest_logit
    assert rough.clips == recording.clips


def test_rates_shares_and_ratios_belong_together(engines, recording):
    peers = {"twin": {name: engine.model.network for name, engine in engines.items()}}
    report = measure_networks(engines, recording.first_clips, peers, batch_size=2, passes=2)
    assert [(row.name, row.precision) for row in report.rows] == [
        ("vswin", "float32"),
        ("twin", "float32"),
        ("vswin", "bfloat16"),
        ("twin", "bfloat16"),
    ]
    ceilings = {ceiling.precision: ceiling for ceiling in report.ceilings}
    best = min(row.timing.fastest_seconds for row in report.rows if row.name == "vswin")
    for row in report.rows:
        assert row.clips_per_second == pytest.approx(1 / row.timing.fastest_seconds)
        assert row.clips_at_once == 2 * (torch.get_num_threads() if row.apart else 1)
        assert (row.other_way_seconds is None) == (torch.get_num_threads() == 1)
        assert row.other_way_seconds is None or row.other_way_seconds >= 1 / row.clips_per_second
        assert row.share == pytest.approx(row.gflops / ceilings[row.precision].gflops)
        assert row.slower_than_best == pytest.approx(row.timing.fastest_seconds / best)
        assert row.difference == (None if row.name == "vswin" else 0.0)
    assert {row.slower for row in report.rows if row.name == "vswin"} == {1.0}


def test_on_a_cpu_both_ways_of_using_threads_are_tried(engines, recording):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        exact = {"float32": engines["float32"]}
        (row,) = measure_networks(exact, recording.first_clips, {}, batch_size=1, passes=1).rows
    finally:
        torch.set_num_threads(before)
    assert row.clips_at_once == (2 if row.apart else 1)
    assert row.other_way_seconds >= row.timing.fastest_seconds


def test_compiling_that_fails_is_noted_and_costs_nothing_else(engines, recording, monkeypatch):
    def refuse(network):
        def run(_):
            raise RuntimeError("no compiler\nat all")

        return run

    monkeypatch.setattr(torch, "compile", refuse)
    exact = {"float32": engines["float32"]}
    report = measure_networks(
        exact, recording.first_clips, {}, batch_size=1, passes=1, compiled=True
    )
    assert report.notes == ("torch.compile failed on vswin in float32: no compiler",)
    assert len(report.rows) == 1


def test_the_ceiling_is_the_fastest_product():
    products, tried = best_products(CPU, torch.float32, [(300, 16, 64)])
    assert tried >= 2
    assert len(products) <= 3
    timings = measure([product.contender for product in products], 1)
    ceiling = ceiling_of("float32", products, tried, timings)
    rates = [product.gflops(timings[product.contender.name]) for product in products]
    assert ceiling.gflops == max(rates) > 0


def test_memory_is_that_of_a_process_of_its_own(tiny_model, recording):
    notes = []
    request = MemoryRequest(
        str(tiny_model), False, str(recording.source.path), "cpu", "float32", None, 1
    )
    taken = measure_memory(request, notes)
    assert notes == []
    assert taken.main_bytes > 50e6
    assert taken.decoder_bytes > 10e6
    assert taken.main_bytes < taken.total_bytes <= taken.main_bytes + taken.decoder_bytes
    assert taken.device_bytes is None


def test_memory_that_cannot_be_measured_is_noted(tiny_model, tmp_path):
    notes = []
    gone = str(tmp_path / "gone.mp4")
    request = MemoryRequest(str(tiny_model), False, gone, "cpu", "float32", None, 1)
    assert measure_memory(request, notes) is None
    assert "peak memory could not be measured" in notes[0]
    assert "gone.mp4" in notes[0]


def test_the_demo_takes_the_first_window_whole_and_then_one_of_each_step():
    window = DemoWindow(8, 2, 6)
    full = [window.push(n, n, is_last=n == 40) for n in range(1, 41)]
    predictions = {n: pictures for n, pictures in enumerate(full, 1) if pictures}
    assert predictions[8] == list(range(1, 9))
    assert list(predictions) == [8, 20, 32]
    second = predictions[20]
    assert second[:2] == [7, 8]
    assert all(n in (8 + 2 * i + 1, 8 + 2 * i + 2) for i, n in enumerate(second[2:]))
    assert predictions[32][:2] == second[-2:]


@pytest.mark.parametrize(
    ("module", "load", "advice"),
    [
        ("torchvision.models.video.swin_transformer", import_torchvision, "pip install torchv"),
        ("mmaction", import_mmaction, "pip install mmaction2==1.2.0"),
    ],
    ids=["torchvision", "mmaction2"],
)
def test_a_missing_peer_says_what_to_install(module, load, advice, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(OptionError, match="cannot be measured") as caught:
        load()
    assert advice in caught.value.hint


def test_torchvision_gives_the_same_logits(engines, recording):
    try:
        peer = build_torchvision(engines["float32"].model.network)
    except OptionError:
        pytest.skip("torchvision is not installed")
    exact = {"float32": engines["float32"]}
    peers = {"torchvision": {"float32": peer}}
    report = measure_networks(exact, recording.first_clips, peers, batch_size=1, passes=1)
    assert report.rows[1].difference < 1e-4
