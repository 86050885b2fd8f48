from pathlib import Path

import pytest

from tests.support.golden import golden_network, golden_state


@pytest.fixture(scope="session")
def native_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where compiled kernels are kept for all tests."""
    return tmp_path_factory.mktemp("native")


@pytest.fixture(autouse=True)
def own_folders(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, native_folder: Path
) -> None:
    """Keep the tests away from the settings and weights of whoever runs them."""
    cache = tmp_path_factory.mktemp("cache")
    (cache / "vswin").mkdir()
    (cache / "vswin" / "native").symlink_to(native_folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    for name in ("VSWIN_CACHE", "VSWIN_MODEL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a real network of ten classes that takes clips of 8 frames of 32 pixels."""
    from vswin_cli.models.architecture import InputSpec
    from vswin_cli.models.card import ModelCard
    from vswin_cli.models.checkpoints.load import save_model

    golden = golden_network("w877")
    folder = tmp_path_factory.mktemp("models") / "tiny"
    card = ModelCard(
        id="tiny",
        architecture=golden.architecture,
        num_classes=golden.num_classes,
        labels=tuple(f"label {letter}" for letter in "abcdefghij"),
        input=InputSpec(num_frames=8, resize_short_side=32, crop_size=32),
    )
    save_model(folder, golden_state("w877"), card)
    return folder
