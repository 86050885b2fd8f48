import pytest

from vswin_cli.errors import OptionError
from vswin_cli.storage.extras import load_extra


def test_a_package_that_is_there_is_loaded():
    assert load_extra("json", "a test").__name__ == "json"


def test_a_missing_package_is_named_with_what_installs_it():
    with pytest.raises(OptionError, match="--plots needs no_such_package") as caught:
        load_extra("no_such_package", "--plots", install="vswin[plots]")
    assert caught.value.hint == 'pip install "vswin[plots]"'
    with pytest.raises(OptionError) as caught:
        load_extra("no_such_package", "a DataFrame")
    assert caught.value.hint == 'pip install "no_such_package"'
