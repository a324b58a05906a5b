"""Settings for all tests."""

import os

# One thread a worker: the tests run in two processes on two cores. No test may reach for a hub.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import checked
import hypothesis
import jaxtyping
import pytest
import torch

jaxtyping.jaxtyped = checked.checked  # with which the import hook decorates the package

hypothesis.settings.register_profile(
    "clearhead", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("clearhead")


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def as_for_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the shape checks of the tests: they come before the package's own errors, and know no traced sizes."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
