"""Choose between our CUDA kernels and plain PyTorch: the only place where that is decided.

The kernels serve float16, bfloat16 and TF32, without gradients; exact float32 stays with PyTorch.
They are compiled on the user's machine by a compiler version that they were not tested with. So
each network runs a small input both ways before its first use of the kernels, and stays with
PyTorch, with one warning, if the results disagree or anything fails. `VSWIN_NATIVE=0` turns the
kernels off.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch.cuda import _POOL_HANDLE

    from vswin_cli.models.network.swin3d import VideoSwin
    from vswin_cli.models.network.triton_network import TritonNetwork

__all__ = ["CudaPath", "products_in_tf32"]

_TOLERANCE = {torch.float32: 0.03, torch.float16: 0.03, torch.bfloat16: 0.1}
"""Largest difference from plain PyTorch in the same type, as a share of the features' norm. Plain
PyTorch itself is 0.013 from float32 in bfloat16 and 0.0015 in float16 (Swin-B with random weights,
this input); without the attention of one block, of five tried, it is off by 0.33 or more."""
_CHECKED_GRID = (3, 9, 10)  # tokens: needs padding, shifted windows, and merges odd sides
_GRAPH_BELOW = 8
"""Clips per pass from which on a CUDA graph does not pay: with 8 clips Swin-B gained 2 % and Swin-T
lost 5 % on an H200, and a graph holds the memory of a whole pass. For one clip it is 3×."""
_CALLS_BEFORE_GRAPH = 2
"""Passes of a size before one is captured, which takes as long as many: sizes must recur."""
_MOST_GRAPHS = 8


@contextmanager
def products_in_tf32(allowed: bool) -> Iterator[None]:
    """Let CUDA multiply float32 matrices in TF32 inside the block, if it is allowed."""
    if not allowed:
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


class CudaPath:
    """The fast forward pass of one network on one device, if there is one.

    Weights may change in place; they are noticed.

    Args:
        network: on its device.
    """

    def __init__(self, network: VideoSwin) -> None:
        self._network = network
        self._parameters = tuple(network.parameters())
        self._lock = Lock()  # a graph has one input and one output
        self._state: tuple[object, ...] | None = None
        self._fast: TritonNetwork | None = None
        self._has_failed = False
        self._graphs: dict[tuple[object, ...], _Graph] = {}
        self._calls: Counter[tuple[object, ...]] = Counter()
        self._captures = True

    @property
    def uses_kernels(self) -> bool:
        """Whether passes run in our kernels; false before the first one."""
        return self._fast is not None

    @property
    def num_graphs(self) -> int:
        """Sizes of passes that are recorded as graphs."""
        return len(self._graphs)

    def forward_features(self, x: Tensor) -> Tensor | None:
        """Same as `VideoSwin.forward_features`; `None` where plain PyTorch has to do it.

        Raises:
            torch.OutOfMemoryError: too many clips for the device.
        """
        with self._lock, _on_device_of(x):
            try:
                fast = self._checked_network(x)
                return None if fast is None else self._run(fast, x)
            except torch.OutOfMemoryError:
                self._graphs.clear()  # each keeps the memory of a whole pass
                raise
            except Exception as problem:  # whatever a compiler or a driver may raise
                self._step_aside(f"{type(problem).__name__}: {problem}")
                return None

    def forget_sizes(self) -> None:
        """Drop the tables and graphs of all input sizes."""
        with self._lock:
            self._graphs.clear()
            self._calls.clear()
            if self._fast is not None:
                self._fast.forget_sizes()

    def _checked_network(self, x: Tensor) -> TritonNetwork | None:
        """Return the network by kernels, built and checked once for each state of the weights."""
        if self._has_failed or x.dtype != self._parameters[0].dtype:
            return None
        state = self._weights_state()
        if state != self._state:
            self._graphs.clear()
            self._fast = self._build() if _has_kernels_for(self._network) else None
            self._state = state
        return self._fast

    def _weights_state(self) -> tuple[object, ...]:
        """Identify the weights: their places in memory and how often each has changed."""
        marks = [(p.data_ptr(), 0 if p.is_inference() else p._version) for p in self._parameters]
        return self._network.allow_tf32, *marks

    def _build(self) -> TritonNetwork | None:
        """Build the network by kernels and compare it with plain PyTorch on a small input."""
        try:
            from vswin_cli.models.network.triton_network import TritonNetwork
        except ImportError:
            return None  # Triton comes with PyTorch for CUDA on Linux, and is not everywhere
        network = self._network
        fast = TritonNetwork(network, tf32=network.allow_tf32)
        small = _small_input(network)
        truth = network.plain_features(small).float()
        difference = float((fast.forward_features(small) - truth).norm() / truth.norm())
        if not difference < _TOLERANCE[small.dtype]:
            self._step_aside(f"their results differ by {difference:.1%}")
            return None
        return fast

    def _step_aside(self, reason: str) -> None:
        """Stay with plain PyTorch from now on."""
        self._has_failed, self._fast = True, None
        self._graphs.clear()
        first_line = next(iter(reason.splitlines()), "")
        warnings.warn(
            f"the CUDA kernels of vswin are not used, so the network is slower: {first_line}",
            RuntimeWarning,
            stacklevel=2,
        )

    def _run(self, fast: TritonNetwork, x: Tensor) -> Tensor:
        """Run a pass, as a CUDA graph where that pays."""
        if x.device.type != "cuda" or len(x) >= _GRAPH_BELOW or not self._captures:
            return fast.forward_features(x)
        key = (tuple(x.shape), torch.cuda.current_stream(x.device).cuda_stream)
        self._calls[key] += 1
        if self._calls[key] <= _CALLS_BEFORE_GRAPH:
            return fast.forward_features(x)
        if key not in self._graphs:
            if len(self._graphs) >= _MOST_GRAPHS:
                self._graphs.clear()
            try:
                self._graphs[key] = _Graph(fast.forward_features, x, self._memory())
            except torch.OutOfMemoryError:
                raise
            except RuntimeError:  # passes stay as they were
                self._captures = False
                return fast.forward_features(x)
        return self._graphs[key](x)

    def _memory(self) -> _POOL_HANDLE | None:
        """Return the memory of the other graphs: none runs beside another or keeps its results."""
        return next((graph.memory for graph in self._graphs.values()), None)


class _Graph:
    """A pass for inputs of one size, recorded once and replayed in a single launch.

    Args:
        run: the pass.
        x: an input; `run` has seen one of its size before.
        memory: of another graph, to be shared; `None` for memory of its own.
    """

    def __init__(
        self, run: Callable[[Tensor], Tensor], x: Tensor, memory: _POOL_HANDLE | None
    ) -> None:
        self._input = x.clone()
        self._graph = torch.cuda.CUDAGraph()
        # Decoder threads may call CUDA meanwhile: only calls of this thread belong to the graph.
        with torch.cuda.graph(self._graph, pool=memory, capture_error_mode="thread_local"):
            self._output = run(self._input)

    @property
    def memory(self) -> _POOL_HANDLE:
        """Name of the memory that the pass works in."""
        return self._graph.pool()

    def __call__(self, x: Tensor) -> Tensor:
        """Run the pass; the result is the caller's own."""
        self._input.copy_(x)
        self._graph.replay()
        return self._output.clone()


def _has_kernels_for(network: VideoSwin) -> bool:
    """Whether the kernels support this network in its type, and are not turned off."""
    from vswin_cli.models.network.work_list import HEAD_SIZES

    if os.environ.get("VSWIN_NATIVE") == "0":
        return False
    shape = network.architecture
    heads = {(shape.embed_dim << stage) // n for stage, n in enumerate(shape.num_heads)}
    dtype = next(network.parameters()).dtype
    is_fast = dtype in (torch.float16, torch.bfloat16) or network.allow_tf32
    return is_fast and dtype in _TOLERANCE and heads <= set(HEAD_SIZES)


def _small_input(network: VideoSwin) -> Tensor:
    """Two clips of noise on the network's device, in its type."""
    weight = next(network.parameters())
    d, h, w = _CHECKED_GRID
    p, m, n = network.architecture.patch_size
    noise = torch.randn(2, 3, d * p, h * m, w * n, generator=torch.Generator().manual_seed(0))
    return noise.to(weight.device, weight.dtype)


def _on_device_of(x: Tensor) -> AbstractContextManager[object]:
    """Launch kernels where the tensor is; each thread has a current device of its own."""
    return torch.cuda.device(x.device) if x.device.type == "cuda" else nullcontext()
