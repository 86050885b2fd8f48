from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.timelines import named, timeline, written
from vswin_cli.cli.output import Output, choose_output
from vswin_cli.cli.output_paths import OutputPath
from vswin_cli.errors import OptionError, OutputError
from vswin_cli.storage.files import writing
from vswin_cli.timeline.files import read_timelines

VIDEOS = ["/videos/a.mp4", "/videos/b.mp4"]
TWO = [named(uri) for uri in VIDEOS]


def without_rate(uri="/videos/still.mp4"):
    """A timeline that no format with frame numbers can hold."""
    video = replace(named(uri).video, frame_rate_rational=None, average_frame_rate=None)
    return replace(named(uri), video=video)


def folder_output(path: Path, form="json", **options) -> Output:
    return Output(form, OutputPath(path, is_folder=True), None, **options)


@pytest.mark.parametrize(
    ("out", "form", "json", "expected"),
    [
        (None, None, False, ("table", None, "table")),
        ("-", None, False, ("table", None, "table")),
        (None, "csv", False, ("csv", None, "csv")),
        (None, None, True, ("json", None, "json")),
        (None, "jsonl", True, ("jsonl", None, "jsonl")),
        ("a.csv", None, False, ("csv", "a.csv", None)),
        ("a.csv", None, True, ("csv", "a.csv", "json")),
        ("a.csv", "jsonl", True, ("jsonl", "a.csv", "jsonl")),
        ("a.labels.TXT", None, False, ("audacity", "a.labels.TXT", None)),
        ("a.unknown", "srt", False, ("srt", "a.unknown", None)),
        ("a.unknown", None, True, ("json", "a.unknown", "json")),
        ("folder/", None, False, ("json", "folder", None)),
        ("folder/", "srt", True, ("srt", "folder", "json")),
    ],
)
def test_formats_and_path_are_chosen_together(tmp_path, monkeypatch, out, form, json, expected):
    monkeypatch.chdir(tmp_path)
    output = choose_output(out, form, json=json)
    path = output.path and output.path.path.name
    assert (output.format, path, output.printed) == expected
    assert output.json is json
    assert output.path is None or output.path.is_folder == str(out).endswith("/")


def test_two_formats_for_stdout_are_refused():
    with pytest.raises(OptionError, match="--json and --format csv") as caught:
        choose_output("-", "csv", json=True)
    assert "file as --out for the csv" in (caught.value.hint or "")


def test_an_ending_without_format_is_refused(tmp_path):
    with pytest.raises(OptionError, match="belongs to no format") as caught:
        choose_output(str(tmp_path / "a.xyz"), None)
    assert "--format" in (caught.value.hint or "")


def test_one_file_is_planned_for_all_videos_and_a_folder_has_one_for_each(tmp_path):
    one = choose_output(str(tmp_path / "all.csv"), None)
    assert one.plan(VIDEOS) == [tmp_path / "all.csv"] * 2
    assert folder_output(tmp_path, "srt").plan(VIDEOS) == [tmp_path / "a.srt", tmp_path / "b.srt"]
    assert choose_output(None, None).plan(VIDEOS) == []


@pytest.mark.parametrize(
    ("out", "form", "json", "hint"),
    [
        ("a.json", None, False, "folder/"),
        (None, "srt", False, "folder/"),
        (None, None, True, "--format jsonl"),
    ],
)
def test_several_videos_in_a_format_for_one_are_refused(
    tmp_path, monkeypatch, out, form, json, hint
):
    monkeypatch.chdir(tmp_path)
    output = choose_output(out, form, json=json)
    assert len(output.plan(VIDEOS[:1])) == (out is not None)
    with pytest.raises(OptionError, match="holds one video per file, and there are 2") as caught:
        output.plan(VIDEOS)
    assert hint in (caught.value.hint or "")


def test_videos_that_one_file_would_confuse_are_refused(tmp_path):
    same = ["/videos/a.mp4", "/videos/a.mkv"]
    with pytest.raises(OptionError, match="`/videos/a` comes twice"):
        choose_output(str(tmp_path / "a.activitynet.json"), None).plan(same)
    assert len(set(folder_output(tmp_path, "activitynet").plan(same))) == 2


def test_files_are_checked_only_where_the_inputs_are_given(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("by hand\n")
    output = choose_output(str(file), None)
    assert output.plan(VIDEOS) == [file] * 2
    with pytest.raises(OutputError, match=r"a\.csv"):
        output.plan(VIDEOS, [])
    assert replace(output, force=True).plan(VIDEOS, []) == [file] * 2
    with pytest.raises(OptionError, match=r"a\.csv"):
        replace(output, force=True).plan(VIDEOS, [file])
    with pytest.raises(OptionError, match=r"a\.mp4"):
        choose_output(str(tmp_path / "a.mp4"), "csv").plan(VIDEOS, [])


def test_a_file_is_written_and_stdout_gets_its_own_format(tmp_path, capsys):
    output = choose_output(str(tmp_path / "a.csv"), None, json=True)
    assert output.write([timeline()], output.plan(["a.mp4"])) == 0
    assert (tmp_path / "a.csv").read_text() == written("csv")
    shown = capsys.readouterr()
    assert shown.out == written("json")
    assert shown.err == f"wrote {tmp_path / 'a.csv'}\n"


def test_quiet_leaves_out_notes_and_caveats(tmp_path, capsys):
    uneven = replace(timeline(), video=replace(timeline().video, variable_frame_rate=True))
    output = choose_output(str(tmp_path / "a.edl"), None)
    output.write([uneven], output.plan(["a.mp4"]), quiet=True)
    assert capsys.readouterr().err == ""
    output.write([uneven], output.plan(["a.mp4"]))
    assert "warning: " in capsys.readouterr().err


def test_a_folder_is_made_with_a_file_for_each_video(tmp_path):
    output = folder_output(tmp_path / "new")
    files = output.plan(VIDEOS)
    assert not (tmp_path / "new").exists()
    assert output.write(TWO, files) == 0
    assert [one.video.uri for path in files for one in read_timelines(path)] == VIDEOS


def test_a_file_that_cannot_be_written_leaves_the_others(tmp_path, capsys):
    output = folder_output(tmp_path, json=True)
    files = output.plan(VIDEOS)
    files[0].mkdir()
    assert output.write(TWO, files) == 1
    assert read_timelines(files[1])[0].video.uri == VIDEOS[1]
    assert '{"error": {"code": ' in capsys.readouterr().err


def test_no_file_that_can_be_written_is_an_error_and_stdout_has_its_part(tmp_path, capsys):
    output = replace(folder_output(tmp_path), printed="jsonl")
    files = output.plan(VIDEOS)
    for file in files:
        file.mkdir()
    with pytest.raises(OutputError, match=r"b\.json"):
        output.write(TWO, files)
    shown = capsys.readouterr()
    assert shown.out == written("jsonl", *TWO)
    assert "a.json" in shown.err
    assert "error: b.json" not in shown.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_ends_the_writing_at_once(tmp_path, monkeypatch, capsys):
    def full(timelines, form, path):
        with writing(str(path)), Path("/dev/full").open("w") as file:
            file.write("x")

    monkeypatch.setattr("vswin_cli.cli.output.write_timelines", full)
    output = folder_output(tmp_path)
    with pytest.raises(OutputError, match=r"a\.json.*No space left"):
        output.write(TWO, output.plan(VIDEOS))
    assert capsys.readouterr().err == ""


def test_a_video_that_the_format_cannot_hold_is_left_out(tmp_path, capsys):
    output = folder_output(tmp_path, "edl")
    both = [without_rate(VIDEOS[0]), TWO[1]]
    assert output.write(both, output.plan(VIDEOS), quiet=True) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["b.edl"]
    assert "error: " in capsys.readouterr().err
    with pytest.raises(OptionError, match="frame"):
        output.write(both[:1], output.plan(VIDEOS[:1]), quiet=True)


def test_formats_that_lead_to_the_video_take_the_linked_timelines(tmp_path):
    for form, uri in (("otio", "linked.mp4"), ("json", "/videos/a.mp4")):
        output = choose_output(str(tmp_path / f"a.{form}"), None)
        output.write(TWO[:1], output.plan(VIDEOS[:1]), linked=[named("linked.mp4")], quiet=True)
        assert f'"{uri}"' in (tmp_path / f"a.{form}").read_text()


def test_results_of_several_videos_can_be_printed_one_by_one(capsys):
    for form in ("table", "jsonl"):
        output = choose_output(None, form)
        assert output.prints_each
        for number, one in enumerate(TWO):
            output.print_one(one, number=number, num_videos=2)
        assert output.write(TWO, [], is_printed=True) == 0
        shown = capsys.readouterr().out
        if form == "jsonl":
            assert shown == written("jsonl", *TWO)
        else:
            assert shown == "\n".join(f"{one.video.uri}\n{written('table', one)}" for one in TWO)
    assert not choose_output(None, "csv").prints_each


def test_windows_need_json_somewhere(tmp_path):
    for output in (
        choose_output(None, "jsonl"),
        choose_output(str(tmp_path / "a.csv"), None, json=True),
        choose_output(str(tmp_path / "a.json"), None),
    ):
        output.check_is_json("--windows")
    with pytest.raises(OptionError, match="the output is csv"):
        choose_output(str(tmp_path / "a.csv"), None).check_is_json("--windows")
