import pytest

from vswin_cli.cutting.clip_tag import ClipTag, clip_key, read_tag, source_digest


def test_a_tag_is_read_back(tmp_path):
    tag = ClipTag(clip_key("source", 1.0, 2.0, "auto"), "copy", 0.4)
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\0" * 10_000 + tag.text().encode())
    assert read_tag(path) == tag


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"vswin clip/1 {}",
        b'vswin clip/1 {"key": "' + b"0" * 64 + b'", "mode": 1, "early": "x"}',
        b'vswin clip/1 {"key": "' + b"0" * 64 + b'", nonsense}',
    ],
)
def test_other_files_have_none(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    assert read_tag(path) is None


def test_a_key_follows_the_source_the_times_and_the_mode(tmp_path):
    keys = {
        clip_key(*parts)
        for parts in (
            ("a", 1, 2, "copy"),
            ("b", 1, 2, "copy"),
            ("a", 1, 3, "copy"),
            ("a", 1, 2, "exact"),
        )
    }
    assert len(keys) == 4


def test_a_digest_follows_the_content_not_the_place(tmp_path):
    paths = [tmp_path / name for name in "abc"]
    for path, end in zip(paths, (b"1", b"1", b"2"), strict=True):
        path.write_bytes(bytes(200_000) + end)
    assert source_digest(paths[0]) == source_digest(paths[1]) != source_digest(paths[2])
