import pytest

from vswin_cli.errors import OptionError
from vswin_cli.training.full_options import FullOptions


@pytest.mark.parametrize(
    "values",
    [
        {"epochs": 0},
        {"clips_at_once": 0},
        {"drop_path": 1.0},
        {"ema_decay": -0.1},
        {"learning_rate": -1.0},
        {"warmup_epochs": float("inf")},
        {"weight_decay": float("nan")},
        {"smallest_crop": 0.0},
        {"held_out": 0.6},
        {"precision": "float16"},
    ],
    ids=str,
)
def test_values_out_of_range_are_refused_by_name(values):
    with pytest.raises(OptionError) as caught:
        FullOptions(**values)
    (name,) = values
    assert name in caught.value.message or str(values[name]) in caught.value.message
    assert caught.value.hint


def test_the_limits_themselves_are_allowed():
    FullOptions(epochs=1, drop_path=0.0, smallest_crop=1.0, held_out=0.5, warmup_epochs=0.0)


def test_several_labels_at_once_take_a_sigmoid_each():
    assert FullOptions().activation == "softmax"
    assert FullOptions(multi_label=True).activation == "sigmoid"
