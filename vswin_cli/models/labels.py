"""Map class indices to names: bundled lists, users' lists, and their checks.

The order is part of the weights: a list with the right names in the wrong order gives wrong labels
with high scores. The bundled lists are therefore checked by hash, and a user's list must be
complete, unique and as long as the head is wide.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

from vswin_cli.errors import LabelsError
from vswin_cli.models.label_files import (
    FORMATS_HINT,
    names_in_json,
    parse_csv,
    parse_json,
    parse_text,
)
from vswin_cli.storage.files import as_path
from vswin_cli.storage.humanize import counted

__all__ = ["LabelMap", "bundled_label_sets"]

_BUNDLED = {
    "kinetics-400": (
        "k400.txt",
        "e9f2806fe9109b851a80a74841244f6f8c9d10917fa0229cd82bab67f2f8e28f",
    ),
    "kinetics-600": (
        "k600.txt",
        "8dfca4202520ea8291ce0242ef33b006d0a0772b409663c090a2876bc1978dcf",
    ),
    "kinetics-700": (
        "k700.txt",
        "2f265d35aa76060219f7e83aff12f5aaba9d1fe27360aa83f11aad7a3648fc51",
    ),
    "kinetics-710": (
        "k710.txt",
        "a853307b4880565c2abf199b593baf8a7bc24a10a0875cac6569d1f70f041c5c",
    ),
    "something-something-v2": (
        "sthv2.txt",
        "c9c5a86ece619e1ab2e7ca0614c85377a534873e17108b13243e5d22089a0a85",
    ),
}
_MOST_CHARACTERS = 16 << 20
_SHOWN_NAMES = 3  # in `repr`


def bundled_label_sets() -> tuple[str, ...]:
    """List the names of the label lists that come with the package."""
    return tuple(_BUNDLED)


@dataclass(frozen=True, slots=True)
class LabelMap:
    """Class names in index order.

    Raises:
        LabelsError: no label, an empty one, or the same one twice.
    """

    source: str
    """Where the list comes from: the name of a bundled list, a file, or the weights."""
    names: tuple[str, ...]
    """Name of class i at position i."""

    def __post_init__(self) -> None:
        if not self.names:
            raise LabelsError(f"{self.source}: contains no labels", hint=FORMATS_HINT)
        first_index: dict[str, int] = {}
        for index, name in enumerate(self.names):
            if not name.strip():
                raise LabelsError(
                    f"{self.source}: the label of class {index} is empty",
                    hint="a missing line would shift every label after it; fill it in",
                )
            if name in first_index:
                raise LabelsError(
                    f"{self.source}: classes {first_index[name]} and {index} are both {name!r}",
                    hint="each class needs a name of its own",
                )
            first_index[name] = index

    @classmethod
    def of(cls, names: Sequence[str], source: str = "given labels") -> LabelMap:
        """Make the map of a list of names, that of class i at position i.

        Args:
            names: as many as the head has classes, in the order of its rows.
            source: name of the list, for messages.

        Raises:
            LabelsError: not a list of texts, or an empty or repeated one.
        """
        if isinstance(names, str) or not isinstance(names, Iterable):
            raise LabelsError(
                f"labels are a list of names, got {names!r}", hint='write ["cat", "dog"]'
            )
        several = tuple(names)
        for index, name in enumerate(several):
            if not isinstance(name, str):
                raise LabelsError(
                    f"{source}: the label of class {index} is not text: {name!r}",
                    hint="list the labels as texts, in the order of the classes",
                )
        return cls(source, several)

    @classmethod
    def bundled(cls, name: str) -> LabelMap:
        """Load a list that comes with the package, such as `kinetics-400`.

        Raises:
            LabelsError: no such list, or the installed file is not the published one.
        """
        if name not in _BUNDLED:
            raise LabelsError(
                f"no bundled label list is called {name!r}",
                hint=f"there are: {', '.join(_BUNDLED)}",
            )
        filename, expected = _BUNDLED[name]
        content = (files("vswin_cli") / "data" / "labels" / filename).read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != expected:
            raise LabelsError(
                f"the installed {filename} is not the published list: "
                f"got sha256 {found[:12]}, expected {expected[:12]}",
                hint="reinstall vswin",
            )
        return cls(name, tuple(content.decode("ascii").splitlines()))

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> LabelMap:
        """Read a user's list; the ending decides: `.csv`, `.json`, anything else is text.

        Text holds one label per line in index order, or an index and a label per line, with a
        tab, blank, comma, semicolon or colon between. CSV holds an index and a name with or
        without a header, or names alone. JSON holds a list, an id-to-name or name-to-id object,
        or either under `labels` or `id2label`. Indices count from 0 or 1, in any order.

        Raises:
            LabelsError: not readable, not one of these forms, or ids with gaps.
        """
        path = as_path(path)
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                text = file.read(_MOST_CHARACTERS + 1)
        except FileNotFoundError as error:
            raise LabelsError(
                f"{path}: no such label file", hint="check the path given as `--labels`"
            ) from error
        except UnicodeDecodeError as error:
            raise LabelsError(f"{path}: the labels are not UTF-8 text", hint=FORMATS_HINT) from (
                error
            )
        except OSError as error:
            raise LabelsError(
                f"{path}: the labels cannot be read ({error.strerror})",
                hint="give a file that you may read",
            ) from error
        if len(text) > _MOST_CHARACTERS:
            raise LabelsError(f"{path}: too large for a label list", hint=FORMATS_HINT)
        parse = {".csv": parse_csv, ".json": parse_json}.get(path.suffix.lower(), parse_text)
        try:
            return cls(str(path), parse(text, str(path)))
        except (OverflowError, RecursionError, ValueError) as error:
            # For example from a number of thousands of digits, or lists nested without end.
            raise LabelsError(f"{path}: no label list ({error})", hint=FORMATS_HINT) from error

    @classmethod
    def from_json(cls, content: object, source: str) -> LabelMap:
        """Read a list, or an id-to-name or name-to-id object, as a JSON parser returned it.

        Raises:
            LabelsError: not one of these forms, or ids with gaps.
        """
        return cls(source, names_in_json(content, source))

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __getitem__(self, index: int) -> str:
        return self.names[index]

    def __repr__(self) -> str:
        """Name the source, the number of labels and the first few."""
        first = ", ".join(map(repr, self.names[:_SHOWN_NAMES]))
        more = ", ..." if len(self) > _SHOWN_NAMES else ""
        return f"LabelMap({self.source!r}, {counted(len(self), 'label')}: {first}{more})"

    @property
    def sha256(self) -> str:
        """Hash the list as text, one label per line: equal lists have equal hashes."""
        text = "".join(f"{name}\n" for name in self.names)
        return hashlib.sha256(text.encode()).hexdigest()

    def check_width(self, num_classes: int, where: str) -> None:
        """Check that there is one label for each output of a head.

        Args:
            num_classes: outputs K of the head.
            where: the weights, for the message.

        Raises:
            LabelsError: the list is shorter or longer than the head is wide.
        """
        if len(self) != num_classes:
            fitting = [name for name in _BUNDLED if len(LabelMap.bundled(name)) == num_classes]
            advice = f"; lists of that length: {', '.join(fitting)}" if fitting else ""
            raise LabelsError(
                f"{self.source}: got {len(self)} labels, expected {num_classes}, one for each "
                f"class of {where}",
                hint=f"give the list that the weights were trained with{advice}",
            )

    def search(self, text: str) -> tuple[tuple[int, str], ...]:
        """Find the labels that contain `text`, ignoring case: index and name of each."""
        wanted = text.casefold()
        return tuple((i, name) for i, name in enumerate(self.names) if wanted in name.casefold())
