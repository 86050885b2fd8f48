"""One video from end to end, called as a library."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cli.app import run
from vswin_cli.config import EngineOptions, SamplingOptions, SegmentOptions
from vswin_cli.errors import OptionError
from vswin_cli.inference.engine import Engine
from vswin_cli.inference.pipeline import analyze_features, analyze_video
from vswin_cli.models.weights.loading import load_model
from vswin_cli.storage.json_records import to_json
from vswin_cli.storage.sources import VideoSource
from vswin_cli.timeline.feature_files import load_features
from vswin_cli.video import decoder_pool
from vswin_cli.video.decoder_pool import DecoderPool

ON_CPU = EngineOptions("cpu", "float32")


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    recipe = VideoRecipe(num_frames=60, width=96)
    return make_video(tmp_path_factory.mktemp("videos") / "movie.mp4", recipe)


@pytest.fixture(scope="module")
def model(tiny_model):
    return load_model(str(tiny_model))


def content(timeline):
    return timeline.to_json() | {"created": None}


@pytest.mark.slow
def test_crops_of_the_options_count_as_in_the_command(model, tiny_model, movie, capfd):
    ours = analyze_video(str(movie), Engine(model, ON_CPU), SamplingOptions(crops=3), top_classes=2)
    options = ["--json", "--crops=3", "--windows=2", "--device=cpu", "--precision=float32"]
    assert run(["tag", str(movie), "--weights", str(tiny_model), *options]) == 0
    theirs = json.loads(capfd.readouterr().out) | {"created": None}
    assert content(ours) == theirs
    assert theirs["sampling"]["crops"] == 3
    one = analyze_video(str(movie), Engine(model, ON_CPU), SamplingOptions(crops=1), top_classes=2)
    assert content(one)["windows"] != theirs["windows"]


@pytest.mark.slow
def test_crops_of_the_engine_apply_where_the_options_have_none(model, movie):
    three = analyze_video(str(movie), Engine(model, ON_CPU, crops=3))
    assert three.sampling.crops == 3
    assert content(three) == content(
        analyze_video(str(movie), Engine(model, ON_CPU), SamplingOptions(crops=3))
    )
    options = SamplingOptions(crops=1)
    assert analyze_video(str(movie), Engine(model, ON_CPU, crops=3), options).sampling.crops == 1
    assert analyze_video(str(movie), Engine(model, ON_CPU)).sampling.crops == 1


@pytest.mark.slow
def test_videos_with_one_pool_share_a_decoder_process(model, movie, monkeypatch):
    started = []
    start = decoder_pool.DecoderProcess.__init__

    def counting(self, command):
        started.append(command)
        start(self, command)

    monkeypatch.setattr(decoder_pool.DecoderProcess, "__init__", counting)
    engine = Engine(model, ON_CPU)
    with DecoderPool() as pool:
        first, second = (analyze_video(str(movie), engine, decoder_pool=pool) for _ in range(2))
    assert content(first) == content(second)
    assert len(started) == 1


@pytest.mark.slow
def test_part_beyond_the_end_is_refused(model, movie):
    with pytest.raises(OptionError, match="the video ends at 2"):
        analyze_video(str(movie), Engine(model, ON_CPU), SamplingOptions(start_seconds=50.0))


@pytest.mark.slow
def test_source_is_a_path_its_text_or_a_record(model, movie):
    engine = Engine(model, ON_CPU)
    by_text = content(analyze_video(str(movie), engine))
    assert content(analyze_video(movie, engine)) == by_text
    assert content(analyze_video(VideoSource(str(movie)), engine)) == by_text


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ({"source": 3}, "`source` takes a path, an address or a VideoSource, got 3", None),
        ({"engine": "camera-motion"}, "`engine` takes an Engine, got 'camera-motion'", "Engine("),
        (
            {"sampling": SegmentOptions()},
            "`sampling` takes SamplingOptions, got SegmentOptions",
            "segments=SegmentOptions(",
        ),
        ({"sampling": None}, "`sampling` takes SamplingOptions, got None", "SamplingOptions("),
        (
            {"segments": SamplingOptions()},
            "`segments` takes SegmentOptions or None, got SamplingOptions",
            "SegmentOptions(onset=0.3)",
        ),
    ],
)
def test_argument_of_another_type_is_refused_by_name(model, movie, arguments, message, hint):
    usual = {
        "source": movie,
        "engine": Engine(model, ON_CPU),
        "sampling": SamplingOptions(),
        "segments": None,
    }
    with pytest.raises(OptionError) as caught:
        analyze_video(*(usual | arguments).values())
    assert caught.value.message == f"the argument {message}"
    assert hint in caught.value.hint if hint else caught.value.hint is None


def test_loaded_model_in_place_of_the_engine_is_refused(model, movie):
    with pytest.raises(OptionError, match="takes an Engine, got LoadedModel"):
        analyze_video(movie, model)


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "codes"), [(1, ["LOW_FRAME_RATE"]), (25, [])])
def test_time_lapse_gives_a_notice(model, tmp_path, rate, codes):
    video = make_video(tmp_path / "video.mp4", VideoRecipe(num_frames=30, rate=Fraction(rate)))
    found = analyze_video(str(video), Engine(model)).warnings
    assert [one.code for one in found if one.code == "LOW_FRAME_RATE"] == codes


@pytest.mark.slow
def test_a_change_of_shape_is_a_cut_where_the_model_has_that_label(model, tmp_path):
    wide = make_video(tmp_path / "a.ts", VideoRecipe(width=128))
    tall = make_video(tmp_path / "b.ts", VideoRecipe(height=128, first_index=60, start=2.0))
    path = tmp_path / "both.ts"
    path.write_bytes(wide.read_bytes() + tall.read_bytes())
    timeline = analyze_video(path, Engine(load_model("camera-motion"), ON_CPU))
    assert 2.0 in [round(s.start_seconds, 1) for s in timeline.segments if s.label == "cut"]
    assert "SHAPE_CHANGE" in [notice.code for notice in timeline.warnings]
    without = analyze_video(path, Engine(model, ON_CPU))
    assert "SHAPE_CHANGE" in [notice.code for notice in without.warnings]


@pytest.mark.slow
def test_the_head_makes_scores_of_features(model, movie):
    engine = Engine(model, ON_CPU)
    with analyze_features(str(movie), engine) as track:
        pooled = torch.from_numpy(track.clip_features)
    windows = analyze_video(str(movie), engine, top_classes=1).windows
    with torch.inference_mode():
        best = model.network.head_of(pooled[:, None])[:, 0].argmax(1)
    assert [window.top[0].class_id for window in windows] == best.tolist()
    starts, ends = track.edges_seconds
    assert starts[0] == 0.0
    assert ends[-1] == pytest.approx(track.record.video.duration_seconds)
    assert (starts[1:] == ends[:-1]).all()


@pytest.mark.slow
def test_features_are_kept_in_the_same_run_as_scores(model, movie, tmp_path):
    engine = Engine(model, ON_CPU)
    path = tmp_path / "features.npz"
    timeline = analyze_video(str(movie), engine, save_features=path)
    assert content(timeline) == content(analyze_video(str(movie), engine))
    found = load_features(path)
    assert found.record.coverage == timeline.coverage
    assert found.record.model == timeline.model
    with analyze_features(str(movie), engine) as track:
        assert to_json(track.record) == to_json(found.record)
        np.testing.assert_array_equal(track.features, found.features)


@pytest.mark.slow
def test_times_of_a_raw_stream_follow_the_given_rate(model, tmp_path):
    path = make_video(tmp_path / "a.mjpeg", VideoRecipe(codec="mjpeg", pixel_format="yuvj420p"))
    options = SamplingOptions(input_frame_rate=40.0)
    timeline = analyze_video(path, Engine(model, ON_CPU), options)
    assert timeline.video.duration_seconds == pytest.approx(1.5)
    assert timeline.video.constant_frame_rate == 40


@pytest.mark.slow
def test_segments_that_are_not_given_are_as_the_model_advises(model, movie):
    advised = SegmentOptions(onset=0.5, offset=0.4, min_duration_seconds=0.3, max_labels=0)
    engine = Engine(replace(model, card=replace(model.card, segments=advised)), ON_CPU)

    def used(segments):
        return analyze_video(movie, engine, segments=segments).postprocess.options()

    assert used(None) == used(SegmentOptions()) == advised
    assert used(SegmentOptions(onset=0.3)) == replace(advised, onset=0.3, offset=0.3)
    assert used(SegmentOptions(max_labels=1)) == replace(advised, max_labels=1)
    assert used(replace(advised, onset=0.9)) == replace(advised, onset=0.9)
