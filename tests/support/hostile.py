"""A folder whose modules say so when anything loads them."""

from pathlib import Path

__all__ = ["HOSTILE_NAMES", "make_hostile", "was_run"]

HOSTILE_NAMES = (
    *("json", "sys", "numpy", "av", "threading", "multiprocessing", "struct", "pickle", "signal"),
    *("runpy", "sitecustomize", "usercustomize", "torch", "ray", "typing", "queue", "logging"),
)
_MARKER = "hostile.txt"


def make_hostile(folder: Path) -> Path:
    """Put modules with the names of others into a folder; whoever loads one leaves a mark."""
    for name in HOSTILE_NAMES:
        (folder / f"{name}.py").write_text(
            f"with open({str(folder / _MARKER)!r}, 'a') as file:\n"
            f"    file.write('{name}\\n')\n"
            "raise ImportError('code from the current folder')\n"
        )
    return folder


def was_run(folder: Path) -> set[str]:
    """Tell which of the hostile modules were loaded."""
    marker = folder / _MARKER
    return set(marker.read_text().split()) if marker.exists() else set()
