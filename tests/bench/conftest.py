"""A video and engines to measure on."""

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.bench.videos import decode_once
from vswin_cli.config import EngineOptions
from vswin_cli.inference.engine import Engine
from vswin_cli.models.weights.loading import load_model
from vswin_cli.storage.sources import VideoSource


@pytest.fixture(scope="module")
def bench_video(tiny_model, tmp_path_factory):
    path = make_video(tmp_path_factory.mktemp("videos") / "a.mp4", VideoRecipe(num_frames=75))
    return decode_once(VideoSource.of(str(path)), load_model(tiny_model).card.input)


@pytest.fixture(scope="module")
def engines(tiny_model):
    return {
        precision: Engine(load_model(tiny_model), EngineOptions("cpu", precision))
        for precision in ("float32", "bfloat16")
    }
