import pytest

from vswin_cli.report.content import relative_url


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
