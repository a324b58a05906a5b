"""clearhead's own attention is seen by ``watch`` on every path, with its rule and the bits of its output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import clearhead as ch
from clearhead.errors import StaleMapError
from clearhead.mechanisms import dense
from clearhead.mechanisms.request import prepare


class Attention(nn.Module):
    """Two heads of width 8 on 16 features, with whatever settings."""

    def __init__(self, *, with_map: bool = False, **settings: Any) -> None:
        super().__init__()
        self.settings, self.with_map = settings, with_map
        self.projection = nn.Linear(16, 48)
        self.seen: tuple[Tensor, ...] = ()

    def forward(self, x: Tensor) -> Tensor:
        self.seen = tuple(y.unflatten(-1, (2, 8)).transpose(1, 2) for y in self.projection(x).chunk(3, -1))
        if self.with_map:
            return ch.attend(*self.seen, **self.settings)[0].transpose(1, 2).flatten(2)
        return ch.attention(*self.seen, **self.settings).transpose(1, 2).flatten(2)


SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "causal": {"mask": ch.Causal()},
    "rules": {"mask": ch.Causal() & ch.Window(3, 0) | ch.Global([0])},
    "padding": {"mask": ch.Padding(torch.tensor([11, 5]))},
    "ALiBi": {"mask": ch.Causal(), "bias": ch.ALiBi(2)},
    "relative": {"bias": ch.RelativeBias(2)},
    "bias": {"bias": torch.randn(11, 11)},
    "softcap": {"softcap": 2.0},
    "sinks": {"sinks": torch.zeros(2)},
    "sparsemax": {"normalizer": "sparsemax"},
    "sigmoid": {"normalizer": "sigmoid"},
    "nothing": {"mask": torch.zeros(11, 11, dtype=torch.bool)},
}


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("with_map", [False, True])
@pytest.mark.parametrize("name", SETTINGS)
def test_every_call_is_seen(name: str, with_map: bool, train: bool, tmp_path: Path) -> None:
    model = nn.Sequential(Attention(with_map=with_map, **SETTINGS[name]), Attention())
    x = torch.randn(2, 11, 16)
    with torch.set_grad_enabled(train):
        wanted = model(x)
        with ch.watch(model) as capture:
            assert torch.equal(model(x), wanted)
    assert [layer.path for layer in capture.layers] == ["0", "1"]
    q, k, v = model[0].seen
    given = {"mask": None, "bias": None, "scale": None, "normalizer": "softmax", "softcap": None, "sinks": None}
    rule = prepare(q, k, v, dropout=0.0, **{**given, **SETTINGS[name]}).rule()
    weights = dense.weights(q.double(), k.double(), rule).detach()
    amap = capture["0"]
    torch.testing.assert_close(amap.dense().double(), weights, rtol=0, atol=1e-5)
    assert not amap.dense().requires_grad
    assert amap.check().ok()
    assert amap.check().columns == 1
    capture.save(tmp_path / "own.safetensors")
    opened = ch.open(tmp_path / "own.safetensors")
    torch.testing.assert_close(opened["0"].dense().double(), weights, rtol=0, atol=1e-5)


def test_dropout_is_left_out_of_the_map() -> None:
    model = Attention(dropout=0.5)
    x = torch.randn(2, 11, 16)
    torch.manual_seed(5)
    wanted = model(x)
    torch.manual_seed(5)
    with ch.watch(model) as capture:
        assert torch.equal(model(x), wanted)
    check = capture["Attention"].check()
    assert check.ok()
    assert check.output is None
    torch.testing.assert_close(capture["Attention"].dense().sum(-1), torch.ones(2, 2, 11), rtol=0, atol=1e-5)


def test_a_trained_bias_that_took_a_step_makes_the_map_stale() -> None:
    bias = ch.RelativeBias(2)
    model = Attention(bias=bias)
    with ch.watch(model) as capture:
        model(torch.randn(2, 11, 16)).sum().backward()
    amap = capture["Attention"]
    amap.entropy()
    torch.optim.SGD(bias.parameters(), 0.1).step()
    with pytest.raises(StaleMapError, match="reads"):
        amap.entropy()


def test_only_the_layers_that_are_wanted() -> None:
    model = nn.Sequential(Attention(), Attention(mask=ch.Causal()), Attention())
    with ch.watch(model, layers=[1]) as capture:
        model(torch.randn(2, 11, 16))
    assert [(layer.path, layer.number) for layer in capture.layers] == [("1", 1)]
