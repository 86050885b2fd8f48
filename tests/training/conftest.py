from pathlib import Path

import pytest

from tests.support.shapes import shapes_script
from vswin_cli import Engine, EngineOptions, load_model


@pytest.fixture(scope="session")
def two_shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """List of eight videos of two labels."""
    folder = tmp_path_factory.mktemp("two")
    shapes_script().make_shapes(folder, 4, labels=("move left", "move right"))
    return folder / "train.csv"


@pytest.fixture(scope="session")
def engine() -> Engine:
    return Engine(load_model("camera-motion"), EngineOptions(precision="float32"))


@pytest.fixture(scope="session")
def _kept(tmp_path_factory: pytest.TempPathFactory, native_folder: Path) -> Path:
    cache = tmp_path_factory.mktemp("kept")
    (cache / "native").symlink_to(native_folder)
    return cache


@pytest.fixture
def kept_features(_kept: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that the tests share, so that features are computed once."""
    monkeypatch.setenv("VSWIN_CACHE", str(_kept))
    return _kept / "features"
