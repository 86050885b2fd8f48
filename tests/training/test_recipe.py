import pytest

from vswin_cli.errors import OptionError
from vswin_cli.models.architecture import Architecture
from vswin_cli.models.network.swin3d import VideoSwin
from vswin_cli.training.full_options import FullOptions
from vswin_cli.training.recipe import Recipe, Schedule, make_optimizer

TINY = Architecture("t", 96, (2, 2, 6, 2), (3, 6, 12, 24))
SMALL = Architecture("s", 96, (2, 2, 18, 2), (3, 6, 12, 24))
BASE = Architecture("b", 128, (2, 2, 18, 2), (4, 8, 16, 32))
NARROW = Architecture("n", 8, (2, 1), (1, 2), (2, 3, 3))


@pytest.mark.parametrize(
    ("architecture", "drop_path", "decay"),
    [(TINY, 0.1, 0.02), (SMALL, 0.2, 0.02), (BASE, 0.3, 0.05)],
)
def test_regularisation_grows_with_the_network(architecture, drop_path, decay):
    recipe = Recipe.of(FullOptions(), architecture, 64)
    assert (recipe.drop_path, recipe.weight_decay) == (drop_path, decay)
    assert (recipe.learning_rate, recipe.backbone_rate) == (1e-3, 0.1)


def test_the_rate_follows_the_batch_and_given_values_stay():
    assert Recipe.of(FullOptions(), TINY, 16).learning_rate == pytest.approx(2.5e-4)
    given = FullOptions(learning_rate=0.5, backbone_rate=0, weight_decay=0, drop_path=0)
    assert Recipe.of(given, TINY, 16) == Recipe(0.5, 0, 0, 0)
    assert Recipe.of(FullOptions(from_scratch=True), TINY, 16).backbone_rate == 1


def test_the_rate_rises_and_then_follows_a_cosine_to_zero():
    schedule = Schedule(100, 10)
    factors = [schedule.factor(step) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[5] == pytest.approx(0.55, abs=0.01)
    assert max(factors) == factors[10]
    assert factors[50] == pytest.approx(0.5)
    assert factors[100] == pytest.approx(0)
    assert factors[10:] == sorted(factors[10:], reverse=True)


def test_a_run_without_warm_up_begins_at_the_full_rate():
    assert Schedule(10, 0).factor(0) == 1


@pytest.mark.slow
def test_norms_biases_and_position_tables_have_no_weight_decay():
    network = VideoSwin(NARROW, 3)
    optimizer = make_optimizer(network, Recipe(1.0, 0.1, 0.02, 0))
    names = {id(p): name for name, p in network.named_parameters()}
    groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    assert groups.keys() == names.keys()
    for key, name in names.items():
        decays = name.endswith("weight") and "norm" not in name
        assert groups[key]["weight_decay"] == (0.02 if decays else 0), name
        assert groups[key]["full_rate"] == (1.0 if name.startswith("head.") else 0.1), name


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0}, {"clips_per_step": 0}, {"clips_at_once": 0}, {"drop_path": 1.0},
        {"dropout": -0.1}, {"ema_decay": 1.0}, {"learning_rate": -1.0}, {"smallest_crop": 0.0},
        {"held_out": 0.6}, {"precision": "float16"}, {"warmup_epochs": float("inf")},
    ],
    ids=lambda wrong: next(iter(wrong)),
)  # fmt: skip
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(OptionError):
        FullOptions(**wrong)
