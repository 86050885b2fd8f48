import subprocess
import sys
from dataclasses import fields, is_dataclass

import pytest

import vswin_cli
from tests.support.timelines import columns, track_of


def test_every_public_name_is_there_and_documented():
    for name in vswin_cli.__all__:
        assert getattr(vswin_cli, name) is not None
        assert name == "__version__" or getattr(vswin_cli, name).__doc__


def test_the_overview_names_everything():
    missing = {name for name in vswin_cli.__all__ if name not in vswin_cli.__doc__}
    assert missing == {"__version__"}


def test_an_unknown_name_fails_like_any_other():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        vswin_cli.nothing  # noqa: B018


def test_importing_the_package_loads_its_version_alone():
    script = "import sys, vswin_cli; print(sorted(m for m in sys.modules if 'vswin_cli.' in m))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "['vswin_cli._version']"


def test_completion_lists_names_that_are_not_loaded_yet():
    assert set(vswin_cli.__all__) <= set(dir(vswin_cli))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SegmentOptions", "onset: Score at which a segment begins."),
        ("SamplingOptions", "end_seconds: End of the part to analyse, exclusive."),
        ("Segment", "peak_seconds: Middle of the cell with the largest score."),
        ("ScoreTrack", "valid: (N,) whether any clip covers the cell"),
        ("FeatureFile", "features: (n, C), one row per time step that a clip covers."),
    ],
)
def test_help_describes_the_fields_of_a_record(name, text):
    shown = vswin_cli.__getattr__(name).__doc__
    assert text in shown
    assert shown.count("Fields:") == 1
    assert shown == vswin_cli.__getattr__(name).__doc__


def test_every_field_of_a_public_record_is_documented():
    for name in vswin_cli.__all__:
        record = getattr(vswin_cli, name)
        if isinstance(record, type) and is_dataclass(record):
            missing = [
                field.name
                for field in fields(record)
                if f"\n    {field.name}: " not in record.__doc__
            ]
            assert not missing, name


def test_help_keeps_the_sections_of_a_record_in_their_order():
    shown = vswin_cli.SamplingOptions.__doc__
    assert shown.index("Which clips") < shown.index("Fields:") < shown.index("Raises:")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes are new in Python 3.11")
def test_a_traceback_shows_the_hint():
    with pytest.raises(vswin_cli.VswinError) as caught:
        vswin_cli.SamplingOptions(stride=16)
    assert caught.value.__notes__ == [f"hint: {caught.value.hint}"]


MISTAKES = {
    "engine options": lambda v: v.Engine("camera-motion", "cpu"),
    "three crops": lambda v: v.Engine("camera-motion", crops=2),
    "device": lambda v: v.EngineOptions(device=0),
    "batch size": lambda v: v.EngineOptions(batch_size="8"),
    "stride": lambda v: v.Stride("50%"),
    "stride unit": lambda v: v.Stride(50, "percent"),
    "source": lambda v: v.VideoSource(3),
    "source of": lambda v: v.VideoSource.of(None),
    "sources": lambda v: v.expand_sources(None),
    "model": lambda v: v.load_model(None),
    "labels": lambda v: v.load_model("camera-motion", labels=[1, 2]),
    "examples": lambda v: v.read_examples(3),
    "head": lambda v: v.train_head([1], None),
    "full": lambda v: v.train_full([1], None),
    "background": lambda v: v.add_background([], None),
    "timeline": lambda v: v.Timeline.from_json("movie.json"),
    "scores": lambda v: v.load_scores(3),
    "features": lambda v: v.load_features(None),
    "cut": lambda v: v.cut_segments("movie.json", "clips"),
    "batch": lambda v: v.tag_batch("movie.mp4", "r.csv", "camera-motion"),
    "engine": lambda v: v.analyze_video("movie.mp4", "camera-motion"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_argument_is_our_own_error(mistake):
    with pytest.raises(vswin_cli.VswinError):
        MISTAKES[mistake](vswin_cli)


@pytest.mark.parametrize("labels", [[f"move {i}" for i in range(13)], "names.txt"])
def test_labels_of_a_model_may_be_a_list_or_a_file(tmp_path, monkeypatch, labels):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.txt").write_text("\n".join(f"move {i}" for i in range(13)))
    model = vswin_cli.load_model("camera-motion", labels=labels)
    assert model.card.labels[:2] == ("move 0", "move 1")


def test_a_closed_track_says_so():
    with track_of(columns((20, 0.9))) as track:
        pass
    with pytest.raises(vswin_cli.VswinError, match="the track is closed"):
        track.scores  # noqa: B018
