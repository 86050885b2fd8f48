"""Measure what fine-tuning a whole network reaches beside a head on its features, on one split.

    python examples/own_labels/make_shapes.py shapes --count 60
    python examples/own_labels/measure_full.py shapes/train.csv

EXAMPLES are those of `vswin train`; a fifth of their videos is held out. The options are for a
small network and hundreds of examples: few epochs at a higher rate than the recipe's, since
`camera-motion` has never seen such images. Minutes on a CPU, in the default sizes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vswin_cli import (
    Engine,
    EngineOptions,
    FullOptions,
    HeadOptions,
    load_model,
    read_examples,
    train_full,
    train_head,
)
from vswin_cli.training.measures import Measures
from vswin_cli.training.records import Example
from vswin_cli.training.split import split_examples

OPTIONS = FullOptions(
    epochs=10,
    learning_rate=2e-3,
    backbone_rate=0.3,
    smallest_crop=0.5,
    drop_path=0,
    dropout=0.2,
    warmup_epochs=1,
    ema_decay=0.98,
)


def with_split(examples: Sequence[Example], seed: int) -> tuple[Example, ...]:
    """Write the side of a split by video into every example."""
    held_out = set(split_examples(examples, seed=seed).held_out)
    return tuple(
        replace(each, part="held-out" if i in held_out else "train")
        for i, each in enumerate(examples)
    )


def show(name: str, measures: Measures | None) -> None:
    """Print the accuracy on the held-out examples."""
    if measures is not None:
        chance = f"always the commonest answer: {measures.chance:.1%}"
        print(f"{name}: {measures.accuracy}; {chance}.", flush=True)


def main() -> None:
    """Print the measures of both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("examples", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--model", default="camera-motion")
    parser.add_argument("--epochs", type=int, default=OPTIONS.epochs)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    found = read_examples([given.examples], root=given.root)
    found = replace(found, examples=with_split(found.examples, given.seed))
    base = load_model(given.model)
    engine = Engine(base, EngineOptions(precision="float32"))
    head = train_head(found, engine, HeadOptions(seed=given.seed)).measures
    options = replace(OPTIONS, epochs=given.epochs, seed=given.seed)
    show("Head", head)
    whole = train_full(found, base, options)
    show("Whole network", None if whole is None else whole.measures)


if __name__ == "__main__":
    main()
