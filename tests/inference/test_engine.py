import threading
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.support.golden import SPEC, load_golden
from vswin_cli.config import EngineOptions
from vswin_cli.errors import DecodeError, DeviceError, OptionError
from vswin_cli.inference.engine import Engine, choose_decoder, resolve_device
from vswin_cli.inference.pass_size import PRODUCTS_PER_PASS, products_per_view
from vswin_cli.inference.views import make_views
from vswin_cli.models.architecture import Architecture, InputSpec
from vswin_cli.models.weights.loading import load_model
from vswin_cli.video.clips import Clip

TINY = Architecture("swin3d_tiny", 96, (2, 2, 6, 2), (3, 6, 12, 24))


def make_clips(count: int, width: int = 48) -> list[Clip]:
    draw = np.random.default_rng(5)
    return [
        Clip(
            index=i,
            images=draw.integers(0, 256, (8, 32, width, 3), np.uint8),
            step_edges_seconds=i + np.arange(5) / 4,
            num_valid_steps=4 - i % 2,
        )
        for i in range(count)
    ]


@pytest.mark.parametrize("crops", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_batch_size_does_not_change_results(crops, batch_size):
    engine = Engine(load_golden(), EngineOptions("cpu", "float32", batch_size), crops=crops)
    clips = make_clips(5)
    scored = list(engine.score(clips))
    assert [s.index for s in scored] == [0, 1, 2, 3, 4]
    assert [s.num_valid_steps for s in scored] == [4, 3, 4, 3, 4]
    for clip, one in zip(clips, scored, strict=True):
        views = make_views(torch.from_numpy(clip.frames), SPEC, crops, torch.float32)
        with torch.inference_mode():
            expected = engine.model.network.forward_steps(views).numpy()
        assert one.logits.shape == (crops, 4, 10)
        np.testing.assert_allclose(one.logits, expected, atol=1e-5)
        np.testing.assert_array_equal(one.step_edges_seconds, clip.step_edges_seconds)


def test_clips_are_drawn_up_to_two_passes_per_core_ahead(num_threads):
    drawn = []

    def source():
        for clip in make_clips(8):
            drawn.append(clip.index)
            yield clip

    scores = Engine(load_golden(), EngineOptions("cpu", "float32", 1)).score(source())
    assert next(scores).index == 0
    assert len(drawn) == 2 * num_threads
    next(scores)
    assert len(drawn) == 2 * num_threads + 1


def test_passes_that_would_leave_cores_idle_at_the_end_share_them(monkeypatch):
    """Three passes for two threads: the last one is cut into tiles, with the same numbers."""
    monkeypatch.setattr("vswin_cli.models.network.swin3d._TILE_BYTES", 2000)
    engine = Engine(load_golden(), EngineOptions("cpu", "float32", 1))
    alone = list(engine.score(make_clips(3)))
    run, where, is_shared = engine._run, [], threading.Event()

    def noted(clips):
        where.append(threading.current_thread().name)
        if where[-1].startswith("vswin-tile"):
            is_shared.wait(30)  # a large network would be at work as long
        else:
            is_shared.set()
        return run(clips)

    monkeypatch.setattr(engine, "_run", noted)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        shared = list(engine.score(make_clips(3)))
    finally:
        torch.set_num_threads(before)
    assert sum(name.startswith("vswin-tile") for name in where) == 2 == len(where) - 1
    for one, other in zip(alone, shared, strict=True):
        np.testing.assert_array_equal(one.logits, other.logits)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_number_of_clips_and_cores_does_not_change_results(num_threads, count):
    engine = Engine(load_golden(), EngineOptions("cpu", "float32", 1))
    together = [next(engine.score([clip])).logits for clip in make_clips(count)]
    apart = [one.logits for one in engine.score(make_clips(count))]
    np.testing.assert_array_equal(apart, together)


def test_errors_of_the_source_arrive_and_leave_the_engine_usable(num_threads):
    def source():
        yield from make_clips(4)
        raise DecodeError("the file broke off")

    engine = Engine(load_golden(), EngineOptions("cpu", "float32", 1))
    with pytest.raises(DecodeError, match="broke off"):
        list(engine.score(source()))
    assert len(list(engine.score(make_clips(4)))) == 4


def test_scoring_may_end_before_the_clips_do(num_threads):
    engine = Engine(load_golden(), EngineOptions("cpu", "float32", 1))
    scores = engine.score(make_clips(8))
    next(scores)
    scores.close()
    assert [one.index for one in engine.score(make_clips(3))] == [0, 1, 2]


def test_an_interrupt_waits_for_no_pass():
    is_over, clips = threading.Event(), make_clips(3)
    clips[0].frames[:] = 0

    class Slow(torch.nn.Module):
        def forward_steps(self, views):
            if views[:, 0].std() > 0.1:
                is_over.wait(20)
            return torch.zeros(len(views), 4, 10)

    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:  # fewer passes than cores, so that all of them run at once
        options = EngineOptions("cpu", "float32", batch_size=1)
        scores = Engine(replace(load_golden(), network=Slow()), options).score(clips)
        next(scores)
        with pytest.raises(KeyboardInterrupt):
            scores.throw(KeyboardInterrupt)
        assert [one for one in threading.enumerate() if "ThreadPool" in one.name]  # still in a pass
    finally:
        torch.set_num_threads(before)
        is_over.set()


def test_small_networks_get_several_views_per_pass_and_large_ones_one():
    assert Engine(load_golden(), EngineOptions("cpu", "float32")).batch_size == 8
    assert 4 <= Engine(load_model("camera-motion"), EngineOptions("cpu", "float32")).batch_size <= 8
    work = products_per_view(TINY, InputSpec())
    assert 60e9 < work < 88e9  # the paper's count has attention, too
    assert work > PRODUCTS_PER_PASS


def test_running_out_of_memory_halves_the_batch_without_loss():
    engine = Engine(load_golden(), EngineOptions("cpu", "float32", 8))
    whole = engine.model.network.forward_steps

    def cramped(views):
        if len(views) > 2:
            raise torch.OutOfMemoryError("no room")
        return whole(views)

    engine.model.network.forward_steps = cramped
    assert [s.index for s in engine.score(make_clips(8))] == list(range(8))
    assert engine.batch_size == 2


def test_tensors_of_a_failed_pass_are_gone_before_the_next_try():
    engine = Engine(load_golden(), EngineOptions("cpu", "float32", 4))
    whole, failed = engine.model.network.forward_steps, []

    def cramped(views):
        assert all(tensor() is None for tensor in failed)
        half_done = views.clone()
        if len(views) > 1:
            failed.append(weakref.ref(half_done))
            raise torch.OutOfMemoryError("no room")
        return whole(half_done)

    engine.model.network.forward_steps = cramped
    assert len(list(engine.score(make_clips(4)))) == 4
    assert len(failed) == 2


def test_out_of_memory_with_one_view_names_the_device():
    engine = Engine(load_golden(), EngineOptions("cpu", "float32", 2))

    def full(views):
        raise torch.OutOfMemoryError("no room")

    engine.model.network.forward_steps = full
    with pytest.raises(DeviceError, match="cpu is out of memory"):
        list(engine.score(make_clips(1)))


def test_out_of_memory_ahead_of_the_network_counts_as_well(monkeypatch):
    engine = Engine(load_golden(), EngineOptions("cpu", "float32", 4))
    tries = []

    def cramped(clip):
        tries.append(engine.batch_size)
        if engine.batch_size > 1:
            raise torch.OutOfMemoryError("no room")
        return Engine._views(engine, clip)

    monkeypatch.setattr(engine, "_views", cramped)
    assert [s.index for s in engine.score(make_clips(4))] == list(range(4))
    assert sorted(set(tries)) == [1, 2, 4]


def test_no_room_for_the_weights_names_the_device(monkeypatch):
    def full(self, **_):
        raise torch.OutOfMemoryError("no room")

    model = load_golden()
    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(DeviceError, match="cpu is out of memory with the weights"):
        Engine(model, EngineOptions("cpu", "float32"))


def test_low_precision_leaves_in_float32_and_close_to_it():
    clips = make_clips(2)
    exact = list(Engine(load_golden(), EngineOptions("cpu", "float32")).score(clips))
    rough = list(Engine(load_golden(), EngineOptions("cpu", "bfloat16")).score(clips))
    for a, b in zip(exact, rough, strict=True):
        assert b.logits.dtype == np.float32
        assert 0 < np.abs(a.logits - b.logits).max() < 0.2


def test_unknown_devices_and_precisions_are_rejected():
    with pytest.raises(OptionError, match="unknown device 'gpu0'"):
        resolve_device("gpu0")
    with pytest.raises(OptionError, match="unknown device 'xpu'"):  # PyTorch knows it, we do not
        EngineOptions("xpu")
    with pytest.raises(OptionError, match="unknown precision 'int3'"):
        EngineOptions(precision="int3")


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a device that is not there")
def test_a_missing_cuda_device_is_named_with_a_way_out():
    with pytest.raises(DeviceError, match="no CUDA device") as caught:
        resolve_device("cuda")
    assert "--device cpu" in str(caught.value.hint)
    assert resolve_device("auto").type in ("cpu", "mps")


@pytest.mark.parametrize(("cores", "decoders"), [(1, 1), (2, 2), (16, 16)])
def test_a_small_network_leaves_cores_to_decoders(monkeypatch, cores, decoders):
    engine = Engine(load_golden(), EngineOptions(device="cpu"))
    monkeypatch.setattr(torch, "get_num_threads", lambda: cores)
    assert engine.spare_decoders == decoders


def test_a_large_network_leaves_none():
    model = load_golden()
    large = replace(model.card, input=InputSpec(), architecture=TINY)
    engine = Engine(replace(model, card=large), EngineOptions("cpu", "float32"))
    assert engine.spare_decoders == 1


@pytest.mark.parametrize(("cores", "decoders"), [(1, 1), (2, 1), (16, 15)])
def test_another_device_leaves_all_cores_but_one_to_decoders(monkeypatch, cores, decoders):
    engine = Engine(load_golden(), EngineOptions(device="cpu"))
    engine.device = torch.device("cuda")
    monkeypatch.setattr("vswin_cli.inference.engine.usable_cores", lambda: cores)
    assert engine.spare_decoders == decoders


def test_only_a_network_on_cuda_has_nvdec_beside_it_by_default():
    cpu, cuda = torch.device("cpu"), torch.device("cuda", 1)
    assert [choose_decoder("auto", device) for device in (cpu, cuda)] == ["software", "auto"]
    assert [choose_decoder("nvdec", device) for device in (cpu, cuda)] == ["nvdec", "nvdec"]
    assert choose_decoder("software", cuda) == "software"
    assert Engine(load_golden(), EngineOptions("cpu", "float32")).decoder == "software"


def test_engine_has_a_short_repr_and_shares_its_network_with_other_crops():
    engine = Engine(load_golden(), EngineOptions("cpu", "float32", 2))
    assert repr(engine) == "Engine(golden, cpu, float32, batch_size=2, crops=1)"
    three = engine.with_crops(3)
    assert (engine.crops, three.crops) == (1, 3)
    assert three.model is engine.model
    (alone,), (other,) = engine.score(make_clips(1)), three.score(make_clips(1))
    assert (len(alone.logits), len(other.logits)) == (1, 3)
    np.testing.assert_allclose(other.logits[2], alone.logits[0], atol=1e-5)
    assert engine != three


@pytest.mark.parametrize("crops", [1, 3])
def test_features_are_what_the_head_computes_logits_from(crops):
    engine = Engine(load_golden(), EngineOptions("cpu", "float32", 2), crops=crops)
    plain, rich = (
        list(engine.score(make_clips(5))),
        list(engine.with_features().score(make_clips(5))),
    )
    head = engine.model.network.head
    for bare, full in zip(plain, rich, strict=True):
        assert bare.features is None
        assert full.features.shape == (crops, 4, head.in_features)
        np.testing.assert_array_equal(full.logits, bare.logits)
        with torch.inference_mode():
            np.testing.assert_allclose(
                head(torch.from_numpy(full.features)).numpy(), bare.logits, atol=1e-5
            )


def test_rows_of_features_are_the_means_of_views_in_time():
    engine = Engine(load_golden(), EngineOptions("cpu", "float32", 2), crops=3)
    clips = make_clips(3)
    scored = list(engine.with_features().score(clips))
    rows = list(engine.features(clips))
    assert [len(one) for one in rows] == [clip.num_valid_steps for clip in clips]
    for one, full in zip(rows, scored, strict=True):
        np.testing.assert_allclose(one, full.features.mean(axis=0)[: len(one)], atol=1e-5)


@pytest.mark.parametrize("crops", [1, 3])
@pytest.mark.parametrize("with_features", [False, True])
def test_cells_of_chosen_classes_average_to_their_logits(crops, with_features):
    engine = Engine(load_golden(), EngineOptions("cpu", "float32", 2), crops=crops)
    asked = engine.with_features() if with_features else engine
    plain, rich = (
        list(engine.score(make_clips(5))),
        list(asked.with_cells([7, 2]).score(make_clips(5))),
    )
    for bare, full in zip(plain, rich, strict=True):
        assert bare.cells is None
        assert (full.features is not None) == with_features
        np.testing.assert_allclose(full.logits, bare.logits, atol=1e-6)
        assert full.cells.logits.shape[:2] == (crops, 4)
        means = full.cells.logits.mean(axis=(2, 3))
        np.testing.assert_allclose(means, bare.logits[..., [7, 2]], atol=1e-5)
        assert full.cells.areas.shape == (crops, 4)
