"""Training of a whole network on a GPU."""

from __future__ import annotations

from tests.support.moving_squares import SIZES, square_examples, write_small_model
from vswin_cli import FullOptions, load_model, train_full
from vswin_cli.training.records import ExampleSet

OPTIONS = FullOptions(
    from_scratch=True,
    epochs=40,
    clips_per_step=4,
    learning_rate=0.006,
    warmup_epochs=1,
    dropout=0,
    drop_path=0,
    smallest_crop=1,
)


def test_the_loss_falls_in_bfloat16_and_an_interrupted_run_goes_on(gpu, tmp_path):
    examples = ExampleSet(tuple(square_examples(tmp_path, 8, SIZES)))
    small = load_model(write_small_model(tmp_path / "small"))
    trained = train_full(examples, small, OPTIONS, device=gpu, folder=tmp_path / "model")
    assert trained is not None
    options = {option.name: option.value for option in trained.record.options}
    losses = [float(loss) for loss in options["epoch_losses"].split()]
    assert options["precision"] == "bfloat16"
    assert losses[-1] < 0.7 * losses[0]
    again = train_full(examples, small, OPTIONS, device=gpu, folder=tmp_path / "model")
    assert again is not None
    assert again.state["patch_embed.proj.weight"].equal(trained.state["patch_embed.proj.weight"])
