"""What changed between two captures, against the definition on dense weights in float64."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

import clearhead as ch
from clearhead.analysis.comparison import compare, divergence
from clearhead.capture.capture import Layer
from clearhead.errors import InputError, NotFiniteError


def rows(seed: int, *shape: int, gone: float = 0.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    scores = 3 * torch.randn(*shape, generator=generator, dtype=torch.float64)
    hidden = torch.rand(*shape, generator=generator) < gone
    return torch.softmax(scores.masked_fill(hidden, -math.inf), -1).nan_to_num(0)


@given(st.integers(0, 10**6), st.integers(1, 23), st.floats(0, 1))
def test_a_divergence_is_symmetric_zero_for_equal_and_at_most_ln_2(seed: int, keys: int, gone: float) -> None:
    p, q = rows(seed, 5, keys, gone=gone), rows(seed + 1, 5, keys, gone=gone)
    found = divergence(p, q)
    assert torch.equal(found, divergence(q, p))
    assert (found >= 0).all()
    assert (found <= math.log(2)).all()
    assert (divergence(p, p) < 1e-12).all()


def test_a_divergence_is_scipys() -> None:
    p, q = rows(0, 7, 11), rows(1, 7, 11)
    wanted = torch.tensor(jensenshannon(p.numpy(), q.numpy(), axis=1) ** 2)
    torch.testing.assert_close(divergence(p, q), wanted, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(
        divergence(torch.eye(3), torch.eye(3)[[1, 2, 0]]), torch.full((3,), math.log(2)).double()
    )
    # What is lacking to 1 is one key more.
    torch.testing.assert_close(
        divergence(torch.zeros(3), torch.tensor([0.0, 1.0, 0.0])), torch.tensor(math.log(2)).double()
    )


def capture(seed: int, tokens: int = 131, batch: int = 2, padding: int = 0, **options: Any) -> ch.Capture:
    torch.manual_seed(seed)
    layers = []
    for number in range(2):
        amap = ch.AttentionMap.from_qk(torch.randn(batch, 3, tokens, 7), torch.randn(batch, 3, tokens, 7), **options)
        layers.append(Layer(f"layer{number}", 0, number, (0, 1, 2), amap.shape, lambda amap=amap: amap))
    names = tuple(f"w{n}" for n in range(tokens))
    there = tuple(n >= tokens - padding for n in range(tokens))
    text = ch.Tokens(" ".join(names), names, ((0, 0),) * tokens, (False,) * tokens, there)
    return ch.Capture(layers, [text] * batch)


@pytest.mark.parametrize("options", [{}, {"causal": True}, {"sinks": torch.tensor([0.5, 2.0, -1.0])}], ids=str)
def test_a_comparison_is_the_mean_over_queries_that_are_there(options: dict[str, Any]) -> None:
    before, after = capture(0, padding=17, **options), capture(1, padding=17, **options)
    found = compare(before, after)
    assert [change.head for change in found.heads] == [f"L{n}H{h}" for n in range(2) for h in range(3)]
    for change in found.heads:
        maps = [x[change.path] for x in (before, after)]
        head = int(change.head[-1])
        p, q = (x.dense()[:, head, :114].double() for x in maps)
        assert change.divergence == pytest.approx(float(divergence(p, q).mean()), abs=1e-7)
        for at, amap in enumerate(maps):
            assert change.entropy[at] == pytest.approx(float(amap.entropy()[:, head, :114].mean()), abs=1e-5)
            assert change.distance[at] == pytest.approx(float(amap.distance().mean[:, head, :114].mean()), rel=1e-5)
        assert change.queries == 228
    assert compare(after, before).heads[0].divergence == found.heads[0].divergence
    assert all(change.divergence < 1e-9 for change in compare(before, before).heads)
    most = found.most_changed(2)
    assert most[0].divergence >= most[1].divergence >= max(x.divergence for x in found.heads if x not in most)


def test_what_cannot_be_compared_is_said() -> None:
    before = capture(0)
    with pytest.raises(InputError, match=r"L0 is .2, 3, 131, 131. in one capture and .2, 3, 7, 7."):
        compare(before, capture(0, tokens=7))
    with pytest.raises(InputError, match="has 2 layers and the other 1"):
        compare(before, before.select(layers=[0]))
    with pytest.raises(InputError, match="no maps"):
        compare(ch.Capture([]), ch.Capture([]))
    other = capture(1)
    other.tokens = [ch.Tokens.from_pieces([f"v{n}" for n in range(131)])] * 2
    with pytest.raises(InputError, match="text 1 has 'w0' at token 0 in one capture and 'v0'"):
        compare(before, other)
    with pytest.raises(InputError, match="below 0"):
        compare(capture(0, normalizer="none"), capture(1, normalizer="none"))


def test_nan_is_said() -> None:
    amap = ch.AttentionMap.from_weights(torch.full((1, 1, 3, 3), torch.nan))
    of = ch.Capture([Layer("layer", 0, 0, (0,), amap.shape, lambda: amap)])
    with pytest.raises(NotFiniteError, match="L0H0"):
        compare(of, of)
