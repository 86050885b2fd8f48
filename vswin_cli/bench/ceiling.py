"""Measure the device's rate of matrix products, the ceiling that no network on it can pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, sqrt

import torch
import torch.nn.functional as F

from vswin_cli.bench.machine import synchronise
from vswin_cli.bench.record import Ceiling, Timing
from vswin_cli.bench.timing import Workload, measure
from vswin_cli.models.network.cpu_threads import run_pieces
from vswin_cli.models.network.cuda_path import products_in_tf32

__all__ = ["Product", "best_products", "ceiling_of"]

_ACCELERATOR_SIDES = (2048, 4096, 8192)
_CPU_SIDE = 1024  # enough for a core
_KEPT = 3  # products per precision that take part in every pass
_TRIAL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """One matrix product in one precision."""

    shape: str
    """Rows × inner × columns, in words."""
    flops: int
    """A multiply-add counts two."""
    workload: Workload

    def gflops(self, timing: Timing) -> float:
        """Return the rate of the fastest pass."""
        return self.flops / timing.fastest_seconds / 1e9


def best_products(
    device: torch.device,
    dtype: torch.dtype,
    mlp_shapes: Sequence[tuple[int, int, int]],
    *,
    tf32: bool = False,
) -> tuple[list[Product], int]:
    """Try square products and those of the network's own MLPs; keep the fastest few.

    On a CPU each is also tried as one product per thread, which saves the time that threads lose
    by waiting for each other within one product.

    Returns:
        The products to measure carefully, and how many were tried.
    """
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    shapes = [(side, side, side) for side in _sides(device, threads)] + list(mlp_shapes)
    tried = [_all_threads(shape, device, dtype, tf32) for shape in shapes]
    if threads > 1:
        tried += [_per_thread(shape, dtype, threads) for shape in shapes]
    workloads = [product.workload for product in tried]
    # One short pass sorts them; the few that are kept are measured again with everything else.
    rates = measure(workloads, 1, pass_seconds=_TRIAL_SECONDS)
    tried.sort(key=lambda product: -product.gflops(rates[product.workload.name]))
    return tried[:_KEPT], len(tried)


def ceiling_of(
    precision: str, products: Sequence[Product], tried: int, timings: Mapping[str, Timing]
) -> Ceiling:
    """Return the largest rate that was measured."""
    best = max(products, key=lambda product: product.gflops(timings[product.workload.name]))
    return Ceiling(precision, best.gflops(timings[best.workload.name]), best.shape, tried)


def _sides(device: torch.device, threads: int) -> set[int]:
    """Return the sides of the square matrices to try; more threads need larger ones."""
    if device.type != "cpu":
        return set(_ACCELERATOR_SIDES)
    return {_CPU_SIDE, _CPU_SIDE * ceil(sqrt(threads))}


def _all_threads(
    shape: tuple[int, int, int], device: torch.device, dtype: torch.dtype, tf32: bool
) -> Product:
    """Make one product for all threads, or for the accelerator."""
    rows, inner, columns = shape
    a = torch.randn(rows, inner, device=device).to(dtype)
    weight = torch.randn(columns, inner, device=device).to(dtype)

    def run() -> None:
        with torch.inference_mode(), products_in_tf32(tf32):
            F.linear(a, weight)
        synchronise(device)

    return _product(shape, 1, "tf32" if tf32 else _name(dtype), run)


def _per_thread(shape: tuple[int, int, int], dtype: torch.dtype, threads: int) -> Product:
    """Make one product per thread, each with its share of the rows."""
    rows, inner, columns = max(1, shape[0] // threads), shape[1], shape[2]
    weight = torch.randn(columns, inner).to(dtype)
    pieces = [torch.randn(rows, inner).to(dtype) for _ in range(threads)]

    def work(piece: torch.Tensor) -> None:
        F.linear(piece, weight)

    run = partial(run_pieces, work, pieces)
    return _product((rows, inner, columns), threads, _name(dtype), run)


def _product(
    shape: tuple[int, int, int], threads: int, precision: str, run: Callable[[], None]
) -> Product:
    rows, inner, columns = shape
    words = f"{rows}×{inner}×{columns}" + (f" on each of {threads} threads" if threads > 1 else "")
    work = Workload(f"{words} in {precision}", run)
    return Product(words, 2 * threads * rows * inner * columns, work)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
