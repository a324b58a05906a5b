"""Every normalizer against its definition, in float64."""

import hypothesis
import pytest
import torch
from attention_oracle import NORMALIZERS as DEFINITIONS
from hypothesis import strategies as st
from torch import Tensor

from clearhead.errors import InputError
from clearhead.mechanisms.normalizers import NORMALIZERS, Softmax, Sparsemax, as_normalizer


def weights(name: str, scores: Tensor) -> Tensor:
    kind = NORMALIZERS[name]
    return kind.weights(scores, kind.statistic(scores))


@pytest.mark.parametrize("name", NORMALIZERS)
@hypothesis.given(
    st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=23), st.sampled_from([0.0, -300.0, 1000.0])
)
def test_the_definition(name: str, numbers: list[float], shift: float) -> None:
    scores = torch.tensor(numbers, dtype=torch.float64) + shift
    found, wanted = weights(name, scores[None])[0], DEFINITIONS[name](scores)
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)
    if NORMALIZERS[name].sums_to_one:
        assert abs(float(found.sum()) - 1) < 1e-9


@pytest.mark.parametrize("name", NORMALIZERS)
def test_forbidden_keys_have_weight_0_and_change_nothing(name: str) -> None:
    scores = torch.randn(3, 11, dtype=torch.float64)
    forbidden = torch.rand(3, 11) < 0.4
    forbidden[1] = True
    found = weights(name, scores.masked_fill(forbidden, -torch.inf))
    assert not found[forbidden].any()
    for row in (0, 2):
        some = ~forbidden[row]
        torch.testing.assert_close(found[row, some], DEFINITIONS[name](scores[row, some]), rtol=1e-9, atol=1e-9)
    assert NORMALIZERS[name].statistic(torch.full((1, 5), -torch.inf)).item() == NORMALIZERS[name].empty


@pytest.mark.parametrize("name", NORMALIZERS)
@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_gradients(name: str, scale: float) -> None:
    scores = (torch.randn(3, 7, dtype=torch.float64) * scale).requires_grad_()
    forbidden = torch.zeros(3, 7, dtype=torch.bool)
    forbidden[0, :3] = forbidden[1] = True
    assert torch.autograd.gradcheck(lambda x: weights(name, x.masked_fill(forbidden, -torch.inf)), scores)


@pytest.mark.parametrize("name", NORMALIZERS)
def test_large_and_equal_scores_in_float32(name: str) -> None:
    for scores in (torch.zeros(1, 13), torch.tensor([[1e4, -1e4, 9999.0]]), torch.full((1, 3), -1e4)):
        scores.requires_grad_()
        found = weights(name, scores)
        assert found.isfinite().all()
        assert torch.autograd.grad(found.square().sum(), scores)[0].isfinite().all()
        if NORMALIZERS[name].sums_to_one:
            torch.testing.assert_close(found.sum(-1), torch.ones(1), rtol=0, atol=2e-3)


def test_names() -> None:
    assert as_normalizer("sparsemax") == Sparsemax()
    assert as_normalizer(Softmax()) == NORMALIZERS["softmax"] != Sparsemax()
    assert len({hash(kind) for kind in NORMALIZERS.values()}) == len(NORMALIZERS)
    assert repr(Sparsemax()) == "Sparsemax()"
    with pytest.raises(InputError, match="no normalizer 'hardmax'; there are softmax, sparsemax, entmax15"):
        as_normalizer("hardmax")
