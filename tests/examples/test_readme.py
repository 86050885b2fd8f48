"""The list of the examples is complete, and the image for the README is small."""

from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_every_example_is_listed_and_every_listed_file_is_there():
    lines = (EXAMPLES / "README.md").read_text().splitlines()
    listed = {line.split("`")[1] for line in lines if line.startswith("| `")}
    files = [
        path for path in EXAMPLES.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    assert listed == {path.name for path in files} - {"README.md"}


def test_the_report_image_is_a_png_of_at_most_200_kilobytes():
    data = (EXAMPLES / "report.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n")
    assert len(data) <= 200_000
