"""Figures of the `camera-motion` model: synthetic clips, labelled windows, fixed cameras, cuts.

    python examples/measure_camera_motion.py --weights runs/camera/checkpoint.pt \
        --synthetic runs/camera/held --windows CAMERA_DEV/labels.tsv \
        --fixed CLIP ... --cuts VIDEO=TIMES.txt ...

Each option adds its figures; the clips are sampled with PyAV as the tool samples them (frame rate,
short side, centre crop of the model's input), and a step's score is a sigmoid, averaged over clips.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from camera_motion_ring import normalised
from camera_motion_shots import FRAME_RATE, FRAMES, SIDE, STEPS, load_library
from camera_motion_synthesis import LABELS, make_sample
from train_camera_motion import network

from vswin_cli.models.swin3d import VideoSwin

MOTIONS = range(1, 10)  # pan-left … shake
CUT = LABELS.index("cut")
STEP_SECONDS = 2 / FRAME_RATE
ONSET = 0.4  # the tool's default
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Track:
    """Scores of one video."""

    times_seconds: Array
    """(2N,) presentation times of the sampled frames, two per step."""
    scores: Array
    """(N, 13) mean sigmoid per step."""
    peaks: Array
    """(N, 13) the highest sigmoid of any clip that covers the step."""

    def within(self, start: float, end: float) -> Array:
        """Mean score (13,) of the steps whose middle lies in [start, end)."""
        middles = self.times_seconds[0::2] - self.times_seconds[0] + STEP_SECONDS / 2
        inside = (middles >= start) & (middles < end)
        return np.asarray(self.scores[inside].mean(0) if inside.any() else np.zeros(len(LABELS)))


def load_network(path: Path) -> VideoSwin:
    """Weights from a training checkpoint (the averaged ones) or an exported folder."""
    net = network()
    if path.is_dir():
        from safetensors.torch import load_file

        state = {k: v.float() for k, v in load_file(path / "model.safetensors").items()}
    else:
        kept = torch.load(path, weights_only=True)["average"]
        state = {k[4:]: v for k, v in kept.items() if k.startswith("net.")}
    net.load_state_dict(state)
    return net.eval()


def _decoded(path: Path) -> Iterator[tuple[float, av.VideoFrame]]:
    """Frames with increasing times; files whose stamps run backwards are timed by their rate."""
    last = -1.0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        usual = 1 / float(stream.average_rate or 25)
        for frame in container.decode(stream):
            stamp = frame.time if frame.time is not None else last + usual
            last = stamp if stamp > last else last + usual
            yield last, frame


def _square(frame: av.VideoFrame) -> Array:
    """The upright centre square (SIDE, SIDE, 3) of a frame."""
    factor = SIDE / min(frame.width, frame.height)
    width, height = int(frame.width * factor + 0.5), int(frame.height * factor + 0.5)
    picture = frame.reformat(width, height, "rgb24", interpolation="BILINEAR").to_ndarray()
    picture = np.rot90(picture, round(frame.rotation / 90))
    top, left = (picture.shape[0] - SIDE) // 2, (picture.shape[1] - SIDE) // 2
    return picture[top : top + SIDE, left : left + SIDE]


def sample(path: Path, start: float = 0, end: float = 1e9) -> tuple[Array, Array]:
    """Times (N,) and squares (N, SIDE, SIDE, 3) shown at FRAME_RATE in [start, end) seconds."""
    times: list[float] = []
    squares: list[Array] = []
    shown, shown_square, first = None, None, None

    def show_until(instant: float) -> None:
        nonlocal shown_square
        while shown is not None and (due := start + len(times) / FRAME_RATE) < instant - 1e-4:
            if shown_square is None:
                shown_square = _square(shown)
            times.append(due)
            squares.append(shown_square)

    for stamp, frame in _decoded(path):
        first = stamp if first is None else first
        show_until(min(stamp - first, end))
        if stamp - first >= end:
            break
        shown, shown_square = frame, None
    else:
        show_until(stamp - (first or 0) + 0.02)
    return np.array(times), np.stack(squares)


@torch.inference_mode()
def score(net: VideoSwin, times: Array, squares: Array, hop: int) -> Track:
    """Score every step with clips `hop` frames apart; the last clip repeats the last frame."""
    count = len(squares) // 2 * 2
    starts = list(range(0, max(count - FRAMES + hop, 1), hop))
    total, hits = np.zeros((count // 2 + STEPS, len(LABELS))), np.zeros((count // 2 + STEPS, 1))
    peaks = np.zeros_like(total)
    for group in range(0, len(starts), 32):
        chosen = starts[group : group + 32]
        rows = np.minimum(np.array(chosen)[:, None] + np.arange(FRAMES), len(squares) - 1)
        clips = torch.from_numpy(squares[rows]).permute(0, 4, 1, 2, 3)
        answers = net.forward_steps(normalised(clips)).sigmoid()
        for place, answer in zip(chosen, answers, strict=True):
            steps = slice(place // 2, place // 2 + STEPS)
            total[steps] += answer.numpy()
            peaks[steps] = np.maximum(peaks[steps], answer.numpy())
            hits[steps] += 1
    kept = slice(0, count // 2)
    return Track(times[:count], (total / np.maximum(hits, 1))[kept], peaks[kept])


def average_precision(truth: Array, scores: Array) -> float:
    """Area under precision over recall, ties in input order."""
    ranked = truth[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return float((precision * ranked).sum() / max(ranked.sum(), 1))


def report_synthetic(net: VideoSwin, folder: Path, clips: int) -> None:
    """Average precision per label, per step, on photographs never trained on."""
    library = load_library(folder)
    samples = [make_sample(np.random.default_rng((99, i)), library, 1.0) for i in range(clips)]
    with torch.inference_mode():
        answers = [
            net.forward_steps(normalised(torch.from_numpy(s.frames)[None]))[0].numpy()
            for s in samples
        ]
    truth, scores = np.concatenate([s.labels for s in samples]), np.concatenate(answers)
    print(f"synthetic, {clips} held-out clips, average precision per step")
    figures = []
    for column, label in enumerate(LABELS):
        decided = truth[:, column] >= 0
        figures.append(average_precision(truth[decided, column] == 1, scores[decided, column]))
        print(f"  {label:10} {figures[-1]:.3f}  ({(truth[:, column] == 1).mean():.1%} of steps)")
    print(f"  mean of the motion labels {np.mean(figures[1:10]):.3f}")


def report_windows(net: VideoSwin, table: Path, hop: int) -> None:
    """Dominant label per window labelled by eye, and cuts inside the windows marked `cut`."""
    rows = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()[1:]]
    tracks: dict[str, Track] = {}
    moving, still, cuts, confused = [], [], [], []
    for clip, start, end, label, extra, verified, cut_time, *_ in rows:
        if verified != "yes":
            continue
        begin, until = float(start), float(end)
        if label == "cut":
            cuts.append(_finds_cut(net, table.parent / clip, begin, until, float(cut_time), hop))
            continue
        if clip not in tracks:
            tracks[clip] = score(net, *sample(table.parent / clip), hop)
        mean = tracks[clip].within(begin, until)
        guess = LABELS[int(mean[:10].argmax())]
        if label == "static":
            still.append((guess == "static", mean[1:10].max() >= ONSET))
        else:
            moving.append((guess == label, guess in (label, *extra.split(";"))))
        if guess != label:
            best, own = mean[LABELS.index(guess)], mean[LABELS.index(label)]
            names = f"{label} {extra}".strip()
            confused.append(
                f"  {clip} {start}-{end}: {names} ({own:.2f}) read as {guess} ({best:.2f})"
            )
    print("\n".join(confused))
    right, fair = np.mean(moving, axis=0)
    print(f"windows, moving: {right:.1%} of {len(moving)} (any true label: {fair:.1%})")
    print(
        f"windows, static: {1 - np.mean(still, axis=0)[0]:.1%} of {len(still)} called moving; "
        f"a motion label at {ONSET}: {np.mean(still, axis=0)[1]:.1%}"
    )
    print(f"windows, cuts found within 0.15 s: {np.mean(cuts):.1%} of {len(cuts)}")


def cut_times(track: Track, threshold: float) -> list[float]:
    """Starts of the steps where the cut score peaks; neighbouring steps are one cut.

    The first new frame of a step's cut is one of its two, so the cut is within a frame's distance
    of the step's start.
    """
    found, column = [], track.peaks[:, CUT]
    step = 0
    while step < len(column):
        if column[step] >= threshold:
            run = step
            while run + 1 < len(column) and column[run + 1] >= threshold and run - step < 2:
                run += 1
            best = step + int(column[step : run + 1].argmax())
            found.append(float(track.times_seconds[2 * best]))
            step = run
        step += 1
    return found


def _finds_cut(
    net: VideoSwin, path: Path, start: float, end: float, truth: float, hop: int
) -> bool:
    track = score(net, *sample(path, max(start - 1, 0), end + 1), hop)
    return any(abs(t - truth) <= 0.15 for t in cut_times(track, ONSET))


def report_fixed(net: VideoSwin, paths: Sequence[Path], hop: int) -> None:
    """Share of 2 s windows of fixed-camera videos that get a motion label."""
    verdicts = []
    for path in paths:
        track = score(net, *sample(path), hop)
        windows = max(int(len(track.scores) * STEP_SECONDS / 2), 1)
        means = np.array([track.within(2 * i, 2 * i + 2) for i in range(windows)])
        bad = means[:, 1:10].max(1) >= ONSET
        verdicts.extend(bad)
        worst = LABELS[1 + int(means[:, 1:10].max(0).argmax())]
        print(
            f"  {path.name}: {bad.sum()} of {windows} windows, most {worst} "
            f"{means[:, 1:10].max():.2f}"
        )
    print(f"fixed camera: {np.mean(verdicts):.1%} of {len(verdicts)} windows get a motion label")


def matched(found: Sequence[float], truth: Sequence[float], tolerance: float) -> int:
    """Cuts found, each truth used once, nearest first."""
    left, hits = sorted(found), 0
    for time in truth:
        near = min(left, key=lambda t: abs(t - time), default=None)
        if near is not None and abs(near - time) <= tolerance:
            left.remove(near)
            hits += 1
    return hits


def report_cuts(net: VideoSwin, path: Path, times: Path, hop: int) -> None:
    """Recall and precision of cuts, and those of PySceneDetect's content detector beside them.

    A line `? TIME` of the file marks a doubtful cut: nothing found within 0.3 s of it counts.
    """
    lines = times.read_text(encoding="utf-8").splitlines()
    doubtful = [float(line[1:]) for line in lines if line.startswith("?")]
    truth = [float(line) for line in lines if not line.startswith("?")]
    track = score(net, *sample(path), hop)
    for threshold in (0.2, 0.3, ONSET, 0.5, 0.6, 0.7):
        found = cut_times(track, threshold)
        _print_cuts(f"{path.name} ours at {threshold}", found, truth, doubtful)
    try:
        from scenedetect import ContentDetector, detect  # type: ignore[import-not-found]
    except ImportError:
        print("  (install scenedetect and opencv-python-headless to compare)")
        return
    scenes = detect(str(path), ContentDetector())
    found = [start.seconds for start, _ in scenes][1:]
    _print_cuts(f"{path.name} PySceneDetect", found, truth, doubtful)


def _print_cuts(
    name: str, found: Sequence[float], truth: Sequence[float], doubtful: Sequence[float]
) -> None:
    hits = matched(found, truth, 0.15)
    counted = [
        t
        for t in found
        if any(abs(t - c) <= 0.15 for c in truth) or all(abs(t - d) > 0.3 for d in doubtful)
    ]
    missed = [t for t in truth if all(abs(t - f) > 0.15 for f in found)]
    wrong = [round(t, 2) for t in counted if all(abs(t - c) > 0.15 for c in truth)]
    recall, precision = hits / max(len(truth), 1), hits / max(len(counted), 1)
    counts = f"{hits} of {len(truth)}, {len(counted)} found"
    print(f"  {name}: recall {recall:.1%} precision {precision:.1%} ({counts})")
    print(f"    missed {missed[:12]} wrong {wrong[:12]}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--weights", type=Path, default=Path("runs/camera/checkpoint.pt"))
    parser.add_argument("--synthetic", type=Path, help="folder of `prepare`: RUN/held")
    parser.add_argument("--clips", type=int, default=1500)
    parser.add_argument("--windows", type=Path, help="labels.tsv")
    parser.add_argument("--fixed", type=Path, nargs="*", default=[])
    parser.add_argument("--cuts", nargs="*", default=[], help="VIDEO=FILE with true cut seconds")
    parser.add_argument("--hop", type=int, default=8, help="sampled frames between clips")
    options = parser.parse_args()
    torch.set_num_threads(1)
    net = load_network(options.weights)
    if options.synthetic:
        report_synthetic(net, options.synthetic, options.clips)
    if options.windows:
        report_windows(net, options.windows, options.hop)
    if options.fixed:
        report_fixed(net, options.fixed, options.hop)
    for pair in options.cuts:
        path, times = map(Path, pair.split("="))
        report_cuts(net, path, times, options.hop)


if __name__ == "__main__":
    main()
