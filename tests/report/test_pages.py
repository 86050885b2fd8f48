import base64
import hashlib
import html
import re
from dataclasses import replace

import pytest

from tests.support.reports import NAMES, content_of, make_report_video
from vswin_cli.report import ReportSource, write_report
from vswin_cli.report.archive import RowFigures
from vswin_cli.timeline.record import Coverage

POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">')


@pytest.fixture(scope="module")
def text(tagged):
    path = tagged.scores.parent / "page.html"
    assert write_report([tagged.source()], path) == [path]
    return path.read_text()


@pytest.mark.slow
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


def test_the_row_of_a_video_has_the_share_that_messages_have(tmp_path):
    tagged = make_report_video(tmp_path, with_video=False)
    coverage = Coverage(0.525526, 5.84)  # 52.6 %; of four digits a page would show 52.5
    shown = RowFigures.of(replace(tagged.timeline, coverage=coverage)).coverage
    assert f"{100 * shown:.1f}%" == f"{coverage.fraction:.1%}" == "52.6%"
