"""Run clips through the network: device, precision, batches, memory.

Clips in, logits per time step out; a clip's times are passed on unchanged. On a CPU each pass runs
on one core: with PyTorch's default, all cores on one operation after the other, cores wait at the
end of every operation, the more so beside a decoder. The last passes of a video, which would leave
cores idle, share all of them tile by tile.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy
from itertools import chain, islice
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vswin_cli.config import Decoder, EngineOptions
from vswin_cli.errors import DeviceError, OptionError
from vswin_cli.inference.batch_size import measured_batch_size
from vswin_cli.inference.frame_store import StoredClip, clip_storage
from vswin_cli.inference.pass_size import PRODUCTS_PER_PASS, products_per_view
from vswin_cli.inference.precision import choose_precision
from vswin_cli.inference.views import make_views, view_areas
from vswin_cli.models.checkpoints.load import LoadedModel
from vswin_cli.models.network.cpu_threads import single_threaded_pool
from vswin_cli.models.network.heap import keep_freed_memory
from vswin_cli.quantities import wrong_type
from vswin_cli.timeline.scores import CellLogits, ClipLogits
from vswin_cli.video.clips import Clip
from vswin_cli.video.cores import usable_cores

__all__ = ["Engine", "choose_decoder", "resolve_device"]

_VIEWS_PER_PASS_ON_MPS = 2
_MAX_VIEWS_PER_PASS = 8  # on a CPU; more were not faster
_MOST_SHARING = 0.75  # passes per core; an estimate: beyond it one pass per core is as fast
_PASSES_ON_CUDA = 2  # while one computes, the next can be launched
_FEEDING_CORES = 1  # busy with feeding a device other than the CPU


def resolve_device(name: str) -> torch.device:
    """Resolve `auto` or a torch device name to a device that exists on this machine.

    Raises:
        OptionError: not the name of a device.
        DeviceError: this machine has no such device.
    """
    if name == "auto":
        name = "cuda" if _has_cuda() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as cause:
        raise OptionError(
            f"unknown device {name!r}", hint="give auto, cpu, cuda, cuda:1 or mps"
        ) from cause
    if device.type == "cuda" and not _has_cuda():
        raise DeviceError(
            f"no CUDA device on this machine for --device {name}",
            hint="use --device cpu, or install a CUDA build of torch and its driver",
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"no device {name}: this machine has {torch.cuda.device_count()} CUDA device(s)",
            hint="devices count from cuda:0",
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("no Apple GPU on this machine for --device mps", hint="use --device cpu")
    return device


def choose_decoder(decoder: Decoder, device: torch.device) -> Decoder:
    """Return what decodes beside a network: `auto` is software unless the device is CUDA.

    Whether the GPU has a decoder, and for which videos, shows when it decodes.
    """
    return "software" if decoder == "auto" and device.type != "cuda" else decoder


def _has_cuda() -> bool:
    return torch.cuda.is_available() and torch.cuda.device_count() > 0


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Start threads that end with the block; one that fails or is interrupted waits for none.

    A pass of a large network takes many seconds, and nothing can stop it.
    """
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _loaded(model: object) -> LoadedModel:
    """Return a model, loaded if it is a name or a path.

    Raises:
        OptionError: it is something else.
    """
    if isinstance(model, (str, os.PathLike)):
        from vswin_cli.models.weights.loading import load_model

        return load_model(os.fspath(model))
    if not isinstance(model, LoadedModel):
        wanted = "a name, a path or what load_model returns"
        raise wrong_type("model", wanted, model, 'write Engine("camera-motion")')
    return model


class Engine:
    """One model on one device.

    Args:
        model: the network with its card, from `load_model`, or what `load_model` takes; it is moved
            to the device.
        options: device, precision and batch size.
        crops: spatial views per clip, if `SamplingOptions.crops` is not set.
        device: from `resolve_device`; by default that of the options.

    Raises:
        DeviceError: the device does not exist here, or has no room for the weights.
        ModelError: see `load_model`.
        OptionError: unknown device or precision, or an argument of another type.
    """

    def __init__(
        self,
        model: LoadedModel | str | os.PathLike[str],
        options: EngineOptions = EngineOptions(),
        *,
        crops: Literal[1, 3] = 1,
        device: torch.device | None = None,
    ) -> None:
        model = _loaded(model)
        if not isinstance(options, EngineOptions):
            hint = 'write EngineOptions(device="cpu")'
            raise wrong_type("options", "EngineOptions", options, hint)
        if crops not in (1, 3):
            raise OptionError(
                f"crops takes 1 or 3, got {crops!r}",
                hint="1 is the centre, 3 cover all of the frame",
            )
        self.model = model
        self.crops = crops
        self.keeps_features = False
        self._cell_classes: Tensor | None = None  # (k,) rows of the head, on the device
        self.device = resolve_device(options.device) if device is None else device
        choice = choose_precision(options.precision, self.device, model.card)
        self.dtype = choice.dtype
        self._precision = choice.name
        try:
            self._network = model.network.to(device=self.device, dtype=self.dtype).eval()
        except torch.OutOfMemoryError as cause:
            raise self._out_of_memory("the weights") from cause
        self._network.allow_tf32 = choice.name == "tf32"
        self.decoder = choose_decoder(options.decoder, self.device)
        self.batch_size = options.batch_size or self._usual_batch_size()
        if self.device.type == "cpu" and self._cpu_batch_size() > 1:
            keep_freed_memory()

    def __repr__(self) -> str:
        return (
            f"Engine({self.model.card.id}, {self.device}, {self.precision}, "
            f"batch_size={self.batch_size}, crops={self.crops})"
        )

    def with_crops(self, crops: Literal[1, 3]) -> Engine:
        """Return an engine with the same network and another number of views per clip."""
        other = copy(self)
        other.crops = crops
        return other

    def with_features(self) -> Engine:
        """Return an engine with the same network whose `ClipLogits` hold features, too."""
        other = copy(self)
        other.keeps_features = True
        return other

    def with_cells(self, classes: Sequence[int]) -> Engine:
        """Return an engine with the same network whose `ClipLogits` hold `cells` of classes."""
        other = copy(self)
        other._cell_classes = torch.tensor(classes, dtype=torch.long, device=self.device)
        return other

    @property
    def cell_classes(self) -> tuple[int, ...] | None:
        """Classes whose `cells` are kept, see `with_cells`; `None` if none are."""
        return None if self._cell_classes is None else tuple(self._cell_classes.tolist())

    @property
    def precision(self) -> str:
        """Name of the arithmetic in use, such as `float32`."""
        return self._precision

    @property
    def spare_decoders(self) -> int:
        """Decoders that may work on one video at once.

        A large network keeps all cores of a CPU busy; others leave them to the decoders, and
        other devices all but those that feed them.
        """
        if self.device.type != "cpu":
            return max(1, usable_cores() - _FEEDING_CORES)
        return 1 if self._cpu_batch_size() == 1 else torch.get_num_threads()

    def score(self, clips: Iterable[Clip]) -> Iterator[ClipLogits]:
        """Run clips through the network, in order, several views at a time.

        Clips are taken while others are computed: on a CPU up to two passes per core ahead, on
        CUDA four passes, otherwise two.

        Raises:
            DeviceError: out of memory even with one view at a time.
        """
        threads = torch.get_num_threads() if self.device.type == "cpu" else 1
        workers = _PASSES_ON_CUDA if self.device.type == "cuda" else threads
        passes = self._passes(map(clip_storage(self.device), clips))
        head = list(islice(passes, workers))
        # With one pass per thread, so short a video would leave most threads without work.
        if len(head) <= _MOST_SHARING * workers:
            yield from self._run_on_all_threads(head)
        else:
            yield from self._run_one_pass_per_thread(chain(head, passes), workers)

    def features(self, clips: Iterable[Clip]) -> Iterator[NDArray[np.float32]]:
        """Compute the features of clips, in order: (d, C) each, the mean of its views.

        Row i belongs to the time from `clip.step_edges_seconds[i]` to `[i + 1]`; there are
        d = `clip.num_valid_steps` rows, as steps that only repeat frames are left out.
        `analyze_features` averages the rows of overlapping clips.

        Raises:
            DeviceError: out of memory even with one view at a time.
        """
        for clip in self.with_features().score(clips):
            assert clip.features is not None
            yield clip.features[:, : clip.num_valid_steps].mean(axis=0)

    def _usual_batch_size(self) -> int:
        """Views per pass, on CUDA by measurement."""
        if self.device.type == "cuda":
            return measured_batch_size(self._network, self.model.card.input, self.precision)
        return _VIEWS_PER_PASS_ON_MPS if self.device.type == "mps" else self._cpu_batch_size()

    def _cpu_batch_size(self) -> int:
        """One view per pass on a CPU, unless calling operations would dominate the cost."""
        card = self.model.card
        products = products_per_view(card.architecture, card.input)
        return max(1, min(_MAX_VIEWS_PER_PASS, PRODUCTS_PER_PASS // max(1, products)))

    def _passes(self, clips: Iterator[StoredClip]) -> Iterator[list[StoredClip]]:
        """Group clips into passes of about `batch_size` views."""
        while group := list(islice(clips, -(-self.batch_size // self.crops))):
            yield group

    def _run_one_pass_per_thread(
        self, passes: Iterator[list[StoredClip]], workers: int
    ) -> Iterator[ClipLogits]:
        """Run each pass on one thread; further passes wait until a thread is free.

        Up to two passes per thread are submitted, so that no thread waits for the decoder.
        """
        pool = single_threaded_pool(workers)
        submitted: deque[tuple[list[StoredClip], Future[list[ClipLogits]]]] = deque()
        with _threads(workers) as sharing:
            try:
                for clips in passes:
                    submitted.append((clips, pool.submit(self._run, clips)))
                    if len(submitted) == 2 * workers:
                        yield from submitted.popleft()[1].result()
                # The video has ended. Of the passes that still wait, the last ones would leave
                # most threads idle, so they run tile by tile instead, on all free threads.
                undone = [n for n, (_, future) in enumerate(submitted) if not future.done()]
                waiting = undone[workers:]
                for number in waiting if len(waiting) <= _MOST_SHARING * workers else ():
                    clips, future = submitted[number]
                    if future.cancel():
                        submitted[number] = clips, sharing.submit(self._run, clips)
                while submitted:
                    yield from submitted.popleft()[1].result()
            finally:
                for _, future in submitted:
                    future.cancel()

    def _run_on_all_threads(self, passes: Sequence[list[StoredClip]]) -> Iterator[ClipLogits]:
        """Run all passes at once, each tile by tile on all free threads."""
        with _threads(max(1, len(passes))) as sharing:
            for results in sharing.map(self._run, passes):
                yield from results

    @torch.inference_mode()
    def _run(self, clips: Sequence[StoredClip]) -> list[ClipLogits]:
        """Run one pass and return its results clip by clip."""
        outputs = self._outputs(clips)
        # To float32 first: NumPy has no bfloat16.
        parts = outputs.float().cpu().numpy().reshape(len(clips), self.crops, *outputs.shape[1:])
        return [self._result(clip, part) for clip, part in zip(clips, parts, strict=True)]

    def _result(self, clip: StoredClip, part: NDArray[np.float32]) -> ClipLogits:
        """Take the outputs of a clip (V, D, K + ...) apart; see `_outputs`."""
        card = self.model.card
        first = len(card.labels)
        last = first + card.architecture.num_features * self.keeps_features
        cells = None
        if self._cell_classes is not None:
            size = card.input.crop_size
            grid = card.architecture.cell_grid(size, size)
            cells = CellLogits(
                part[..., last:].reshape(*part.shape[:2], *grid, -1),
                view_areas(clip.image_shape, size, self.crops, card.architecture),
            )
        return ClipLogits(
            clip.index,
            clip.step_edges_seconds,
            part[..., :first],
            clip.num_valid_steps,
            part[..., first:last] if self.keeps_features else None,
            cells,
        )

    def _views(self, clip: StoredClip) -> Tensor:
        """Make the views of a clip: (V, 3, T, S, S) on the device."""
        return make_views(clip.load(), self.model.card.input, self.crops, self.dtype)

    def _outputs(self, clips: Sequence[StoredClip]) -> Tensor:
        """Compute logits, features and cells side by side: (n·V, D, K [+ C] [+ H'·W'·k]).

        Halves the batch when memory runs out, for this and all later passes.
        """
        while True:
            try:
                views = torch.cat([self._views(clip) for clip in clips])  # (n·V, 3, T, S, S)
                return torch.cat([self._forward(v) for v in torch.split(views, self.batch_size)])
            except torch.OutOfMemoryError as cause:
                if self.batch_size == 1:
                    raise self._out_of_memory("a single view per pass") from cause
            # Not in the handler, where the error's traceback still holds the failed pass's tensors.
            self.batch_size = max(1, self.batch_size // 2)
            torch.cuda.empty_cache()

    def _forward(self, views: Tensor) -> Tensor:
        if not self.keeps_features and self._cell_classes is None:
            return self._network.forward_steps(views)
        features = self._network.forward_features(views)  # (B, C, D, H', W')
        pooled = self._network.pooled_of(features)
        parts = [self._network.head_of(pooled), *([pooled] if self.keeps_features else [])]
        if self._cell_classes is not None:
            parts.append(self._network.cells_of(features, self._cell_classes).flatten(2))
        return torch.cat(parts, dim=-1)

    def _out_of_memory(self, what: str) -> DeviceError:
        return DeviceError(
            f"{self.device} is out of memory with {what}",
            hint="close other programs that use it, use a smaller model, or use --device cpu",
        )
