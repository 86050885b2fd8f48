"""Decoders that do nothing else are the ceiling of decoding."""

import av
import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.bench import decode_ceiling
from vswin_cli.bench.decode_ceiling import (
    ceiling_of_decoding,
    hardware_decoders,
    software_decoders,
)
from vswin_cli.bench.record import Timing


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return make_video(tmp_path_factory.mktemp("videos") / "a.mp4", VideoRecipe(num_frames=40))


def test_each_core_decodes_the_same_frames_with_one_thread(path, monkeypatch):
    monkeypatch.setattr(decode_ceiling, "usable_cores", lambda: 3)
    decoded = []
    decode = decode_ceiling._decode

    def counted(path, num_frames, **kind):
        decoded.append(num_frames)
        decode(path, num_frames, **kind)

    monkeypatch.setattr(decode_ceiling, "_decode", counted)
    found = software_decoders(path, 40)
    found.workload.run()
    assert decoded == [40] * 3
    assert found.frames_per_second(Timing.of([2.0, 1.5])) == 80.0
    assert software_decoders(path, 10**6).num_frames == decode_ceiling._MOST_FRAMES


def test_without_a_chip_there_are_no_hardware_decoders(path, monkeypatch):
    def refusing(*_, **__):
        raise av.error.ExternalError(1, "no device")

    monkeypatch.setattr(decode_ceiling, "_decode", refusing)
    assert hardware_decoders(path, 40) is None


def test_the_share_counts_both_kinds_of_decoders(path):
    software = software_decoders(path, 40)
    chip = decode_ceiling.DecodersAtOnce(
        4, 40, decode_ceiling.Workload("NVDEC ceiling", lambda: None)
    )
    timings = {"decode ceiling": Timing.of([1.0]), "NVDEC ceiling": Timing.of([0.5])}
    alone = ceiling_of_decoding(20.0, [software], timings)
    assert alone is not None
    assert alone.frames_per_second == software.count * 40
    assert (alone.hardware_frames_per_second, alone.hardware_decoders) == (None, 0)
    assert alone.share == pytest.approx(20 / alone.frames_per_second)
    both = ceiling_of_decoding(20.0, [software, chip], timings)
    assert both is not None
    assert (both.hardware_frames_per_second, both.hardware_decoders) == (320.0, 4)
    assert both.share == pytest.approx(20 / (alone.frames_per_second + 320))
    assert ceiling_of_decoding(20.0, [], timings) is None
