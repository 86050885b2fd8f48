"""What a reader may rely on: packages in order, no cycles, a light start, short files."""

import ast
import json
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "vswin_cli"
ORDER = [  # a package imports from itself and from rows above its own
    {"_version", "errors", "field_docs"},
    {"quantities"},
    {"label_options"},
    {"config"},
    {"storage"},
    {"models"},
    {"video"},
    {"timeline"},
    {"inference", "search"},
    {"export"},
    {"report"},
    {"batch", "bench", "evaluation"},
    {"cutting", "training"},
    {"cli"},
]
HEAVY = {"torch", "av", "ray", "huggingface_hub", "fsspec", "safetensors", "matplotlib"}
HEAVY_AT_TOP = {  # what a package may import with its modules; elsewhere only inside functions
    "models": {"torch", "safetensors"},
    "video": {"av"},
    "inference": {"torch"},
    "bench": {"torch"},
    "training": {"torch"},
}
FILES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.parent != PACKAGE or not path.name.startswith("__")
}


@cache
def imports_of(module: str, *, eager_only: bool = False) -> set[str]:
    """Absolute names that a module imports, those under TYPE_CHECKING left out."""
    found: set[str] = set()
    pending: list[ast.AST] = [ast.parse(FILES[module].read_text())]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and eager_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        pending += ast.iter_child_nodes(node)
    return found


def own_imports(module: str) -> set[str]:
    """Modules of this package that a module imports."""
    names = [name.split(".")[1:] for name in imports_of(module) if name.startswith("vswin_cli.")]
    dotted = {".".join(parts[:length]) for parts in names for length in range(1, len(parts) + 1)}
    return {name for name in dotted if name in FILES and FILES[name].name != "__init__.py"} - {
        module
    }


def rank(module: str) -> int:
    return next(row for row, names in enumerate(ORDER) if module.split(".")[0] in names)


@pytest.mark.parametrize("module", FILES)
def test_packages_import_only_from_those_before_them(module):
    package = module.split(".")[0]
    others = {name for name in own_imports(module) if name.split(".")[0] != package}
    assert not {name for name in others if rank(name) >= rank(module)}


def test_no_files_import_each_other_in_a_circle():
    TopologicalSorter({module: own_imports(module) for module in FILES}).prepare()


@pytest.mark.parametrize("module", FILES)
def test_heavy_libraries_load_late(module):
    eager = {name.split(".")[0] for name in imports_of(module, eager_only=True)}
    assert not eager & HEAVY - HEAVY_AT_TOP.get(module.split(".")[0], set())


@pytest.mark.parametrize("module", FILES)
def test_files_stay_short(module):
    assert len(FILES[module].read_text().splitlines()) <= 400


def loaded_after(*arguments: str) -> set[str]:
    """Top-level packages in `sys.modules` after one command line in a fresh interpreter."""
    script = (
        "import json, sys; from vswin_cli.cli.app import run; run(sys.argv[1:]); "
        "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})), file=sys.stderr)"
    )
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("command", ["--help", "--version", "tag --help", "probe --help"])
def test_help_loads_nothing_heavy(command):
    assert not loaded_after(*command.split()) & {*HEAVY, "numpy"}


@pytest.mark.slow
@pytest.mark.parametrize("command", ["schema", "models", "labels swin-t-k400"])
def test_looking_things_up_loads_no_torch(command, tmp_path, monkeypatch):
    monkeypatch.setenv("VSWIN_CACHE", str(tmp_path))
    assert not loaded_after(*command.split()) & {"torch", "av"}
