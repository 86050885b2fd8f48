"""Several models on one video: each finds what it finds alone, from one decoding."""

from copy import copy
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from tests.support.videos import VideoRecipe, drop_packets, make_video
from vswin_cli import analyze_video_with_models
from vswin_cli.config import EngineOptions, SamplingOptions, SegmentOptions
from vswin_cli.errors import OptionError, SelectionError, SourceError
from vswin_cli.inference.engine import Engine
from vswin_cli.inference.pipeline import analyze_video
from vswin_cli.timeline.score_files import load_scores, load_track, segment_scores
from vswin_cli.video import decoder_pool

ON_CPU = EngineOptions("cpu", "float32")
UNEVEN = [0.04 * n + 0.013 * (n % 3) for n in range(80)]
RECIPES = {
    "constant": VideoRecipe(num_frames=120, width=96, b_frames=2),
    "uneven": VideoRecipe(num_frames=80, width=96, times=UNEVEN),
    "rotated": VideoRecipe(num_frames=90, width=96, rate=Fraction(24000, 1001), rotation=90.0),
}


@pytest.fixture(scope="module")
def engines(tiny_model):
    """Of other frame rates, image sizes and frames per clip."""
    return [Engine("camera-motion", ON_CPU), Engine(tiny_model, ON_CPU)]


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    return make_video(tmp_path_factory.mktemp("videos") / "movie.mp4", RECIPES["constant"])


def content(timeline):
    return timeline.to_dict() | {"created": None}


def score_bytes(path):
    with load_scores(path) as track:
        return track.read(0, track.num_cells).tobytes(), track.valid.tobytes(), track.labels


def assert_as_alone(path, engines, folder, sampling=SamplingOptions(), segments=None):
    files = [folder / f"together-{i}.npz" for i in range(len(engines))]
    together = analyze_video_with_models(
        path, engines, sampling, segments, save_scores=files, top_classes=2
    )
    for i, (engine, found) in enumerate(zip(engines, together.each_model(), strict=True)):
        own = folder / f"alone-{i}.npz"
        alone = analyze_video(path, engine, sampling, segments, save_scores=own, top_classes=2)
        assert content(found) == content(alone)
        assert score_bytes(files[i]) == score_bytes(own)
    return together


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_each_model_finds_what_it_finds_alone(engines, tmp_path, name):
    path = make_video(tmp_path / "a.mp4", RECIPES[name])
    together = assert_as_alone(path, engines, tmp_path)
    assert [one.model.id for one in together.each_model()] == ["camera-motion", "tiny"]
    first, second = together.each_model()
    assert first.sampling.num_frames != second.sampling.num_frames
    assert first.sampling.resize != second.sampling.resize
    assert first.sampling.frame_rate != second.sampling.frame_rate
    assert together.video.frames_decoded == RECIPES[name].num_frames


@pytest.mark.slow
def test_a_gap_is_one_for_each_model(engines, tmp_path):
    whole = make_video(tmp_path / "a.mkv", VideoRecipe(num_frames=150, gop=15, width=96))
    path = drop_packets(whole, tmp_path / "b.mkv", range(60, 75))
    together = assert_as_alone(path, engines, tmp_path)
    assert [len(one.coverage.gaps) for one in together.each_model()] == [1, 1]
    assert together.status == "partial"


@pytest.mark.slow
def test_options_of_sampling_hold_for_each_model(engines, movie, tmp_path):
    part = SamplingOptions(start_seconds=0.5, end_seconds=3.1, stride=0.25, crops=3)
    together = assert_as_alone(movie, engines[::-1], tmp_path, part)
    assert {one.sampling.crops for one in together.each_model()} == {3}
    assert {one.sampling.start_seconds for one in together.each_model()} == {0.5}


@pytest.mark.slow
@pytest.mark.parametrize("num_threads", [1, 3], indirect=True)
def test_the_number_of_threads_changes_nothing(engines, movie, tmp_path, num_threads):
    assert_as_alone(movie, engines, tmp_path)
    assert torch.get_num_threads() == num_threads


@pytest.mark.slow
def test_the_video_is_opened_once(engines, movie, monkeypatch):
    requests = []
    begin = decoder_pool.DecoderProcess.begin
    monkeypatch.setattr(
        decoder_pool.DecoderProcess,
        "begin",
        lambda self, request: requests.append(request) or begin(self, request),
    )
    progress = []
    analyze_video_with_models(movie, engines, on_progress=lambda *done: progress.append(done))
    assert len(requests) == 1
    seconds = [done for done, _ in progress]
    assert seconds == sorted(seconds)
    assert seconds[-1] == pytest.approx(4.0, abs=0.2)


@pytest.mark.slow
def test_one_model_gives_the_timeline_of_analyze_video(engines, movie):
    (alone,) = analyze_video_with_models(movie, engines[1:]).each_model()
    assert content(alone) == content(analyze_video(movie, engines[1]))


@pytest.mark.slow
def test_scores_of_each_model_can_be_segmented_again(engines, movie, tmp_path):
    files = [tmp_path / "a.npz", tmp_path / "b.npz"]
    together = analyze_video_with_models(movie, engines, save_scores=files)
    for file, found in zip(files, together.each_model(), strict=True):
        track, stored = load_track(file)
        track.close()
        assert stored.tracks == ()
        assert segment_scores(file).segments == found.segments


@pytest.mark.slow
def test_labels_count_for_the_models_that_have_them(engines, movie):
    shared = SegmentOptions(onset=0.0, offset=0.0, exclude=("static", "label a"), max_labels=0)
    found = analyze_video_with_models(movie, engines, segments=shared)
    assert found.postprocess.exclude == ("static",)
    assert found.tracks[0].postprocess.exclude == ("label a",)
    assert {one.label for one in found.tracks[0].segments} == {f"label {x}" for x in "bcdefghij"}
    assert "static" not in {one.label for one in found.segments}


def test_labels_that_leave_a_model_without_any_are_refused_by_name(engines, movie):
    with pytest.raises(SelectionError, match="no label matches `stattic`") as caught:
        analyze_video_with_models(movie, engines, segments=SegmentOptions(exclude="stattic"))
    assert "`static`" in caught.value.hint
    with pytest.raises(SelectionError, match="tiny has none of the labels to include"):
        analyze_video_with_models(movie, engines, segments=SegmentOptions(include="pan-*"))
    with pytest.raises(SelectionError, match="camera-motion: margin and entropy need scores"):
        analyze_video_with_models(movie, engines, segments=SegmentOptions(min_margin=0.2))


def test_sampling_that_does_not_fit_a_model_is_refused_by_its_name(engines, movie):
    uniform = copy(engines[1])
    card = uniform.model.card
    spec = replace(card.input, sampling="uniform")
    uniform.model = replace(uniform.model, card=replace(card, id="spread", input=spec))
    with pytest.raises(OptionError, match="spread: these weights spread their frames"):
        analyze_video_with_models(movie, [engines[0], uniform], SamplingOptions(frame_interval=2))


def test_arguments_of_another_kind_are_refused(engines, movie, tmp_path):
    with pytest.raises(OptionError, match="engines takes a list, got"):
        analyze_video_with_models(movie, engines[0])
    with pytest.raises(OptionError, match="at least one Engine"):
        analyze_video_with_models(movie, [])
    with pytest.raises(OptionError, match="`engine` takes an Engine, got 'tiny'"):
        analyze_video_with_models(movie, [engines[0], "tiny"])
    with pytest.raises(OptionError, match="two models have the name tiny"):
        analyze_video_with_models(movie, [engines[1], engines[1]])
    with pytest.raises(OptionError, match="a path of its own for each of 2 models"):
        analyze_video_with_models(movie, engines, save_scores=[tmp_path / "a.npz"])


@pytest.mark.slow
def test_a_file_that_is_no_video_is_refused(engines, tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"no video")
    with pytest.raises(SourceError):
        analyze_video_with_models(path, engines)


@pytest.mark.slow
def test_models_of_one_image_size_share_parallel_decoders(engines, tiny_model, tmp_path):
    path = make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=660, width=96, gop=15))
    other = Engine(tiny_model, ON_CPU)
    card = other.model.card
    other.model = replace(other.model, card=replace(card, id="other"))
    together = analyze_video_with_models(path, [engines[1], other], decoders=2)
    alone = analyze_video(path, engines[1], decoders=1)
    assert together.segments == together.tracks[0].segments == alone.segments
    assert np.isclose(together.coverage.fraction, 1.0)
