import numpy as np
import pytest
import torch

from tests.golden import golden_network, golden_state
from vswin_cli.card import ModelCard
from vswin_cli.clips import Clip
from vswin_cli.config import EngineOptions
from vswin_cli.engine import Engine, resolve_device, resolve_precision
from vswin_cli.errors import DeviceError, OptionError
from vswin_cli.models.checkpoint import LoadedModel
from vswin_cli.models.swin3d import VideoSwin
from vswin_cli.specs import InputSpec
from vswin_cli.transforms import make_views

SPEC = InputSpec(num_frames=8, resize_short_side=32, crop_size=32)


def load_golden() -> LoadedModel:
    golden = golden_network("w877")
    network = VideoSwin(golden.architecture, golden.num_classes)
    network.load_state_dict(golden_state("w877"))
    card = ModelCard(
        id="golden",
        architecture=golden.architecture,
        num_classes=golden.num_classes,
        labels=tuple("abcdefghij"),
        input=SPEC,
    )
    return LoadedModel(network=network.eval(), card=card, weights_sha256="0" * 64)


def make_clips(count: int, width: int = 48) -> list[Clip]:
    draw = np.random.default_rng(5)
    return [
        Clip(
            index=i,
            frames=draw.integers(0, 256, (8, 32, width, 3), np.uint8),
            step_edges_seconds=i + np.arange(5) / 4,
            num_valid_steps=4 - i % 2,
        )
        for i in range(count)
    ]


@pytest.mark.parametrize("crops", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_batches_change_nothing_but_speed(crops, batch_size):
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


def test_clips_are_drawn_only_as_they_are_needed():
    drawn = []

    def source():
        for clip in make_clips(4):
            drawn.append(clip.index)
            yield clip

    scores = Engine(load_golden(), EngineOptions("cpu", "float32", 1)).score(source())
    next(scores)
    assert drawn == [0]


def test_running_out_of_memory_halves_the_batch_and_loses_nothing():
    engine = Engine(load_golden(), EngineOptions("cpu", "float32", 8))
    whole = engine.model.network.forward_steps

    def cramped(views):
        if len(views) > 2:
            raise torch.OutOfMemoryError("no room")
        return whole(views)

    engine.model.network.forward_steps = cramped
    assert [s.index for s in engine.score(make_clips(8))] == list(range(8))
    assert engine.batch_size == 2


def test_out_of_memory_with_one_view_names_the_device():
    engine = Engine(load_golden(), EngineOptions("cpu", "float32", 2))

    def full(views):
        raise torch.OutOfMemoryError("no room")

    engine.model.network.forward_steps = full
    with pytest.raises(DeviceError, match="cpu is out of memory"):
        list(engine.score(make_clips(1)))


def test_low_precision_leaves_in_float32_and_close_to_it():
    clips = make_clips(2)
    exact = list(Engine(load_golden(), EngineOptions("cpu", "float32")).score(clips))
    rough = list(Engine(load_golden(), EngineOptions("cpu", "bfloat16")).score(clips))
    for a, b in zip(exact, rough, strict=True):
        assert b.logits.dtype == np.float32
        assert 0 < np.abs(a.logits - b.logits).max() < 0.2


def test_unknown_devices_and_precisions_are_refused():
    with pytest.raises(OptionError, match="unknown device 'gpu0'"):
        resolve_device("gpu0")
    with pytest.raises(OptionError, match="unknown precision 'int3'"):
        resolve_precision("int3", torch.device("cpu"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a device that is not there")
def test_a_missing_cuda_device_is_named_with_a_way_out():
    with pytest.raises(DeviceError, match="no CUDA device") as caught:
        resolve_device("cuda")
    assert "--device cpu" in str(caught.value.hint)
    assert resolve_device("auto").type in ("cpu", "mps")
