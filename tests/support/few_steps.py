"""Train a small network for a few steps, alone or in several processes, and save what it has then.

torchrun --nproc-per-node 2 -m tests.support.few_steps VIDEOS OUT
"""

import sys
from pathlib import Path

import torch

from tests.support.moving_squares import SHAPE, SPEC, found_squares
from vswin_cli.models.network.swin3d import VideoSwin
from vswin_cli.training.fine_tune import FineTuning, RunPlace
from vswin_cli.training.full_options import FullOptions
from vswin_cli.training.processes import join_processes
from vswin_cli.training.recipe import Recipe
from vswin_cli.training.training_clips import ClipMaker, TrainingData
from vswin_cli.video.decoder_pool import DecoderPool

STEPS = 3
OPTIONS = FullOptions(clips_per_step=5, clips_at_once=2, learning_rate=0.01, backbone_rate=1)


def train_few_steps(videos: Path, out: Path) -> None:
    """Save losses, the last step's gradients and the weights of every process as `RANK.pt`."""
    examples = found_squares(videos)
    torch.manual_seed(0)
    network = VideoSwin(SHAPE, 2)
    recipe = Recipe.of(OPTIONS, SHAPE, OPTIONS.clips_per_step)
    data = TrainingData(examples, (), ("down", "up"), "softmax")
    with join_processes(torch.device("cpu")) as (group, device), DecoderPool() as pool:
        clips = ClipMaker(data, SPEC, SHAPE, OPTIONS, drop_path=recipe.drop_path, pool=pool)
        run = FineTuning(network, data, clips, OPTIONS, recipe, RunPlace(device, group))
        losses = []
        run.run(lambda progress: losses.append(progress.loss), until=STEPS)
        result = {
            "losses": losses,
            "gradients": {name: p.grad for name, p in network.named_parameters()},
            "weights": network.state_dict(),
        }
        torch.save(result, out / f"{group.rank}.pt")


if __name__ == "__main__":
    train_few_steps(Path(sys.argv[1]), Path(sys.argv[2]))
