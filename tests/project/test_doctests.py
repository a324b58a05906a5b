"""Every example in a docstring is run."""

import doctest
import importlib
import pkgutil
import types

import pytest

import clearhead

NAMES = sorted(
    module.name
    for module in pkgutil.walk_packages(clearhead.__path__, "clearhead.")
    if not module.name.endswith("__main__")
)


def failures(module: types.ModuleType) -> doctest.TestResults:
    return doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)


@pytest.mark.parametrize("name", NAMES)
def test_examples_in_docstrings(name: str) -> None:
    assert failures(importlib.import_module(name)).failed == 0


def test_examples_are_found() -> None:
    assert failures(importlib.import_module("clearhead.maps.base")).attempted >= 4


def test_a_wrong_example_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    module = types.ModuleType("wrong")
    module.__doc__ = ">>> 1 + 1\n3\n"
    assert failures(module).failed == 1
    assert "Expected" in capsys.readouterr().out
