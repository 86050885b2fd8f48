"""Options of a benchmark."""

import pytest

from vswin_cli.bench.run import BenchOptions
from vswin_cli.errors import OptionError


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(OptionError, match="unknown peer 'keras'"):
        BenchOptions(peers=("keras",))
    with pytest.raises(OptionError, match="at least 1"):
        BenchOptions(passes=0)
