"""Checks of an installation: each says what to do, and none stops the others."""

import pytest

from vswin_cli.bench import installation
from vswin_cli.bench.installation import check_installation
from vswin_cli.errors import DeviceError


def found():
    return {check.name: check for check in check_installation()}


def test_a_check_that_fails_does_not_stop_the_others(monkeypatch):
    def fail(_):
        raise DeviceError("no such device", hint="name another")

    names = list(found())
    monkeypatch.setattr(installation, "resolve_device", fail)
    broken = found()
    assert list(broken) == names
    assert (broken["device"].status, broken["device"].advice) == ("failed", "name another")
    assert broken["versions"].status == "ok"


def test_a_package_that_cannot_be_imported_is_named(monkeypatch):
    def fail():
        raise ImportError("libfoo.so is missing")

    monkeypatch.setattr(installation, "default_model", fail)
    check = found()["configuration"]
    assert (check.status, check.text) == ("failed", "ImportError: libfoo.so is missing")
    assert "install" in check.advice


def test_a_disk_that_is_nearly_full_is_named(monkeypatch):
    monkeypatch.setattr(installation, "_LEAST_FREE_BYTES", 10**18)
    assert found()["cache"].status == "slow"


@pytest.mark.parametrize(
    ("missing", "status"), [(["h264"], "absent"), (list(installation._CODECS), "failed")]
)
def test_codecs_that_are_missing_are_listed(monkeypatch, missing, status):
    import av.codec

    real = av.codec.Codec

    def codec(name, mode):
        if name in missing:
            raise ValueError(name)
        return real(name, mode)

    monkeypatch.setattr(av.codec, "Codec", codec)
    check = found()["codecs"]
    assert (check.status, check.facts["missing"]) == (status, missing)
    assert check.text == f"cannot decode {', '.join(missing)}"


def test_extras_that_are_missing_are_named_as_pip_takes_them(monkeypatch):
    monkeypatch.setattr(installation, "_EXTRAS", {"here": "json", "gone": "no_such_package"})
    check = found()["extras"]
    assert (check.status, check.text) == ("absent", "here installed; gone not")
    assert "vswin[gone]" in check.advice
