"""Map class indices to names: bundled lists, users' lists, and their checks.

The order is part of the weights: a list that is right in content and wrong in order gives wrong
answers with full confidence. The bundled lists are therefore checked by hash, and a user's list
must be complete, unique and as long as the head that it names.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from vswin_cli.errors import LabelsError
from vswin_cli.storage.csv_rows import read_rows
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
_FORMATS_HINT = (
    "give one label per line (.txt), columns `id,name` (.csv), or a list or an id-to-name "
    "object (.json)"
)
_INDEX_COLUMNS = ("id", "index", "class_id", "class_index", "idx")
_NAME_COLUMNS = ("name", "label", "class", "class_name", "category")
_SHOWN_NAMES = 3  # in `repr`
_INDEXED_LINE = re.compile(r"(\d+)\t(.*)")


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
            raise LabelsError(f"{self.source}: contains no labels", hint=_FORMATS_HINT)
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
    def from_file(cls, path: Path) -> LabelMap:
        """Read a user's list; the ending decides: `.csv`, `.json`, anything else is text.

        Text holds one label per line in index order, or `index<TAB>label` as `vswin labels`
        prints it. CSV holds `id,name` with or without a header, or names alone. JSON holds a
        list, an id-to-name or name-to-id object, or either under `labels` or `id2label`.

        Raises:
            LabelsError: not readable, not one of these forms, or ids with gaps.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError as error:
            raise LabelsError(
                f"{path}: no such label file", hint="check the path given as `--labels`"
            ) from error
        except UnicodeDecodeError as error:
            raise LabelsError(f"{path}: the labels are not UTF-8 text", hint=_FORMATS_HINT) from (
                error
            )
        except OSError as error:
            raise LabelsError(
                f"{path}: the labels cannot be read ({error.strerror})",
                hint="give a file that you may read",
            ) from error
        parse = {".csv": _parse_csv, ".json": _parse_json}.get(path.suffix.lower(), _parse_text)
        return cls(str(path), parse(text, str(path)))

    def __len__(self) -> int:
        return len(self.names)

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
        """Refuse a head of another width.

        Args:
            num_classes: outputs K of the head.
            where: the weights, for the message.

        Raises:
            LabelsError: the list is shorter or longer than the head is wide.
        """
        if len(self) != num_classes:
            fitting = [name for name in _BUNDLED if len(LabelMap.bundled(name)) == num_classes]
            advice = f"; of that length is: {', '.join(fitting)}" if fitting else ""
            raise LabelsError(
                f"{self.source}: got {len(self)} labels, expected {num_classes}, one for each "
                f"class of {where}",
                hint=f"give the list that the weights were trained with{advice}",
            )

    def search(self, text: str) -> tuple[tuple[int, str], ...]:
        """Find the labels that contain `text`, ignoring case: index and name of each."""
        wanted = text.casefold()
        return tuple((i, name) for i, name in enumerate(self.names) if wanted in name.casefold())


def _parse_text(text: str, source: str) -> tuple[str, ...]:
    lines = [line.strip() for line in text.split("\n")]  # splitlines() knows eight more ends
    while lines and not lines[-1]:
        lines.pop()
    indexed = [_INDEXED_LINE.fullmatch(line) for line in lines]
    if lines and all(indexed):
        return _in_order([(int(match[1]), match[2].strip()) for match in indexed if match], source)
    return tuple(lines)


def _parse_csv(text: str, source: str) -> tuple[str, ...]:
    rows = list(read_rows(text, source, error=LabelsError))
    header = [cell.casefold() for cell in rows[0][1]] if rows else []
    name_column = next((header.index(name) for name in _NAME_COLUMNS if name in header), None)
    index_column = next((header.index(name) for name in _INDEX_COLUMNS if name in header), None)
    if name_column is not None:
        rows = rows[1:]
    elif rows and all(len(row) == 2 and row[0].isdecimal() for _, row in rows):
        index_column, name_column = 0, 1
    elif all(len(row) == 1 for _, row in rows):
        name_column = 0
    else:
        raise LabelsError(
            f"{source}: cannot tell which column holds the labels",
            hint="name the columns `id,name` in the first line",
        )
    wanted = max(name_column, index_column or 0) + 1
    for number, row in rows:
        if len(row) < wanted:
            raise LabelsError(
                f"{source}, line {number}: got {counted(len(row), 'column')}, expected {wanted}",
                hint=_FORMATS_HINT,
            )
    if index_column is None:
        return tuple(row[name_column] for _, row in rows)
    pairs = [(_as_index(row[index_column], source), row[name_column]) for _, row in rows]
    return _in_order(pairs, source)


def _parse_json(text: str, source: str) -> tuple[str, ...]:
    try:
        content: object = json.loads(text)
    except json.JSONDecodeError as error:
        raise LabelsError(
            f"{source}: not JSON (line {error.lineno}: {error.msg})", hint=_FORMATS_HINT
        ) from error
    if isinstance(content, dict):
        nested = (content.get("labels"), content.get("id2label"))
        content = next((value for value in nested if isinstance(value, (list, dict))), content)
    if isinstance(content, list) and all(isinstance(name, str) for name in content):
        return tuple(name.strip() for name in content)
    if isinstance(content, dict):
        return _in_order(_json_pairs(content, source), source)
    raise LabelsError(f"{source}: neither a list of labels nor an object", hint=_FORMATS_HINT)


def _json_pairs(content: dict[str, object], source: str) -> list[tuple[int, str]]:
    """Read id-to-name or name-to-id; both hold numbers as text in the wild."""
    if all(key.isdecimal() for key in content):
        return [(int(key), str(value).strip()) for key, value in content.items()]
    return [(_as_index(value, source), key.strip()) for key, value in content.items()]


def _as_index(value: object, source: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    raise LabelsError(f"{source}: {value!r} is not a class index", hint=_FORMATS_HINT)


def _in_order(pairs: Sequence[tuple[int, str]], source: str) -> tuple[str, ...]:
    """Sort names by index; every index from zero must occur once."""
    ordered = sorted(pairs)
    for expected, (index, _) in enumerate(ordered):
        if index != expected:
            problem = "occurs twice" if index < expected else "is missing"
            raise LabelsError(
                f"{source}: class index {min(index, expected)} {problem}",
                hint="indices must run from 0 without gaps",
            )
    return tuple(name for _, name in ordered)
