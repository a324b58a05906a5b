"""The sample inputs with which PyTorch tests its own ``scaled_dot_product_attention``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from clearhead import attend, attention
from clearhead.masks import Explicit

SAMPLES = 25
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-4}
"""Absolute. The samples' numbers lie between −9 and 9, so scores reach 200, whose last place in float32 is 2e-5."""


@functools.cache
def samples(dtype: torch.dtype) -> list[tuple[list[Tensor], dict[str, Any]]]:
    """Query, key and value of each sample, and its keyword arguments."""
    # Imported when the first test runs: it takes three seconds, which no collection should.
    from torch.testing._internal.common_methods_invocations import sample_inputs_scaled_dot_product_attention as make

    torch.manual_seed(0)
    found = [([x.input, *x.args], dict(x.kwargs)) for x in make(None, "cpu", dtype, requires_grad=True)]
    assert len(found) == SAMPLES
    return found


def ours(q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> Tensor:
    """What SDPA's arguments say, said to clearhead."""
    options = dict(options)
    mask = None
    if options.pop("is_causal"):  # the first query at the first key, where clearhead has the last at the last
        mask = Explicit(torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril())
    bias = options.pop("attn_mask", None)
    q = q.expand(*k.shape[:-2], -1, -1)  # some samples have no batch axis in q
    dropout = options.pop("dropout_p")
    assert not options, f"not understood: {options}"
    return attention(q, k, v, mask=mask, bias=bias, dropout=dropout)


def theirs(q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> Tensor:
    with sdpa_kernel(SDPBackend.MATH):
        return functional.scaled_dot_product_attention(q, k, v, **options)


def compare(found: list[Tensor], wanted: list[Tensor], dtype: torch.dtype) -> None:
    """Values and shapes; ``wanted`` is float64."""
    for name, x, y in zip(("output", "gradient of q", "of k", "of v", "of the mask"), found, wanted, strict=False):
        assert x.dtype == dtype, (name, x.dtype)
        torch.testing.assert_close(
            x.double(), y, rtol=0, atol=TOLERANCE[dtype], msg=lambda text, name=name: f"{name}: {text}"
        )
    assert len(found) == len(wanted)


def with_gradients(function: Any, inputs: list[Tensor], options: dict[str, Any], dtype: torch.dtype) -> list[Tensor]:
    inputs = [x.detach().to(dtype).requires_grad_() for x in inputs]
    options = {k: x.detach().to(dtype).requires_grad_() if isinstance(x, Tensor) else x for k, x in options.items()}
    output = function(*inputs, options)
    learned = inputs + [x for x in options.values() if isinstance(x, Tensor)]
    direction = torch.linspace(-1, 1, output.numel(), dtype=torch.float64).view(output.shape).to(dtype)
    return [output, *torch.autograd.grad(output, learned, direction)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("number", range(SAMPLES))
def test_sdpa_samples(number: int, dtype: torch.dtype) -> None:
    inputs, options = samples(dtype)[number]
    found = with_gradients(ours, inputs, options, dtype)
    wanted = with_gradients(theirs, inputs, options, torch.float64)
    if options["dropout_p"] > 0:  # other random numbers; what is dropped is tested below
        assert [x.shape for x in found] == [x.shape for x in wanted]
        assert all(bool(x.isfinite().all()) for x in found)
    else:
        compare(found, wanted, dtype)


def test_grouped_queries_and_scale_which_no_sample_has() -> None:
    used = {name for _, options in samples(torch.float64) for name in options}
    assert used == {"attn_mask", "is_causal", "dropout_p"}
    q, k, v = (torch.randn(2, heads, tokens, 5, dtype=torch.float64) for heads, tokens in ((6, 7), (3, 11), (3, 11)))
    wanted = theirs(q, k, v, {"enable_gqa": True, "scale": 0.3})
    compare([attention(q, k, v, scale=0.3)], [wanted], torch.float64)


def test_dropout_keeps_the_mean_of_each_weight() -> None:
    rate, draws, keys = 0.3, 20011, 5
    q, k = torch.randn(1, 1, 1, 7, dtype=torch.float64), torch.randn(1, 1, keys, 7, dtype=torch.float64)
    weights = attend(q, k, k)[1].dense()[0, 0, 0]
    # One row drawn again and again; with the identity as values, the output is the row itself.
    identity = torch.eye(keys, dtype=torch.float64)[None, None]
    shown = attention(q.expand(-1, -1, draws, -1), k, identity, dropout=rate)[0, 0]
    kept = shown > 0
    torch.testing.assert_close(shown[kept], (weights / (1 - rate)).expand_as(shown)[kept], rtol=1e-4, atol=0)
    deviation = (rate * (1 - rate) / draws) ** 0.5
    assert ((kept.double().mean(0) - (1 - rate)).abs() < 5 * deviation).all()
    assert ((shown.mean(0) / weights - 1).abs() < 5 * deviation / (1 - rate)).all()
    # Weights are dropped one by one, not keys for all queries, nor queries for all keys.
    together = kept.double().mT.cov() / (rate * (1 - rate))
    assert (together.fill_diagonal_(0).abs() < 5 / draws**0.5).all()


@pytest.mark.parametrize(
    "spoil", [lambda x: x + 1e-3, lambda x: x.mT, lambda x: x * torch.nan], ids=["numbers", "shape", "nan"]
)
def test_compare_fails_on_a_wrong_answer(spoil: Callable[[Tensor], Tensor]) -> None:
    inputs, options = samples(torch.float64)[0]
    wanted = with_gradients(theirs, inputs, options, torch.float64)
    compare(wanted, wanted, torch.float64)
    for index in range(len(wanted)):
        found = [spoil(x) if n == index else x for n, x in enumerate(wanted)]
        with pytest.raises(AssertionError):
            compare(found, wanted, torch.float64)
    with pytest.raises(AssertionError):
        compare([x.float() for x in wanted], wanted, torch.float64)
    with pytest.raises(AssertionError):
        compare(wanted[:-1], wanted, torch.float64)


@pytest.mark.parametrize(("number", "ignored"), [(0, {"is_causal": False}), (-1, {"attn_mask": None})])
def test_a_sample_notices_an_argument_that_is_ignored(number: int, ignored: dict[str, Any]) -> None:
    inputs, options = samples(torch.float64)[number]
    wanted = theirs(*inputs, options)
    compare([ours(*inputs, options)], [wanted], torch.float64)
    with pytest.raises(AssertionError):
        compare([ours(*inputs, {**options, **ignored})], [wanted], torch.float64)
