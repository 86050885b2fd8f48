"""Render pages to HTML: self-contained files that load nothing but the video beside them.

File names and labels are untrusted. The templates escape them; in addition, the content security
policy of each page allows only its own script and style, identified by their hashes, so that
injected markup could neither run nor load anything.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from vswin_cli.export.naming import one_line, video_name
from vswin_cli.export.palette import palette_text
from vswin_cli.report.content import PageContent
from vswin_cli.storage.humanize import clock_text, counted
from vswin_cli.storage.json_records import to_json
from vswin_cli.timeline.record import Timeline

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["IndexRow", "index_page", "video_page"]

_PAGE_SCRIPTS = (
    "palette.js",
    "segments.js",
    "track.js",
    "drawing.js",
    "evidence.js",
    "player.js",
    "view.js",
    "page.js",
)
_INDEX_SCRIPTS = ("palette.js", "index.js")
_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; "
    "media-src 'self' file: blob:; base-uri 'none'; form-action 'none'"
)
_STRIP_MARKS = 400  # segments drawn in a row of the index
_STRIP_ROWS = 4  # one for each of the first labels, the last for all others
_STRIP_HEIGHT = 12.0  # for all of them together


@dataclass(frozen=True, slots=True)
class IndexRow:
    """A row of the table of several videos."""

    timeline: Timeline
    url: str
    """URL of the video's own page."""

    @property
    def name(self) -> str:
        """File name of the video, without folders."""
        return video_name(self.timeline)

    @property
    def folder(self) -> str:
        """Folder of the video as the user gave it; empty for the current folder."""
        place = one_line(self.timeline.video.uri.replace("\\", "/"))
        return place.rpartition("/")[0]

    @property
    def marks(self) -> list[tuple[float, float, int]]:
        """Start and width in percent of the video, and row, of the longest segments."""
        longest = sorted(self.timeline.segments, key=lambda segment: -segment.duration_seconds)
        labels = [row.label for row in self.timeline.summary]
        return [
            (
                *self._share(segment.start_seconds, segment.end_seconds),
                min(labels.index(segment.label), _STRIP_ROWS - 1),
            )
            for segment in longest[:_STRIP_MARKS]
        ]

    @property
    def row_height(self) -> float:
        """Height of a row of marks, in units of the strip's view box."""
        return _STRIP_HEIGHT / min(max(len(self.timeline.summary), 1), _STRIP_ROWS)

    @property
    def gaps(self) -> list[tuple[float, float]]:
        """Start and width in percent of the video of what could not be decoded."""
        gaps = self.timeline.coverage.gaps
        return [self._share(gap.start_seconds, gap.end_seconds) for gap in gaps[:_STRIP_MARKS]]

    def _share(self, start: float, end: float) -> tuple[float, float]:
        total = max(self.timeline.video.duration_seconds, 0.001)
        return 100 * start / total, max(0.3, 100 * (end - start) / total)


def video_page(timeline: Timeline, content: PageContent, index_url: str | None = None) -> str:
    """Render the page of one video.

    Args:
        timeline: the result to show.
        content: data for the page's script.
        index_url: URL of the table of videos, if the page belongs to one.
    """
    return _render(
        "page.html.j2",
        _PAGE_SCRIPTS,
        timeline=timeline,
        content=content,
        data=to_json(content),
        index_url=index_url,
    )


def index_page(rows: Sequence[IndexRow]) -> str:
    """Render the table of several videos."""
    return _render("index.html.j2", _INDEX_SCRIPTS, rows=rows)


def _render(template: str, scripts: Sequence[str], **values: object) -> str:
    from markupsafe import Markup

    body = "\n".join(_resource(name) for name in scripts)
    script = f'(() => {{\n"use strict";\n{body}\n}})();'
    style = _resource("style.css")
    policy = _POLICY.format(script=_hash(script), style=_hash(style))
    html = (
        _environment()
        .get_template(template)
        .render(
            policy=policy,
            script=Markup(script),
            style=Markup(style),
            palette=json.loads(palette_text()),
            **values,
        )
    )
    # Lone surrogates represent bytes of a file name that is not UTF-8, and cannot be encoded.
    return html.encode("utf-8", "replace").decode("utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


@cache
def _resource(name: str) -> str:
    return files("vswin_cli").joinpath(f"data/report/{name}").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_resource),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"clock": _clock, "clean": one_line, "counted": counted}
    return environment


def _clock(seconds: float) -> str:
    """Format a time as the page's script does."""
    return clock_text(seconds, 1)
