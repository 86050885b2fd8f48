"""Look up published weights by name."""

from __future__ import annotations

import difflib

from vswin_cli.errors import OptionError, UnknownModelError
from vswin_cli.models.weights.spec import WeightsSource, WeightsSpec
from vswin_cli.models.weights.store import EMBEDDED_MODEL
from vswin_cli.models.weights.table import TABLE

__all__ = ["all_specs", "find_source", "get_spec", "nearest_names"]


def all_specs() -> tuple[WeightsSpec, ...]:
    """List all published weights, in display order."""
    return TABLE


def get_spec(name: str) -> WeightsSpec:
    """Look up weights by name.

    Raises:
        UnknownModelError: no such name; the hint suggests the nearest ones.
    """
    for spec in TABLE:
        if spec.name == name:
            return spec
    names = (EMBEDDED_MODEL, *(spec.name for spec in TABLE))
    near = nearest_names(name, names)
    advice = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(names)};"
    raise UnknownModelError(
        f"there are no weights called {name!r}",
        hint=f"{advice} `vswin models` describes them; a path or USER/REPO works too",
    )


def nearest_names(name: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Find up to three known names that are similar to `name`, the most similar first."""
    folded = name.casefold().replace("_", "-").replace(".", "-")
    return tuple(difflib.get_close_matches(folded, known, n=3, cutoff=0.5))


def find_source(spec: WeightsSpec, key: str) -> WeightsSource:
    """Find the source for `--source KEY`.

    Raises:
        OptionError: these weights have no such source.
    """
    for source in spec.sources:
        if source.key == key:
            return source
    keys = ", ".join(source.key for source in spec.sources)
    raise OptionError(f"{spec.name} has no source {key!r}", hint=f"it has: {keys}")
