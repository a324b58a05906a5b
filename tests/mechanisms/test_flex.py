"""FlexAttention's path, as far as it goes without a GPU: chosen there, and the same numbers from the same BlockMask."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from plain import printed
from torch import Tensor
from torch.nn.attention.flex_attention import flex_attention

import clearhead as ch
from clearhead.masks import big_bird, longformer
from clearhead.mechanisms import flex, fused
from clearhead.mechanisms.plan import choose
from clearhead.mechanisms.request import prepare

N = 1031
MASKS = {
    "window": ch.Causal() & ch.Window(100, 0),
    "longformer": longformer(64, [0, 500]),
    "big bird": big_bird(N, heads=4),
    "documents": ch.Causal() & ch.Documents(torch.arange(N) // 130),
    "padding": ch.Causal() & ch.Padding([700, 0]),
}


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "has_fused_kernel", lambda tensor: False)
    monkeypatch.setattr(flex, "_DEVICES", ("cpu",))
    monkeypatch.setattr(flex, "_kernel", lambda: flex_attention)


def tensors(**options: Any) -> tuple[Tensor, Tensor, Tensor]:
    q, k, v = (torch.randn(2, heads, N, 16, **options) for heads in (4, 2, 2))
    return q, k, v


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize(
    "settings",
    [
        {"mask": None},
        {"mask": ch.Causal()},
        {"mask": MASKS["window"], "bias": torch.zeros(N)},
        {"mask": MASKS["window"], "bias": ch.ALiBi(4)},
        {"mask": MASKS["window"], "sinks": torch.zeros(4)},
        {"mask": torch.ones(N, N).tril(-3).bool()},
    ],
    ids=["plain", "causal", "bias", "ALiBi", "sinks", "tensor"],
)
def test_what_it_is_not_chosen_for(settings: dict[str, Any]) -> None:
    given = dict.fromkeys(("bias", "scale", "softcap", "sinks")) | settings
    request = prepare(*tensors(), normalizer="softmax", dropout=0.0, **given)
    assert choose(request, with_map=False).path != "flex"


NUMBERS = """
import torch, clearhead as ch
from clearhead.masks import big_bird, longformer
from clearhead.mechanisms import flex, fused
from torch.nn.attention.flex_attention import flex_attention

masks = [
    ch.Causal() & ch.Window(100, 0),
    longformer(64, [0, 500]),
    big_bird(1031, heads=4),
    ch.Causal() & ch.Documents(torch.arange(1031) // 130),
    ch.Causal() & ch.Padding([700, 0]),
]
q, k, v = (torch.randn(2, heads, 1031, 16) for heads in (4, 2, 2))
wanted = [ch.attend(q, k, v, mask=mask) for mask in masks]
compiled = flex._kernel()
flex._DEVICES, fused.has_fused_kernel = ("cpu",), lambda tensor: False
for number, (mask, (output, amap)) in enumerate(zip(masks, wanted)):
    flex._kernel = lambda: compiled if number < 1 else flex_attention
    explained = ch.explain(q, k, v, mask=mask)
    assert explained.path == "flex" and explained.share < 1, explained
    with torch.no_grad():
        found, there = ch.attend(q, k, v, mask=mask)
        torch.testing.assert_close(found, output, rtol=0, atol=2e-6)
        torch.testing.assert_close(ch.attention(q, k, v, mask=mask), output, rtol=0, atol=2e-6)
        torch.testing.assert_close(there.received(), amap.received(), rtol=1e-5, atol=1e-5)
print("the same")
"""


def test_the_same_numbers() -> None:
    assert printed(NUMBERS, "ignore") == "the same\n"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", MASKS)
def test_on_a_gpu(name: str) -> None:
    q, k, v = (x.requires_grad_() for x in tensors(device="cuda"))
    mask = MASKS[name].to("cuda")
    assert ch.explain(q, k, v, mask=mask).path == "flex"
    found = ch.attention(q, k, v, mask=mask)
    exact = [x.detach().cpu().double().requires_grad_() for x in (q, k, v)]
    wanted = ch.attention(*exact, mask=MASKS[name])
    torch.testing.assert_close(found.cpu().double(), wanted, rtol=0, atol=5e-3)
    wish = torch.randn_like(wanted)
    found.backward(wish.float().cuda())
    wanted.backward(wish)
    for one, other in zip((q, k, v), exact, strict=True):
        torch.testing.assert_close(one.grad.cpu().double(), other.grad, rtol=0, atol=2e-2)
