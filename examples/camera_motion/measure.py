"""Measure the embedded `camera-motion` weights and write the figures into their card.

    python examples/camera_motion/measure.py --data ../shared

Runs the commands that anybody can run, each printed before it runs, and keeps what they say as
JSON under `--run`/figures; only average precision on synthetic clips has no command. DATA holds
`camera_dev/labels.tsv` (windows of real clips labelled by eye), `static_clips` and `videos`. With
`scenedetect` and OpenCV installed, PySceneDetect's content detector is measured beside ours.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from library import load_library
from ring import normalised
from synthesis import LABELS, make_sample

from vswin_cli.models.card import ModelCard
from vswin_cli.models.weights.loading import load_model

CUTS = Path(__file__).with_name("cuts.csv")
FIXED_CAMERAS = (
    "videos/bottle-detection.mp4",
    "videos/one-by-one-person-detection.mp4",
    "camera_dev/fight__fi026.mp4",
)
HELD_OUT_EVERY = 3  # of static_clips, as in training
AMONG_MOTIONS = ("--background", "static", "--exclude", "fade", "--exclude", "dissolve")
OF_CUTS = ("--moment", "cut", "--ignore", "doubtful", "--collar", "0.15")
DIFFICULTIES = {"clean": 0.0, "half": 0.5, "full": 1.0}  # as `make_sample` takes it
MOTIONS = LABELS[1:10]
KEPT_NOTES = ("Trained", "Whole clips", "Limits")  # of train.py and whole_clips.py
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Workspace:
    """Folders of the data, the weights and the figures."""

    data: Path
    weights: Path
    figures: Path

    def vswin(self, *arguments: object, model: bool = True) -> str:
        """Run a command of vswin and return what it prints."""
        words = [str(word) for word in arguments]
        words += ["--weights", str(self.weights)] if model else []
        print("$ vswin", *words, flush=True)
        command = [sys.executable, "-m", "vswin_cli", *words]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    def evaluate(self, name: str, *arguments: object, model: bool = True) -> dict[str, Any]:
        """Run `vswin evaluate`, keep its JSON, and return it."""
        text = self.vswin("evaluate", *arguments, "--json", model=model)
        (self.figures / f"{name}.json").write_text(text, encoding="utf-8")
        return dict(json.loads(text))


def average_precision(truth: Array, scores: Array) -> float:
    """Compute the area under precision over recall, ties in input order."""
    ranked = truth[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return float((precision * ranked).sum() / max(ranked.sum(), 1))


@torch.inference_mode()
def measure_synthetic(workspace: Workspace, held: Path, clips: int) -> dict[str, dict[str, float]]:
    """Compute average precision per difficulty and label on photographs never trained on.

    Scores are per time step. Labels that do not occur at a difficulty are left out: edits other
    than cuts occur at the harder ones only.
    """
    net = load_model(workspace.weights).network.eval()
    library = load_library(held)
    figures: dict[str, dict[str, float]] = {}
    for name, hard in DIFFICULTIES.items():
        samples = [make_sample(np.random.default_rng((99, i)), library, hard) for i in range(clips)]
        answers = [
            net.forward_steps(normalised(torch.from_numpy(one.frames)[None]))[0].numpy()
            for one in samples
        ]
        truth, scores = np.concatenate([one.labels for one in samples]), np.concatenate(answers)
        decided = truth >= 0
        figures[name] = {
            label: average_precision(truth[known, column] > 0.5, scores[known, column])
            for column, (label, known) in enumerate(zip(LABELS, decided.T, strict=True))
            if (truth[:, column] > 0.5).any()
        }
    (workspace.figures / "synthetic.json").write_text(json.dumps(figures, indent=2) + "\n")
    return figures


def list_fixed_cameras(workspace: Workspace) -> Path:
    """Write a list of the fixed-camera videos that training has not seen."""
    clips = sorted((workspace.data / "static_clips").glob("*.mp4"))[::HELD_OUT_EVERY]
    paths = [*clips, *(workspace.data / name for name in FIXED_CAMERAS)]
    listed = workspace.figures / "fixed.csv"
    rows = [["video", "label"], *([str(path.absolute()), "static"] for path in paths)]
    with listed.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    return listed


def videos_with_cuts(workspace: Workspace) -> list[Path]:
    """Return the videos of the list of true cuts."""
    with CUTS.open(encoding="utf-8") as file:
        names = dict.fromkeys(row["video"] for row in csv.DictReader(file))
    return [workspace.data / "videos" / name for name in names]


def measure_cuts(workspace: Workspace) -> dict[str, Any]:
    """Measure recall and precision of cuts in the timelines that `vswin tag` writes."""
    videos, found, scores = (
        videos_with_cuts(workspace),
        workspace.figures / "cuts.jsonl",
        workspace.figures,
    )
    workspace.vswin("tag", *videos, "--include", "cut", "-q", "-o", found, "--save-scores", scores)
    return workspace.evaluate("cuts", "f1", found, CUTS, *OF_CUTS, model=False)


def measure_content_detector(workspace: Workspace) -> dict[str, Any] | None:
    """Measure PySceneDetect's content detector with its defaults, if it is installed."""
    try:
        from scenedetect import ContentDetector, detect  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        print("install scenedetect and opencv-python-headless to compare with PySceneDetect")
        return None
    found = workspace.figures / "scenedetect.csv"
    with found.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["video", "start", "end", "label"])
        for video in videos_with_cuts(workspace):
            starts = [start.seconds for start, _ in detect(str(video), ContentDetector())][1:]
            rows.writerows([video.name, f"{at:.3f}", f"{at:.3f}", "cut"] for at in starts)
    return workspace.evaluate("scenedetect", "f1", found, CUTS, *OF_CUTS, model=False)


def print_onsets(workspace: Workspace) -> None:
    """Print the figures for cuts at other onsets, from the scores that `measure_cuts` kept."""
    scores = sorted(workspace.figures.glob("*.npz"))
    for onset in (0.15, 0.2, 0.3, 0.4, 0.5, 0.6):
        found = workspace.figures / f"cuts_{onset:g}.jsonl"
        options = ("--include", "cut", "--onset", onset, "-q", "-o", found)
        workspace.vswin("segment", *scores, *options, model=False)
        report = workspace.evaluate(f"cuts_{onset:g}", "f1", found, CUTS, *OF_CUTS, model=False)
        print(f"  onset {onset:g}: {_cut_text(report)}")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _cut_text(report: dict[str, Any]) -> str:
    whole = report["events"]["overall"]
    videos = ", ".join(
        f"{one['video']} {_percent(one['recall'])} and {_percent(one['precision'])}"
        for one in report["events"]["videos"]
    )
    return f"{_percent(whole['recall'])} and {_percent(whole['precision'])} ({videos})"


def _synthetic_text(synthetic: dict[str, dict[str, float]]) -> str:
    parts = []
    for name, values in synthetic.items():
        found = [values[label] for label in MOTIONS if label in values]
        parts.append(f"{name} {np.mean(found):.3f} ({min(found):.3f} to {max(found):.3f})")
    return (
        "Synthetic clips from photographs never trained on, average precision per time step, mean "
        f"of the nine motions at clean, half and full difficulty: {', '.join(parts)}; "
        "at full difficulty: "
        + ", ".join(f"{label} {value:.3f}" for label, value in synthetic["full"].items())
        + "."
    )


def notes(figures: dict[str, Any], onset: float) -> list[str]:
    """Write the figures as the notes of the model card."""
    windows, fixed, cuts = figures["windows"], figures["fixed"], figures["cuts"]
    still, alarms = windows["background_right"], fixed["background_alarms"]
    lines = [
        "Real windows of 2 s labelled by eye, on which it was also selected: the dominant moving "
        f"label leads in {_percent(windows['right']['share'])} of {windows['right']['total']}, "
        f"some true label in {_percent(windows['some_true']['share'])}; static windows read as "
        f"moving: {still['total'] - still['hits']} of {still['total']}.",
        "Fixed cameras with moving people or hands: "
        f"{_percent(alarms['share'])} of {alarms['total']} windows of 2 s get a motion label.",
        f"Cuts within 0.15 s, recall and precision at the onset of {onset:g}, which was chosen on "
        f"other clips: {_cut_text(cuts)}; the compilation holds most of the last.",
    ]
    if figures["scenedetect"]:
        lines[-1] += f" PySceneDetect's content detector: {_cut_text(figures['scenedetect'])}."
    lines.append(_synthetic_text(figures["synthetic"]))
    return lines


def write_card(path: Path, figures: dict[str, Any]) -> None:
    """Put the figures into the card, between the notes on training and those on whole clips."""
    card = ModelCard.from_json(path.read_text(encoding="utf-8"), path)
    trained, whole, limits = ([n for n in card.notes if n.startswith(w)] for w in KEPT_NOTES)
    found = notes(figures, card.segments.onset_of("cut"))
    written = replace(card, notes=(*trained, *found, *whole, *limits))
    path.write_text(written.to_json(), encoding="utf-8")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, default=Path("runs/camera"), help="as in training")
    parser.add_argument("--weights", type=Path, default=Path("vswin_cli/data/camera-motion"))
    parser.add_argument("--clips", type=int, default=1500, help="synthetic ones")
    parser.add_argument("--onsets", action="store_true", help="also show cuts at other onsets")
    parser.add_argument("--keep-card", action="store_true", help="only measure")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure everything, then write the card."""
    options = parse()
    workspace = Workspace(options.data, options.weights, options.run / "figures")
    workspace.figures.mkdir(parents=True, exist_ok=True)
    windows = options.data / "camera_dev" / "labels.tsv"
    figures: dict[str, Any] = {
        "windows": workspace.evaluate("windows", "windows", windows, *AMONG_MOTIONS),
        "fixed": workspace.evaluate(
            "fixed", "windows", list_fixed_cameras(workspace), *AMONG_MOTIONS
        ),
        "cuts": measure_cuts(workspace),
        "scenedetect": measure_content_detector(workspace),
        "synthetic": measure_synthetic(workspace, options.run / "held", options.clips),
    }
    if options.onsets:
        print_onsets(workspace)
    print(*notes(figures, load_model(workspace.weights).card.segments.onset_of("cut")), sep="\n")
    if not options.keep_card:
        write_card(options.weights / "config.json", figures)


if __name__ == "__main__":
    main()
