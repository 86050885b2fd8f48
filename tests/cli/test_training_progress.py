"""What the bar of a training says beside its count."""

import pytest

from vswin_cli.cli.training_progress import describe, training_progress
from vswin_cli.training.progress import TrainingProgress


@pytest.mark.parametrize(
    ("loss", "accuracy", "rate", "text"),
    [
        (None, None, None, ""),
        (0.12345, None, 0.0, "loss 0.123"),
        (None, 0.5, 12.345, "12.3 clips/s, held-out accuracy 50.0%"),
        (2.0, 0.987, 1.0, "1 clips/s, loss 2.000, held-out accuracy 98.7%"),
    ],
)
def test_only_what_is_known_is_said(loss, accuracy, rate, text):
    progress = TrainingProgress("training", 1, 2, unit="clips", loss=loss, accuracy=accuracy)
    assert describe(progress, rate) == text


def test_nothing_is_drawn_where_no_terminal_is(capsys):
    with training_progress(quiet=False) as update:
        update(TrainingProgress("training", 1, 2))
    assert capsys.readouterr() == ("", "")
