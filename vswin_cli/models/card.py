"""The model card: metadata of weights, as one JSON file.

A card is `config.json` beside `model.safetensors`. It holds the architecture, the input spec, the
class names and the provenance. Independent of torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from vswin_cli.config import LabelDuration, LabelOnset, SegmentOptions
from vswin_cli.errors import CheckpointError, LabelsError, OptionError
from vswin_cli.models.architecture import Activation, Architecture, InputSpec, Sampling
from vswin_cli.models.labels import LabelMap
from vswin_cli.storage.humanize import counted

__all__ = ["CARD_SCHEMA", "ModelCard", "Provenance"]

CARD_SCHEMA = "vswin.model/1"

_ADVICE = (
    "onset",
    "offset",
    "min_duration_seconds",
    "merge_gap_seconds",
    "smooth_seconds",
    "max_labels",
    "instants",
    "boundaries",
    "background",
    "onsets",
    "min_durations",
)
_LATER_ADVICE = ("background", "min_durations")  # which the cards of earlier versions lack
_HINT = "convert the original checkpoint again with `vswin convert`"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where weights come from."""

    source: str
    """URI or path of the original file."""
    source_sha256: str | None = None
    """Hash of that file."""
    layout: str = "vswin"
    """Naming scheme of its tensors: `official`, `mmaction2`, `torchvision`, `tensorflow`, ..."""
    converted_by: str | None = None
    """Tool and version that converted it."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Metadata of one set of weights.

    Raises:
        LabelsError: labels are given, but not one for each class.
    """

    id: str
    """Short name, such as `swin-b-k600`."""
    architecture: Architecture
    """Shape of the network."""
    num_classes: int
    """Width K of the head; 0 for a network without one."""
    labels: tuple[str, ...] = ()
    """Name of each class, in order; empty if unknown."""
    input: InputSpec = field(default_factory=InputSpec)
    """Input that the network expects."""
    activation: Activation = "softmax"
    """How logits become scores."""
    dataset: str | None = None
    """Training data set."""
    licence: str | None = None
    """Licence of the weights, as stated by their publisher."""
    provenance: Provenance = field(default_factory=lambda: Provenance("unknown"))
    """Where the weights come from."""
    segments: SegmentOptions = field(default_factory=SegmentOptions)
    """Recommended options for segments, which are the defaults with these weights."""
    notes: tuple[str, ...] = ()
    """Further remarks for users."""
    features_sha256: str | None = None
    """Hash of the weights whose head alone was trained anew, so that features are the same."""

    def __post_init__(self) -> None:
        if self.labels:
            LabelMap(self.id, self.labels).check_width(self.num_classes, self.id)

    def __repr__(self) -> str:
        """Name the model, its network, its classes and where the weights come from."""
        named = "named" if self.labels else "unnamed"
        return (
            f"ModelCard({self.id!r}, {self.architecture.name}, "
            f"{counted(self.num_classes, f'{named} class')}, {self.input.num_frames}x"
            f"{self.input.crop_size} px, from {self.provenance.source!r})"
        )

    @property
    def labels_sha256(self) -> str:
        """Hash the label list; equal to `LabelMap.sha256` of the same list.

        Raises:
            LabelsError: there are no labels.
        """
        return LabelMap(self.id, self.labels).sha256

    def with_labels(self, labels: LabelMap) -> ModelCard:
        """Copy the card with other class names.

        Raises:
            LabelsError: not one label for each class.
        """
        labels.check_width(self.num_classes, self.id)
        return replace(self, labels=labels.names)

    def check_can_tag(self) -> None:
        """Check that these weights can tag: that they have a head and class names.

        Raises:
            CheckpointError: the network has no head.
            LabelsError: its classes have no names.
        """
        if self.num_classes == 0:
            raise CheckpointError(
                f"{self.id}: the network has no head, so it cannot tag",
                hint="train a head on it first; an inflated image network is only a starting point",
            )
        if not self.labels:
            raise LabelsError(
                f"{self.id}: the names of its {self.num_classes} classes are unknown",
                hint="give the list that it was trained with as `--labels`",
            )

    def to_json(self) -> str:
        """Serialize the card as JSON text; equal cards give equal text."""
        content = asdict(self)
        advice = content["segments"]
        content["segments"] = {
            name: advice[name] for name in _ADVICE if advice[name] or name not in _LATER_ADVICE
        }
        if self.features_sha256 is None:
            del content["features_sha256"]
        return json.dumps({"schema": CARD_SCHEMA, **content}, indent=2) + "\n"

    @classmethod
    def read(cls, path: Path) -> ModelCard:
        """Read a card from its file.

        Raises:
            CheckpointError: it cannot be read, or is not a card.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CheckpointError(
                f"{path}: cannot be read ({error})",
                hint="download or convert these weights again with `--force`",
            ) from error
        return cls.from_json(text, path)

    @classmethod
    def from_json(cls, text: str, where: Path | str) -> ModelCard:
        """Read a card; unknown fields are ignored.

        Args:
            text: from `to_json`.
            where: its file, for messages.

        Raises:
            CheckpointError: not JSON, of another schema, or a field is missing or wrong.
        """
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"{where}: not JSON ({error})", hint=_HINT) from error
        schema = content.get("schema") if isinstance(content, dict) else None
        if schema != CARD_SCHEMA:
            raise CheckpointError(
                f"{where}: got schema {schema!r}, expected {CARD_SCHEMA!r}",
                hint="this folder is not from `vswin convert`, or from a newer version of it",
            )
        try:
            return _Reader(content, str(where)).card()
        except LabelsError as error:
            raise CheckpointError(f"{where}: {error.message}", hint=_HINT) from error
        except (OverflowError, RecursionError, TypeError, ValueError) as error:
            # For example from an integer that no float can hold, or a value nested too deeply.
            raise CheckpointError(f"{where}: a damaged card ({error})", hint=_HINT) from error


class _Reader:
    """Typed access to a JSON object; errors name the field that is wrong."""

    def __init__(self, content: object, where: str, path: str = "") -> None:
        self._where = where
        self._path = path
        self._content: Mapping[str, object] = {}
        if not isinstance(content, Mapping):
            raise self._wrong("", "an object", content)
        self._content = content

    def _wrong(self, name: str, expected: str, found: object) -> CheckpointError:
        named = f"`{(self._path + name).strip('.')}`" if self._path + name else "the card"
        return CheckpointError(
            f"{self._where}: {named} must be {expected}, got {repr(found)[:60]}", hint=_HINT
        )

    def _get(self, name: str) -> object:
        if name not in self._content:
            raise CheckpointError(f"{self._where}: `{self._path}{name}` is missing", hint=_HINT)
        return self._content[name]

    def part(self, name: str) -> _Reader:
        return _Reader(self._get(name), self._where, f"{self._path}{name}.")

    def parts(self, name: str) -> tuple[_Reader, ...]:
        value = self._get(name)
        if not isinstance(value, list):
            raise self._wrong(name, "a list of objects", value)
        paths = (f"{self._path}{name}[{i}]." for i in range(len(value)))
        return tuple(
            _Reader(item, self._where, path) for item, path in zip(value, paths, strict=True)
        )

    def text(self, name: str) -> str:
        value = self._get(name)
        if not isinstance(value, str):
            raise self._wrong(name, "text", value)
        return value

    def optional_text(self, name: str) -> str | None:
        return None if self._content.get(name) is None else self.text(name)

    def choice(self, name: str, choices: tuple[str, ...]) -> Any:  # noqa: ANN401
        value = self.text(name)
        if value not in choices:
            raise self._wrong(name, f"one of {', '.join(choices)}", value)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(name, "a list of texts", value)
        return tuple(value)

    def integer(self, name: str, *, at_least: int = 1) -> int:
        value = self._get(name)
        if type(value) is not int or value < at_least:
            raise self._wrong(name, f"a whole number of {at_least} or more", value)
        return value

    def integers(self, name: str) -> tuple[int, ...]:
        value = self._get(name)
        if not isinstance(value, list) or not all(type(n) is int and n > 0 for n in value):
            raise self._wrong(name, "a list of positive whole numbers", value)
        return tuple(value)

    def three_integers(self, name: str) -> tuple[int, int, int]:
        values = self.integers(name)
        if len(values) != 3:
            raise self._wrong(name, "three positive whole numbers", list(values))
        return values[0], values[1], values[2]

    def number(self, name: str, default: float | None = None) -> float:
        value = self._get(name) if default is None else self._content.get(name, default)
        if not _is_number(value) or not 0 < value < float("inf"):  # type: ignore[operator]
            raise self._wrong(name, "a positive number", value)
        return float(value)  # type: ignore[arg-type]

    def three_numbers(self, name: str) -> tuple[float, float, float]:
        value = self._get(name)
        if not isinstance(value, list) or len(value) != 3 or not all(map(_is_number, value)):
            raise self._wrong(name, "three numbers", value)
        return float(value[0]), float(value[1]), float(value[2])

    def architecture(self) -> Architecture:
        try:
            return Architecture(
                name=self.text("name"),
                embed_dim=self.integer("embed_dim"),
                depths=self.integers("depths"),
                num_heads=self.integers("num_heads"),
                window_size=self.three_integers("window_size"),
                patch_size=self.three_integers("patch_size"),
                mlp_ratio=self.number("mlp_ratio"),
            )
        except ValueError as error:
            raise CheckpointError(f"{self._where}: `architecture`: {error}", hint=_HINT) from error

    def input_spec(self) -> InputSpec:
        return InputSpec(
            num_frames=self.integer("num_frames"),
            frame_rate=self.number("frame_rate"),
            frame_interval=self.integer("frame_interval"),
            sampling=self.choice("sampling", get_args(Sampling)),
            resize_short_side=self.integer("resize_short_side"),
            crop_size=self.integer("crop_size"),
            mean=self.three_numbers("mean"),
            std=self.three_numbers("std"),
            stride_percent=self.number("stride_percent", InputSpec().stride_percent),
        )

    def segments(self) -> SegmentOptions:
        """Read the recommended segment options; missing ones get the default."""
        try:
            return SegmentOptions(
                **{name: self._advice(name) for name in _ADVICE if name in self._content}
            )
        except OptionError as error:
            raise CheckpointError(f"{self._where}: `segments`: {error}", hint=_HINT) from error

    def _advice(self, name: str) -> Any:  # noqa: ANN401
        if name in ("instants", "boundaries", "background"):
            return self.texts(name)
        if name == "onsets":
            return tuple(part.label_onset() for part in self.parts(name))
        if name == "min_durations":
            return tuple(part.label_duration() for part in self.parts(name))
        if name == "max_labels":
            return self.integer(name, at_least=0)
        return self.any_number(name)

    def any_number(self, name: str) -> Any:  # noqa: ANN401
        value = self._get(name)
        if not _is_number(value):
            raise self._wrong(name, "a number", value)
        return value

    def label_onset(self) -> LabelOnset:
        return LabelOnset(self.text("label"), self.number("onset"))

    def label_duration(self) -> LabelDuration:
        return LabelDuration(self.text("label"), self.any_number("min_duration_seconds"))

    def provenance(self) -> Provenance:
        return Provenance(
            source=self.text("source"),
            source_sha256=self.optional_text("source_sha256"),
            layout=self.text("layout"),
            converted_by=self.optional_text("converted_by"),
        )

    def card(self) -> ModelCard:
        return ModelCard(
            id=self.text("id"),
            architecture=self.part("architecture").architecture(),
            num_classes=self.integer("num_classes", at_least=0),
            labels=self.texts("labels"),
            input=self.part("input").input_spec(),
            activation=self.choice("activation", get_args(Activation)),
            dataset=self.optional_text("dataset"),
            licence=self.optional_text("licence"),
            provenance=self.part("provenance").provenance(),
            segments=self.part("segments").segments()
            if "segments" in self._content
            else SegmentOptions(),
            notes=self.texts("notes"),
            features_sha256=self.optional_text("features_sha256"),
        )


def _is_number(value: object) -> bool:
    return type(value) in (int, float)
