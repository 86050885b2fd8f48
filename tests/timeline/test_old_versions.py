"""Files written by earlier versions are read and mean the same."""

import json
from pathlib import Path

from vswin_cli.timeline.files import read_timelines
from vswin_cli.timeline.record import with_segments
from vswin_cli.timeline.score_files import load_track, save_track

DATA = Path(__file__).parents[1] / "data" / "timeline"
"""`vswin tag flower.mp4 --json --save-scores v0.1.0.npz`, by version 0.1.0."""


def test_a_timeline_of_version_0_1_0_is_read_and_keeps_every_value():
    (timeline,) = read_timelines(DATA / "v0.1.0.json")
    assert timeline.tool.version == "0.1.0"
    assert [(one.label, one.end_seconds) for one in timeline.segments] == [("static", 5.005)]
    written = json.loads((DATA / "v0.1.0.json").read_text(encoding="utf-8"))
    again = timeline.to_json()
    for part in ("video", "model", "sampling", "postprocess", "coverage"):
        assert written[part].items() <= again[part].items()
    assert written["segments"] == again["segments"]


def test_a_score_file_of_version_0_1_0_gives_the_same_segments(tmp_path):
    (timeline,) = read_timelines(DATA / "v0.1.0.json")
    track, stored = load_track(DATA / "v0.1.0.npz")
    with track:
        assert stored == timeline
        again = with_segments(stored, track, stored.postprocess.options())
        save_track(track, stored, tmp_path / "again.npz")
    assert again.to_json() == timeline.to_json()
    reread, same = load_track(tmp_path / "again.npz")
    with reread, load_track(DATA / "v0.1.0.npz")[0] as first:
        assert same == timeline
        assert (reread.read(0, 31) == first.read(0, 31)).all()
