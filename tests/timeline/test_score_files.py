import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from tests.support.timelines import STEP, columns, timeline, track_of
from vswin_cli.config import SegmentOptions
from vswin_cli.errors import OptionError, OutputError, SourceError, SourceNotFoundError
from vswin_cli.export import write_timeline
from vswin_cli.storage import array_archive
from vswin_cli.timeline.files import read_timelines
from vswin_cli.timeline.record import with_segments
from vswin_cli.timeline.score_files import load_scores, load_track, save_track, segment_scores
from vswin_cli.timeline.scores import Gap
from vswin_cli.timeline.segments import find_segments


@pytest.fixture
def track():
    with track_of(columns((30, 0.9), (700, 0.05), (20, 0.8)), gaps=[Gap(1.0, 1.5)]) as track:
        yield track


def test_loaded_track_gives_the_same_segments_and_timeline(tmp_path, track):
    path = tmp_path / "scores.npz"
    save_track(track, timeline(), path)
    loaded, header = load_track(path)
    with loaded:
        assert header == timeline()
        assert loaded.labels == track.labels
        assert loaded.gaps == track.gaps
        assert loaded.spans == track.spans
        np.testing.assert_array_equal(loaded.valid, track.valid)
        np.testing.assert_array_equal(loaded.read(0, 750), track.read(0, 750))
        options = SegmentOptions(onset=0.5)
        assert find_segments(loaded, options) == find_segments(track, options) != []


def test_numpy_reads_the_file(tmp_path, track):
    path = tmp_path / "scores.npz"
    save_track(track, timeline(), path)
    with np.load(path) as archive:
        assert archive["scores"].shape == (750, 3)
        assert archive["scores"].dtype == np.float16
        assert archive["valid"].sum() == 746
        meta = json.loads(archive["meta.json"])
    assert meta["schema"] == "vswin.scores/1"
    assert meta["step"] == STEP
    assert meta["timeline"]["schema"] == "vswin.timeline/1"


def test_same_scores_give_the_same_bytes(tmp_path, track):
    for name in ("a", "b"):
        save_track(track, timeline(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_empty_track_survives(tmp_path):
    path = tmp_path / "scores.npz"
    with track_of(np.zeros((0, 3))) as empty:
        save_track(empty, timeline(), path)
    loaded, _ = load_track(path)
    with loaded:
        assert loaded.num_cells == 0
        assert find_segments(loaded, SegmentOptions()) == []


def test_folder_that_does_not_exist_fails(tmp_path, track):
    with pytest.raises(OutputError, match="none"):
        save_track(track, timeline(), tmp_path / "none" / "scores.npz")


def test_missing_file_fails(tmp_path):
    with pytest.raises(SourceNotFoundError):
        load_track(tmp_path / "none.npz")


def rewrite(path, name, data):
    """Replace one member of the archive."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    members[name] = data
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            if content is not None:
                archive.writestr(member, content)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("meta.json", lambda data: b"{}"),
        ("meta.json", lambda data: b"nonsense"),
        ("meta.json", lambda data: data.replace(b'"step":0.125', b'"step":0')),
        ("meta.json", lambda data: data.replace(b'"label 0",', b"")),
        ("meta.json", lambda data: data.replace(b"vswin.timeline/1", b"other")),
        ("scores.npy", lambda data: data[:-50]),
        ("scores.npy", lambda data: data[:-2] + b"\x00\x7c"),  # infinity
        ("scores.npy", lambda data: b"no array"),
        ("valid.npy", lambda data: data.replace(b"|b1", b"|O ")),
        ("spans.npy", lambda data: None),
    ],
)
def test_damaged_files_fail_clearly(tmp_path, track, name, change):
    path = tmp_path / "scores.npz"
    save_track(track, timeline(), path)
    with zipfile.ZipFile(path) as archive:
        rewrite(path, name, change(archive.read(name)))
    with pytest.raises(SourceError, match=r"scores\.npz") as caught:
        load_track(path)
    assert "--save-scores" in (caught.value.hint or "")


def test_files_of_another_kind_fail_clearly(tmp_path, track):
    for content in (b"", b"text", b"PK\x03\x04 truncated"):
        path = tmp_path / "scores.npz"
        path.write_bytes(content)
        with pytest.raises(SourceError, match="does not hold scores"):
            load_track(path)
    save_track(track, timeline(), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SourceError, match="damaged"):
        load_track(path)


@pytest.mark.slow
def test_loading_and_exporting_need_neither_torch_nor_a_decoder(tmp_path, track):
    save_track(track, timeline(), tmp_path / "scores.npz")
    code = (
        "import sys, pathlib\n"
        "from vswin_cli.timeline.score_files import load_track\n"
        "from vswin_cli.timeline.record import with_segments\n"
        "from vswin_cli.config import SegmentOptions\n"
        "from vswin_cli.export import write_timeline, FORMATS\n"
        "track, header = load_track(pathlib.Path(sys.argv[1]))\n"
        "with track: one = with_segments(header, track, SegmentOptions())\n"
        "texts = [name for name, kind in FORMATS.items() if not kind.is_binary]\n"
        "for name in texts: write_timeline(one, name, sys.stdout)\n"
        "heavy = {'torch', 'av', 'huggingface_hub', 'rich', 'typer'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    path = tmp_path / "scores.npz"
    subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, timeout=60)


def header(text):
    """Beginning of an array in NumPy's format, version 1.0."""
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode("latin-1")


def array(values):
    return npy(values.dtype.str, values.shape) + values.tobytes()


def npy(kind, shape):
    return header(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("meta.json", b"[" * 200_000),
        ("meta.json", b"9" * 100_000),
        ("meta.json", b'{"schema": "vswin.scores/1"}'),
        ("meta.json", b"\xff\xfe"),
        ("valid.npy", header("(" * 9000)),
        ("valid.npy", header("{'descr': 5, 'fortran_order': False, 'shape': (1,)}\n")),
        ("valid.npy", npy("|b1", (2**62,))),
        ("valid.npy", npy("|b1", (10**12,))),
        ("valid.npy", npy("|b1", (-1,))),
        ("valid.npy", array(np.ones(3, np.bool_))),
        ("scores.npy", npy("<f2", (2**40, 2**40))),
        ("spans.npy", array(np.full((1, 2), np.nan))),
        ("spans.npy", array(np.array([[0.0, 1e300]]))),
        ("spans.npy", array(np.array([[2.0, 1.0]]))),
        ("spans.npy", array(np.array([[5.0, 6.0], [1.0, 2.0]]))),
        ("spans.npy", array(np.zeros((2, 3)))),
        ("clip_starts.npy", array(np.array([np.inf]))),
        ("clip_ends.npy", array(np.zeros(1))),
    ],
)
def test_archives_made_to_break_a_reader_end_as_a_source_error(tmp_path, track, name, data):
    path = tmp_path / "scores.npz"
    save_track(track, timeline(), path)
    rewrite(path, name, data)
    with pytest.raises(SourceError, match=r"scores\.npz"):
        load_track(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"step":0.125', b'"step":1e-300'),
        (b'"step":0.125', b'"step":1e300'),
        (b'"end":93.75,"labels"', b'"end":1e308,"labels"'),
        (b'"start":0.0,"step"', b'"start":-5.0,"step"'),
        (b'"label 0"', b'["label 0"]'),
        (b'"softmax","start"', b'"other","start"'),
    ],
)
def test_axes_that_do_not_fit_the_cells_are_rejected(tmp_path, track, old, new):
    path = tmp_path / "scores.npz"
    save_track(track, timeline(), path)
    with zipfile.ZipFile(path) as archive:
        meta = archive.read("meta.json")
    assert meta.count(old) == 1
    rewrite(path, "meta.json", meta.replace(old, new))
    with pytest.raises(SourceError, match=r"scores\.npz"):
        load_track(path)


def add_zeros(path, name, megabytes):
    """Add a member that is small in the file and large in memory."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(f"x{name}", "w", force_zip64=True) as out:
            for _ in range(megabytes):
                out.write(bytes(1 << 20))
        archive.getinfo(f"x{name}").filename = name


@pytest.mark.slow
@pytest.mark.parametrize("name", ["valid.npy", "meta.json", "other"])
def test_an_archive_with_a_huge_member_is_rejected_unread(tmp_path, track, name):
    path = tmp_path / "scores.npz"
    save_track(track, timeline(), path)
    add_zeros(path, name, 300)
    with pytest.raises(SourceError, match=f"`{name}` is too large"):
        load_track(path)


def test_scores_may_be_large_but_not_out_of_proportion(tmp_path, track, monkeypatch):
    monkeypatch.setattr(array_archive, "_FREE_EXPANSION", 1 << 20)
    path = tmp_path / "scores.npz"
    save_track(track, timeline(), path)
    load_track(path)[0].close()
    add_zeros(path, "scores.npy", 20)
    with pytest.raises(SourceError, match=r"[\d,]+ bytes expand to [\d,]+"):
        load_track(path)


def test_members_in_another_compression_or_encrypted_are_rejected(tmp_path, track):
    path = tmp_path / "scores.npz"
    for kind in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        save_track(track, timeline(), path)
        with zipfile.ZipFile(path, "a", kind) as archive:
            archive.writestr("more", b"text")
        with pytest.raises(SourceError, match="unknown way"):
            load_track(path)
    save_track(track, timeline(), path)
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    while at >= 0:  # the flag of every entry in the directory
        data[at + 8] |= 1
        at = data.find(b"PK\x01\x02", at + 1)
    path.write_bytes(bytes(data))
    with pytest.raises(SourceError, match="does not hold scores"):
        load_track(path)


def test_flags_other_than_zero_and_one_count_as_true(tmp_path, track):
    path = tmp_path / "scores.npz"
    save_track(track, timeline(), path)
    flags = np.where(track.valid, 7, 0).astype(np.uint8)
    rewrite(path, "valid.npy", npy("|b1", flags.shape) + flags.tobytes())
    loaded, _ = load_track(path)
    with loaded:
        np.testing.assert_array_equal(loaded.valid, track.valid)
        assert loaded.valid.sum() == track.valid.sum()


def test_any_damaged_byte_gives_scores_or_the_documented_error(tmp_path, track):
    path = tmp_path / "scores.npz"
    save_track(track, timeline(), path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        data = bytearray(whole)
        for place in rng.integers(len(data), size=rng.integers(1, 4)):
            data[place] = rng.integers(256)
        path.write_bytes(bytes(data))
        try:
            load_track(path)[0].close()
        except SourceError:
            refused += 1
    assert refused > 100


def test_scores_and_timelines_in_each_others_place_are_named(tmp_path, track):
    scores, saved = tmp_path / "scores.npz", tmp_path / "saved.json"
    save_track(track, timeline(), scores)
    write_timeline(timeline(), "json", saved)
    with pytest.raises(SourceError, match=r"scores\.npz holds scores, not a timeline") as caught:
        read_timelines(scores)
    assert f"`vswin segment {scores}`" in (caught.value.hint or "")
    with pytest.raises(SourceError, match=r"saved\.json is a timeline, not a score file") as caught:
        load_track(saved)
    assert "--save-scores" in (caught.value.hint or "")
    with zipfile.ZipFile(tmp_path / "features.npz", "w") as archive:
        array_archive.write_array(archive, "metadata", np.array('{"schema": "vswin.features/1"}'))
    with pytest.raises(SourceError, match=r"features\.npz holds features, not scores"):
        load_track(tmp_path / "features.npz")


def test_workbook_in_the_place_of_results_has_a_next_step(tmp_path):
    with zipfile.ZipFile(tmp_path / "results.xlsx", "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    with pytest.raises(SourceError, match=r"results\.xlsx is a workbook for Excel") as caught:
        load_track(tmp_path / "results.xlsx")
    assert "results.csv" in (caught.value.hint or "")


def test_saved_scores_are_segmented_again_with_what_was_not_given_as_before(tmp_path, track):
    path = str(tmp_path / "scores.npz")
    before = SegmentOptions(onset=0.95, min_duration_seconds=0)
    bare = with_segments(timeline(), track, before)
    save_track(track, bare, tmp_path / "scores.npz")
    assert segment_scores(path).segments == bare.segments
    lower = segment_scores(path, SegmentOptions(onset=0.5))
    assert lower.postprocess.min_duration_seconds == 0
    assert lower.segments[0].label == "label 0"
    with pytest.raises(OptionError, match="takes SegmentOptions, got"):
        segment_scores(path, 0.5)
    with load_scores(path) as loaded:
        assert loaded.num_cells == track.num_cells
