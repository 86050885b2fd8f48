"""Feature files: plain arrays for anybody, mapped rows for us, clear errors for the rest."""

import json
import zipfile

import numpy as np
import pytest

from vswin_cli.errors import SourceError, SourceNotFoundError
from vswin_cli.timeline.feature_files import load_features, save_features
from vswin_cli.timeline.features import FeatureBuilder, FeatureRecord
from vswin_cli.timeline.record import Coverage, ModelRecord, SamplingRecord, VideoRecord
from vswin_cli.timeline.scores import ClipLogits
from vswin_cli.video.info import Gap

WIDTH = 5
STEP = 0.25


def clip(index: int, start: float, value: float, steps: int = 4, valid: int = 4) -> ClipLogits:
    rows = value + np.arange(steps, dtype=np.float32)[:, None] * np.ones(WIDTH, np.float32)
    edges = start + np.minimum(np.arange(steps + 1), valid) * STEP
    return ClipLogits(index, edges, np.zeros((1, steps, 2), np.float32), valid, rows[None])


def record() -> FeatureRecord:
    return FeatureRecord(
        video=VideoRecord(uri="a.mp4", size_bytes=9, container="mp4", codec="h264", width=64,
            height=48, rotation=0, duration_seconds=2.5, start_time_seconds=0.0,
            average_frame_rate=25.0, frame_rate_rational="25/1", variable_frame_rate=False,
            frames_decoded=62),
        model=ModelRecord(id="m", architecture="swin3d_t", dataset="d", num_classes=2,
            weights_sha256="0" * 64, labels_sha256="1" * 64, source="test"),
        sampling=SamplingRecord(num_frames=8, frame_rate=8.0, clip_seconds=1.0,
            stride_seconds=0.5, resize=64, crops=1, short="loop", precision="float32",
            frame_interval=None, step_seconds=STEP, start_seconds=None, end_seconds=None),
        coverage=Coverage(fraction=1.0, analysed_seconds=2.5, num_clips=3),
    )  # fmt: skip


@pytest.fixture
def track():
    builder = FeatureBuilder(WIDTH, STEP)
    builder.add(clip(0, 0.0, 0.0))
    builder.add(clip(1, 0.5, 10.0))
    builder.add(clip(2, 2.0, 5.0, valid=2))
    cells = builder.average(2.5)
    with builder.finish(cells, [Gap(1.5, 2.0)], record()) as made:
        yield made


def test_steps_are_averaged_where_clips_overlap_and_left_out_where_none_is(track):
    assert track.valid.tolist() == [True] * 6 + [False] * 2 + [True] * 2
    weights = np.hamming(4)
    third = (weights[2] * 2.0 + weights[0] * 10.0) / (weights[2] + weights[0])
    np.testing.assert_allclose(track.features[:, 0], [0, 1, third, 13 - third, 12, 13, 5, 6],
                               atol=1e-2)  # fmt: skip
    starts, ends = track.edges_seconds
    assert starts.tolist() == [0, 0.25, 0.5, 0.75, 1.0, 1.25, 2.0, 2.25]
    assert ends.tolist() == [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.25, 2.5]


def test_a_clip_is_the_mean_of_its_valid_steps(track):
    np.testing.assert_array_equal(track.clip_features[:, 0], [1.5, 11.5, 5.5])
    assert track.clip_ends_seconds.tolist() == [1.0, 1.5, 2.5]


def test_numpy_reads_plain_arrays(track, tmp_path):
    save_features(track, tmp_path / "f.npz")
    with np.load(tmp_path / "f.npz", allow_pickle=False) as arrays:
        assert set(arrays) == {
            "features", "start_seconds", "end_seconds", "clip_features", "clip_start_seconds",
            "clip_end_seconds", "metadata",
        }  # fmt: skip
        np.testing.assert_array_equal(arrays["features"], track.features.astype(np.float16))
        about = json.loads(str(arrays["metadata"]))
    assert about["schema"] == "vswin.features/1"
    assert about["video"]["uri"] == "a.mp4"


def test_a_file_gives_back_what_was_saved(track, tmp_path):
    save_features(track, tmp_path / "f.npz")
    found = load_features(tmp_path / "f.npz")
    assert isinstance(found.features, np.memmap)
    np.testing.assert_array_equal(found.features, track.features.astype(np.float16))
    np.testing.assert_array_equal(found.clip_features, track.clip_features.astype(np.float16))
    np.testing.assert_array_equal(found.clip_end_seconds, track.clip_ends_seconds)
    assert found.record == record()
    assert repr(found) == (
        f"FeatureFile('{tmp_path}/f.npz', 8 steps and 3 clips x 5 features, model='m')"
    )


def test_equal_features_give_equal_bytes(track, tmp_path):
    save_features(track, tmp_path / "a.npz")
    save_features(track, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_features_without_a_clip_can_be_saved(tmp_path):
    builder = FeatureBuilder(WIDTH, STEP)
    with builder.finish(builder.average(1.0), (), record()) as empty:
        save_features(empty, tmp_path / "f.npz")
    assert load_features(tmp_path / "f.npz").features.shape == (0, WIDTH)


def test_a_missing_file_fails(tmp_path):
    with pytest.raises(SourceNotFoundError, match="cannot read"):
        load_features(tmp_path / "none.npz")


def rewritten(path, name, data):
    """Replace a member of an archive."""
    with zipfile.ZipFile(path) as old:
        members = {info.filename: old.read(info) for info in old.infolist()}
    members[name] = data
    with zipfile.ZipFile(path, "w") as new:
        for key, content in members.items():
            new.writestr(key, content)


@pytest.mark.parametrize("name", ["features.npy", "metadata.npy", "start_seconds.npy"])
@pytest.mark.parametrize("data", [b"", b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 16, b"x" * 300])
def test_a_damaged_member_fails(track, tmp_path, name, data):
    path = tmp_path / "f.npz"
    save_features(track, path)
    rewritten(path, name, data)
    with pytest.raises(SourceError, match=r"f\.npz does not hold features, or is damaged"):
        load_features(path)


def test_damage_inside_a_compressed_member_fails(track, tmp_path):
    path = tmp_path / "f.npz"
    save_features(track, path)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("start_seconds.npy")
    content = bytearray(path.read_bytes())
    name_length, extra_length = content[info.header_offset + 26], content[info.header_offset + 28]
    content[info.header_offset + 30 + name_length + extra_length] = 0xFF  # no kind of block
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"f\.npz does not hold features, or is damaged"):
        load_features(path)


def test_a_header_that_claims_more_rows_than_there_are_fails(track, tmp_path):
    path = tmp_path / "f.npz"
    save_features(track, path)
    with zipfile.ZipFile(path) as archive:
        data = archive.read("features.npy").replace(b"(8, 5)", b"(9, 5)")
    rewritten(path, "features.npy", data)
    with pytest.raises(SourceError, match="shorter than its header says"):
        load_features(path)


def test_scores_are_not_features(tmp_path):
    np.savez(tmp_path / "f.npz", scores=np.zeros(3))
    with pytest.raises(SourceError, match="does not hold features"):
        load_features(tmp_path / "f.npz")
