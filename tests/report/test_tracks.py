import base64
import zlib
from dataclasses import replace

import numpy as np
import pytest

from tests.support.reports import random_track
from tests.support.timelines import track_of
from vswin_cli.config import LabelGroup, SegmentOptions
from vswin_cli.report.tracks import LOWEST_ONSET, pack_track


def unpack(packed) -> np.ndarray:
    """(L, N), written down from the format rather than from the code."""
    data = base64.b64decode(packed.scores)
    columns: list[np.ndarray] = []
    while data:
        size = int.from_bytes(data[:4], "little")
        planes = np.frombuffer(zlib.decompress(data[4 : 4 + size]), np.uint8)
        data = data[4 + size :]
        if packed.bits == 16:
            high, low = planes.reshape(2, -1).astype(np.uint16)
            columns.append(np.cumsum(256 * high + low, dtype=np.uint16).view(np.float16))
        else:
            columns.append(np.cumsum(planes, dtype=np.uint8) / 256)
    return np.array(columns, np.float32)


def test_scores_travel_unchanged_while_there_is_room():
    with random_track(1) as track:
        packed = pack_track(track, SegmentOptions(), 1_000_000)
        assert packed.bits == 16
        assert packed.labels == track.labels
        assert np.array_equal(unpack(packed).T, track.read(0, track.num_cells))
    assert packed.num_left_out == 0
    assert packed.lowest_onset == LOWEST_ONSET


def test_scores_are_rounded_where_room_is_short():
    with random_track(2, cells=2000) as track:
        exact = pack_track(track, SegmentOptions(), 1_000_000)
        packed = pack_track(track, SegmentOptions(), len(exact.scores) * 7 // 10)
        assert packed.bits == 8
        assert len(packed.scores) <= len(exact.scores) * 7 // 10
        difference = np.abs(unpack(packed).T - track.read(0, track.num_cells))
        scores = track.read(0, track.num_cells)
    assert difference[scores > 1 / 64].max() <= 1 / 256
    assert difference.max() <= 1 / 64


def test_what_has_no_room_is_left_out_from_the_lowest_on():
    with random_track(3, cells=400, classes=30) as track:
        whole = pack_track(track, SegmentOptions(), 1_000_000)
        packed = pack_track(track, SegmentOptions(), 4000)
        best = track.read(0, track.num_cells).max(axis=0)
    assert 0 < len(packed.labels) < len(whole.labels)
    assert packed.num_left_out == len(whole.labels) - len(packed.labels)
    missing = [best[i] for i, name in enumerate(track.labels) if name not in packed.labels]
    kept = [best[i] for i, name in enumerate(track.labels) if name in packed.labels]
    assert max(missing) <= min(kept)
    assert max(missing) < packed.lowest_onset


def test_labels_that_reach_the_onset_travel_however_many_there_are():
    each_once = 0.6 * np.eye(300) + 0.001  # a cell per label
    each_once[270:] /= 3  # some do not reach it
    with track_of(each_once, activation="sigmoid") as track:
        packed = pack_track(track, SegmentOptions(onset=0.4), 1_000_000)
    assert packed.labels == track.labels[:270]
    assert (packed.num_left_out, packed.lowest_onset) == (30, 0.21)


def test_scores_that_do_not_compete_travel_without_margin_and_entropy(tagged):
    with random_track(5) as track:
        competing = pack_track(track, SegmentOptions(), 1_000_000)
        alone = pack_track(replace(track, activation="sigmoid"), SegmentOptions(), 1_000_000)
    assert competing.margins
    assert competing.entropies
    assert (alone.margins, alone.entropies) == ("", "")


def test_only_reported_labels_and_groups_travel():
    options = SegmentOptions(
        groups=(LabelGroup("both", ("label 1", "label 2")),), exclude=("label 0",)
    )
    with random_track(4) as track:
        packed = pack_track(track, options, 1_000_000)
        rows = track.read(0, track.num_cells)
    assert packed.labels == ("label 3", "label 4", "both")
    both = np.minimum(rows[:, 1] + rows[:, 2], 1)
    assert unpack(packed)[2] == pytest.approx(both, abs=1e-3)
