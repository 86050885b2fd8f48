"""A real Chromium for tests, driven through Playwright.

Where there is none the tests that need one are skipped, unless `VSWIN_REQUIRE_BROWSER` is set.
`VSWIN_CHROMIUM` names the program if it is not on the path.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


def chromium_path() -> str | None:
    named = os.environ.get("VSWIN_CHROMIUM")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium() -> Iterator[object]:
    """A browser, or a skipped test."""
    must = bool(os.environ.get("VSWIN_REQUIRE_BROWSER"))
    if not must:
        pytest.importorskip("playwright")
    from playwright.sync_api import sync_playwright

    path = chromium_path()
    if path is None:
        if must:
            pytest.fail("VSWIN_REQUIRE_BROWSER is set, and there is no Chromium")
        pytest.skip("no Chromium; VSWIN_CHROMIUM may name one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()
