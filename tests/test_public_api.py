import subprocess
import sys

import pytest

import vswin_cli


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
def test_help_tells_what_the_fields_of_a_record_mean(name, text):
    shown = vswin_cli.__getattr__(name).__doc__
    assert text in shown
    assert shown.count("Fields:") == 1
    assert shown == vswin_cli.__getattr__(name).__doc__


def test_help_keeps_the_sections_of_a_record_in_their_order():
    shown = vswin_cli.SamplingOptions.__doc__
    assert shown.index("Which clips") < shown.index("Fields:") < shown.index("Raises:")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes are new in Python 3.11")
def test_a_traceback_shows_the_hint():
    with pytest.raises(vswin_cli.VswinError) as caught:
        vswin_cli.SamplingOptions(stride=16)
    assert caught.value.__notes__ == [f"hint: {caught.value.hint}"]
