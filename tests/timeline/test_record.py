import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from tests.support.timelines import columns, segment, timeline, track_of
from vswin_cli.config import LabelDuration, LabelGroup, LabelOnset, SegmentOptions
from vswin_cli.errors import SourceError, SourceNotFoundError
from vswin_cli.export import write_timeline, write_timelines
from vswin_cli.storage import json_records
from vswin_cli.timeline.evidence import Evidence, FrameArea
from vswin_cli.timeline.files import parse_timelines, read_timelines, schema_text
from vswin_cli.timeline.record import (
    ModelRecord,
    Notice,
    PostprocessRecord,
    Timeline,
    VideoRecord,
    WindowRecord,
    WindowScore,
    summarise,
    with_segments,
)

SCHEMA = json.loads(schema_text())


def through_json(one):
    return Timeline.from_json(json.loads(json.dumps(one.to_json(), allow_nan=False)))


def full():
    window = WindowRecord(0.0, 2.133333, (WindowScore(5, 0.83), WindowScore(2, 0.1)))
    area, box = FrameArea(0.25, 0.0, 0.5, 1.0), FrameArea(0.5, 0.0, 0.25, 0.5)
    evidence = Evidence(1.5, 1.633333, 5, area, ((0.5, 7.25), (-1.0, 0.0)), box)
    first, *others = timeline().segments
    first = replace(first, evidence=evidence, review="corrected")
    return timeline(windows=(window,), segments=(first, *others))


def test_evidence_and_reviews_that_are_not_there_are_left_out():
    found = full().to_json()["segments"]
    assert ["evidence" in one for one in found] == [True, False, False]
    assert ["review" in one for one in found] == [True, False, False]


def test_evidence_with_rows_of_different_lengths_is_rejected():
    damaged = full().to_json()
    damaged["segments"][0]["evidence"]["cells"][0].append(1.0)
    with pytest.raises(SourceError, match=r"evidence\.cells.*same length"):
        Timeline.from_json(damaged)


def test_json_round_trip_loses_nothing():
    assert through_json(full()) == full()
    assert through_json(timeline()) == timeline()


def test_json_follows_the_published_schema():
    validator = jsonschema.Draft202012Validator(SCHEMA)
    validator.check_schema(SCHEMA)
    for one in (full(), timeline(), timeline(segments=(), warnings=(), status="failed")):
        validator.validate(one.to_json())


def test_schema_names_exactly_the_keys_that_are_written():
    def check(schema, value, where):
        if "$ref" in schema:
            schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
        if "anyOf" in schema and value is not None:
            schema = schema["anyOf"][0]
        if isinstance(value, dict):
            assert list(schema["properties"]) == list(value), where
            for key, inner in value.items():
                check(schema["properties"][key], inner, f"{where}.{key}")
        elif isinstance(value, list) and value:
            check(schema["items"], value[0], f"{where}[]")

    groups, onsets = (LabelGroup("ab", ("a", "b")),), (LabelOnset("c", 0.3),)
    options = SegmentOptions(groups=groups, onsets=onsets, min_durations={"c": 2})
    postprocess = PostprocessRecord.of("softmax", options)
    every = replace(full(), postprocess=postprocess)
    check(SCHEMA, every.with_tracks([every]).to_json(), "timeline")


def of_model(name, **changes):
    return timeline(model=ModelRecord(id=name), **changes)


def test_results_of_further_models_are_tracks():
    windows = (WindowRecord(0.0, 2.0, (WindowScore(1, 0.5),)),)
    moves = of_model("moves", segments=(segment(0.0, 2.0, "pan", 3),), windows=windows)
    empty = of_model("empty", segments=(), warnings=())
    both = full().with_tracks([moves, empty])
    document = both.to_json()
    jsonschema.validate(document, SCHEMA)
    assert {key: document[key] for key in full().to_json()} == full().to_json()  # as old readers do
    assert [track["model"]["id"] for track in document["tracks"]] == ["moves", "empty"]
    assert document["tracks"][0]["segments"][0]["id"] == 0
    assert document["tracks"][0]["summary"][0]["label"] == "pan"
    assert through_json(both) == both
    assert through_json(both).each_model() == (full(), moves, empty)
    assert "2 further models" in repr(both)


@pytest.mark.parametrize("statuses", [("ok", "partial"), ("partial", "ok")])
def test_of_several_models_the_worst_status_counts(statuses):
    """As where one model was run on a part of the video that is whole."""
    first, second = (of_model(status, status=status) for status in statuses)
    both = first.with_tracks([second])
    assert [one.status for one in both.each_model()] == ["partial", "partial"]


def test_tracks_of_further_timelines_are_kept():
    pair = of_model("b").with_tracks([of_model("c")])
    every = of_model("a").with_tracks([pair, of_model("d")])
    assert [one.model.id for one in every.each_model()] == ["a", "b", "c", "d"]


def test_warnings_that_not_all_models_share_name_their_model():
    shared, some, own = (Notice(code, code.lower()) for code in ("SHARED", "SOME", "OWN"))
    models = [of_model("a", warnings=(shared, some)), of_model("b", warnings=(shared, some, own))]
    both = models[0].with_tracks(models[1:])
    assert both.warning_messages() == ("shared", "some", "b: own")
    every = both.with_tracks([of_model("c", warnings=(shared,))])
    assert every.warning_messages() == ("shared", "a: some", "b: some", "b: own")
    assert models[1].warning_messages() == ("shared", "some", "own")
    assert of_model("a", warnings=()).warning_messages() == ()


def test_one_model_gives_no_tracks():
    assert "tracks" not in full().to_json()
    assert full().tracks == ()
    assert full().each_model() == (full(),)
    assert full().with_tracks([]) == full()


def test_impossible_times_of_a_further_model_are_rejected_by_name():
    document = timeline().with_tracks([timeline(), timeline()]).to_json()
    document["tracks"][1]["segments"][2]["end"] = 1.0
    with pytest.raises(SourceError, match=r"tracks\[1\]\.segments\[2\]` ends before it starts"):
        Timeline.from_json(document)
    del document["tracks"][1]["model"]["id"]
    with pytest.raises(SourceError, match=r"tracks\[1\]\.model\.id` is missing"):
        Timeline.from_json(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("status",), "great"),
        (("video", "duration"), "long"),
        (("segments", 0, "score"), 1.5),
        (("segments", 0, "start"), -1),
        (("coverage", "gaps"), None),
    ],
)
def test_schema_rejects_what_the_rules_forbid(path, value):
    document = timeline().to_json()
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)


def test_keys_of_the_proposal_are_all_there():
    document = timeline().to_json()
    assert list(document)[:4] == ["schema", "tool", "created", "status"]
    expected = {
        "video": "uri size container codec width height rotation duration start_time lead fps "
        "fps_rational vfr frames_decoded",
        "model": "id arch dataset num_classes weights_sha256 labels_sha256 source",
        "sampling": "clip_len sample_fps window stride resize crops tail short precision",
        "postprocess": "activation smooth on off min_duration merge_gap max_labels",
        "coverage": "fraction analysed windows bad_packets gaps",
    }
    for key, names in expected.items():
        assert set(names.split()) <= set(document[key])
    names = "id start end label class_id score score_max peak windows start_frame end_frame"
    assert set(document["segments"][0]) == {*names.split(), "alternatives"}


def test_numbers_are_rounded_and_plain():
    one = replace(segment(1 / 3, 2 / 3, "a"), score=np.float64(0.123456789))
    document = timeline(segments=(one,)).to_json()
    assert document["segments"][0]["start"] == 0.333333
    assert document["segments"][0]["score"] == 0.1235
    assert type(document["segments"][0]["score"]) is float


def test_unknown_keys_are_ignored_and_defaults_filled():
    document = timeline().to_json()
    document["future"] = {"a": 1}
    document["segments"][0]["future"] = True
    del document["postprocess"]["smooth_seconds"]
    del document["postprocess"]["min_durations"]
    del document["windows"]
    assert Timeline.from_json(document) == timeline()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(schema="vswin.timeline/2"), "vswin.timeline/2"),
        (lambda d: d.pop("schema"), "something else"),
        (lambda d: d["video"].pop("uri"), "`video.uri` is missing"),
        (lambda d: d["segments"][1].update(start="now"), r"`segments\[1\].start` must be a number"),
        (lambda d: d.update(segments={}), "`segments` must be a list"),
        (lambda d: d.update(status="great"), "one of ok, partial, failed"),
        (lambda d: d["coverage"].update(windows=True), "whole number"),
        (lambda d: d.update(video=3), "`video` must be an object"),
        (lambda d: d["video"].update(fps_rational="30/0"), "fraction"),
        (lambda d: d["video"].update(duration=float("inf")), "must be a number"),
        (lambda d: d["segments"][0].update(end=0.5), r"`segments\[0\]` ends before"),
        (lambda d: d["segments"][0].update(start=float("nan")), "must be a number"),
    ],
)
def test_wrong_document_fails_and_names_the_field(change, message):
    document = timeline().to_json()
    change(document)
    with pytest.raises(SourceError, match=message):
        Timeline.from_json(document)


def test_summary_adds_up_per_label_longest_first():
    rows = summarise([segment(0, 1, "b"), segment(2, 5, "a"), segment(6, 8.5, "b")])
    assert [(row.label, row.seconds, row.num_segments) for row in rows] == [
        ("b", 3.5, 2),
        ("a", 3.0, 1),
    ]


def test_postprocess_record_gives_back_its_options():
    options = SegmentOptions(
        onset=0.3, max_labels=2, include=("a*",), groups=(LabelGroup("ab", ("a", "b")),),
        instants=("a",), boundaries=("a",), onsets=(LabelOnset("b", 0.2),),
        min_durations=(LabelDuration("b", 0.0), LabelDuration("a", 2.5)),
        min_margin=0.1, smooth_seconds=1.0, max_alternatives=1,
    )  # fmt: skip
    assert PostprocessRecord.of("softmax", options).options() == options


def test_constant_rate_needs_a_rate_and_no_doubt():
    video = timeline().video
    assert float(video.constant_frame_rate) == pytest.approx(29.97, abs=1e-3)
    assert replace(video, variable_frame_rate=True).constant_frame_rate is None
    assert replace(video, variable_frame_rate=None).constant_frame_rate is None
    assert replace(video, frame_rate_rational=None).constant_frame_rate is None


def test_with_segments_replaces_segments_and_adds_a_gating_notice():
    scores = np.concatenate([np.tile([[0.5, 0.48, 0.02]], (10, 1)), columns((10, 0.9))])
    with track_of(scores) as track:
        found = with_segments(timeline(), track, SegmentOptions(min_margin=0.1))
        again = with_segments(found, track, SegmentOptions())
    (one,) = found.segments
    assert (one.start_frame, one.end_frame) == (38, 75)
    assert found.postprocess.gated_seconds == 1.25
    assert [notice.code for notice in found.warnings] == ["GAPS", "NOTHING_DECIDED"]
    assert "50%" in found.warnings[1].message
    assert [notice.code for notice in again.warnings] == ["GAPS"]
    assert again.postprocess.gated_seconds == 0


def test_windows_hold_the_best_classes_of_each_clip():
    with track_of(columns((2, 0.9), (2, 0.1))) as track:
        found = with_segments(timeline(), track, SegmentOptions(), top_classes=2)
    assert [window.start_seconds for window in found.windows] == [0.0, 0.125, 0.25, 0.375]
    assert [score.class_id for score in found.windows[0].top] == [0, 1]
    assert found.windows[3].top[0].class_id == 1
    assert found.windows[0].top[0].score == pytest.approx(0.9, abs=2e-3)
    jsonschema.validate(found.to_json(), SCHEMA)


def test_frames_stay_unknown_when_the_rate_varies():
    video = VideoRecord("a.mp4", variable_frame_rate=True, frame_rate_rational="30/1")
    with track_of(columns((20, 0.9))) as track:
        found = with_segments(timeline(video=video), track, SegmentOptions())
    assert found.segments[0].start_frame is None


def test_reads_json_and_json_lines(tmp_path):
    for fmt in ("json", "jsonl"):
        path = tmp_path / f"a.{fmt}"
        write_timeline(timeline(), fmt, path)
        assert read_timelines(path) == [timeline()]
    both = tmp_path / "two.jsonl"
    both.write_text((tmp_path / "a.jsonl").read_text() * 2)
    assert read_timelines(both) == [timeline()] * 2


def test_same_timeline_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_timeline(timeline(), "json", tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("text", ["", "not json", '{"a": 1}', "[1]", "3", '{"schema": 1}\n{'])
def test_what_is_no_timeline_fails_with_its_name(text):
    with pytest.raises(SourceError, match=r"x\.json") as caught:
        parse_timelines(text, "x.json")
    assert "vswin tag" in (caught.value.hint or "")


def test_wrong_line_is_named():
    good = json.dumps(timeline().to_json())
    with pytest.raises(SourceError, match="line 2"):
        parse_timelines(f'{good}\n{{"schema": "vswin.timeline/1"}}\n', "x.jsonl")


def test_only_line_feeds_end_a_line_of_json_lines(tmp_path):
    named = [timeline(video=VideoRecord(uri=f"a{end}b.mp4")) for end in ("\u2028", "\x85", "\x0c")]
    write_timelines(named, "jsonl", tmp_path / "a.jsonl")
    assert read_timelines(tmp_path / "a.jsonl") == named


@pytest.mark.parametrize("damaged", [1, 2, 3])
def test_the_damaged_line_is_named(damaged):
    lines = [json.dumps(timeline().to_json())] * 3
    lines[damaged - 1] = lines[damaged - 1][:40]
    with pytest.raises(SourceError, match=rf"(?m)not JSON at line {damaged}$"):
        parse_timelines("\n".join(lines), "x.jsonl")


def test_a_document_over_several_lines_is_named_where_it_breaks():
    lines = json.dumps(timeline().to_json(), indent=1).split("\n")
    lines[6] = lines[6].replace(":", "", 1)
    with pytest.raises(SourceError, match=r"(?m)not JSON at line 7$"):
        parse_timelines("\n".join(lines), "x.json")


def test_missing_and_binary_files_fail(tmp_path):
    with pytest.raises(SourceNotFoundError, match="No such file"):
        read_timelines(tmp_path / "none.json")
    path = tmp_path / "bytes"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SourceError, match="UTF-8"):
        read_timelines(path)


def test_only_dataclasses_are_records():
    with pytest.raises(TypeError, match="not a record"):
        json_records.to_json({"a": 1})
