import sys

import pytest

from vswin_cli.video import decoder_pool
from vswin_cli.video.decoder_pool import DecoderPool

# Stands for a decoder: it waits for its standard input to be closed.
COMMAND = [sys.executable, "-S", "-c", "import sys; sys.stdin.read()"]
OTHER = [*COMMAND, "other options"]


@pytest.fixture
def pool():
    with DecoderPool() as pool:
        yield pool


def test_an_idle_process_serves_the_next_video_of_the_same_command(pool):
    process = pool.take(COMMAND)
    pool.put_back(process)
    assert pool.take(COMMAND) is process
    pool.put_back(process)


def test_another_command_or_a_dead_process_needs_a_new_one(pool):
    process = pool.take(COMMAND)
    pool.put_back(process)
    other = pool.take(OTHER)
    assert other is not process
    assert not process.is_alive
    other.kill()
    other._process.wait()
    pool.put_back(other)
    replacement = pool.take(OTHER)
    assert replacement is not other
    replacement.close()


def test_a_process_is_replaced_after_its_share_of_videos(pool, monkeypatch):
    monkeypatch.setattr(decoder_pool, "VIDEOS_PER_DECODER", 1)
    process = pool.take(COMMAND)
    process.begin(b"")
    pool.put_back(process)
    assert not process.is_alive


def test_a_closed_pool_ends_idle_and_returned_processes():
    with DecoderPool() as pool:
        idle, busy = pool.take(COMMAND), pool.take(COMMAND)
        pool.put_back(idle)
    assert not idle.is_alive
    assert busy.is_alive
    pool.put_back(busy)
    assert not busy.is_alive
