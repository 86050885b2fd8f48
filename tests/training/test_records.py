"""Sets of examples: background, labels that cannot be told apart, copies of one video."""

import pytest

from vswin_cli.errors import OptionError, SourceError
from vswin_cli.storage.sources import VideoSource
from vswin_cli.training.records import (
    Example,
    ExampleSet,
    check_examples,
    check_labels,
    joined_by_content,
    labels_of,
    merge_sets,
    none_readable,
    notes_on_counts,
)


def example(name, *labels, **fields):
    return Example(VideoSource.of(name), labels, **fields)


def test_an_example_says_which_part_of_which_video_it_is():
    assert str(example("a.mp4")) == "a.mp4"
    assert str(example("a.mp4", end_seconds=4.0)) == "a.mp4 from 0 s to 4 s"
    assert str(example("a.mp4", start_seconds=1.5)) == "a.mp4 from 1.5 s to the end"
    assert example("a.mp4").video == VideoSource.of("a.mp4").place


def test_a_label_background_is_no_label():
    sets = [
        ExampleSet((example("a.mp4", "Background"),), notes=("one",)),
        ExampleSet((example("b.mp4", "cat", "background"),), problems=(("c", "gone"),)),
    ]
    merged = merge_sets(sets)
    assert [one.labels for one in merged.examples] == [(), ("cat",)]
    assert labels_of(merged.examples) == ("cat",)
    assert (merged.notes, merged.problems) == (("one",), (("c", "gone"),))


def test_copies_of_a_video_have_one_identity_also_by_way_of_others():
    examples = [example(name, "x") for name in ("a", "b", "c", "d")]
    # a and b are copies, and b's part of c is a copy, too.
    same = [example("c", "x", video=examples[1].video), *examples]
    joined = joined_by_content(same, ["2", "1", "1", "2", None])
    assert len({one.video for one in joined[:4]}) == 1
    assert joined[4].video == examples[3].video


@pytest.mark.parametrize(
    ("examples", "problem"),
    [
        ([], "there are no labelled examples"),
        ([example("a")], "there are no labelled examples"),
        ([example("a", "cat")], "all examples are of one class, 'cat'"),
        ([example("a", "cat"), example("b", "CAT ")], "differ only in upper case or spaces"),
    ],
)
def test_labels_that_cannot_be_told_apart_are_refused(examples, problem):
    with pytest.raises(SourceError, match=problem):
        check_labels(examples)


def test_one_label_and_background_are_two_classes():
    assert check_labels([example("a", "cat"), example("b")]) == ("cat",)


def test_what_was_left_out_may_be_the_reason_for_a_single_class():
    with pytest.raises(SourceError, match=r"left out are b: gone \(and 1 more\)"):
        check_labels([example("a", "cat")], [("b", "gone"), ("c", "gone")])


def test_rare_classes_and_those_of_one_video_are_named():
    few, single = notes_on_counts([example("a", "cat")] * 12 + [example("b"), example("c")])
    assert few == "classes with fewer than 12 examples: background 2"
    assert single.endswith(": cat")
    assert notes_on_counts([example(f"{i}", "cat") for i in range(12)]) == ()


def test_the_first_of_the_unreadable_examples_is_named():
    error = none_readable([("a.mp4", "damaged"), ("b.mp4", "gone")])
    assert error.message == "not one of 2 examples can be read; a.mp4: damaged"
    assert none_readable([("a.mp4", "damaged")], "copy it again").hint == "copy it again"


def test_other_values_are_no_examples():
    check_examples(ExampleSet(()))
    with pytest.raises(OptionError, match="read_examples"):
        check_examples([example("a", "cat")])
