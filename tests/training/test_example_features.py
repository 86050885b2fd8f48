import pytest

from vswin_cli.training import example_features
from vswin_cli.training.example_features import compute_features
from vswin_cli.training.examples import read_examples

pytestmark = pytest.mark.slow  # a network is run


def test_the_cache_keeps_the_latest_features_within_its_size(
    two_shapes, engine, tmp_path, native_folder, monkeypatch
):
    (tmp_path / "native").symlink_to(native_folder)
    monkeypatch.setenv("VSWIN_CACHE", str(tmp_path))
    first, second = read_examples([two_shapes]).examples[:2]
    compute_features([first], engine)
    (kept,) = (tmp_path / "features").iterdir()
    monkeypatch.setattr(example_features, "_MOST_CACHE_BYTES", 1.5 * kept.stat().st_size)
    compute_features([first], engine)
    assert kept.exists()
    compute_features([second], engine)
    assert len(list((tmp_path / "features").iterdir())) == 1
    assert not kept.exists()
