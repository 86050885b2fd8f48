import subprocess
import sys

import pytest

import vswin_cli


def test_every_public_name_is_there_and_documented():
    for name in vswin_cli.__all__:
        assert getattr(vswin_cli, name) is not None
        assert name == "__version__" or getattr(vswin_cli, name).__doc__


def test_an_unknown_name_fails_like_any_other():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        vswin_cli.nothing  # noqa: B018


def test_importing_the_package_loads_its_version_alone():
    script = "import sys, vswin_cli; print(sorted(m for m in sys.modules if 'vswin_cli.' in m))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "['vswin_cli._version']"
