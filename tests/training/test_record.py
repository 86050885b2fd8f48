import json

from vswin_cli._version import __version__
from vswin_cli.storage.sources import VideoSource
from vswin_cli.training.record import ExampleRecord, OptionRecord, TrainingRecord, record_text
from vswin_cli.training.records import Example


def test_a_record_is_json_with_options_and_versions_by_name():
    one = Example(VideoSource.of("a.mp4"), ("cat",), 1.0, None)
    record = TrainingRecord(
        "head",
        "base",
        "f" * 64,
        ("cat", "dog"),
        3,
        (OptionRecord("penalty", "0.1"),),
        (ExampleRecord.of(one, None, "fold 1"),),
        left_out=(("b.mp4", "damaged"),),
    )
    body = json.loads(record_text(record))
    assert body["schema"] == "vswin.training/1"
    assert body["options"] == {"penalty": "0.1"}
    assert body["versions"]["vswin"] == __version__
    assert {"python", "torch", "numpy", "av"} <= body["versions"].keys()
    assert body["examples"][0]["side"] == "fold 1"
    assert body["left_out"] == [["b.mp4", "damaged"]]
    assert body["measures"] is None
