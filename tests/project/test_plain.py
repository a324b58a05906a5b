"""The process in which scripts run without the checks of signatures."""

import pytest
from plain import printed


def test_it_prints_and_each_script_is_by_itself() -> None:
    assert printed("left = 1\nprint('a')\nimport sys\nprint('b', file=sys.stderr)") == "a\n"
    assert printed("print('left' in globals())") == "False\n"


def test_it_is_without_the_checks_of_the_tests() -> None:
    assert printed("import clearhead\nprint(hasattr(clearhead.ALiBi.tile, '__wrapped__'))") == "False\n"


@pytest.mark.parametrize(
    ("script", "warnings", "says"),
    [
        ("assert 1 == 2, 'unequal'", "ignore", "unequal"),
        ("import sys; sys.exit(3)", "ignore", "SystemExit"),
        ("import warnings; warnings.warn('take care')", "error", "take care"),
        ("import os; os.abort()", "ignore", "exit code -6"),
    ],
)
def test_what_fails_is_said(script: str, warnings: str, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        printed(script, warnings)
    assert printed("print('the next one runs')") == "the next one runs\n"
