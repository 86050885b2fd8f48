"""Train the embedded `camera-motion` model from photographs, on a laptop's cores.

    python examples/camera_motion/train.py prepare --photos PHOTOS --footage FIXED_CAMERA_CLIPS
    python examples/camera_motion/train.py generate &      # fills a ring of synthesised clips
    python examples/camera_motion/train.py train           # reads the ring; resumes by itself
    python examples/camera_motion/train.py export          # weights and card into the package
    python examples/camera_motion/measure.py --data DATA   # figures into the card

Everything lives under `--run` (default `runs/camera`). Per-step labels are learnt beside two exact
side tasks that only training sees: the motion of each step, and the displacement at each token.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from library import build_library, load_library
from paths import FRAME_RATE, FRAMES, GRID, PATCH, SIDE, STEPS
from ring import Batch, Ring, draw
from synthesis import LABELS
from torch import Tensor, nn

from vswin_cli.config import LabelDuration, LabelOnset, SegmentOptions
from vswin_cli.models.architecture import Architecture, InputSpec
from vswin_cli.models.card import ModelCard, Provenance
from vswin_cli.models.network.swin3d import VideoSwin
from vswin_cli.models.weights.loading import load_model

ARCHITECTURE = Architecture(
    name="swin3d_nano",
    embed_dim=64,
    depths=(2, 2, 1),
    num_heads=(2, 4, 8),
    window_size=(8, 4, 4),
    patch_size=(2, PATCH, PATCH),
    mlp_ratio=4.0,
)
INPUT = InputSpec(
    num_frames=FRAMES,
    frame_rate=FRAME_RATE,
    resize_short_side=SIDE,
    crop_size=SIDE,
    stride_percent=50.0,  # a cut at the end of one clip is in the middle of the next
)
CUT_ONSET = 0.5  # chosen on the clips of boundaries.csv, as the next three; see whole_clips.py
DISSOLVE_ONSET = 0.9
SHAKE_ONSET = 0.7  # hands that hold nearly still, or that turn the camera, score less
MOTION_SECONDS = 1.0  # shorter moves are mostly subjects that pass a fixed camera
LIMITS = (
    "Limits: a cut's time is the start of its time step, within one sampled frame (1/12 s) of the "
    "true one.",
    "Limits: moves under about 3% of the frame's height a second, and rolls under 2 degrees a "
    "second, are read as static; roll, fade and dissolve are proven on synthetic clips only; a "
    "subject that fills the frame is taken for the scene.",
)
RING_CLIPS = 30_000
HELD_OUT_EVERY = 13  # photos; fixed-camera clips: every third
EMA_STEPS = 300
BETWEEN_STEPS_WEIGHT = 5.0
EDITS = 3  # cut, fade, dissolve: the last labels
LABEL_WEIGHTS = (1.0,) * 10 + (3.0, 2.0, 2.0)  # edits are rare steps
MOTION_UNITS = (0.3, 0.3, 0.01, 0.01)  # pixels, pixels, log scale, rad: where asinh bends


def network() -> VideoSwin:
    """Build the embedded model, untrained."""
    return VideoSwin(ARCHITECTURE, len(LABELS))


class TrainedNetwork(nn.Module):
    """The network with two auxiliary heads that are dropped at inference."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network()
        self.motion = nn.Linear(ARCHITECTURE.num_features, 4)
        self.local = nn.Linear(ARCHITECTURE.embed_dim, 2 + EDITS)
        self._rows: list[Tensor] = []
        self.net.layers[0].register_forward_hook(lambda _m, _i, rows: self._rows.append(rows))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map (B, 3, T, H, W) to logits (B, D, K), motion (B, D, 4), local (B, D, GRID, GRID, 5).

        The last holds, for each token of the first stage, its displacement and the edits' logits.
        """
        self._rows.clear()
        features = self.net.forward_features(x).mean((3, 4)).transpose(1, 2)  # (B, D, C)
        tokens = self._rows[0].index_select(0, self.net.routes_for(x)[0].leave)
        local = self.local(tokens).view(len(x), STEPS, GRID, GRID, -1)
        assert self.net.head is not None
        return self.net.head(features), self.motion(features), local


def initialise(model: TrainedNetwork, clips: Tensor) -> None:
    """Initialise the patch embedding with whitened derivatives.

    Its filters are cosines in space times a sum or a difference in time. Local motion is a ratio of
    temporal to spatial derivatives, so the first MLP finds its inputs ready. `clips` (B, 3, T, H,
    W), normalised, give the scale of each filter.
    """
    line = (torch.arange(PATCH) + 0.5) / PATCH
    orders = sorted(((u, v) for u in range(PATCH) for v in range(PATCH)), key=lambda uv: sum(uv))
    luma, filters = torch.tensor([0.3, 0.59, 0.11]), []
    colours = [torch.tensor([0.7, -0.59, -0.11]), torch.tensor([-0.3, -0.59, 0.89])]
    flat = torch.ones(PATCH, PATCH)
    pairs = [(colour, flat) for colour in colours]
    pairs += [
        (luma, torch.outer(torch.cos(torch.pi * u * line), torch.cos(torch.pi * v * line)))
        for u, v in orders
    ]
    for colour, shape in pairs:
        for pair in (torch.tensor([0.5, 0.5]), torch.tensor([-1.0, 1.0])):
            filters.append(colour[:, None, None, None] * pair[:, None, None] * shape)
    projection = model.net.patch_embed.proj
    with torch.no_grad():
        projection.weight.copy_(torch.stack(filters[: ARCHITECTURE.embed_dim]))
        answers = F.conv3d(clips, projection.weight, stride=projection.stride)
        # A mean absolute value resists the heavy tails of differences.
        scale = answers.abs().mean((0, 2, 3, 4)).clamp(min=1e-4)
        projection.weight.div_(scale[:, None, None, None, None])
        assert projection.bias is not None
        projection.bias.copy_(-(answers.mean((0, 2, 3, 4)) / scale))
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2 and "table" not in name:
            nn.init.trunc_normal_(parameter, std=(1 / parameter.shape[1]) ** 0.5)
        if name.endswith(("attn.proj.weight", "fc2.weight")):
            parameter.data.mul_(0.5)
    bias_to_neighbours(model.net)


def bias_to_neighbours(net: VideoSwin) -> None:
    """Initialise two heads of most blocks to attend to the same place one step before and after.

    Without it attention over time stays diffuse for long, and a cut between two steps, or a slow
    move, is only to be seen by comparing steps.
    """
    p, m, n = ARCHITECTURE.window_size
    full_rows, side = m * n, GRID
    for stage, heads in ((0, (0, 1)), (1, (1, 2)), (2, (0, 7))):
        name = f"layers.{stage}.blocks.0.attn.relative_position_bias_table"
        table = net.get_parameter(name).data.view(2 * p - 1, 2 * m - 1, 2 * n - 1, -1)
        in_step = min(m, side >> stage) * min(n, side >> stage)  # tokens of a step in a window
        for head, sign in zip(heads, (1, -1), strict=True):
            # A window smaller than the full one numbers its tokens as the full one's first.
            for steps, rows in {
                (in_step // full_rows, 0),
                (0, in_step // n),
                (1, in_step // n - m),
            }:
                if steps * full_rows + rows * n == in_step and abs(rows) < m:
                    table[p - 1 + sign * steps, m - 1 + sign * rows, n - 1, head] += 6


def _squeeze(motion: Tensor) -> Tensor:
    """Compress motion by asinh so that slow and fast both count; (..., 4) or (..., 2)."""
    return torch.asinh(motion / torch.tensor(MOTION_UNITS[: motion.shape[-1]]))


def _known_error(guess: Tensor, truth: Tensor) -> tuple[Tensor, float]:
    """Compute the Huber loss where the truth is known, and R² of the guess for printing."""
    known = ~torch.isnan(truth)
    bent = _squeeze(torch.nan_to_num(truth))[known]
    loss = F.smooth_l1_loss(guess[known], bent, beta=0.5)
    error = (guess[known].detach() - bent).square().sum()
    return loss, float(1 - error / bent.sub(bent.mean()).square().sum().clamp(min=1e-6))


def _label_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Compute binary cross entropy over the decided labels; (B, D, ..., K), `weights` (K)."""
    decided = (labels >= 0) * weights
    # A cut between two steps leaves the first undecided. It is the harder one to see.
    is_between = (labels[:, 1:] == 1) & (labels[:, :-1] < 0)
    decided[:, 1:] *= torch.where(is_between, BETWEEN_STEPS_WEIGHT, 1.0)
    loss = F.binary_cross_entropy_with_logits(logits, labels.clamp(min=0), decided, reduction="sum")
    return loss / decided.sum()


def losses(model: TrainedNetwork, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """Compute the total loss and the figures to print."""
    logits, motion, local = (out.float() for out in model(batch.x))
    labels = _label_loss(logits, batch.labels, torch.tensor(LABEL_WEIGHTS))
    # Edits are asked of each early token too, else cuts between two steps are learnt very late.
    here = batch.labels[:, :, None, None, -EDITS:].expand(-1, -1, GRID, GRID, -1)
    edits = _label_loss(local[..., 2:], here, torch.ones(EDITS))
    motion_loss, motion_r2 = _known_error(motion, batch.motion)
    flow_loss, flow_r2 = _known_error(local[..., :2], batch.flow)
    total = 4 * labels + 2 * edits + 0.5 * motion_loss + 0.5 * flow_loss
    shown = {"bce": float(labels.detach()), "edits": float(edits.detach())}
    return total, shown | {"motion_r2": motion_r2, "flow_r2": flow_r2}


def rate_at(step: int, peak: float, steps: int, decay: int) -> float:
    """Return the learning rate: warm up, hold, and fall linearly over the last `decay` steps."""
    return peak * min(1.0, (step + 1) / 300, max(steps - step, 1) / decay)


def train(options: argparse.Namespace) -> None:
    """Train until `--steps`, from the last checkpoint if there is one."""
    torch.manual_seed(options.seed)
    ring = Ring.open(options.run / "ring", RING_CLIPS)
    while ring.written[0] < 1000:
        time.sleep(2)
    model, average, first = TrainedNetwork(), TrainedNetwork(), 0
    groups = [
        {"params": [p for p in model.parameters() if p.ndim >= 2], "weight_decay": 0.02},
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=options.rate, betas=(0.9, 0.99), fused=True)
    kept = options.run / "checkpoint.pt"
    if kept.exists():
        state = torch.load(kept, weights_only=True)
        model.load_state_dict(state["pupil"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["step"]
    else:
        initialise(model, draw(ring, np.random.default_rng(0), 256).x)
        if options.start is not None:  # the two side heads begin anew
            model.net.load_state_dict(load_model(options.start).network.state_dict())
        average.load_state_dict(model.state_dict())
    rng = np.random.default_rng((options.seed, first))
    began, shown = time.monotonic(), dict[str, float]()
    for step in range(first, options.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, options.rate, options.steps, options.decay)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bfloat16):
            total, figures = losses(model, draw(ring, rng, options.batch))
        optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        share = 1 / min(EMA_STEPS, step / 5 + 1)
        with torch.no_grad():
            for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
                slow.lerp_(fast, share)
        shown = {k: 0.95 * shown.get(k, v) + 0.05 * v for k, v in figures.items()}
        if step % 50 == 49:
            text = "  ".join(f"{k} {v:.3f}" for k, v in shown.items())
            speed = (step + 1 - first) * options.batch / (time.monotonic() - began)
            print(f"{step + 1:6} {text}  {speed:.0f} clips/s  ring {ring.written[0]}", flush=True)
        if step % 500 == 499 or step + 1 == options.steps:
            state = {
                "pupil": model.state_dict(),
                "average": average.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": step + 1,
            }
            torch.save(state, kept.with_suffix(".part"))
            kept.with_suffix(".part").replace(kept)


def generate(options: argparse.Namespace) -> None:
    """Write clips into the ring until the process ends; difficulty rises at first."""
    library = load_library(options.run / "train")
    ring = Ring.open(options.run / "ring", RING_CLIPS)
    while ring.written[0] < options.clips:
        number = int(ring.written[0])
        hard = min(1.0, number / max(options.easy, 1)) * (1 - 0.4 * ((number * 7919) % 101) / 101)
        ring.put(number % RING_CLIPS, library, (options.seed, number), hard)
        ring.written[0] = number + 1


def prepare(options: argparse.Namespace) -> None:
    """Decode photos and footage once, apart for training and for the held-out figures."""
    photos = sorted(options.photos.rglob("*.jpg"))
    footage = sorted(options.footage.glob("*.mp4")) if options.footage else []
    for name, is_held in (("held", True), ("train", False)):
        build_library(
            [p for i, p in enumerate(photos) if (i % HELD_OUT_EVERY == 0) == is_held],
            [p for i, p in enumerate(footage) if (i % 3 == 0) == is_held],
            options.run / name,
        )


def export(options: argparse.Namespace) -> None:
    """Write the averaged weights as float16 safetensors with the card that describes them."""
    from safetensors.torch import save_file

    kept = torch.load(options.run / "checkpoint.pt", weights_only=True)
    weights = {k[4:]: v for k, v in kept["average"].items() if k.startswith("net.")}
    trained = f"Trained {kept['step']:,} steps of {options.batch} clips."
    if options.start is not None:
        earlier = load_model(options.start)
        before = next(note for note in earlier.card.notes if note.startswith("Trained"))
        first = before.partition(". ")[0].lower().rstrip(".")
        trained += f" Fine-tuned from an earlier run ({first}); "
        trained += f"the final weights average both ({options.share:.0%} new)."
        weights = _blended(weights, earlier.network.state_dict(), options.share)
    weights = {name: weight.half().contiguous() for name, weight in weights.items()}
    card = ModelCard(
        id="camera-motion",
        architecture=ARCHITECTURE,
        num_classes=len(LABELS),
        labels=LABELS,
        input=INPUT,
        activation="sigmoid",
        dataset="clips synthesised from 492 photographs and 21 fixed-camera clips with people",
        licence="Apache-2.0",
        provenance=Provenance("examples/camera_motion/train.py"),
        segments=SegmentOptions(
            onset=0.5,
            offset=0.35,
            min_duration_seconds=0.5,
            merge_gap_seconds=0.35,
            max_labels=0,
            instants=("cut",),
            boundaries=("cut",),
            onsets=(
                LabelOnset("cut", options.cut_onset),
                LabelOnset("dissolve", DISSOLVE_ONSET),
                LabelOnset("shake", SHAKE_ONSET),
            ),
            min_durations=tuple(LabelDuration(name, MOTION_SECONDS) for name in LABELS[1:10]),
        ),
        notes=(trained, *LIMITS),
    )
    options.to.mkdir(parents=True, exist_ok=True)
    save_file(weights, options.to / "model.safetensors", metadata={"format": "pt"})
    (options.to / "config.json").write_text(card.to_json(), encoding="utf-8")


def _blended(new: dict[str, Tensor], old: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Average the weights of two runs, one of which began with the other's.

    On real clips it is better than either (Wortsman et al., "Robust fine-tuning of zero-shot
    models", CVPR 2022).
    """
    return {name: torch.lerp(old[name], weight, share) for name, weight in new.items()}


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("task", choices=["prepare", "generate", "train", "export"])
    parser.add_argument("--photos", type=Path, help="folder of JPEG photographs")
    parser.add_argument("--footage", type=Path, help="folder of fixed-camera clips")
    parser.add_argument("--run", type=Path, default=Path("runs/camera"))
    parser.add_argument("--to", type=Path, default=Path("vswin_cli/data/camera-motion"))
    parser.add_argument(
        "--share", type=float, default=0.6, help="export: of the new weights beside --start"
    )
    parser.add_argument("--cut-onset", type=float, default=CUT_ONSET, help="export: as advised")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clips", type=int, default=10**9, help="generate: stop after so many")
    parser.add_argument(
        "--easy", type=int, default=12_000, help="generate: clips over which difficulty rises"
    )
    parser.add_argument("--start", help="train, export: weights begun with, such as camera-motion")
    parser.add_argument("--steps", type=int, default=20_000, help="train: up to this step")
    parser.add_argument("--decay", type=int, default=3_000, help="train: steps of falling rate")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bfloat16", action="store_true", help="train: faster where cores have it")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    {"prepare": prepare, "generate": generate, "train": train, "export": export}[options.task](
        options
    )


if __name__ == "__main__":
    main()
