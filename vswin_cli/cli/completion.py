"""Complete names of models, formats and labels on the command line; torch is not loaded for it."""

from __future__ import annotations

import os
import re
from contextlib import suppress

import typer

from vswin_cli.errors import VswinError

__all__ = ["complete_format", "complete_label", "complete_model"]

_SPECIAL = re.compile(r"([^\w@%+=:,./-])")


def complete_model(incomplete: str) -> list[tuple[str, str]]:
    """Complete the names of published and of downloaded weights."""
    from vswin_cli.models.weights.catalogue import embedded_model, installed_models
    from vswin_cli.models.weights.registry import all_specs

    names = {spec.name: spec.dataset for spec in all_specs()}
    with suppress(VswinError):  # a cache that cannot be read
        here = (embedded_model(), *installed_models())
        names |= {model.card.id: "installed" for model in here}
    return [(name, text) for name, text in names.items() if name.startswith(incomplete)]


def complete_format(incomplete: str) -> list[tuple[str, str]]:
    """Complete the names of output formats."""
    from vswin_cli.export.formats import FORMATS

    return [
        (form.name, form.summary) for form in FORMATS.values() if form.name.startswith(incomplete)
    ]


def complete_label(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the labels of the models that the command line names, or of the default one."""
    from vswin_cli.models.weights.catalogue import labels_of
    from vswin_cli.models.weights.store import EMBEDDED_MODEL
    from vswin_cli.storage.user_config import default_model

    try:
        named = context.params.get("model") or os.environ.get("VSWIN_MODEL") or default_model()
        names = named if isinstance(named, (list, tuple)) else [named or EMBEDDED_MODEL]
        labels = [label for name in names for _, label in labels_of(name).search("")]
    except VswinError:
        return []
    found = [label for label in labels if label.startswith(incomplete)]
    if not os.environ.get("_VSWIN_COMPLETE", "").endswith("bash"):
        return found  # other shells quote them
    return [_BashWord(_SPECIAL.sub(r"\\\1", label)) for label in found]


class _BashWord(str):
    """A label with escapes, as Bash inserts completions as they are."""

    __slots__ = ()

    def startswith(self, *_: object) -> bool:
        """Return true: Typer would compare it with the word without its escapes."""
        return True
