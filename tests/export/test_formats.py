"""The table of formats, our own ones, and what all share: paths, handles, names, errors."""

import contextlib
import csv
import io
import json
import os
import stat
import sys
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.timelines import GOLDEN, segment, timeline
from vswin_cli.batch.parquet import write_parquet
from vswin_cli.errors import OptionError, OutputError, VswinError
from vswin_cli.export import (
    FORMATS,
    caveats,
    check_holds,
    check_tells_apart,
    format_by_name,
    get_format,
    write_timeline,
    write_timelines,
)
from vswin_cli.export.naming import media_url, video_ids, video_name
from vswin_cli.export.tabular import TABLE_COLUMNS, table_rows
from vswin_cli.storage.files import check_destination
from vswin_cli.timeline.files import parse_timelines, read_timelines
from vswin_cli.timeline.record import VideoRecord


def written(fmt, *timelines):
    text = io.StringIO()
    write_timelines(timelines or [timeline()], fmt, text)
    return text.getvalue()


@pytest.mark.parametrize("fmt", FORMATS)
def test_format_matches_its_golden_file(fmt):
    """To renew them after a wanted change: run this file with VSWIN_RENEW_GOLDEN=1."""
    path = GOLDEN / f"sample{FORMATS[fmt].suffix}"
    text = written(fmt)
    if os.environ.get("VSWIN_RENEW_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
    assert text.encode() == path.read_bytes()


@pytest.mark.parametrize(
    ("fmt", "begin"),
    [
        ("srt", "00:00:03,000 -->"),
        ("vtt", "00:00:03.000 -->"),
        ("audacity", "3.000000\t"),
        ("elan", 'TIME_VALUE="3000"'),
        ("csv", ",1,3.5,"),
        ("otio", '"start": 1.0'),
    ],
)
def test_formats_for_players_count_from_the_start_of_the_sound(fmt, begin):
    """Where the sound begins two seconds before the first frame."""
    video = replace(timeline().video, lead_seconds=2.0)
    assert begin in written(fmt, timeline(video=video))


@pytest.mark.parametrize("fmt", FORMATS)
def test_timeline_without_segments_is_written_too(fmt):
    text = written(fmt, timeline(segments=(), warnings=()))
    assert "archery" not in text
    if fmt in ("table", "csv", "tsv"):
        assert len(text.splitlines()) == 1
    elif fmt not in ("srt", "audacity"):
        assert text


@pytest.mark.parametrize("fmt", FORMATS)
def test_path_and_handle_get_the_same_text_with_line_feeds(fmt, tmp_path):
    path = tmp_path / "out"
    write_timeline(timeline(), fmt, path)
    assert path.read_bytes() == written(fmt).encode()
    assert b"\r" not in path.read_bytes()


@pytest.mark.parametrize("fmt", FORMATS)
def test_labels_with_line_ends_and_markup_break_no_format(fmt):
    nasty = segment(1.0, 2.0, 'a\nb\t<c> & "d" --> e\u2028f\x00', 1)
    text = written(fmt, timeline(segments=(nasty,)))
    assert "\x00" not in text
    if fmt in ("srt", "vtt", "vtt-metadata"):
        assert text.count("-->") == 1


@pytest.mark.parametrize("fmt", FORMATS)
def test_names_of_models_that_are_no_utf8_or_hold_control_characters_break_no_format(fmt):
    nasty = timeline(model=replace(timeline().model, id="caf\udcff\x01\n<b>"))
    text = written(fmt, nasty)
    text.encode()
    assert "\x01" not in text
    if fmt in ("fcpxml", "elan"):
        ET.fromstring(text)
    if fmt == "csv":
        assert len(text.splitlines()) == 1 + len(nasty.segments)


def test_parquet_takes_names_that_are_no_utf8(tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    named = replace(
        other("caf\udce9.mp4"),
        model=replace(timeline().model, id="\udcff"),
        segments=(segment(0.0, 1.0, "\udc00"),),
    )
    write_parquet(tmp_path / "a.parquet", [named])
    (row,) = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert (row["video"], row["label"], row["model"]) == ("caf?.mp4", "?", "?")


@pytest.mark.parametrize("fmt", FORMATS)
def test_times_past_ten_hours_and_of_zero_length_are_written(fmt):
    far = segment(36000.0, 36000.0, "a")
    written(fmt, timeline(segments=(far,), video=replace(timeline().video, duration_seconds=4e4)))


def test_csv_has_the_documented_columns_and_exact_times():
    rows = list(csv.DictReader(io.StringIO(written("csv"))))
    columns = "video,start,end,duration,start_tc,end_tc,label,class_id,score,score_max,peak"
    assert ",".join(rows[0]) == f"{columns},windows,model"
    assert rows[2]["end"] == "3661.033"
    assert rows[2]["end_tc"] == "01:01:01.033"
    assert rows[2]["label"] == "schöne Grüße"
    assert rows[0]["score"] == "0.8341"


def test_csv_reads_in_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(io.StringIO(written("csv", timeline(), other("b.mp4"))))
    assert len(frame) == 6
    assert frame["end"].tolist()[:3] == [3.5, 5.0, 3661.033]
    assert frame["class_id"].dtype.kind == "i"
    assert set(frame["video"]) == {"/videos/a b.mp4", "b.mp4"}


def test_csv_quotes_what_needs_it_and_leaves_groups_without_class():
    one = segment(0.0, 1.0, 'say "hi", then\nleave', None)
    (row,) = csv.DictReader(io.StringIO(written("csv", timeline(segments=(one,)))))
    assert row["label"] == 'say "hi", then leave'
    assert row["class_id"] == ""


def test_tsv_is_whole_milliseconds_and_per_mille_and_says_so():
    rows = list(csv.reader(io.StringIO(written("tsv")), delimiter="\t"))
    assert rows[0] == ["video", "start_ms", "end_ms", "label", "class_id", "score_permille"]
    assert rows[1][1:3] == ["1000", "3500"]
    assert rows[1][5] == "834"
    assert rows[3][2] == "3661033"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_written_to_and_never_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check_destination(pipe)
    with ThreadPoolExecutor() as pool, os.fdopen(os.open(pipe, os.O_RDWR), "rb") as keeper:
        writer = pool.submit(write_timeline, timeline(), "csv", pipe)
        writer.result(timeout=10)
        assert os.read(keeper.fileno(), 65536).decode() == written("csv")
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_symbolic_link_stays_and_leads_to_the_result(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "real" / "out.csv")
    for _ in ("new", "replaced"):
        check_destination(link)
        write_timeline(timeline(), "csv", link)
        assert link.is_symlink()
        assert (tmp_path / "real" / "out.csv").read_text(encoding="utf-8") == written("csv")
    assert len(list((tmp_path / "real").iterdir())) == 1


def test_json_lines_hold_one_video_per_line():
    lines = written("jsonl", timeline(), other("b.mp4")).splitlines()
    assert [json.loads(line)["video"]["uri"] for line in lines] == ["/videos/a b.mp4", "b.mp4"]


def test_table_names_videos_only_when_there_are_several():
    assert "a b.mp4" not in written("table")
    assert "b.mp4" in written("table", timeline(), other("b.mp4"))
    assert table_rows(timeline())[0] == ("00:00:01.000", "00:00:03.500", "archery", "0.83")
    assert len(TABLE_COLUMNS) == 4


def other(uri):
    return timeline(video=replace(timeline().video, uri=uri))


@pytest.mark.parametrize("fmt", [name for name, form in FORMATS.items() if not form.holds_many])
def test_formats_of_one_video_refuse_several(fmt):
    with pytest.raises(OptionError, match="one video per file") as caught:
        written(fmt, timeline(), other("b.mp4"))
    assert "folder" in (caught.value.hint or "")


def test_unknown_format_names_the_nearest():
    with pytest.raises(OptionError, match="`strt`") as caught:
        get_format("strt")
    assert "`srt`" in (caught.value.hint or "")
    assert "labelstudio" in (caught.value.hint or "")


def test_endings_find_their_format_longest_first():
    assert format_by_name("a.JSON").name == "json"
    assert format_by_name("a.activitynet.json").name == "activitynet"
    assert format_by_name("a.meta.vtt").name == "vtt-metadata"
    assert format_by_name("a.eaf").name == "elan"
    assert format_by_name("a.mp4") is None
    assert len({form.suffix for form in FORMATS.values()}) == len(FORMATS)


def test_formats_that_count_frames_warn_on_a_variable_rate():
    steady, varying = timeline(), timeline(video=vary(average_frame_rate=20.2))
    for fmt, form in FORMATS.items():
        if fmt == "edl-df":
            continue
        assert caveats(steady, fmt) == ()
        notices = caveats(varying, fmt)
        assert bool(notices) == (form.rate_of is not None)
        if notices:
            assert "variable frame rate" in notices[0].message
            assert "23.976" in notices[0].message


def test_an_unusual_constant_rate_is_rounded_for_editing_and_kept_for_annotation():
    video = replace(timeline().video, frame_rate_rational="28", average_frame_rate=28.0)
    one = timeline(video=video)
    assert "no constant standard frame rate" in caveats(one, "edl")[0].message
    assert caveats(one, "labelstudio") == ()
    (task,) = json.loads(written("labelstudio", one))
    assert task["predictions"][0]["result"][0]["value"]["ranges"] == [{"start": 29, "end": 98}]


def vary(**changes):
    return replace(timeline().video, variable_frame_rate=True, **changes)


def test_formats_that_count_frames_refuse_a_timeline_without_a_rate():
    unknown = timeline(video=VideoRecord("a.mp4", duration_seconds=9.0))
    for fmt, form in FORMATS.items():
        if form.rate_of is not None:
            with pytest.raises(OptionError, match="knows no frame rate"):
                written(fmt, unknown)
            with pytest.raises(OptionError, match="knows no frame rate"):
                caveats(unknown, fmt)
        else:
            written(fmt, unknown)


def test_a_format_that_cannot_hold_a_video_names_it():
    video = replace(timeline().video, uri="b.mp4", frame_rate_rational="25")
    with pytest.raises(OptionError, match=r"b\.mp4 has 25"):
        check_holds("edl-df", timeline(video=video))
    for fmt in FORMATS:
        check_holds(fmt, timeline())


def test_names_that_a_format_would_confuse_are_known_before_it_is_written():
    for fmt in FORMATS:
        check_tells_apart(fmt, ["a.mp4", "b/a.mp4"])
        if fmt in ("activitynet", "fiftyone"):
            with pytest.raises(OptionError, match="`a` comes twice"):
                check_tells_apart(fmt, ["a.mp4", "b.mp4", "a.mkv"])


def test_ids_are_stems_with_as_many_folders_as_tell_them_apart():
    uris = ["x/a.mp4", "y/a.mp4", "y/b.c.mp4", "s3://bucket/z/d.mkv?versionId=3"]
    assert video_ids(uris) == ["x/a", "y/a", "b.c", "d"]


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("videos/what?.mp4", "what?.mp4"),
        ("videos\\a?b=c.mp4", "a?b=c.mp4"),
        ("file:///videos/why?.mp4", "why?.mp4"),
        ("https://host/videos/a.mp4?token=x/y.z", "a.mp4"),
        ("s3://bucket/a.mp4?versionId=3", "a.mp4"),
    ],
)
def test_a_question_mark_ends_the_name_of_an_address_only(uri, name):
    assert video_name(other(uri)) == name
    assert video_ids([uri]) == [name.removesuffix(".mp4")]


def test_file_names_that_are_no_utf8_survive_in_json(tmp_path):
    one = other("videos/caf\udce9.mp4")
    write_timeline(one, "json", tmp_path / "a.json")
    assert read_timelines(tmp_path / "a.json") == [one]
    assert media_url("/caf\udce9.mp4") == "file:///caf%E9.mp4"
    for fmt in FORMATS:
        written(fmt, one).encode()


def places(value, path=()):
    """Every place in a JSON document."""
    yield path
    if isinstance(value, (dict, list)):
        keys = value if isinstance(value, dict) else range(len(value))
        for key in keys:
            yield from places(value[key], (*path, key))


json_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
    st.just(1e300),
    st.sampled_from(["0/0", "caf\udce9.mp4", "s3://\udce9/\x00", "\ufffe\u2028"]),
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_change_to_a_document_ends_in_output_or_a_clear_error(data):
    document = timeline().to_json()
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(document))[1:]))
        inner = document
        for key in path[:-1]:
            inner = inner[key]
        if data.draw(st.booleans()) or isinstance(inner, list):
            inner[path[-1]] = data.draw(json_values)
        else:
            del inner[path[-1]]
    text = json.dumps(document)
    fmt = data.draw(st.sampled_from(list(FORMATS)))
    with contextlib.suppress(VswinError):
        for one in parse_timelines(text, "x.json"):
            written(fmt, one).encode()


def test_the_same_video_twice_has_no_id():
    with pytest.raises(OptionError, match="comes twice"):
        video_ids(["a.mp4", "a.mkv"])


def test_ids_without_their_prefix_stay_apart_or_are_refused():
    results = json.loads(written("activitynet", other("x/v_a.mp4"), other("y/a.mp4")))["results"]
    assert list(results) == ["x/a", "y/a"]
    with pytest.raises(OptionError, match="`a` comes twice"):
        written("activitynet", other("v_a.mp4"), other("a.mp4"))
    assert list(json.loads(written("fiftyone", other("v_a.mp4"), other("a.mp4")))["labels"]) == [
        "v_a",
        "a",
    ]


@pytest.mark.parametrize("uri", ["", "/", ".", "..", "v_", "v_.mp4", "v_..mp4", "a/v_."])
def test_odd_names_have_an_id_too(uri):
    for prefix in ("", "v_"):
        (name,) = video_ids([uri], prefix=prefix)
        assert name


def test_ids_of_many_videos_take_no_time():
    uris = [f"/archive/videos/{i // 100}/{i % 100}.mp4" for i in range(20_000)]
    started = time.perf_counter()
    assert len(set(video_ids(uris))) == len(uris)
    assert time.perf_counter() - started < 5  # looking through all for each takes a minute


def test_media_urls_are_absolute_and_quoted():
    assert media_url("/videos/a b#1.mp4") == "file:///videos/a%20b%231.mp4"
    assert media_url("s3://bucket/a b.mp4") == "s3://bucket/a b.mp4"
    assert media_url("a.mp4") == f"file://{Path.cwd().as_posix()}/a.mp4".replace(" ", "%20")


def test_missing_folder_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="none") as caught:
        write_timeline(timeline(), "json", tmp_path / "none" / "a.json")
    assert "folder" in (caught.value.hint or "")


def test_folder_as_file_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="directory") as caught:
        write_timeline(timeline(), "json", tmp_path)
    assert "file name" in (caught.value.hint or "")


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere"
)
def test_folder_that_may_not_be_written_is_an_output_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="denied"):
        write_timeline(timeline(), "json", tmp_path / "a.json")
    tmp_path.chmod(0o700)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk_leaves_the_old_file_and_no_rubbish(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text("old")
    real = os.fdopen

    def full(handle, mode):
        os.close(handle)
        return real(os.open("/dev/full", os.O_WRONLY), mode)

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(OutputError, match="No space left") as caught:
        write_timeline(timeline(), "json", path)
    assert "space" in (caught.value.hint or "")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


def test_failing_half_way_leaves_nothing(tmp_path):
    from vswin_cli.storage.files import replacing_text

    def half(path):
        with replacing_text(path) as file:
            file.write("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half(tmp_path / "a.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_new_files_follow_the_umask_and_old_ones_keep_their_mode(tmp_path):
    path = tmp_path / "a.json"
    old = os.umask(0o027)
    try:
        write_timeline(timeline(), "json", path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o600)
    write_timeline(timeline(), "json", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
