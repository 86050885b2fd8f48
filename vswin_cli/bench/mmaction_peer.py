"""Run MMAction2's `long_video_demo` with our weights, to measure beside vswin.

The demo of version 1.2.0 reads every frame with OpenCV, keeps a window of full-size frames, and
gives the whole window to the library's test pipeline and recogniser whenever it is full. Here it
runs with the settings that make it fastest and fair: a stride like ours instead of a prediction per
frame, one centre crop, results as JSON instead of a second video, our weights. The step that takes
the window's frames comes first in the pipeline: the demo puts it after the resize, so that the
recogniser would get the middle of a full-size frame.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import sys
import types
import warnings
from collections import deque
from collections.abc import Iterator
from importlib import import_module
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import torch

from vswin_cli.errors import OptionError, SourceError
from vswin_cli.inference.views import make_views

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vswin_cli.inference.engine import Engine
    from vswin_cli.models.checkpoints.load import LoadedModel
    from vswin_cli.video.clips import Clip

__all__ = ["DemoWindow", "LongVideoDemo", "import_mmaction"]

Frame = TypeVar("Frame")

_MISSING_PART = "mmaction.models.localizers.drn"
_TOP = 5
_INSTALL = (
    "in an environment of its own: `pip install mmaction2==1.2.0 mmengine mmcv-lite==2.1.0 "
    "decord2 opencv-python-headless einops importlib-metadata 'numpy<2'`"
)


def import_mmaction() -> None:
    """Load MMAction2 and register its recognisers.

    The wheel of 1.2.0 lacks a localiser that it imports; an empty module stands in for it.

    Raises:
        OptionError: it, or what it needs, is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # parts of mmcv that recognisers do without
            library = import_module("mmaction")
            if not (Path(str(library.__file__)).parent / "models/localizers/drn").is_dir():
                _stand_in_for_missing_part()
            for part in ("cv2", "mmaction.datasets.transforms", "mmaction.models"):
                import_module(part)
    except (ImportError, AttributeError, AssertionError) as cause:
        raise OptionError(f"--peer mmaction2 cannot be measured: {cause}", hint=_INSTALL) from cause


def _stand_in_for_missing_part() -> None:
    package = types.ModuleType(_MISSING_PART)
    module = types.ModuleType(f"{_MISSING_PART}.drn")
    module.DRN = None  # type: ignore[attr-defined]
    for part in (package, module):
        sys.modules.setdefault(part.__name__, part)


class DemoWindow(Generic[Frame]):
    """Choose the frames that the demo predicts from.

    The first window is the first frames, without a step. After that each group of `step` frames
    gives one of its own, drawn at random, and a full window gives up its first frames.

    Args:
        length: frames in a window.
        step: frames of the video per frame of the window.
        stride: frames that a window gives up after a prediction.
    """

    def __init__(self, length: int, step: int, stride: int) -> None:
        self._length, self._step, self._stride = length, step, stride
        self._window: deque[Frame] = deque(maxlen=length)
        self._waiting: list[Frame] = []

    def push(self, frame: Frame, number: int, *, is_last: bool) -> list[Frame]:
        """Add a frame and return the window if it is full, else nothing.

        Args:
            frame: the next one.
            number: its place in the video, from 1.
            is_last: whether the video ends with it.
        """
        waiting = self._waiting
        waiting.append(frame)
        if number == self._length:
            self._window.extend(waiting)
            waiting.clear()
        elif is_last or (number > self._length and len(waiting) == self._step):
            self._window.append(random.choice(waiting))
            waiting.clear()
        if len(self._window) < self._length:
            return []
        full = list(self._window)
        for _ in range(self._stride):
            self._window.popleft()
        return full


class LongVideoDemo:
    """Run the demo with one recogniser.

    Args:
        model: shape, weights and input; on the CPU or wherever.
        device: where the recogniser runs.
        stride: between predictions, as a share of the window.
        frame_rate: of the video.

    Raises:
        OptionError: MMAction2 is not installed.
    """

    name = "mmaction2 long_video_demo"

    def __init__(
        self, model: LoadedModel, device: torch.device, *, stride: float, frame_rate: float
    ) -> None:
        import_mmaction()
        spec = model.card.input
        self._labels = model.card.labels
        self._length = spec.num_frames
        self._popped = int(spec.num_frames * stride)
        self._step = max(1, round(frame_rate / spec.frame_rate))
        self._pipeline = _pipeline(spec.resize_short_side, spec.crop_size)
        self._recogniser = _recogniser(model, device)
        self.clips = 0
        """That the last run gave to the recogniser."""
        self.settings = (
            f"--input-step {self._step} --stride {stride:g}, one centre crop, JSON result"
        )

    def run(self, path: Path) -> dict[int, list[tuple[str, float]]]:
        """Run the demo on a video.

        Returns:
            The best labels with their scores as they are known at each frame.

        Raises:
            SourceError: OpenCV cannot read the video.
        """
        cv2 = import_module("cv2")
        capture = cv2.VideoCapture(str(path))
        total = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if not capture.isOpened() or total < self._length:
            raise SourceError(
                f"{path}: OpenCV finds fewer frames than one window has",
                hint="give a longer --video, or leave --peer mmaction2 out",
            )
        window: DemoWindow[NDArray[np.uint8]] = DemoWindow(self._length, self._step, self._popped)
        best: list[tuple[str, float]] = []
        known = {}
        self.clips = 0
        for number in range(1, total + 1):
            _, frame = capture.read()
            if frame is None:
                continue
            frames = window.push(frame[:, :, ::-1], number, is_last=number == total)  # RGB
            if frames:
                best = self._predict(frames)
            known[number] = best
        capture.release()
        json.dump(known, io.StringIO())  # the demo writes a file; the time of the disk is left out
        return known

    def difference(self, engine: Engine, clip: Clip) -> float:
        """Return the largest difference of the recogniser's logits from ours, on the same pixels.

        Args:
            engine: ours, in float32.
            clip: any.
        """
        frames = torch.from_numpy(clip.frames).to(engine.device)
        views = make_views(frames, engine.model.card.input, 1, torch.float32)
        with torch.inference_mode():
            features = self._recogniser.backbone(views)
            theirs = self._recogniser.cls_head(features)
            ours = engine.model.network(views)
        return float((theirs - ours).abs().max())

    def _predict(self, frames: list[NDArray[np.uint8]]) -> list[tuple[str, float]]:
        """Predict the best labels of a full window."""
        data = {
            "array": list(np.array(frames)),
            "frame_inds": np.arange(self._length),
            "img_shape": frames[0].shape[:2],
            "modality": "RGB",
            "label": -1,
            "num_clips": 1,
            "clip_len": self._length,
        }
        infer = import_module("mmaction.apis").inference_recognizer
        result = infer(self._recogniser, data, test_pipeline=self._pipeline)
        self.clips += 1
        ranked = sorted(
            zip(self._labels, result.pred_score.tolist(), strict=True), key=itemgetter(1)
        )
        return ranked[-_TOP:]


def _pipeline(short_side: int, crop: int) -> Any:  # noqa: ANN401
    """Compose the library's own transforms, from frames to a packed input."""
    with _quietly():
        import_module("mmengine.registry").init_default_scope("mmaction")
        return import_module("mmengine.dataset").Compose(
            [
                {"type": "ArrayDecode"},
                {"type": "Resize", "scale": (-1, short_side)},
                {"type": "CenterCrop", "crop_size": crop},
                {"type": "FormatShape", "input_format": "NCTHW"},
                {"type": "PackActionInputs"},
            ]
        )


def _recogniser(model: LoadedModel, device: torch.device) -> Any:  # noqa: ANN401
    """Build the library's network with our weights."""
    with _quietly():
        config = import_module("mmengine").Config({"model": _network_config(model)})
        recogniser = import_module("mmaction.apis").init_recognizer(config, None, device)
    state = recogniser.state_dict()  # its tensors are those of the network, so copying fills it
    last = len(model.card.architecture.depths) - 1
    for name, tensor in model.network.state_dict().items():
        state[_their_name(name, last)].copy_(tensor)
    return recogniser


def _their_name(name: str, last_stage: int) -> str:
    """Translate our name of a tensor to the library's layout."""
    part, _, rest = name.partition(".")
    if part == "head":
        return f"cls_head.fc_cls.{rest}"
    return f"backbone.norm{last_stage}.{rest}" if part == "norm" else f"backbone.{name}"


def _network_config(model: LoadedModel) -> dict[str, Any]:
    shape, spec = model.card.architecture, model.card.input
    return {
        "type": "Recognizer3D",
        "backbone": {
            "type": "SwinTransformer3D",
            "arch": {
                "embed_dims": shape.embed_dim,
                "depths": list(shape.depths),
                "num_heads": list(shape.num_heads),
            },
            "pretrained2d": False,
            "patch_size": shape.patch_size,
            "window_size": shape.window_size,
            "mlp_ratio": shape.mlp_ratio,
            "out_indices": (len(shape.depths) - 1,),
        },
        "data_preprocessor": {
            "type": "ActionDataPreprocessor",
            "mean": [255 * value for value in spec.mean],
            "std": [255 * value for value in spec.std],
            "format_shape": "NCTHW",
        },
        "cls_head": {
            "type": "I3DHead",
            "in_channels": shape.num_features,
            "num_classes": model.card.num_classes,
            "spatial_type": "avg",
            "average_clips": "prob",
        },
    }


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep the library's messages off standard output, which is for results."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
