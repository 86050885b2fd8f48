import pytest
import torch

from tests.support.moving_squares import SHAPE, SPEC, square_examples
from vswin_cli.errors import CheckpointError, OptionError, VswinError
from vswin_cli.models.network.swin3d import VideoSwin
from vswin_cli.training.fine_tune import FineTuning, RunPlace, sum_of_losses
from vswin_cli.training.full_options import FullOptions
from vswin_cli.training.processes import ProcessGroup
from vswin_cli.training.recipe import Recipe
from vswin_cli.training.training_clips import ClipMaker, TrainingData
from vswin_cli.video.decoder_pool import DecoderPool

pytestmark = pytest.mark.slow  # networks are run or fitted in nearly every test

LABELS = ("down", "up")
OPTIONS = FullOptions(
    epochs=3,
    clips_per_step=4,
    clips_at_once=4,
    warmup_epochs=1,
    learning_rate=0.01,
    backbone_rate=1,
)
RECIPE = Recipe.of(OPTIONS, SHAPE, 4)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    return square_examples(tmp_path_factory.mktemp("squares"), 5)


@pytest.fixture(scope="module")
def pool():
    with DecoderPool() as pool:
        yield pool


@pytest.fixture
def start(examples, pool):
    def start(options=OPTIONS, *, recipe=RECIPE, state_file=None, fingerprint="x"):
        torch.manual_seed(0)
        data = TrainingData(examples[:8], examples[8:], LABELS, "softmax")
        clips = ClipMaker(data, SPEC, SHAPE, options, drop_path=recipe.drop_path, pool=pool)
        place = RunPlace(
            torch.device("cpu"), ProcessGroup(), state_file=state_file, fingerprint=fingerprint
        )
        return FineTuning(VideoSwin(SHAPE, 2), data, clips, options, recipe, place)

    return start


def weights(run):
    return [*run.result.state_dict().values(), *run._network.state_dict().values()]


def test_a_run_that_was_interrupted_ends_with_the_same_bits(start, tmp_path):
    whole = start()
    whole.run()
    first = start(state_file=tmp_path / "state")
    first.run(until=3)
    second = start(state_file=tmp_path / "state")
    assert second.step == 3
    seen = []
    second.run(seen.append)
    assert [each.done for each in seen] == [4, 5, 6]
    assert all(map(torch.equal, weights(second), weights(whole)))
    assert second.history == whole.history
    assert len(whole.history) == 3


def test_gradients_add_up_over_several_passes(start):
    runs = [start(OPTIONS), start(FullOptions(**{**as_dict(OPTIONS), "clips_at_once": 3}))]
    for run in runs:
        run.run(until=1)
    for whole, parts in zip(*map(weights, runs), strict=True):
        # AdamW's first step has the size of the rate, whatever the gradient's.
        torch.testing.assert_close(parts, whole, atol=1e-3, rtol=0)
    grads = [[p.grad for p in run._network.parameters()] for run in runs]
    for whole, parts in zip(*grads, strict=True):
        torch.testing.assert_close(parts, whole, atol=1e-6, rtol=1e-4)


def test_recomputing_blocks_changes_nothing(start):
    runs = [start(OPTIONS), start(FullOptions(**{**as_dict(OPTIONS), "recompute": True}))]
    for run in runs:
        run.run(until=2)
    assert all(map(torch.equal, *map(weights, runs)))


def test_the_result_is_the_average_of_the_weights(start):
    run = start()
    initial = [each.clone() for each in run._network.parameters()]
    run.run(until=1)
    for old, new, mean in zip(
        initial, run._network.parameters(), run.result.parameters(), strict=True
    ):
        torch.testing.assert_close(mean, old + (new - old) * (1 - 1 / 10))


def test_without_an_average_the_result_is_the_network(start):
    run = start(FullOptions(**{**as_dict(OPTIONS), "ema_decay": 0}))
    assert run.result is run._network


def test_a_loss_that_is_not_a_number_ends_the_run(start):
    run = start()
    with torch.no_grad():
        run._network.head.weight.fill_(float("nan"))
    with pytest.raises(VswinError, match="loss of step 1 is not a number"):
        run.run()


def test_the_state_of_another_run_is_not_used(start, tmp_path):
    start(state_file=tmp_path / "state", fingerprint="a").run(until=1)
    with pytest.raises(CheckpointError, match="other options, examples or weights"):
        start(state_file=tmp_path / "state", fingerprint="b")


def test_a_damaged_state_is_named(start, tmp_path):
    (tmp_path / "state").write_bytes(b"no state")
    with pytest.raises(CheckpointError, match="cannot be read"):
        start(state_file=tmp_path / "state")


def test_more_processes_than_clips_are_refused(examples, pool):
    data = TrainingData(examples, (), LABELS, "softmax")
    clips = ClipMaker(data, SPEC, SHAPE, OPTIONS, drop_path=0, pool=pool)
    place = RunPlace(torch.device("cpu"), ProcessGroup(0, 5))
    with pytest.raises(OptionError, match="5 processes for 4 clips"):
        FineTuning(VideoSwin(SHAPE, 2), data, clips, OPTIONS, RECIPE, place)


def test_losses_are_those_of_the_activation():
    logits, targets = torch.tensor([[2.0, -1.0], [0.5, 0.5]]), torch.tensor([[1.0, 0], [0, 1]])
    softmax = -(logits.log_softmax(1) * targets).sum()
    torch.testing.assert_close(sum_of_losses(logits, targets, "softmax"), softmax)
    scores = logits.sigmoid()
    sigmoid = -(targets * scores.log() + (1 - targets) * (1 - scores).log()).mean(1).sum()
    torch.testing.assert_close(sum_of_losses(logits, targets, "sigmoid"), sigmoid)


def as_dict(options):
    return {name: getattr(options, name) for name in FullOptions.__dataclass_fields__}
