"""Matches as timelines: a segment each, in the video they are in."""

from tests.support.features import feature_file, smooth_rows
from vswin_cli.search.query import make_query
from vswin_cli.search.search import Match
from vswin_cli.search.timelines import timelines_of
from vswin_cli.timeline.record import Timeline

FIRST, SECOND = (feature_file(smooth_rows(40), uri=uri) for uri in ("a.mp4", "b.mp4"))


def test_each_video_has_a_timeline_the_best_one_first():
    matches = [Match(SECOND, 4.0, 6.0, 0.9), Match(FIRST, 1, 3, 0.8), Match(SECOND, 0, 2, 0.7)]
    (file, best), (_, other) = timelines_of(matches, "goal", min_similarity=0.5)
    assert file is SECOND
    assert (best.video.uri, other.video.uri) == ("b.mp4", "a.mp4")
    rows = [(s.start_seconds, s.end_seconds, s.label, s.score) for s in best.segments]
    assert rows == [(0, 2, "goal", 0.7), (4.0, 6.0, "goal", 0.9)]
    assert (best.segments[1].start_frame, best.segments[1].end_frame) == (100, 150)
    assert best.segments[1].num_clips == 3
    assert best.postprocess.onset == 0.5


def test_a_notice_says_what_the_moments_are_like():
    query = make_query(
        FIRST.features,
        FIRST.start_seconds,
        FIRST.end_seconds,
        FIRST.record,
        start_seconds=3.0,
        end_seconds=4.5,
    )
    ((_, timeline),) = timelines_of([Match(SECOND, 1.0, 3.0, 0.5)], "match", query=query)
    (notice,) = timeline.warnings
    assert notice.code == "SEARCH"
    assert notice.message.startswith("moments like a.mp4 from 0:03.0 to 0:04.5")


def test_a_timeline_survives_json_even_for_opposite_features():
    ((_, timeline),) = timelines_of([Match(FIRST, 1.0, 3.0, -0.25)], "match")
    assert timeline.segments[0].score == 0
    assert Timeline.from_json(timeline.to_json()) == timeline


def test_no_match_has_no_timeline():
    assert timelines_of([], "match") == []
