"""File systems of addresses, and their errors as one kind."""

import pytest

from vswin_cli.errors import OptionError, SourceError, SourceNotFoundError
from vswin_cli.storage.file_systems import as_source_errors, file_system, is_stream, scheme_of


def test_protocols_are_compared_in_small_letters():
    assert scheme_of("S3://bucket/a.mp4") == "s3"
    assert is_stream("RTSP://camera/1")
    assert not is_stream("https://host/a.mp4")
    assert not is_stream("rtsp.mp4")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("rtsp://camera/stream", "is a live stream, not a file"),
        ("nothing://host/a.mp4", "unknown protocol nothing://"),
        ("reference://a.mp4", "are not supported"),
    ],
)
def test_addresses_without_a_file_system_are_refused(uri, message):
    with pytest.raises(OptionError, match=message):
        file_system(uri)


def test_a_file_system_is_found_by_its_protocol():
    system = file_system("memory://folder/a.mp4")
    with system.open("memory://folder/a.mp4", "wb") as file:
        file.write(b"frames")
    assert system.info("memory://folder/a.mp4")["size"] == 6


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (FileNotFoundError(), SourceNotFoundError, "nothing at s3://b/a"),
        (PermissionError(), SourceNotFoundError, "no permission to read s3://b/a"),
        (RuntimeError("slow down"), SourceError, "cannot fetch s3://b/a: RuntimeError: slow down"),
        (SourceError("cut short"), SourceError, "cut short"),
    ],
)
def test_whatever_a_file_system_raises_names_the_address(error, kind, message):
    with pytest.raises(SourceError) as caught, as_source_errors("s3://b/a"):
        raise error
    assert type(caught.value) is kind
    assert caught.value.message == message
