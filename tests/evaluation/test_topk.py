"""Top-k accuracy of a model on a list of videos."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.videos import VideoRecipe, cut_short, make_video
from vswin_cli.config import EngineOptions
from vswin_cli.evaluation.accuracy import Failure
from vswin_cli.evaluation.protocols import choose_protocol
from vswin_cli.evaluation.topk import classify, evaluate_videos, summarise
from vswin_cli.evaluation.video_list import LabelledVideo
from vswin_cli.inference.engine import Engine
from vswin_cli.models.weights.loading import load_model
from vswin_cli.storage.sources import VideoSource


@pytest.fixture(scope="module")
def engine(tiny_model):
    return Engine(load_model(tiny_model), EngineOptions("cpu", "float32"), crops=3)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Five videos; the second cannot be read and the fourth is damaged."""
    folder = tmp_path_factory.mktemp("videos")
    lossless = VideoRecipe(num_frames=40, codec="ffv1", pixel_format="bgr0")
    paths = [
        make_video(folder / f"{i}.mkv", replace(lossless, first_index=900 * i)) for i in range(5)
    ]
    paths[1].write_text("no video")
    cut_short(paths[3], 0.6)
    return [LabelledVideo(VideoSource.of(str(path)), i % 3) for i, path in enumerate(paths)]


def test_scores_are_averaged_after_the_activation():
    logits = np.array([[[0.0, 9.0, 0.0]], [[4.0, 0.0, 0.0]], [[4.0, 0.0, 0.0]]], np.float32)
    scores = classify(logits, "softmax")
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    assert scores == pytest.approx(shares.mean((0, 1)), abs=1e-6)
    assert scores.argmax() == 0  # the mean of the logits would give 1


@pytest.mark.slow
def test_outcomes_keep_the_order_of_the_list_whatever_fails(engine, videos):
    protocol = choose_protocol("paper", engine.model.card.input)
    outcomes = {
        workers: list(evaluate_videos(videos, engine, protocol, workers=workers))
        for workers in (1, 3)
    }
    assert outcomes[1] == outcomes[3]
    assert [one.uri for one in outcomes[1]] == [video.source.uri for video in videos]
    assert [one.rank is None for one in outcomes[1]] == [False, True, False, False, False]
    assert "could be decoded" in outcomes[1][3].problem
    report = summarise(outcomes[1], engine, protocol)
    assert (report.num_videos, report.top1.total) == (5, 4)
    assert [one.video for one in report.damaged] == [videos[3].source.uri]
    assert report.failures == (Failure(videos[1].source.uri, outcomes[1][1].problem),)
    assert report.top5.hits == sum(one.rank <= 5 for one in outcomes[1] if one.rank)


def test_an_engine_with_other_crops_than_the_protocol_is_an_error(engine, videos):
    protocol = choose_protocol("torchvision", engine.model.card.input)
    with pytest.raises(ValueError, match="crops"):
        next(evaluate_videos(videos, engine, protocol))
