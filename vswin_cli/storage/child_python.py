"""Start Python child processes that never run code from the current folder.

People run this tool inside folders of downloaded videos. A plain `python -c` puts the current
folder first on `sys.path`, so that a `json.py` beside a video would run as this user.
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

# `sys` is built in; every other module is looked up only once the path is set. The package itself
# is loaded from where this process has it, even if that folder is not on the path.
_BOOTSTRAP = """
import sys
sys.path[:] = {paths}
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location({name}, {init}, submodule_search_locations=[{folder}])
package = sys.modules[{name}] = module_from_spec(spec)
spec.loader.exec_module(package)
"""


def python_command(code: str, *arguments: str) -> list[str]:
    """Return the command line of a child that runs `code` and sees the packages of this process.

    The child is isolated (`-I`) until it has taken over this process's `sys.path`, less the
    current folder. Its environment, `PYTHONPATH` included, is for whoever starts it to decide.

    Args:
        code: statements; `vswin_cli` is imported already.
        arguments: what the child finds in `sys.argv[1:]`.
    """
    # `ascii` keeps the bytes of names that are not UTF-8, which no command line could carry.
    bootstrap = _BOOTSTRAP.format(
        paths=ascii(_search_path()),
        name=ascii(_PACKAGE.name),
        init=ascii(str(_PACKAGE / "__init__.py")),
        folder=ascii(str(_PACKAGE)),
    )
    # Isolation ignores PYTHONUTF8, too, on which the meaning of file names depends, and whether
    # the user wants compiled modules to be written.
    flags = ["-I", "-X", f"utf8={sys.flags.utf8_mode}", *["-B"] * sys.dont_write_bytecode]
    return [sys.executable, *flags, "-c", bootstrap + code, *arguments]


def _search_path() -> list[str]:
    """Return `sys.path` with absolute paths and without the current folder.

    The current folder stays where Python is installed in it, or where the user has named it in
    `PYTHONPATH` by its full path.
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
    """Work in the folder of the standard library for the length of the block.

    For libraries that start Python children themselves and let them look for modules in the
    current folder: there they find nothing but the standard library. All threads of the process
    change folder.
    """
    try:
        before = Path.cwd()
    except OSError:  # it was removed: nothing can be loaded from it
        yield
        return
    os.chdir(Path(os.__file__).parent)
    try:
        yield
    finally:
        os.chdir(before)
