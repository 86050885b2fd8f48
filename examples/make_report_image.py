"""Take a screenshot of the report page of examples/camera.mp4, for the README.

    python examples/make_report_image.py

Tags the clip with the embedded model, writes the page, and saves what Chromium shows of it as
examples/report.png. Needs `pip install playwright` and a Chromium on the path, or named by
`VSWIN_CHROMIUM`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av

HERE = Path(__file__).parent
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
SHOWN_SECONDS = 4.0  # in the middle of the first pan
SETTLE_MILLISECONDS = 2500  # in which the waiting sign fades out
COLOURS = 256
MOST_BYTES = 200_000


def make_page(video: Path, page: Path) -> None:
    """Tag a video and write its report page."""
    words = ["tag", str(video), "--report", str(page), "--quiet"]
    command = [sys.executable, "-m", "vswin_cli", *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def take_screenshot(page: Path, image: Path, width: int, height: int) -> None:
    """Open a page in Chromium and save its top `width` × `height` pixels as PNG."""
    from playwright.sync_api import sync_playwright

    program = os.environ.get("VSWIN_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        sys.exit("no Chromium on the path; VSWIN_CHROMIUM may name one")
    arguments = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        # The page forbids foreign scripts, so also those that wait for it.
        tab = browser.new_page(viewport={"width": width, "height": height}, bypass_csp=True)
        tab.goto(page.absolute().as_uri(), wait_until="load")
        tab.wait_for_function("document.getElementById('video').readyState >= 2")
        tab.evaluate(f"document.getElementById('video').currentTime = {SHOWN_SECONDS}")
        # Until the player has sought, Chromium draws its waiting sign over the frame.
        tab.wait_for_function(
            "(video => !video.seeking && video.readyState >= 3)(document.getElementById('video'))"
        )
        tab.wait_for_timeout(SETTLE_MILLISECONDS)
        tab.screenshot(path=str(image))
        browser.close()


def reduce_colours(image: Path) -> None:
    """Rewrite a PNG with a palette, which the grain of the clip makes three times smaller."""
    with av.open(str(image)) as container:
        frame = next(container.decode(video=0))
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1)
    )
    split, generate = graph.add("split"), graph.add("palettegen", f"max_colors={COLOURS}")
    use, sink = graph.add("paletteuse", "dither=none"), graph.add("buffersink")
    source.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(generate, 1, 0)
    generate.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    graph.push(frame)
    graph.push(None)
    reduced = graph.vpull()
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = reduced.width, reduced.height, "pal8"
    encoder.time_base = Fraction(1)
    encoder.options = {"compression_level": "9", "pred": "none"}
    image.write_bytes(
        b"".join(bytes(part) for part in [*encoder.encode(reduced), *encoder.encode(None)])
    )


def main() -> None:
    """Make the page and its screenshot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--width", type=int, default=1100, help="of the image, in pixels")
    parser.add_argument("--height", type=int, default=985, help="of the image, in pixels")
    parser.add_argument("--out", type=Path, default=HERE / "report.png")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        make_page(HERE / "camera.mp4", page)
        take_screenshot(page, options.out, options.width, options.height)
    reduce_colours(options.out)
    size = options.out.stat().st_size
    print(f"{options.out}: {size:,} bytes")
    if size > MOST_BYTES:
        sys.exit(f"more than {MOST_BYTES:,} bytes are too much for a README")


if __name__ == "__main__":
    main()
