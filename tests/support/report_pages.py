"""Steps on a report page that is open in a real browser."""

from contextlib import suppress
from pathlib import Path

import pytest


def until(page, condition: str) -> None:
    """Wait for a condition; Playwright's own way needs `eval`, which the page forbids."""
    from playwright.sync_api import Error

    for _ in range(300):
        with suppress(Error):  # the page is being read again
            if page.evaluate(f"Boolean({condition})"):
                return
        page.wait_for_timeout(30)
    pytest.fail(f"never came true: {condition}")


def open_page(page, address: str) -> None:
    """Open a page and wait until it is filled."""
    page.goto(address)
    until(page, "document.body.dataset.ready")


def saved(page, kind: str, folder: Path) -> Path:
    """Click on a download and keep its file."""
    with page.expect_download() as found:
        page.click(f"#save-{kind}")
    path = folder / str(found.value.suggested_filename)
    found.value.save_as(path)
    return path


def set_value(page, name: str, value: float) -> None:
    """Move a threshold, and wait until the page has followed."""
    page.evaluate(
        """([name, value]) => {
             const field = document.getElementById(name);
             field.value = value;
             field.dispatchEvent(new Event('input', {bubbles: true}));
           }""",
        [name, str(value)],
    )
    # The page draws in the next frame; the second one is after that.
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
