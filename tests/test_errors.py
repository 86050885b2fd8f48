"""Errors hide credentials in addresses."""

import pytest

from vswin_cli.errors import VswinError, redacted


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://user:pass@host/a.mp4", "https://***@host/a.mp4"),
        ("https://me:p@ss@host/a.mp4", "https://***@host/a.mp4"),
        ("https://:pass@host/a.mp4", "https://***@host/a.mp4"),
        ("https://@me:pass@host/a.mp4", "https://***@host/a.mp4"),
        ("https://h/a.mp4?token=abc&page=1", "https://h/a.mp4?token=***&page=1"),
        (
            "s3://b/k.mp4?X-Amz-Credential=A/2/s3&X-Amz-Signature=ff&X-Amz-Expires=3",
            "s3://b/k.mp4?X-Amz-Credential=***&X-Amz-Signature=***&X-Amz-Expires=3",
        ),
        ("https://h/a.mp4?sv=2020&sig=a%2Fb%3D&se=1", "https://h/a.mp4?sv=2020&sig=***&se=1"),
        (
            "https://h/a.mp4?Expires=1&Signature=a~b_&Key-Pair-Id=K",
            "https://h/a.mp4?Expires=1&Signature=***&Key-Pair-Id=***",
        ),
        ("https://h/v?dGhpc2lzYXNlY3JldHRva2Vu", "https://h/v?***"),
        ("https://h/token=abc/a.mp4", "https://h/token=***/a.mp4"),
        ("https://h/live;jwt=abc/a.mp4", "https://h/live;jwt=***/a.mp4"),
        ("https://h/a.mp4#access_token=1", "https://h/a.mp4#access_token=***"),
    ],
)
def test_credentials_are_hidden(address, shown):
    assert redacted(address) == shown
    assert redacted(f"GET {address!r}: 5 at {address} !") == f"GET {shown!r}: 5 at {shown} !"
    assert VswinError(f"{address}: gone", hint=f"see {address}").message == f"{shown}: gone"
    assert VswinError("gone", hint=f"see {address}").hint == f"see {shown}"


@pytest.mark.parametrize(
    "text",
    [
        "https://h/a.mp4?id=5&author=me&design=1&monkey=3",
        "https://h/@me/a.mp4",
        "udp://@239.0.0.1:1234",
        "udp://@239.0.0.1:1234?reuse=1",
        "hf://datasets/a/b@main/c.mp4",
        "what?token=5.mp4",
        "me@host: no such file",
    ],
)
def test_the_rest_stays(text):
    assert redacted(text) == text
