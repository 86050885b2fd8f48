"""Decoding beside software, with software frames in the place of those on a GPU."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import pytest

from tests.support.events import assert_same_events, events_of
from tests.support.frame_converters import Darker, Plain
from tests.support.triton_device import TRITON_DEVICE
from tests.support.videos import VideoRecipe, make_video, overwrite
from vswin_cli.video import nvdec
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.memory_limit import allow_device_memory
from vswin_cli.video.nvdec import Nvdec, nvdec_for, nvdec_obstacle
from vswin_cli.video.reader import VideoReader
from vswin_cli.video.sampling import SamplingPlan

SIDE = 32
VIDEO = VideoRecipe(num_frames=120, rate=Fraction(10), gop=20, b_frames=2)


@pytest.fixture
def path(tmp_path):
    return make_video(tmp_path / "a.mp4", VIDEO)


def every_third(begin, end):
    return int(begin * 10 + 0.5) % 3 == 0


@pytest.fixture
def with_driver(monkeypatch):
    """As if the driver's libraries were there."""
    monkeypatch.setattr(nvdec, "missing_driver_library", lambda: None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"codec": "av1", "pixel_format": "yuv420p10le"}, None),
        ({"codec": "mpeg4"}, "mpeg4"),
        ({"pixel_format": "yuv422p"}, "yuv422p"),
        ({"width": 63}, "63×64 pixels"),
    ],
)
def test_what_the_chip_cannot_do_is_known_beforehand(path, with_driver, changes, words):
    with VideoReader(path) as reader:
        obstacle = nvdec_obstacle(replace(reader.info, **changes))
    assert obstacle is None if words is None else words in obstacle


def test_without_the_drivers_libraries_there_is_no_decoder(path, monkeypatch):
    monkeypatch.setattr(nvdec, "missing_driver_library", lambda: "libnvcuvid.so.1")
    chip = Nvdec()
    with VideoReader(path) as reader:
        reader.decode_only(every_third)
        assert chip.makers(reader, SIDE, 0.0, 12.0, 8) == []
    (warning,) = chip.warnings
    assert warning.code == "SOFTWARE_DECODING"
    assert warning.message == "decoded in software, not by NVDEC: libnvcuvid.so.1 is missing"


def test_the_number_of_decoders_follows_from_length_and_size(path, with_driver):
    with VideoReader(path) as reader:
        reader.decode_only(every_third)
        assert len(Nvdec().makers(reader, SIDE, 0.0, 1000.0, 16)) == 8
        assert len(Nvdec().makers(reader, SIDE, 0.0, 1000.0, 1)) == 2
        assert len(Nvdec().makers(reader, SIDE, 0.0, 12.0, 16)) == 3
        reader.info = replace(reader.info, width=7680, height=4320)
        assert len(Nvdec().makers(reader, SIDE, 0.0, 1000.0, 16)) == 1


def test_a_short_video_is_not_blamed_where_there_is_no_driver(path, monkeypatch, with_driver):
    with VideoReader(path) as reader:
        info = reader.info
    chip = Nvdec()
    chip.note_undivided(info)
    assert "short" in chip.obstacle
    monkeypatch.setattr(nvdec, "missing_driver_library", lambda: "libcuda.so.1")
    chip.note_undivided(info)
    assert chip.obstacle == "libcuda.so.1 is missing"


@pytest.mark.skipif(TRITON_DEVICE.type == "cuda", reason="there is a GPU")
def test_a_gpu_that_does_not_open_is_told_once_and_software_goes_on(path, with_driver):
    chip = Nvdec()
    with VideoReader(path) as reader:
        reader.decode_only(every_third)
        makers = chip.makers(reader, SIDE, 0.0, 12.0, 2)
    assert chip.obstacle is None
    assert [make() for make in makers] == [None, None]
    assert len(chip.warnings) == 1
    assert chip.obstacle


@pytest.fixture
def chip(monkeypatch, with_driver):
    """A chip that decodes what FFmpeg's software does, to frames that are no reference."""

    def open_reader(self, path, is_wanted):
        reader = VideoReader(path, strict=True)
        reader.decode_only(is_wanted)
        return reader

    decoded = []

    class Counted(Plain):
        def convert(self, frames, height, width):
            decoded.append(len(frames))
            return super().convert(frames, height, width)

    monkeypatch.setattr(Nvdec, "_open", open_reader)
    monkeypatch.setattr(Nvdec, "_converter", lambda self, site: Counted())
    return decoded


LONG = VideoRecipe(num_frames=300, rate=Fraction(10), gop=10, b_frames=2)
PLAN = SamplingPlan(num_frames=8, stride=8, short_side=SIDE, positions_per_second=5.0)
JUMPS = [i / 10 + 3.0 * (i >= 150) for i in range(300)]
UNEVEN = [i / 10 + (i % 3) / 50 for i in range(300)]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"rotation": 90.0},
        {"times": JUMPS},
        {"times": [i / 10 + (i % 3) / 50 for i in range(300)]},
    ],
    ids=["plain", "rotated", "gap", "variable rate"],
)
def test_events_beside_a_chip_are_those_of_software(tmp_path, chip, changes):
    path = make_video(tmp_path / "a.mp4", replace(LONG, **changes))
    alone = events_of(path, PLAN)
    assert_same_events(events_of(path, PLAN, DecodeOptions(decoder="nvdec")), alone)
    assert sum(chip) > 8  # more than were compared


def test_damage_beside_a_chip_is_reported_as_by_software(tmp_path, chip):
    path = overwrite(make_video(tmp_path / "a.mp4", LONG), 0.6, 0.62)
    alone = events_of(path, PLAN)
    assert alone[-1].bad_packets + alone[-1].corrupt_frames > 0
    assert_same_events(events_of(path, PLAN, DecodeOptions(decoder="nvdec")), alone)


def test_a_chip_with_wrong_images_is_not_used(tmp_path, chip, monkeypatch):
    monkeypatch.setattr(Nvdec, "_converter", lambda self, site: Darker())
    path = make_video(tmp_path / "a.mp4", LONG)
    alone = events_of(path, PLAN)
    *events, report = events_of(path, PLAN, DecodeOptions(decoder="nvdec"))
    (warning,) = report.warnings
    assert warning.message.startswith(
        "decoded in software, not by NVDEC: images differ from those in software"
    )
    assert_same_events([*events, replace(report, warnings=())], alone)


@pytest.mark.parametrize(
    ("decoder", "said"),
    [("nvdec", ["decoded in software, not by NVDEC: libnvcuvid.so.1 is missing"]), ("auto", [])],
)
def test_only_who_asks_for_nvdec_hears_that_there_is_none(tmp_path, monkeypatch, decoder, said):
    monkeypatch.setattr(nvdec, "missing_driver_library", lambda: "libnvcuvid.so.1")
    path = make_video(tmp_path / "a.mp4", LONG)
    report = events_of(path, PLAN, DecodeOptions(decoder=decoder))[-1]
    assert [warning.message for warning in report.warnings] == said


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits")
def test_room_for_a_driver_never_lowers_a_limit():
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    allow_device_memory()
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    assert hard == before[1]
    assert soft == before[0] or soft > before[0]


def test_a_video_that_is_decoded_already_does_not_wait_for_what_is_loading(
    path, monkeypatch, with_driver
):
    class Endless:
        fault = None

        def is_alive(self):
            return True

        def join(self, seconds):
            pass

    monkeypatch.setattr(nvdec, "_loading", Endless)
    chip = Nvdec()
    with VideoReader(path) as reader:
        reader.decode_only(every_third)
        makers = chip.makers(reader, SIDE, 0.0, 12.0, 2)
    with ThreadPoolExecutor(2) as threads:
        made = [threads.submit(make) for make in makers]
        chip.stop()
        assert [one.result(30) for one in made] == [None, None]
    assert chip.warnings == ()


@pytest.mark.parametrize(
    ("decoders", "seconds", "is_used"),
    [(1, 59, False), (1, 61, True), (4, 61, False), (9, 9000, False)],
)
def test_nvdec_is_not_loaded_for_short_videos_or_beside_many_cores(
    path, monkeypatch, with_driver, decoders, seconds, is_used
):
    nvdec._loading.cache_clear()
    with VideoReader(path) as reader:
        reader.decode_only(every_third)
        for decoder, expected in (("auto", is_used), ("nvdec", True)):
            chip = nvdec_for(DecodeOptions(decoder=decoder, decoders=decoders))
            assert bool(chip.makers(reader, SIDE, 0.0, seconds, 2)) == expected
