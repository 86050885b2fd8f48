"""What all formats have in common: golden files, odd names and times, rates, errors."""

import contextlib
import json
import os
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.timelines import GOLDEN, named, of_two_models, segment, timeline, written
from vswin_cli.errors import OptionError, VswinError
from vswin_cli.export import (
    FORMATS,
    caveats,
    check_distinct_ids,
    check_holds,
    format_by_name,
    get_format,
    write_timeline,
)
from vswin_cli.export.naming import media_url
from vswin_cli.timeline.files import parse_timelines, read_timelines
from vswin_cli.timeline.record import VideoRecord


@pytest.mark.parametrize("fmt", [name for name, form in FORMATS.items() if not form.is_binary])
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


@pytest.mark.parametrize("fmt", FORMATS)
def test_times_past_ten_hours_and_of_zero_length_are_written(fmt):
    far = segment(36000.0, 36000.0, "a")
    written(fmt, timeline(segments=(far,), video=replace(timeline().video, duration_seconds=4e4)))


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


def test_formats_that_count_frames_reject_a_timeline_without_a_rate():
    unknown = timeline(video=VideoRecord("a.mp4", duration_seconds=9.0))
    for fmt, form in FORMATS.items():
        if form.rate_of is not None:
            with pytest.raises(OptionError, match="has no frame rate"):
                written(fmt, unknown)
            with pytest.raises(OptionError, match="has no frame rate"):
                caveats(unknown, fmt)
        else:
            written(fmt, unknown)


def test_a_format_that_cannot_hold_a_video_names_it():
    video = replace(timeline().video, uri="b.mp4", frame_rate_rational="25")
    with pytest.raises(OptionError, match=r"b\.mp4 has 25"):
        check_holds("edl-df", timeline(video=video))
    for fmt in FORMATS:
        check_holds(fmt, timeline())


def test_duplicate_ids_are_rejected_before_writing():
    for fmt in FORMATS:
        check_distinct_ids(fmt, ["a.mp4", "b/a.mp4"])
        if fmt in ("activitynet", "fiftyone"):
            with pytest.raises(OptionError, match="`a` comes twice"):
                check_distinct_ids(fmt, ["a.mp4", "b.mp4", "a.mkv"])


def test_file_names_that_are_no_utf8_survive_in_json(tmp_path):
    one = named("videos/caf\udce9.mp4")
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


@pytest.mark.slow
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


@pytest.mark.parametrize("fmt", FORMATS)
def test_every_format_has_all_models_or_says_which_it_leaves_out(fmt):
    both = of_two_models()
    notices = [one.message for one in caveats(both, fmt) if one.code == "MODELS"]
    text = written(fmt, both)
    if FORMATS[fmt].models == "first":
        assert text == written(fmt, timeline())
        (message,) = notices
        assert "holds one model, swin-t-k400; moves is left out" in message
        assert message.startswith("/videos/a b.mp4: ")
    else:
        assert notices == []
        assert text == "PNG" or all(part in text for part in ("archery", "pan"))
        assert fmt in ("png", "table") or all(part in text for part in ("swin-t-k400", "moves"))
    assert not [one for one in caveats(timeline(), fmt) if one.code == "MODELS"]


def test_rounded_times_are_warned_of_where_only_a_further_model_has_segments():
    varying = timeline(video=vary(average_frame_rate=20.2))
    both = replace(varying, segments=()).with_tracks([varying])
    assert [one.code for one in caveats(both, "labelstudio")] == ["FRAME_RATE"]
    assert [one.code for one in caveats(both, "edl")] == ["MODELS"]


def test_formats_that_hold_several_models_tell_them_apart():
    both = of_two_models()
    rows = written("csv", both).splitlines()[1:]
    assert [row.rpartition(",")[2] for row in rows] == ["swin-t-k400"] * 3 + ["moves"]
    table = written("table", both)
    assert [line for line in table.splitlines() if "  " not in line] == ["swin-t-k400", "", "moves"]
    (task,) = json.loads(written("labelstudio", both))
    assert [one["model_version"].split()[-1] for one in task["predictions"]] == [
        "swin-t-k400",
        "moves",
    ]
    tiers = [one.get("TIER_ID") for one in ET.fromstring(written("elan", both)).iter("TIER")]
    assert tiers[0] == "swin-t-k400: archery"
    assert tiers[-1] == "moves: pan"
    tracks = json.loads(written("otio", both))["tracks"]["children"]
    assert [track["name"] for track in tracks] == ["swin-t-k400", "moves"]
    assert [len(track["children"][0]["markers"]) for track in tracks] == [3, 1]


def test_times_of_all_models_count_from_the_start_of_the_sound():
    both = of_two_models()
    later = replace(both, video=replace(both.video, lead_seconds=2.0))
    assert 'TIME_VALUE="4000"' in written("elan", later)
    assert later.tracks[0].segments[0].start_seconds == 2


def test_tables_of_several_videos_and_models_name_both():
    table = written("table", of_two_models(), of_two_models())
    names = [line for line in table.splitlines() if line and "  " not in line]
    assert names == ["/videos/a b.mp4", "swin-t-k400", "moves"] * 2
