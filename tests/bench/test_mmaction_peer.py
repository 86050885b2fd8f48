"""The windows of MMAction2's demo."""

import sys

import pytest

from vswin_cli.bench.mmaction_peer import DemoWindow, import_mmaction
from vswin_cli.errors import OptionError


def test_the_demo_takes_the_first_window_whole_and_then_one_of_each_step():
    window = DemoWindow(8, 2, 6)
    full = [window.push(n, n, is_last=n == 40) for n in range(1, 41)]
    predictions = {n: frames for n, frames in enumerate(full, 1) if frames}
    assert predictions[8] == list(range(1, 9))
    assert list(predictions) == [8, 20, 32]
    second = predictions[20]
    assert second[:2] == [7, 8]
    assert all(n in (8 + 2 * i + 1, 8 + 2 * i + 2) for i, n in enumerate(second[2:]))
    assert predictions[32][:2] == second[-2:]


def test_a_missing_peer_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mmaction", None)
    with pytest.raises(OptionError, match="cannot be measured") as caught:
        import_mmaction()
    assert "pip install mmaction2==1.2.0" in caught.value.hint
