"""The three layers that the texts print, as configurations, against their formulas written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from clearhead.layers import MultiHeadAttention, SelfAttention
from clearhead.masks import Explicit


def softmax(row: Tensor) -> Tensor:
    """``exp(s_j) / Σ exp(s_j)``."""
    powers = torch.exp(row)
    return powers / powers.sum()


def close(found: Tensor, wanted: Tensor) -> None:
    assert found.shape == wanted.shape
    assert ((found - wanted).abs() < 1e-12).all()


def randomise(layer: torch.nn.Module) -> None:
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-1, 1)


# Heads that share one head_dim × head_dim projection each for q, k and v, and an output layer: their 1 × 3 × 8.

X = torch.tensor([[[1, 0, 1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1, 0, 1], [1] * 8]], dtype=torch.float64)


def shared_heads(x: Tensor, heads: int, q: Tensor, k: Tensor, v: Tensor, out: Tensor, out_bias: Tensor) -> Tensor:
    """``head_i = Attention(x_i·Wq, x_i·Wk, x_i·Wv)`` of the i-th piece x_i of each word; ``Concat(…)·Wo + b``."""
    width = x.shape[-1] // heads
    result = torch.empty(*x.shape[:2], out.shape[0], dtype=x.dtype)
    for text in range(x.shape[0]):
        for i in range(x.shape[1]):
            found = []
            for head in range(heads):
                piece = slice(head * width, (head + 1) * width)
                scores = torch.stack(
                    [(q @ x[text, i, piece]) @ (k @ x[text, j, piece]) / math.sqrt(width) for j in range(x.shape[1])]
                )
                weights = softmax(scores)
                found.append(sum(weights[j] * (v @ x[text, j, piece]) for j in range(x.shape[1])))
            result[text, i] = out @ torch.cat(found) + out_bias
    return result


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_heads_that_share_one_projection(heads: int) -> None:
    layer = MultiHeadAttention(8, heads, shared_projection=True, bias=False, output_bias=True).double()
    randomise(layer)
    assert layer.query.weight.shape == layer.key.weight.shape == layer.value.weight.shape == (8 // heads, 8 // heads)
    assert layer.query.bias is None
    weights = (layer.query.weight, layer.key.weight, layer.value.weight, layer.output.weight, layer.output.bias)
    assert layer(X).shape == (1, 3, 8)
    for x in (X, torch.randn(2, 5, 8, dtype=torch.float64)):
        close(layer(x), shared_heads(x, heads, *weights))
        close(layer.attend(x)[0], shared_heads(x, heads, *weights))


# d_model and heads, all with biases, the weights returned, a mask in which 0 = may not attend.


def model_heads(
    layer: MultiHeadAttention, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The linear projections, attention in parallel, concatenation, the final projection; and the weights."""
    width = layer.dim // layer.heads
    outputs, maps = [], []
    for head in range(layer.heads):
        rows = slice(head * width, (head + 1) * width)
        q, k, v = (
            x @ linear.weight[rows].T + linear.bias[rows]
            for x, linear in ((query, layer.query), (key, layer.key), (value, layer.value))
        )
        scores = torch.einsum("bid,bjd->bij", q, k) / math.sqrt(width)
        if mask is not None:
            scores = torch.where(mask == 0, -torch.inf, scores)
        weights = torch.stack([torch.stack([softmax(row) for row in text]) for text in scores])
        maps.append(weights)
        outputs.append(torch.einsum("bij,bjd->bid", weights, v))
    output = torch.cat(outputs, -1) @ layer.output.weight.T + layer.output.bias
    return output, torch.stack(maps, 1)


@pytest.mark.parametrize("masked", [False, True])
def test_the_model_width_and_heads_with_the_weights_returned(masked: bool) -> None:
    layer = MultiHeadAttention(12, 3).double()
    randomise(layer)
    query, key, value = (torch.randn(2, n, 12, dtype=torch.float64) for n in (5, 7, 7))
    mask = (torch.rand(2, 5, 7) < 0.6).int() if masked else None
    if mask is not None:
        mask[..., 0] = 1
    output, amap = layer.attend(query, key, value, mask=None if mask is None else Explicit(mask.bool()[:, None]))
    wanted, weights = model_heads(layer, query, key, value, mask)
    close(output, wanted)
    close(amap.dense(), weights)
    output, amap = layer.attend(query)
    wanted, weights = model_heads(layer, query, query, query, None)
    close(output, wanted)
    close(amap.dense(), weights)


# One head from dim 3 by key_dim 5 to value_dim 4.


def one_head(x: Tensor, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """``O = softmax(QKᵀ/√d_k)·V`` by its columns, as the text derives it: ``q^i = W^q·a^i`` and so on."""
    output = torch.empty(*x.shape[:2], v.shape[0], dtype=x.dtype)
    weights = torch.empty(x.shape[0], x.shape[1], x.shape[1], dtype=x.dtype)
    for text, words in enumerate(x):
        for i, word in enumerate(words):
            weights[text, i] = softmax(torch.stack([(q @ word) @ (k @ other) for other in words]) / math.sqrt(len(q)))
            output[text, i] = sum(weights[text, i, j] * (v @ other) for j, other in enumerate(words))
    return output, weights


def test_one_head_of_three_by_five_to_four() -> None:
    layer = SelfAttention(3, 5, 4).double()
    x = torch.randn(50, 5, 3, dtype=torch.float64)
    wanted, weights = one_head(x, layer.query.weight, layer.key.weight, layer.value.weight)
    assert layer(x).shape == (50, 5, 4)
    close(layer(x), wanted)
    output, amap = layer.attend(x)
    close(output, wanted)
    close(amap.dense()[:, 0], weights)
    assert amap.shape == (50, 1, 5, 5)


def test_widths_default_to_that_of_the_input() -> None:
    layer = SelfAttention(7)
    assert layer(torch.randn(2, 3, 7)).shape == (2, 3, 7)
    assert layer.query.bias is None
    assert SelfAttention(7, bias=True).value.bias is not None


def test_close_fails_for_the_transposed_projection() -> None:
    layer = MultiHeadAttention(8, 2, shared_projection=True, bias=False, output_bias=True).double()
    weights = (layer.query.weight.T, layer.key.weight, layer.value.weight, layer.output.weight, layer.output.bias)
    x = torch.randn(1, 3, 8, dtype=torch.float64)
    with pytest.raises(AssertionError):
        close(layer(x), shared_heads(x, 2, *weights))
