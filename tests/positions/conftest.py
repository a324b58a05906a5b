"""What tests of positions share."""

import jaxtyping
import pytest


@pytest.fixture
def shapes_unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for users, for whom no type checker stands before the package's own errors."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
