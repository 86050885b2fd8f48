"""Whether predictions and ground truth share videos and labels."""

import pytest

from vswin_cli.errors import OptionError, SourceError
from vswin_cli.evaluation.intervals import AnnotatedVideo, Annotations, Interval
from vswin_cli.evaluation.matching import check_comparable, check_labels_known, read_label_map


def annotations(**labels: str) -> Annotations:
    """A video per keyword, with an interval per label."""
    return Annotations(
        "file",
        {
            name: AnnotatedVideo(name, tuple(Interval(1, 2, label) for label in text.split()))
            for name, text in labels.items()
        },
    )


def test_files_that_share_no_video_are_refused():
    mine, theirs = annotations(a="run"), annotations(b="run")
    with pytest.raises(SourceError, match=r"no video in common: .*'a'.*'b'"):
        check_comparable(mine, theirs)


def test_files_that_share_no_label_are_refused_with_the_way_out():
    mine, theirs = annotations(a="running"), annotations(a="run")
    with pytest.raises(SourceError, match="no label in common") as caught:
        check_comparable(mine, theirs)
    assert "--label-map" in str(caught.value.hint)
    assert check_comparable(mine.renamed({"running": "run"}), theirs) == []


def test_what_only_one_file_has_is_listed():
    mine = annotations(a="run", c="hop", d="fly")
    theirs = annotations(a="run", b="sit", c="sit")
    notes = " ".join(check_comparable(mine, theirs))
    for name in ("'d'", "'b'", "'hop'", "'sit'"):
        assert name in notes


def test_truth_without_intervals_is_refused_and_an_empty_prediction_is_not():
    nothing = annotations(a="")
    something = annotations(a="run")
    with pytest.raises(SourceError, match="nothing to find"):
        check_comparable(something, nothing)
    assert check_comparable(nothing, something)


def test_an_option_may_only_name_labels_that_a_file_has():
    mine, theirs = annotations(a="run"), annotations(a="sit")
    check_labels_known({"run", "sit"}, mine, theirs)
    with pytest.raises(OptionError, match="'hop'") as caught:
        check_labels_known({"run", "hop"}, mine, theirs)
    assert "'run', 'sit'" in str(caught.value.hint)


def test_label_map_is_read_and_checked(tmp_path):
    path = tmp_path / "map.csv"
    path.write_text('running,run\n"tap, dancing",dance\n\n')
    assert read_label_map(path) == {"running": "run", "tap, dancing": "dance"}
    path.write_text("running,run\nrunning,walk\n")
    with pytest.raises(SourceError, match="line 2: 'running' already"):
        read_label_map(path)
    for bad in ("running\n", '"running,run\nwalking,walk\n'):
        path.write_text(bad)
        with pytest.raises(SourceError, match="line 1"):
            read_label_map(path)
