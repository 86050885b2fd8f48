import random
from collections import Counter
from dataclasses import replace

import pytest

from vswin_cli.errors import SourceError
from vswin_cli.storage.sources import VideoSource
from vswin_cli.training.records import Example, joined_by_content
from vswin_cli.training.split import make_folds, split_examples


def examples(num_videos=24, clips=3, labels=("a", "b", "c")):
    return [
        Example(VideoSource.of(f"v{v}_{c}.mp4"), (labels[v % len(labels)],), video=f"v{v}")
        for v in range(num_videos)
        for c in range(clips)
    ]


def test_no_video_is_in_two_folds_and_classes_are_spread():
    found = examples()
    folds = make_folds(found, 4, seed=3)
    by_video = {(e.video, fold) for e, fold in zip(found, folds, strict=True)}
    assert len(by_video) == 24
    counts = Counter((e.labels[0], fold) for e, fold in zip(found, folds, strict=True))
    assert set(counts.values()) == {6}


def test_split_does_not_depend_on_the_order_but_on_the_seed():
    found = examples()
    shuffled = random.Random(1).sample(found, len(found))

    def held_out(given, seed):
        return {given[i].source.uri for i in split_examples(given, seed=seed).held_out}

    assert held_out(found, 1) == held_out(shuffled, 1)
    assert held_out(found, 1) != held_out(found, 2)


def test_share_is_held_out_although_one_video_is_large():
    big = [Example(VideoSource.of(f"big{i}.mp4"), ("a",), video="big") for i in range(40)]
    split = split_examples([*big, *examples(num_videos=12, clips=5)], share=0.2)
    assert 15 <= len(split.held_out) <= 25


def test_given_sides_are_kept():
    found = [
        Example(VideoSource.of(f"{i}.mp4"), ("a",), part="held-out" if i % 3 == 0 else "train")
        for i in range(9)
    ]
    assert split_examples(found).held_out == (0, 3, 6)


def test_a_video_on_both_sides_fails():
    pair = [
        Example(VideoSource.of(f"{part}.mp4"), ("a",), video="same", part=part)
        for part in ("train", "held-out")
    ]
    with pytest.raises(SourceError, match="clips of same on both sides"):
        split_examples(pair)


def test_one_side_only_fails():
    with pytest.raises(SourceError, match="on one side"):
        split_examples([Example(VideoSource.of("a.mp4"), ("a",), part="train")])


def test_one_video_only_fails():
    with pytest.raises(SourceError, match="all examples are of one video"):
        split_examples(examples(num_videos=1))


def test_copies_of_a_video_stay_together():
    found = [Example(VideoSource.of(f"{i}.mp4"), ("a",), video=f"v{i}") for i in range(5)]
    joined = joined_by_content(found, ["x", "y", "x", None, "y"])
    assert [e.video for e in joined] == ["v0", "v1", "v0", "v3", "v1"]
    chained = joined_by_content(
        [*found[:3], replace(found[0], source=found[2].source)], ["x", "y", "y", "y"]
    )
    assert len({e.video for e in chained}) == 1
