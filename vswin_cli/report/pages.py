"""Render pages to HTML: self-contained files that load nothing but the video beside them.

File names and labels are untrusted. The templates escape them; in addition, the content security
policy of each page allows only its own script and style, identified by their hashes, so that
injected markup could neither run nor load anything.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from vswin_cli.export.naming import one_line
from vswin_cli.report.archive import ArchiveProgress, ArchiveRow, archive_content
from vswin_cli.report.content import PageContent
from vswin_cli.storage.humanize import clock_text, counted
from vswin_cli.storage.json_records import fingerprint, to_json
from vswin_cli.timeline.palette import palette_text
from vswin_cli.timeline.record import Timeline

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["PageStamp", "archive_page", "design_version", "read_stamp", "video_page"]

_PAGE_SCRIPTS = (
    "content.js",
    "palette.js",
    "segments.js",
    "track.js",
    "drawing.js",
    "evidence.js",
    "player.js",
    "cards.js",
    "correct.js",
    "download.js",
    "view.js",
    "page.js",
)
_STAMP = re.compile(
    r'<meta name="vswin-page" content="(?P<origin>[^"]*)" data-cover="(?P<cover>[^"]*)">'
)
_STAMP_BYTES = 1 << 16
_INDEX_SCRIPTS = ("content.js", "palette.js", "drawing.js", "virtual.js", "summary.js", "index.js")
_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; "
    "media-src 'self' file: blob:; base-uri 'none'; form-action 'none'"
)


def video_page(
    timeline: Timeline,
    content: PageContent,
    index_url: str | None = None,
    stamp: PageStamp | None = None,
) -> str:
    """Render the page of one video.

    Args:
        timeline: the result to show.
        content: data for the page's script.
        index_url: URL of the table of videos, if the page belongs to one.
        stamp: what the page was made of, for `read_stamp`.
    """
    return _render(
        "page.html.j2",
        _PAGE_SCRIPTS,
        timeline=timeline,
        content=content,
        data=to_json(content),
        index_url=index_url,
        stamp=stamp,
    )


def archive_page(rows: Sequence[ArchiveRow], progress: ArchiveProgress | None = None) -> str:
    """Render the page of several videos.

    Args:
        rows: the videos.
        progress: how far the work is, for a page that is kept current; `None` if it is finished.
    """
    content = archive_content(rows, progress)
    return _render("index.html.j2", _INDEX_SCRIPTS, rows=rows, content=content, progress=progress)


@dataclass(frozen=True, slots=True)
class PageStamp:
    """What a page was made of, so that it need not be made again of the same."""

    origin: str
    """Fingerprint of results, scores, video and options."""
    cover: str = ""
    """A `data:` URL with a small image of the video; empty if there is none."""


def read_stamp(path: Path) -> PageStamp | None:
    """Read the stamp of a page; `None` if it has none, or if there is no page."""
    try:
        with path.open("rb") as file:
            head = file.read(_STAMP_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    found = _STAMP.search(head)
    return PageStamp(found["origin"], found["cover"]) if found else None


@cache
def design_version() -> str:
    """Return a fingerprint of the scripts and styles, which change with versions of vswin."""
    names = ("page.html.j2", "style.css", "page.css", *_PAGE_SCRIPTS)
    return fingerprint(*(_resource(name) for name in names), palette_text())


def _render(template: str, scripts: Sequence[str], **values: object) -> str:
    from markupsafe import Markup

    body = "\n".join(_resource(name) for name in scripts)
    script = f'(() => {{\n"use strict";\n{body}\n}})();'
    style = "\n".join(_resource(name) for name in ("style.css", f"{template.split('.')[0]}.css"))
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
    tenths = partial(clock_text, digits=1)  # as the page's script writes times
    environment.filters |= {"clock": tenths, "clean": one_line, "counted": counted}
    return environment
