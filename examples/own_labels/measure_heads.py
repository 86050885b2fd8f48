"""Measure what a head on a model's features reaches, beside chance and a simple baseline.

    python examples/own_labels/measure_heads.py EXAMPLES [--root FOLDER] [--model NAME]

EXAMPLES are those of `vswin train`. The baseline is the same kind of head, chosen and measured in
the same folds, on how much the image changes: the mean difference between neighbouring frames in
each cell of a coarse grid, and how it varies. What is moving, and in what way, it cannot see.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from vswin_cli import (
    Engine,
    EngineOptions,
    HeadOptions,
    add_background,
    load_model,
    read_examples,
    train_head,
)
from vswin_cli.training.example_features import ExampleFeatures
from vswin_cli.training.head_fit import fit_measured
from vswin_cli.training.measures import Measures
from vswin_cli.training.records import Example

GRID = 4  # cells along each side
SIZE = 64  # pixels along each side in which frames are compared


def grey_frames(example: Example) -> NDArray[np.float64]:
    """Decode an example's frames (T, SIZE, SIZE) in shades of grey, 0..1."""
    start, end = example.start_seconds or 0.0, example.end_seconds
    found = []
    with av.open(str(example.source.path)) as container:
        first: float | None = None
        for frame in container.decode(video=0):
            time = float(frame.time or 0.0)
            first = time if first is None else first
            if end is not None and time - first >= end:
                break
            if time - first >= start:
                found.append(frame.to_ndarray(format="gray", width=SIZE, height=SIZE) / 255)
    return np.stack(found)


def changes(example: Example) -> NDArray[np.float32]:
    """Compute the baseline's features of an example: (1, 2 * GRID**2)."""
    frames = grey_frames(example)
    size = SIZE // GRID
    differences = abs(np.diff(frames, axis=0))  # (T-1, SIZE, SIZE)
    cells = differences.reshape(-1, GRID, size, GRID, size).mean(axis=(2, 4)).reshape(-1, GRID**2)
    return np.concatenate([cells.mean(0), cells.std(0)])[None].astype(np.float32)


def baseline(examples: Sequence[Example], options: HeadOptions) -> Measures | None:
    """Measure a head on the baseline's features."""
    rows = np.concatenate([changes(example) for example in examples])
    nothing: tuple[str | None, ...] = (None,) * len(examples)
    features = ExampleFeatures(rows, np.arange(len(examples)), nothing, ())
    return fit_measured(examples, features, options).measures


def main() -> None:
    """Print the measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("examples", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--model", default="camera-motion")
    parser.add_argument("--background")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    found = read_examples([given.examples], root=given.root)
    found = add_background(found, given.background, seed=given.seed)
    engine = Engine(load_model(given.model), EngineOptions(precision="float32"))
    options = HeadOptions(seed=given.seed)
    trained = train_head(found, engine, options)
    print("\n".join(trained.card.notes))
    used = {(each.path, each.start) for each in trained.record.examples}
    same = [e for e in found.examples if (e.source.uri, e.start_seconds) in used]
    simple = baseline(same, options)
    print(f"Mean frame differences: {'not measured' if simple is None else simple.accuracy}.")


if __name__ == "__main__":
    main()
