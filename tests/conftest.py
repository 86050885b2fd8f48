import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from itertools import count
from pathlib import Path

import pytest
import torch

from tests.support.golden import golden_card, golden_state

if not torch.cuda.is_available():
    # Kernels run in Triton's interpreter. Its own functions are made for it, or not, when Triton is
    # first imported, which any module of tests may do.
    with pytest.MonkeyPatch.context() as patch, suppress(ImportError):
        patch.setitem(os.environ, "TRITON_INTERPRET", "1")
        import_module("triton.language")

MAX_WORKERS = 4  # each loads torch, and some tests measure memory or start processes of their own


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run all tests in parallel, but a few named ones in this process, which starts faster."""
    is_everything = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return min(MAX_WORKERS, len(os.sched_getaffinity(0))) if is_everything else 0


@pytest.fixture(scope="session")
def native_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where compiled kernels are kept for all tests."""
    return tmp_path_factory.mktemp("native")


@pytest.fixture(scope="session")
def new_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Make one empty folder after the other.

    `tmp_path_factory.mktemp` reads the list of all folders that it made before, for each new one.
    """
    base, numbers = tmp_path_factory.mktemp("folders"), count()

    def make() -> Path:
        folder = base / str(next(numbers))
        folder.mkdir()
        return folder

    return make


@pytest.fixture(autouse=True)
def own_folders(
    new_folder: Callable[[], Path], monkeypatch: pytest.MonkeyPatch, native_folder: Path
) -> None:
    """Keep the tests away from the settings and weights of whoever runs them."""
    cache = new_folder()
    (cache / "vswin").mkdir()
    (cache / "vswin" / "native").symlink_to(native_folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(new_folder()))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    for name in ("VSWIN_CACHE", "VSWIN_MODEL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a real network of ten classes that takes clips of 8 frames of 32 pixels."""
    from vswin_cli.models.checkpoints.load import save_model

    folder = tmp_path_factory.mktemp("models") / "tiny"
    card = golden_card("tiny", [f"label {letter}" for letter in "abcdefghij"])
    save_model(folder, golden_state("w877"), card)
    return folder


@pytest.fixture(params=[1, 2, 3])
def num_threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """How many threads torch computes with during the test."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)
