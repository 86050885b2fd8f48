import numpy as np
import pytest

from vswin_cli.models.checkpoints.crc32c import crc32c, masked_crc32c

POLYNOMIAL = 0x82F63B78


def bitwise(data: bytes) -> int:
    """The definition, one bit at a time."""
    remainder = 0xFFFFFFFF
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            remainder = remainder >> 1 ^ (POLYNOMIAL if remainder & 1 else 0)
    return remainder ^ 0xFFFFFFFF


# RFC 3720, appendix B.4, and the check value of the parameter set.
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_published_vectors(data, expected):
    assert crc32c(data) == expected


@pytest.mark.parametrize("length", [1, 3, 4, 5, 255, 256, 257, 259, 260, 261, 1000, 4099])
def test_any_length_up_to_a_few_rows(length):
    data = np.random.default_rng(length).bytes(length)
    assert crc32c(data) == bitwise(data)


@pytest.mark.parametrize("length", [32767, 32768, 32769, 32771, 32772, 32773, 65539, 98304])
def test_lengths_around_whole_rows(length):
    data = np.random.default_rng(length).bytes(length)
    assert crc32c(data) == bitwise(data)


def test_takes_views_of_buffers():
    data = bytes(range(256)) * 200
    assert crc32c(memoryview(data)[100:]) == crc32c(data[100:])


def test_each_byte_counts():
    data = bytearray(np.random.default_rng(0).bytes(40_000))
    whole = crc32c(bytes(data))
    for position in (0, 3, 4, 7231, 7232, 7236, 39_999):
        data[position] ^= 0x10
        assert crc32c(bytes(data)) != whole
        data[position] ^= 0x10


def test_masking_follows_leveldb():
    crc = crc32c(b"foo")
    rotated = (crc >> 15 | crc << 17) & 0xFFFFFFFF
    assert masked_crc32c(b"foo") == (rotated + 0xA282EAD8) % 2**32
