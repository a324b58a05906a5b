"""“I saw a saw” with the text's one-hot vectors: what tells the two “saw” apart, and what does not."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import clearhead as ch

WORDS = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]], dtype=torch.float64)
FIRST, SECOND = 1, 3


def weights(q: Tensor, k: Tensor, **options: object) -> Tensor:
    return ch.attend(q, k, WORDS, **options)[1].dense()[0, 0]  # type: ignore[arg-type]


def test_the_plain_inner_product_cannot_tell_them_apart() -> None:
    """Scores are 1/√3 for equal words and 0 for others: with e = exp(1/√3), 1/(2e + 2) and e/(2e + 2) for “saw”."""
    found = weights(WORDS, WORDS)
    e = math.exp(1 / math.sqrt(3))
    row = torch.tensor([1, e, 1, e], dtype=torch.float64) / (2 * e + 2)
    torch.testing.assert_close(found[FIRST], row, rtol=0, atol=1e-12)
    assert torch.equal(found[FIRST], found[SECOND])
    assert torch.equal(found[:, FIRST], found[:, SECOND])
    raw = weights(WORDS, WORDS, normalizer="none", scale=1.0)
    assert torch.equal(raw, raw.T)
    assert torch.equal(raw.amax(-1), raw.diagonal())  # every word is most relevant to itself


def test_projections_part_looking_from_offering_but_not_equal_words() -> None:
    """W^q = [[0, 3, 0], [3, 0, 3], [0, 3, 0]]: “saw” scores 3/√3 with “I” and “a” and 0 with itself."""
    w_q = torch.tensor([[0, 3, 0], [3, 0, 3], [0, 3, 0]], dtype=torch.float64)
    found = weights(WORDS @ w_q.T, WORDS)
    e = math.exp(math.sqrt(3))
    row = torch.tensor([e, 1, e, 1], dtype=torch.float64) / (2 * e + 2)
    torch.testing.assert_close(found[FIRST], row, rtol=0, atol=1e-12)
    assert torch.equal(found[FIRST], found[SECOND])
    assert torch.equal(found[:, FIRST], found[:, SECOND])


def test_no_projections_part_equal_words_and_scores_are_not_symmetric() -> None:
    for _ in range(20):
        w_q, w_k, w_v = torch.randn(3, 5, 3, dtype=torch.float64)
        q, k, v = WORDS @ w_q.T, WORDS @ w_k.T, WORDS @ w_v.T
        raw = weights(q, k, normalizer="none")
        assert not torch.allclose(raw, raw.T)
        output, amap = ch.attend(q, k, v)
        for x in (output, amap.dense()[0, 0], amap.dense()[0, 0].T):
            torch.testing.assert_close(x[FIRST], x[SECOND], rtol=0, atol=1e-14)


def test_words_in_another_order_give_the_same_in_that_order() -> None:
    w_q, w_k, w_v = torch.randn(3, 3, 3, dtype=torch.float64)

    def layer(x: Tensor) -> Tensor:
        return ch.attention(x @ w_q, x @ w_k, x @ w_v)

    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(layer(WORDS[order]), layer(WORDS)[order], rtol=0, atol=1e-14)


def sinusoidal(x: Tensor) -> tuple[Tensor, dict[str, object]]:
    return x + ch.Sinusoidal(4)(torch.arange(4), dtype=torch.float64)[None, None], {}


def rotary(x: Tensor) -> tuple[Tensor, dict[str, object]]:
    return ch.Rotary(pairing="adjacent").rotate(x, torch.arange(4)), {}


def alibi(x: Tensor) -> tuple[Tensor, dict[str, object]]:
    return x, {"bias": ch.ALiBi(1, symmetric=True, slopes=[0.5])}


def causal(x: Tensor) -> tuple[Tensor, dict[str, object]]:
    return x, {"mask": ch.Causal()}


@pytest.mark.parametrize("place", [sinusoidal, rotary, alibi, causal])
def test_positions_tell_them_apart(place: Callable[[Tensor], tuple[Tensor, dict[str, object]]]) -> None:
    x, options = place(torch.nn.functional.pad(WORDS, (0, 1))[None, None])
    amap = ch.attend(x, x, x, **options)[1].dense()[0, 0]  # type: ignore[arg-type]
    assert float((amap[FIRST] - amap[SECOND]).abs().max()) > 0.01
    assert float((amap[:, FIRST] - amap[:, SECOND]).abs().max()) > 0.01


def test_a_head_that_looks_one_word_back_takes_in_what_the_text_wants() -> None:
    """The first “saw” takes in “I”, the second “a”: q = shift(−1)·code, k = code, so q·k is largest one word back."""
    code = ch.Sinusoidal(8)
    k = code(torch.arange(4), dtype=torch.float64)
    q = k @ code.shift(-1, dtype=torch.float64).T
    # Of pair i of the code, q_p·k_j has cos((p − 1 − j) / 10^i).
    scores = [[sum(math.cos((p - 1 - j) / 10**i) for i in range(4)) for j in range(4)] for p in range(4)]
    torch.testing.assert_close(weights(q, k, normalizer="none", scale=1.0), torch.tensor(scores, dtype=torch.float64))
    output = ch.attention(q, k, WORDS, scale=8.0)
    assert output[FIRST].argmax() == 0
    assert output[SECOND].argmax() == 2
    assert float(output[FIRST, 0]) > 0.9
    assert float(output[SECOND, 2]) > 0.9
