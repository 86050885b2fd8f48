"""The estimate of the time left, with a clock that the tests set."""

from pathlib import Path

import pytest

from vswin_cli.batch.activity import Activity
from vswin_cli.batch.inputs import BatchInput
from vswin_cli.batch.outcome import Outcome, OutcomeStatus
from vswin_cli.batch.time_left import TimeLeft
from vswin_cli.storage.sources import VideoSource


def batch(*sizes: int) -> tuple[list[BatchInput], TimeLeft]:
    inputs = [BatchInput(VideoSource.of(f"{i}.mp4"), "state", size) for i, size in enumerate(sizes)]
    return inputs, TimeLeft(inputs)


def outcome(item: BatchInput, seconds: float, status: OutcomeStatus = "ok") -> Outcome:
    return Outcome(item.source.uri, item.entry, None, "", "", status, duration_seconds=seconds)


def test_empty_tiny_and_failed_files_give_no_estimate():
    inputs, left = batch(0, 10, 1000, 1000, 1000)
    left.begin(100.0)
    left.add(outcome(inputs[0], 0.0, "failed"))
    left.add(outcome(inputs[1], 0.1))
    left.add(outcome(inputs[2], 0.0, "failed"))
    done = {item.entry for item in inputs[:3]}
    assert left.seconds(101.0, done, [Activity("3.mp4", 5.0, "cpu", inputs[3].entry)]) is None
    left.add(outcome(inputs[3], 10.0))
    done.add(inputs[3].entry)
    assert left.seconds(110.0, done, []) == pytest.approx(10.0 * 1000 / 1010)


def test_what_is_running_counts_by_its_position():
    inputs, left = batch(1000, 1000, 1000)
    left.begin(0.0)
    left.add(outcome(inputs[0], 10.0))
    done = {inputs[0].entry}
    # Three workers at the same speed: the first is done, the others are as far.
    running = [Activity("", 9.0, "", item.entry) for item in inputs[1:]]
    assert left.seconds(60.0, done, running) == pytest.approx(60.0 * 200 / 2800)
    # A position past the expected end does not count for more than the whole file.
    far = [Activity("", 99.0, "", item.entry) for item in inputs[1:]]
    assert left.seconds(60.0, done, far) == 0.0


def test_parts_of_a_video_count_from_where_they_begin():
    inputs, left = batch(1000, 1000)
    left.begin(0.0)
    left.add(outcome(inputs[0], 10.0))
    parts = [
        Activity("", 2.0, "", inputs[1].entry),
        Activity("", 7.0, "", inputs[1].entry, 5.0),
        Activity(None, 0.0, "cpu"),
    ]
    assert left.seconds(14.0, {inputs[0].entry}, parts) == pytest.approx(14.0 * 600 / 1400)


def test_the_start_of_workers_and_earlier_results_do_not_count():
    inputs, left = batch(1000, 1000, 1000, 1000)
    left.begin(50.0)
    left.begin(70.0)
    left.add(outcome(inputs[1], 10.0))
    done = {inputs[0].entry, inputs[1].entry}  # the first by an earlier run
    assert left.seconds(60.0, done, []) == pytest.approx(20.0)


def test_sizes_that_no_server_states_count_as_the_average():
    remote = BatchInput(VideoSource.of("https://example.org/a.mp4"), "address")
    known = BatchInput(VideoSource.of("b.mp4"), "state", 500)
    left = TimeLeft([remote, known])
    left.begin(0.0)
    left.add(outcome(known, 10.0))
    assert left.seconds(5.0, {known.entry}, []) == pytest.approx(5.0)
    assert TimeLeft([]).seconds(1.0, set(), []) is None


def test_a_batch_of_empty_files_has_no_estimate():
    left = TimeLeft([BatchInput(VideoSource.of(str(Path("a.mp4"))), "state", 0)])
    left.begin(0.0)
    assert left.seconds(5.0, set(), []) is None
