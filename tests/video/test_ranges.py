"""The queue of ranges: which decoder gets which, and when one has to wait."""

import threading

from vswin_cli.video.ranges import RangeLimits, RangeQueue

WIDE = RangeLimits(8, 1000.0)


def every(seconds):
    """Finds key frames at these times."""
    return lambda time: next((one for one in seconds if one >= time), None)


def claim(ranges, keyframes=(4.0, 8.0, 12.0), *, is_reference=True):
    return ranges.claim(every(keyframes), is_reference=is_reference)


def in_thread(work):
    """Start `work`; returns the thread and the list that gets its result."""
    results = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    return thread, results


def test_ranges_follow_one_another_and_leave_the_end_out():
    ranges = RangeQueue(0.0, 10.0, WIDE)
    found = [claim(ranges) for _ in range(3)]
    assert [(one.begin_seconds, one.end_seconds) for one in found[:2]] == [(0.0, 4.0), (4.0, 8.0)]
    assert found[2] is None


def test_frames_come_in_order_though_the_second_range_is_done_first():
    ranges = RangeQueue(0.0, 10.0, WIDE)
    first, second = claim(ranges), claim(ranges)
    second.frames.put("later")
    ranges.finish(second, is_reference=True)
    first.frames.put("earlier")
    ranges.finish(first, is_reference=True)
    assert claim(ranges) is None
    assert list(ranges.frames()) == ["earlier", "later"]
    assert ranges.end_seconds == 8.0


def test_a_decoder_waits_while_too_many_ranges_are_open():
    ranges = RangeQueue(0.0, 20.0, RangeLimits(1, 1000.0))
    first = claim(ranges)
    thread, results = in_thread(lambda: claim(ranges))
    thread.join(0.2)
    assert thread.is_alive()
    ranges.finish(first, is_reference=True)
    frames = ranges.frames()
    reading, _ = in_thread(lambda: next(frames, None))
    thread.join(30)
    assert results[0].begin_seconds == 4.0
    ranges.give_up()
    reading.join(30)


def test_a_key_frame_that_does_not_come_ends_the_ranges():
    assert claim(RangeQueue(0.0, 100.0, WIDE), keyframes=()) is None
    assert claim(RangeQueue(5.0, 100.0, WIDE), keyframes=(1e6,)) is None


def test_after_an_irregularity_nothing_is_claimed_or_yielded():
    ranges = RangeQueue(0.0, 10.0, WIDE)
    claim(ranges).frames.put("doubtful")
    ranges.give_up()
    assert claim(ranges) is None
    assert list(ranges.frames()) == []
    assert not ranges.is_sound


def test_a_closed_queue_lets_every_decoder_go():
    ranges = RangeQueue(0.0, 20.0, RangeLimits(1, 1000.0))
    claim(ranges)
    thread, results = in_thread(lambda: claim(ranges))
    ranges.close()
    thread.join(30)
    assert results == [None]


def test_a_reference_decoder_that_meets_the_end_waits_for_ranges_still_to_be_given_back():
    ranges = RangeQueue(0.0, 8.0, WIDE)
    provisional = claim(ranges, is_reference=False)
    thread, results = in_thread(lambda: claim(ranges))
    thread.join(0.2)
    assert thread.is_alive()
    ranges.give_back(provisional)
    thread.join(30)
    assert results == [provisional]
