"""The table of published weights agrees with itself, with the label lists and with the network."""

from __future__ import annotations

import pytest

from vswin_cli.errors import OptionError, UnknownModelError
from vswin_cli.models.weights.registry import all_specs, find_source, get_spec, nearest_names


def test_error_for_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UnknownModelError) as caught:
        get_spec("swin_b_k60")
    assert "'swin_b_k60'" in caught.value.message
    assert "swin-b-k600" in str(caught.value.hint)


def test_error_for_a_name_without_similar_ones_lists_all():
    with pytest.raises(UnknownModelError) as caught:
        get_spec("zzz")
    assert all(spec.name in str(caught.value.hint) for spec in all_specs())


def test_nearest_names_ignore_case_and_underscores():
    names = tuple(spec.name for spec in all_specs())
    assert nearest_names("SWIN_T_K400", names)[0] == "swin-t-k400"
    assert nearest_names("swin-l-k600", names)


def test_error_for_an_unknown_source_lists_the_existing_ones():
    assert find_source(get_spec("swin-t-k400"), "authors").key == "authors"
    with pytest.raises(OptionError) as caught:
        find_source(get_spec("swin-b-k600"), "torchvision")
    assert caught.value.hint == "it has: hub, authors"
