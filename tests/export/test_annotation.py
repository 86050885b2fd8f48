"""Formats of annotation tools and data sets, read back by them where that is possible."""

import json
from dataclasses import replace

import pytest

from tests.support.timelines import named, segment, timeline, written
from vswin_cli.errors import OptionError


def test_elan_opens_with_a_tier_per_label(tmp_path):
    elan = pytest.importorskip("pympi.Elan")
    path = tmp_path / "a.eaf"
    again = segment(10.0, 12.5, "archery")
    path.write_text(
        written("elan", timeline(segments=(*timeline().segments, again))), encoding="utf-8"
    )
    document = elan.Eaf(str(path))
    assert set(document.get_tier_names()) == {one.label for one in timeline().segments}
    found = document.get_annotation_data_for_tier("archery")
    assert [(a, b) for a, b, *_ in sorted(found)] == [(1000, 3500), (10000, 12500)]
    assert document.get_linked_files()[0]["MEDIA_URL"] == "file:///videos/a%20b.mp4"


def test_activitynet_has_the_fields_of_the_evaluation_script():
    document = json.loads(written("activitynet", timeline(), renamed("v_abc.mp4")))
    assert list(document) == ["version", "results", "external_data"]
    assert document["version"] == "VERSION 1.3"
    assert set(document["results"]) == {"a b", "abc"}
    for found in document["results"].values():
        for one in found:
            assert set(one) == {"label", "score", "segment"}
            assert 0 <= one["segment"][0] < one["segment"][1]


def renamed(uri):
    return timeline(video=replace(timeline().video, uri=uri))


def test_fiftyone_lists_timestamps_per_video_id():
    document = json.loads(written("fiftyone"))
    assert document["classes"] is None
    (found,) = document["labels"].values()
    assert found[2] == {
        "label": "schöne Grüße",
        "timestamps": [3600.0, 3661.033],
        "confidence": 0.8341,
    }


def test_label_studio_ranges_are_one_based_and_inclusive():
    video = replace(timeline().video, frame_rate_rational="25/1", average_frame_rate=25.0)
    (task,) = json.loads(written("labelstudio", timeline(video=video)))
    assert task["data"] == {"video": "/videos/a b.mp4", "fps": 25.0}
    (prediction,) = task["predictions"]
    first = prediction["result"][1]
    assert first["type"] == "timelinelabels"
    # 3.0 to 5.0 s at 25 frames per second: frames 75 to 124 from zero
    assert first["value"]["ranges"] == [{"start": 76, "end": 125}]
    assert len({region["id"] for region in prediction["result"]}) == 3


def test_label_studio_sdk_accepts_the_predictions():
    interface = pytest.importorskip("label_studio_sdk.label_interface")
    labels = "".join(
        f'<Label value="{one.label.replace("&", "&amp;").replace("<", "&lt;")}"/>'
        for one in timeline().segments
    )
    control = interface.LabelInterface(
        f'<View><Video name="video" value="$video" frameRate="$fps"/>'
        f'<TimelineLabels name="videoLabels" toName="video">{labels}</TimelineLabels></View>'
    )
    (task,) = json.loads(written("labelstudio"))
    (prediction,) = task["predictions"]
    assert control.validate_prediction(prediction, return_errors=True) == []


def test_audacity_labels_are_three_columns():
    rows = [line.split("\t") for line in written("audacity").splitlines()]
    assert [[float(row[0]), float(row[1])] for row in rows] == [
        [1.0, 3.5], [3.0, 5.0], [3600.0, 3661.033],
    ]  # fmt: skip
    assert rows[0][2] == "archery 0.83"


def test_ids_without_their_prefix_stay_unique_or_are_rejected():
    results = json.loads(written("activitynet", named("x/v_a.mp4"), named("y/a.mp4")))["results"]
    assert list(results) == ["x/a", "y/a"]
    with pytest.raises(OptionError, match="`a` comes twice"):
        written("activitynet", named("v_a.mp4"), named("a.mp4"))
    assert list(json.loads(written("fiftyone", named("v_a.mp4"), named("a.mp4")))["labels"]) == [
        "v_a",
        "a",
    ]
