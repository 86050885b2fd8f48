"""Reports without a browser: what the files hold, what they weigh, what is refused."""

import base64
import hashlib
import html
import json
import re
import zlib
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.support.reports import NAMES, make_report_video, random_track
from tests.support.timelines import track_of
from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cli.app import app, run
from vswin_cli.config import LabelGroup, SegmentOptions
from vswin_cli.errors import OptionError, OutputError, SourceError
from vswin_cli.export import write_timeline
from vswin_cli.report import ReportSource, write_report
from vswin_cli.report.content import relative_url
from vswin_cli.report.thumbnails import ThumbnailRequest, plan_requests, take_thumbnails
from vswin_cli.report.tracks import LOWEST_ONSET, pack_track
from vswin_cli.timeline.score_files import save_track
from vswin_cli.timeline.scores import Gap

NO_CUTS = {"sc_threshold": "0"}  # key frames at regular distances only
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">')


def content_of(text: str):
    (found,) = re.findall(r'<script type="application/json" id="content">(.*?)</script>', text)
    return json.loads(found)


def source_of(tagged) -> ReportSource:
    return ReportSource(tagged.timeline, tagged.scores, tagged.video)


@pytest.fixture(scope="module")
def tagged(tmp_path_factory):
    return make_report_video(tmp_path_factory.mktemp("video"), gaps=(Gap(11.0, 13.5),))


@pytest.fixture(scope="module")
def text(tagged):
    path = tagged.scores.parent / "page.html"
    assert write_report([source_of(tagged)], path) == [path]
    return path.read_text()


def test_page_holds_segments_scores_gaps_and_thumbnails(tagged, text):
    content = content_of(text)
    assert [(one["label"], one["start"]) for one in content["segments"]] == [
        (one.label, round(one.start_seconds, 6)) for one in tagged.timeline.segments
    ]
    assert content["gaps"] == [{"start": 11.0, "end": 13.5, "reason": "decode_error"}]
    assert content["video_url"] == "./video.webm"
    assert set(content["track"]["labels"]) <= set(NAMES)
    assert len(content["thumbnails"]) > 20
    assert {one["url"][:16] for one in content["thumbnails"]} == {"data:image/webp;"}
    assert "91.7% of the video decoded, 1 gap" in text


def test_page_loads_nothing_and_allows_only_its_own_script_and_style(text):
    assert not re.findall(r"<(?:link|iframe|object|embed)\b", text)
    assert not re.findall(r'(?:src|href)="(?!#)', text)
    policy = html.unescape(POLICY.findall(text)[0])
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    for tag in ("script", "style"):
        (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not re.findall(
        r"\s(?:style|on\w+)=", re.sub(r"<(script|style).*?</\1>", "", text, flags=re.S)
    )


def test_whatever_is_in_names_stays_text(tmp_path):
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    tagged = make_report_video(tmp_path, with_video=False, labels=(evil, "b\x00\n\u2028c", *NAMES))
    named = replace(tagged.timeline, video=replace(tagged.timeline.video, uri=f'{evil}".mp4'))
    path = tmp_path / "page.html"
    write_report([ReportSource(named, tagged.scores), ReportSource(named, tagged.scores)], path)
    for page in (path, *sorted((tmp_path / "page-videos").iterdir())):
        text = page.read_text()
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "\x00" not in text
    assert evil in {one["label"] for one in content_of(text)["segments"]}


def test_names_that_are_no_unicode_are_shown_with_marks(tmp_path):
    tagged = make_report_video(tmp_path, with_video=False)
    uri = "video \udcff.mp4"
    timeline = replace(tagged.timeline, video=replace(tagged.timeline.video, uri=uri))
    write_report([ReportSource(timeline)], tmp_path / "page.html")
    assert "video" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_without_scores_the_page_has_segments_only(tagged, tmp_path):
    write_report([ReportSource(tagged.timeline)], tmp_path / "page.html")
    content = content_of((tmp_path / "page.html").read_text())
    assert content["track"] is None
    assert content["thumbnails"] == []
    assert len(content["segments"]) == len(tagged.timeline.segments)


def test_an_empty_timeline_gives_a_page(tagged, tmp_path):
    write_report([ReportSource(replace(tagged.timeline, segments=()))], tmp_path / "page.html")
    assert content_of((tmp_path / "page.html").read_text())["segments"] == []


def test_a_video_without_a_single_cell_gives_a_page(tagged, tmp_path):
    scores = tmp_path / "none.npz"
    with track_of(np.zeros((0, 3))) as track:
        save_track(track, replace(tagged.timeline, segments=()), scores)
    write_report([ReportSource(replace(tagged.timeline, segments=()), scores)], tmp_path / "p.html")
    assert content_of((tmp_path / "p.html").read_text())["track"]["num_cells"] == 0


def test_scores_of_another_video_are_refused(tagged, tmp_path):
    other = make_report_video(tmp_path, seconds=12.0, with_video=False)
    with pytest.raises(OptionError, match=r"12\.0 s.*30\.0 s"):
        write_report([ReportSource(tagged.timeline, other.scores)], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_several_videos_give_a_table_and_a_page_each(tagged, tmp_path):
    lower = replace(tagged.timeline, video=replace(tagged.timeline.video, uri="b/VIDEO.webm"))
    sources = [ReportSource(tagged.timeline, tagged.scores), ReportSource(lower)]
    table, first, second = write_report(sources, tmp_path / "all.html")
    assert [first.name, second.name] == ["video.html", "VIDEO-2.html"]
    assert 'href="./all-videos/video.html"' in table.read_text()
    assert 'href="./../all.html"' in second.read_text()


def test_pages_have_names_that_any_disk_takes(tagged, tmp_path):
    uris = [f"{'ü' * 200}.webm", "a\x00b.webm", "\ud800.webm"]
    videos = [replace(tagged.timeline.video, uri=uri) for uri in uris]
    sources = [ReportSource(replace(tagged.timeline, video=video)) for video in videos]
    pages = write_report(sources, tmp_path / "all.html")[1:]
    assert [page.name for page in pages] == [f"{'ü' * 125}.html", "a b.html", ".webm.html"]


def test_a_folder_that_cannot_be_made_is_an_output_error(tagged, tmp_path):
    (tmp_path / "all-videos").write_text("")
    with pytest.raises(OutputError):
        write_report([ReportSource(tagged.timeline)] * 2, tmp_path / "all.html")


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("a b.mp4", "./a%20b.mp4"),
        ("a:b?#%.mp4", "./a%3Ab%3F%23%25.mp4"),
        ("../ü.mp4", "./../%C3%BC.mp4"),
        ("bad \udcff.mp4", "./bad%20%FF.mp4"),
    ],
)
def test_addresses_lead_to_files_of_any_name(tmp_path, name, url):
    assert relative_url(tmp_path / name, tmp_path) == url


def unpack(packed) -> np.ndarray:
    """(L, N), written down from the format rather than from the code."""
    data = base64.b64decode(packed.scores)
    columns: list[np.ndarray] = []
    while data:
        size = int.from_bytes(data[:4], "little")
        planes = np.frombuffer(zlib.decompress(data[4 : 4 + size]), np.uint8)
        data = data[4 + size :]
        if packed.bits == 16:
            high, low = planes.reshape(2, -1).astype(np.uint16)
            columns.append(np.cumsum(256 * high + low, dtype=np.uint16).view(np.float16))
        else:
            columns.append(np.cumsum(planes, dtype=np.uint8) / 256)
    return np.array(columns, np.float32)


def test_scores_travel_unchanged_while_there_is_room():
    with random_track(1) as track:
        packed = pack_track(track, SegmentOptions(), 1_000_000)
        assert packed.bits == 16
        assert packed.labels == track.labels
        assert np.array_equal(unpack(packed).T, track.read(0, track.num_cells))
    assert packed.num_left_out == 0
    assert packed.lowest_onset == LOWEST_ONSET


def test_scores_are_rounded_where_room_is_short():
    with random_track(2, cells=2000) as track:
        exact = pack_track(track, SegmentOptions(), 1_000_000)
        packed = pack_track(track, SegmentOptions(), len(exact.scores) * 7 // 10)
        assert packed.bits == 8
        assert len(packed.scores) <= len(exact.scores) * 7 // 10
        difference = np.abs(unpack(packed).T - track.read(0, track.num_cells))
        scores = track.read(0, track.num_cells)
    assert difference[scores > 1 / 64].max() <= 1 / 256
    assert difference.max() <= 1 / 64


def test_what_has_no_room_is_left_out_from_the_lowest_on():
    with random_track(3, cells=400, classes=30) as track:
        whole = pack_track(track, SegmentOptions(), 1_000_000)
        packed = pack_track(track, SegmentOptions(), 4000)
        best = track.read(0, track.num_cells).max(axis=0)
    assert 0 < len(packed.labels) < len(whole.labels)
    assert packed.num_left_out == len(whole.labels) - len(packed.labels)
    missing = [best[i] for i, name in enumerate(track.labels) if name not in packed.labels]
    kept = [best[i] for i, name in enumerate(track.labels) if name in packed.labels]
    assert max(missing) <= min(kept)
    assert max(missing) < packed.lowest_onset


def test_labels_that_reach_the_onset_travel_however_many_there_are():
    each_once = 0.6 * np.eye(300) + 0.001  # a cell per label
    each_once[270:] /= 3  # some do not reach it
    with track_of(each_once, activation="sigmoid") as track:
        packed = pack_track(track, SegmentOptions(onset=0.4), 1_000_000)
    assert packed.labels == track.labels[:270]
    assert (packed.num_left_out, packed.lowest_onset) == (30, 0.21)


def test_scores_that_do_not_compete_travel_without_margin_and_entropy(tagged):
    with random_track(5) as track:
        competing = pack_track(track, SegmentOptions(), 1_000_000)
        alone = pack_track(replace(track, activation="sigmoid"), SegmentOptions(), 1_000_000)
    assert competing.margins
    assert competing.entropies
    assert (alone.margins, alone.entropies) == ("", "")


def test_only_reported_labels_and_groups_travel():
    options = SegmentOptions(
        groups=(LabelGroup("both", ("label 1", "label 2")),), exclude=("label 0",)
    )
    with random_track(4) as track:
        packed = pack_track(track, options, 1_000_000)
        rows = track.read(0, track.num_cells)
    assert packed.labels == ("label 3", "label 4", "both")
    both = np.minimum(rows[:, 1] + rows[:, 2], 1)
    assert unpack(packed)[2] == pytest.approx(both, abs=1e-3)


def test_thumbnails_are_upright_small_and_on_time(tmp_path):
    recipe = VideoRecipe(num_frames=90, width=96, height=64, rotation=90, b_frames=2)
    video = make_video(tmp_path / "turned.mp4", recipe)
    found = take_thumbnails(video, plan_requests(3.0, ()), 100_000)
    assert len(found) == 6
    assert all(one.width < one.height for one in found)
    assert all(i * 0.5 <= one.seconds <= i * 0.5 + 0.25 for i, one in enumerate(found))
    assert max(len(one.url) for one in found) < 3000


def test_a_peak_is_shown_as_it_is_and_anything_near_does_for_the_axis(tmp_path):
    video = make_video(
        tmp_path / "video.mp4", VideoRecipe(num_frames=300, gop=150, options=NO_CUTS)
    )
    requests = [ThumbnailRequest(8.0, 4.0), ThumbnailRequest(3.0, 3.0), ThumbnailRequest(9.5, 9.5)]
    found = take_thumbnails(video, requests, 100_000)
    assert [one.seconds for one in found] == [3.0, 5.0, 9.5]


def test_thumbnails_end_at_the_size_limit(tagged):
    requests = plan_requests(30.0, tagged.timeline.segments)
    everything = take_thumbnails(tagged.video, requests, 1_000_000)
    some = take_thumbnails(tagged.video, requests, 10_000)
    assert 0 < len(some) < len(everything)
    assert sum(len(one.url) for one in some) <= 10_000


def test_thumbnails_end_at_the_time_limit(tagged):
    assert (
        take_thumbnails(tagged.video, plan_requests(30.0, ()), 10**6, time_limit_seconds=-9.9) == []
    )


def test_a_file_that_is_no_video_gives_no_thumbnails(tmp_path):
    (tmp_path / "video.mp4").write_bytes(b"no video at all" * 100)
    assert take_thumbnails(tmp_path / "video.mp4", plan_requests(30.0, ()), 10_000) == []


def test_peaks_come_by_weight_after_the_axis(tagged):
    requests = plan_requests(30.0, tagged.timeline.segments)
    axis = [one for one in requests if one.earliest_seconds < one.seconds]
    assert requests[: len(axis)] == axis
    assert axis[0].earliest_seconds == 0
    assert {one.seconds for one in requests[len(axis) :]} == {
        one.peak_seconds for one in tagged.timeline.segments
    }


def test_command_reads_scores_and_finds_the_video(tagged, tmp_path):
    out = tmp_path / "page.html"
    result = CliRunner().invoke(app, ["report", str(tagged.scores), "-o", str(out)])
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "wrote" in result.stderr
    content = content_of(out.read_text())
    assert content["track"] is not None
    assert content["thumbnails"]
    assert content["video_url"].endswith("/video.webm")


def test_command_joins_timelines_with_their_scores_and_finds_moved_videos(tagged, tmp_path):
    (tmp_path / "video.webm").write_bytes(tagged.video.read_bytes())
    moved = replace(
        tagged.timeline, video=replace(tagged.timeline.video, uri="elsewhere/video.webm")
    )
    write_timeline(moved, "json", tmp_path / "video.json")
    out = tmp_path / "page.html"
    arguments = ["--scores", str(tagged.scores), "-o", str(out), "--no-thumbnails", "-q"]
    assert run(["report", str(tmp_path / "video.json"), *arguments]) == 0
    content = content_of(out.read_text())
    assert content["video_url"] == "./video.webm"
    assert content["thumbnails"] == []
    assert content["track"] is not None


def test_command_refuses_what_does_not_fit(tagged, tmp_path, capsys):
    out = ["-o", str(tmp_path / "page.html")]
    two = [str(tagged.scores), str(tagged.scores)]
    assert run(["report", *two, "--video", str(tagged.video), *out]) == OptionError.exit_code
    assert "2 timelines, but 1 time --video" in capsys.readouterr().err
    assert run(["report", two[0], "--video", "nowhere.mp4", *out]) == OptionError.exit_code
    assert run(["report", str(tmp_path / "none.json"), *out]) == SourceError.exit_code
    capsys.readouterr()
    assert run(["report", str(tagged.video), *out]) == SourceError.exit_code
    assert f"`vswin tag {tagged.video} --report" in capsys.readouterr().err
    assert (
        run(["report", two[0], "-o", str(tmp_path / "no" / "page.html")]) == OutputError.exit_code
    )
    assert list(tmp_path.iterdir()) == []


def test_command_never_overwrites_what_the_page_is_made_of(tagged, tmp_path, capsys):
    (tmp_path / "video.webm").write_bytes(tagged.video.read_bytes())
    (tmp_path / "video.npz").write_bytes(tagged.scores.read_bytes())
    moved = replace(tagged.timeline, video=replace(tagged.timeline.video, uri="video.webm"))
    write_timeline(moved, "json", tmp_path / "video.json")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for place in before:
        scores = ["--scores", str(tmp_path / "video.npz")]
        code = run(["report", str(tmp_path / "video.json"), *scores, "-o", str(place)])
        assert code == OptionError.exit_code
        assert f"{place} is an input" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_damaged_score_file_is_named(tagged, tmp_path, capsys):
    bad = tmp_path / "bad.npz"
    bad.write_bytes(tagged.scores.read_bytes()[:500])
    assert run(["report", str(bad), "-o", str(tmp_path / "page.html")]) == SourceError.exit_code
    assert "bad.npz" in capsys.readouterr().err
