"""A few queries on many keys: rearranged, and still the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

import clearhead as ch
from clearhead.mechanisms import decoding, fused

SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "causal": {"mask": ch.Causal()},
    "window": {"mask": ch.Causal() & ch.Window(40, 0)},
    "padding": {"mask": ch.Padding([61])},
    "nothing in a part": {"mask": ch.Padding([5])},
    "nothing": {"mask": ch.Padding([0])},
    "by head": {"mask": torch.rand(1, 8, 1, 113, generator=torch.Generator().manual_seed(0)) < 0.4},
    "ALiBi": {"mask": ch.Causal(), "bias": ch.ALiBi(8)},
    "bias": {"bias": torch.randn(1, 8, 1, 113, generator=torch.Generator().manual_seed(1))},
    "sinks": {"mask": ch.Causal(), "sinks": torch.arange(8.0)},
}


def exact(q: Tensor, k: Tensor, v: Tensor, settings: dict[str, Any]) -> Tensor:
    """The same by all weights in float64, with keys written out for every head."""
    groups = q.shape[1] // k.shape[1]
    q, k, v = q.double(), k.double().repeat_interleave(groups, 1), v.double().repeat_interleave(groups, 1)
    scores = q @ k.mT * q.shape[-1] ** -0.5
    bias, mask, sinks = (settings.get(name) for name in ("bias", "mask", "sinks"))
    queries, keys = scores.shape[2:]
    if isinstance(bias, ch.Bias):
        scores = scores + bias.tile(torch.arange(keys - queries, keys), torch.arange(keys))
    elif bias is not None:
        scores = scores + bias
    if mask is not None:
        scores = scores.masked_fill(~(mask if isinstance(mask, Tensor) else mask.dense(queries, keys)), -torch.inf)
    if sinks is not None:
        scores = torch.cat([scores, sinks.double()[:, None, None].expand(1, -1, queries, 1)], -1)
    weights = scores.softmax(-1).nan_to_num(0.0)[..., :keys]
    return weights @ v


@pytest.mark.parametrize("threads", [1, 3, 16])
@pytest.mark.parametrize("kv_heads", [1, 2, 8])
@pytest.mark.parametrize("queries", [1, 3])
@pytest.mark.parametrize("name", SETTINGS)
def test_decoding_is_the_same(
    name: str, queries: int, kv_heads: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "_LONG", 8)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    generator = torch.Generator().manual_seed(2)
    for dtype, close in ((torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 0.05)):
        q, k, v = (
            torch.randn(1, heads, n, 16, generator=generator).to(dtype)
            for heads, n in ((8, queries), (kv_heads, 113), (kv_heads, 113))
        )
        wanted = exact(q, k, v, SETTINGS[name])
        output, amap = ch.attend(q, k, v, **SETTINGS[name])
        for found in (ch.attention(q, k, v, **SETTINGS[name]), output):
            assert found.dtype == dtype
            torch.testing.assert_close(found.double(), wanted, rtol=0, atol=close)
        assert amap.check().ok()


def test_gradients_of_a_decoding_step() -> None:
    leaves = [
        torch.randn(1, heads, n, 8, dtype=torch.float64, requires_grad=True) for heads, n in ((6, 2), (2, 11), (2, 11))
    ]
    torch.autograd.gradcheck(lambda *x: ch.attend(*x, mask=ch.Causal())[0], leaves, fast_mode=True)
    torch.autograd.gradcheck(lambda *x: ch.attention(*x), leaves, fast_mode=True)


def test_grouped_heads_are_rows_and_keys_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[torch.Size, int]] = []
    kernel = fused._cpu_kernel()
    assert kernel is not None

    def spy(q: Tensor, k: Tensor, *rest: Any, **options: Any) -> tuple[Tensor, Tensor]:
        seen.append((q.shape, k.untyped_storage().data_ptr()))
        return kernel(q, k, *rest, **options)

    monkeypatch.setattr(fused, "_cpu_kernel", lambda: spy)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    q, k = torch.randn(1, 8, 1, 16), torch.randn(1, 2, 8192, 16)
    ch.attend(q, k, k, mask=ch.Causal())
    assert seen == [(torch.Size([2, 2, 4, 16]), k.untyped_storage().data_ptr())]
    assert "cut into 2 parts" in str(ch.explain(q, k, k))


def test_under_a_compiler_too() -> None:
    q, k, v = torch.randn(2, 8, 1, 16), torch.randn(2, 2, 113, 16), torch.randn(2, 2, 113, 16)
    found = torch.export.export(_Step(), (q, k, v)).module()(q, k, v)
    torch.testing.assert_close(found, scaled_dot_product_attention(q, k, v, enable_gqa=True))


class _Step(torch.nn.Module):
    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return ch.attention(q, k, v)
