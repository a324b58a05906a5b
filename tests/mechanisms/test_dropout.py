"""Dropout: which numbers, how often, by how much, and with which gradient."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from clearhead.layers.dropout import Dropout
from clearhead.mechanisms.dropout import dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.83])
@pytest.mark.parametrize("shape", [(100_003,), (7, 11, 1301)])
def test_so_many_are_dropped_one_by_one(p: float, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = torch.rand(shape, dtype=torch.float64) + 1
    found = dropout(x, p)
    kept = found != 0
    torch.testing.assert_close(found[kept], x[kept] / (1 - p), rtol=1e-4, atol=0)  # p in steps of 2⁻¹⁶
    deviation = (p * (1 - p) / x.numel()) ** 0.5
    assert abs(float(kept.double().mean()) - (1 - p)) < 5 * deviation
    flat = kept.flatten().double() - (1 - p)
    for lag in (1, 2, 3, 4, 5):  # four numbers come from one draw
        assert abs(float((flat[lag:] * flat[:-lag]).mean())) < 5 * p * (1 - p) / x.numel() ** 0.5


def test_its_gradient_is_its_mask() -> None:
    x = torch.randn(5, 7, requires_grad=True)
    found = dropout(x, 0.4)
    found.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, (found != 0) / 0.6, rtol=1e-4, atol=0)


def test_its_ends() -> None:
    x = torch.randn(3, 5)
    assert dropout(x, 0.0) is x
    assert torch.equal(dropout(x, 1.0), torch.zeros(3, 5))
    assert dropout(torch.empty(0, 3), 0.5).shape == (0, 3)
    assert dropout(x.bfloat16(), 0.5).dtype == torch.bfloat16
    assert abs(float(dropout(torch.ones(3_000_017), 0.999).mean()) - 1) < 0.1
    vmapped = torch.func.vmap(lambda row: dropout(row, 0.5), randomness="different")(torch.ones(3, 1009))
    assert set(vmapped.flatten().tolist()) == {0.0, 2.0}
    with FakeTensorMode():
        assert dropout(torch.ones(3, 5), 0.5).shape == (3, 5)
    with pytest.raises(RuntimeError, match="dropout probability"):
        dropout(x, 1.5)


def test_the_module_drops_in_training_only() -> None:
    layer, x = Dropout(0.5), torch.ones(1009)
    assert torch.equal(layer.eval()(x), x)
    torch.manual_seed(3)
    one = layer.train()(x)
    torch.manual_seed(3)
    assert torch.equal(layer(x), one)
    assert set(one.tolist()) == {0.0, 2.0}
    compiled = torch.compile(layer, backend="eager")
    assert set(compiled(x).tolist()) == {0.0, 2.0}
