import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.report.thumbnails import (
    ThumbnailRequest,
    in_time_order,
    plan_requests,
    still_pixels,
    take_images,
)

pytestmark = pytest.mark.slow

NO_CUTS = {"sc_threshold": "0"}  # key frames at regular distances only


def take_thumbnails(*arguments, **options):
    return in_time_order(take_images(*arguments, **options).values())


def test_thumbnails_are_upright_small_and_on_time(tmp_path):
    recipe = VideoRecipe(num_frames=90, width=96, height=64, rotation=90, b_frames=2)
    video = make_video(tmp_path / "turned.mp4", recipe)
    found = take_thumbnails(video, plan_requests(3.0, ()), 100_000)
    assert len(found) == 6
    assert all(one.width < one.height for one in found)
    assert all(i * 0.5 <= one.seconds <= i * 0.5 + 0.25 for i, one in enumerate(found))
    assert max(len(one.url) for one in found) < 3000


def test_a_peak_is_shown_as_it_is_and_anything_near_does_for_the_axis(tmp_path):
    video = make_video(
        tmp_path / "video.mp4", VideoRecipe(num_frames=300, gop=150, options=NO_CUTS)
    )
    requests = [ThumbnailRequest(8.0, 4.0), ThumbnailRequest(3.0, 3.0), ThumbnailRequest(9.5, 9.5)]
    found = take_thumbnails(video, requests, 100_000)
    assert [one.seconds for one in found] == [3.0, 5.0, 9.5]


def test_thumbnails_end_at_the_size_limit(tagged):
    requests = plan_requests(30.0, tagged.timeline.segments)
    everything = take_thumbnails(tagged.video, requests, 1_000_000)
    some = take_thumbnails(tagged.video, requests, 10_000)
    assert 0 < len(some) < len(everything)
    assert sum(len(one.url) for one in some) <= 10_000


def test_thumbnails_end_at_the_time_limit(tagged):
    assert (
        take_thumbnails(tagged.video, plan_requests(30.0, ()), 10**6, time_limit_seconds=-9.9) == []
    )


def test_stills_of_what_browsers_cannot_play_are_larger(tmp_path):
    recipe = VideoRecipe(num_frames=24, width=640, height=360)
    for name, width in (("video.mp4", 160), ("video.mkv", 288)):
        video = make_video(tmp_path / name, recipe)
        (found,) = take_thumbnails(video, plan_requests(0.9, (), still_pixels(video)), 100_000)
        assert abs(found.width - width) <= 2


def test_a_file_that_is_no_video_gives_no_thumbnails(tmp_path):
    (tmp_path / "video.mp4").write_bytes(b"no video at all" * 100)
    assert take_thumbnails(tmp_path / "video.mp4", plan_requests(30.0, ()), 10_000) == []


def test_peaks_come_by_weight_after_the_axis(tagged):
    requests = plan_requests(30.0, tagged.timeline.segments)
    axis = [one for one in requests if one.earliest_seconds < one.seconds]
    assert requests[: len(axis)] == axis
    assert axis[0].earliest_seconds == 0
    assert {one.seconds for one in requests[len(axis) :]} == {
        one.peak_seconds for one in tagged.timeline.segments
    }
