"""Start Python child processes that never run code from the current folder.

This tool is often run inside folders of downloaded videos. A plain `python -c` puts the current
folder first on `sys.path`, so that a `json.py` beside a video would be executed.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["outside_current_folder", "python_command"]

_PACKAGE = Path(__file__).absolute().parents[1]

# `sys` is built in; every other module is imported only after the path is set. The package itself
# is loaded from the same folder as in this process, even if that folder is not on the path.
_BOOTSTRAP = """
import sys
sys.path[:] = {paths}
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location({name}, {init}, submodule_search_locations=[{folder}])
package = sys.modules[{name}] = module_from_spec(spec)
spec.loader.exec_module(package)
"""


def python_command(code: str, *arguments: str) -> list[str]:
    """Return the command line of a child that runs `code` with the packages of this process.

    The child is isolated (`-I`) until it has set this process's `sys.path`, without the current
    folder. Its environment, including `PYTHONPATH`, is up to the caller.

    Args:
        code: statements; `vswin_cli` is imported already.
        arguments: `sys.argv[1:]` of the child.
    """
    # `ascii` preserves names that are not UTF-8, which a command line could not contain.
    bootstrap = _BOOTSTRAP.format(
        paths=ascii(_search_path()),
        name=ascii(_PACKAGE.name),
        init=ascii(str(_PACKAGE / "__init__.py")),
        folder=ascii(str(_PACKAGE)),
    )
    # Isolation also ignores PYTHONUTF8, on which the decoding of file names depends, and
    # PYTHONDONTWRITEBYTECODE: both are passed as flags.
    flags = ["-I", "-X", f"utf8={sys.flags.utf8_mode}", *["-B"] * sys.dont_write_bytecode]
    return [sys.executable, *flags, "-c", bootstrap + code, *arguments]


def _search_path() -> list[str]:
    """Return `sys.path` with absolute paths and without the current folder.

    The current folder is kept if Python is installed in it, or if `PYTHONPATH` has its full path.
    """
    wanted = {*os.environ.get("PYTHONPATH", "").split(os.pathsep), *sysconfig.get_paths().values()}
    return [
        str(Path(path).resolve())
        for path in sys.path
        if Path(path).is_absolute() and (path in wanted or not _is_current_folder(path))
    ]


def _is_current_folder(path: str) -> bool:
    try:
        return Path(path).samefile(os.curdir)
    except OSError:
        return False


@contextmanager
def outside_current_folder() -> Iterator[None]:
    """Change to the folder of the standard library inside the block.

    For libraries that start Python children which import modules from the current folder: there
    it contains only the standard library. The current folder is that of all threads.
    """
    try:
        before = Path.cwd()
    except OSError:  # it was deleted, so that nothing can be imported from it
        yield
        return
    os.chdir(Path(os.__file__).parent)
    try:
        yield
    finally:
        os.chdir(before)
