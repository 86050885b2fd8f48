"""When a seek is worth it, and where it is tried."""

from dataclasses import replace

import pytest

from tests.support.events import probe
from tests.support.videos import VideoRecipe, make_video
from vswin_cli.video.seek import SeekPlanner


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    path = make_video(tmp_path_factory.mktemp("seek") / "a.ts", VideoRecipe())
    return replace(probe(path), declared_duration_seconds=1000.0)


def is_worth_it(planner, here, target, keyframe_between=None):
    return planner.worth_seeking(here, target, keyframe_between=keyframe_between)


@pytest.mark.parametrize("between", [True, False])
def test_an_index_decides(info, between):
    planner = SeekPlanner(info, "mov")
    assert is_worth_it(planner, 5.0, 50.0, between) is between
    assert not is_worth_it(planner, 5.0, 6.9, between)  # near enough to decode


def test_without_an_index_only_long_distances_are_sought(info):
    for container, keyframe_between in (("mpegts", True), ("mov", None)):
        planner = SeekPlanner(info, container)
        assert not is_worth_it(planner, 5.0, 14.9, keyframe_between)
        assert is_worth_it(planner, 5.0, 15.1, keyframe_between)


def test_a_seek_that_went_backwards_makes_the_next_one_costlier(info):
    planner = SeekPlanner(info, "mpegts")
    planner.record_landing(30.0, 31.0)
    assert is_worth_it(planner, 31.0, 42.0)
    planner.record_landing(42.0, 20.0)
    assert not is_worth_it(planner, 20.0, 59.0)
    assert is_worth_it(planner, 20.0, 61.0)


def test_no_seek_where_it_could_land_wrongly(info):
    assert not is_worth_it(SeekPlanner(info, "mov"), 5.0, 1000.0, True)  # the declared end
    assert not is_worth_it(SeekPlanner(replace(info, seekable=False), "mov"), 5.0, 50.0, True)
    planner = SeekPlanner(info, "mpegts")
    planner.has_continuous_timestamps = False
    assert not is_worth_it(planner, 5.0, 500.0)
    assert list(planner.landings(500.0)) == []


def test_a_seek_that_lands_late_is_repeated_from_further_back(info):
    assert list(SeekPlanner(info, "avi").landings(5.0)) == [5.0, 4.0, 2.0]
    assert list(SeekPlanner(info, "avi").landings(0.0)) == []
    planner = SeekPlanner(info, "mpegts")
    assert list(planner.landings(5.0)) == []  # before the clock was examined
    planner.has_continuous_timestamps = True
    assert list(planner.landings(100.0)) == [100.0, 99.0, 97.0, 90.0, 40.0]
