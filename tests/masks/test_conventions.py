"""Other libraries' masks mean here what they mean there."""

from collections.abc import Callable

import pytest
import torch
from plain import printed
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask
from torch.nn.functional import scaled_dot_product_attention

from clearhead.errors import InputError, ShapeError
from clearhead.masks import (
    Blocks,
    Causal,
    Dilated,
    Documents,
    Explicit,
    Global,
    Mask,
    Padding,
    Predicate,
    Prefix,
    Window,
    from_additive,
    from_huggingface,
    from_mask_mod,
    from_multihead,
    from_sdpa,
    to_block_mask,
)

BATCH, HEADS, QUERIES, KEYS, WIDTH = 2, 3, 5, 7, 11
SHAPE = (BATCH, HEADS, QUERIES, KEYS)


def plain(q: Tensor, k: Tensor, v: Tensor, mask: Mask | None, bias: Tensor | None) -> Tensor:
    """Attention by its formula."""
    scores = q @ k.mT * q.shape[-1] ** -0.5
    scores = scores if bias is None else scores + bias
    if mask is not None:
        scores = scores.masked_fill(~mask.dense(q.shape[-2], k.shape[-2]), -torch.inf)
    return scores.softmax(-1) @ v


def qkv(queries: int = QUERIES) -> tuple[Tensor, ...]:
    return tuple(torch.randn(BATCH, HEADS, n, WIDTH, dtype=torch.float64) for n in (queries, KEYS, KEYS))


def some_allowed(*shape: int) -> Tensor:
    allowed = torch.rand(*shape) < 0.6
    allowed[..., 0] = True
    return allowed


# scaled_dot_product_attention.


@pytest.mark.parametrize(
    "shape", [SHAPE, (1, HEADS, QUERIES, KEYS), (BATCH, 1, 1, KEYS), (HEADS, QUERIES, KEYS), (QUERIES, KEYS)]
)
@pytest.mark.parametrize("kind", ["boolean", "added", "bias", "added -inf"])
def test_masks_of_sdpa(shape: tuple[int, ...], kind: str) -> None:
    q, k, v = qkv()
    given = allowed = some_allowed(*shape)
    if kind != "boolean":
        lowest = -torch.inf if kind == "added -inf" else torch.finfo(torch.float64).min
        given = torch.randn(shape, dtype=torch.float64) * (kind == "bias")
        given = given.masked_fill(~allowed, lowest)
    mask, bias = from_sdpa(given)
    assert mask == Explicit(allowed)
    assert (bias is given) == (kind == "bias")
    torch.testing.assert_close(plain(q, k, v, mask, bias), scaled_dot_product_attention(q, k, v, given))


def test_the_flag_of_sdpa() -> None:
    q, k, v = qkv(KEYS)
    assert from_sdpa(is_causal=True) == (Causal(), None)
    assert from_sdpa(is_causal=True, lengths=(KEYS, KEYS)) == (Causal(), None)
    torch.testing.assert_close(plain(q, k, v, Causal(), None), scaled_dot_product_attention(q, k, v, is_causal=True))
    q, k, v = qkv()
    mask, _ = from_sdpa(is_causal=True, lengths=(QUERIES, KEYS))
    torch.testing.assert_close(plain(q, k, v, mask, None), scaled_dot_product_attention(q, k, v, is_causal=True))
    allowed = some_allowed(QUERIES, 1)
    both, _ = from_sdpa(allowed, True, lengths=(QUERIES, KEYS))
    assert both is not None
    assert torch.equal(both.dense(*SHAPE[2:])[0, 0], allowed & torch.ones(QUERIES, KEYS).tril().bool())
    assert from_sdpa() == (None, None)


def test_numbers_that_are_added() -> None:
    assert from_additive(torch.zeros(3, 3)) == (None, None)
    bias = torch.tensor([[1.0, -1e4], [torch.nan, 5.0]])
    assert from_additive(bias) == (None, bias)
    both = torch.tensor([[1.0, torch.finfo(torch.float32).min], [0.0, 0.0]])
    mask, found = from_additive(both)
    assert mask == Explicit([[True, False], [True, True]])
    assert found is both
    with pytest.raises(ShapeError, match=r"got the shape \(2,\)"):
        from_additive(torch.tensor([-torch.inf, 0.0]))


# torch.nn.MultiheadAttention.


@pytest.mark.parametrize("attn", [None, "square", "per head"])
@pytest.mark.parametrize("padding", [False, True])
@pytest.mark.parametrize("added", [False, True])
def test_masks_of_multihead_attention(attn: str | None, padding: bool, added: bool) -> None:
    layer = torch.nn.MultiheadAttention(HEADS * 5, HEADS, batch_first=True, dtype=torch.float64)
    x, y = (torch.randn(BATCH, n, HEADS * 5, dtype=torch.float64) for n in (QUERIES, KEYS))
    shape = (QUERIES, KEYS) if attn == "square" else (BATCH * HEADS, QUERIES, KEYS)
    attn_mask = None if attn is None else ~some_allowed(*shape)
    pad = torch.arange(KEYS) >= torch.tensor([[KEYS], [4]]) if padding else None
    if added:
        attn_mask, pad = (
            None
            if x is None
            else torch.randn(x.shape, dtype=torch.float64).masked_fill(x, torch.finfo(torch.float64).min / 2)
            for x in (attn_mask, pad)
        )
    wanted = layer(x, y, y, attn_mask=attn_mask, key_padding_mask=pad)[0]
    mask, bias = from_multihead(attn_mask, pad, heads=HEADS)
    weight, shift = layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3)
    q, k, v = (
        torch.nn.functional.linear(x, w, b).unflatten(-1, (HEADS, 5)).transpose(1, 2)
        for x, w, b in zip((x, y, y), weight, shift, strict=True)
    )
    torch.testing.assert_close(layer.out_proj(plain(q, k, v, mask, bias).transpose(1, 2).flatten(2)), wanted)
    assert (bias is not None) == (added and (attn is not None or padding))


def test_masks_of_one_text_for_multihead_attention() -> None:
    assert from_multihead(key_padding_mask=torch.tensor([False, True])) == (Padding([[True, False]]), None)
    added = torch.tensor([[0.0, -torch.inf]])
    assert from_multihead(key_padding_mask=added) == (Padding([[True, False]]), None)
    forbidden = torch.rand(HEADS, QUERIES, KEYS) < 0.5
    assert from_multihead(forbidden, heads=HEADS) == (Explicit(~forbidden), None)
    assert from_multihead() == (None, None)
    with pytest.raises(ShapeError, match="5 is no multiple of 3 heads"):
        from_multihead(torch.zeros(5, 7, 7).bool(), heads=3)
    with pytest.raises(ShapeError, match=r"got \(2, 1, 7\)"):
        from_multihead(key_padding_mask=torch.zeros(2, 1, 7).bool())


# Hugging Face.


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.float32])
def test_padding_masks_of_hugging_face(dtype: torch.dtype) -> None:
    present = torch.tensor([[1, 1, 1, 0], [0, 1, 1, 1]])
    assert from_huggingface(present.to(dtype)) == (Padding(present.bool()), None)


def test_whole_masks_of_hugging_face() -> None:
    allowed = some_allowed(BATCH, 1, QUERIES, KEYS)
    assert from_huggingface(allowed) == (Explicit(allowed), None)
    added = torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)
    assert from_huggingface(added) == (Explicit(allowed), None)
    with pytest.raises(InputError, match=r"holds 1 where .* to 0\.0: those that are added have four"):
        from_huggingface(added[0, 0])
    with pytest.raises(InputError, match=r"int64: call \.bool\(\)"):
        from_huggingface(allowed.long())


# FlexAttention.


def test_a_mask_mod_counts_queries_from_0() -> None:
    def from_corner(b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        return (j <= i + h) & (j != b)

    assert from_mask_mod(from_corner, 2, 3) == Predicate(from_corner, 2, 3)
    assert from_mask_mod(from_corner, lengths=(5, 5)) == Predicate(from_corner)
    index = torch.meshgrid(*(torch.arange(n) for n in SHAPE), indexing="ij")
    rule = from_mask_mod(from_corner, BATCH, HEADS, lengths=(QUERIES, KEYS))
    assert torch.equal(rule.dense(QUERIES, KEYS), from_corner(*index))


RULES: dict[str, Mask] = {
    "causal": Causal(),
    "window": Window(20, 3),
    "padding": Padding([61, 20]),
    "present": Padding(torch.arange(61) % 23 > 3),
    "documents": Documents(torch.arange(61) // 13),
    "unsorted documents": Documents(torch.arange(61) // 5 % 3),
    "prefix": Prefix([19, 30]),
    "global": Global([3, 33]),
    "dilated": Dilated(7, 3),
    "blocks": Blocks(torch.eye(5).bool()[None].repeat(3, 1, 1).cumsum(-1).bool(), 16),
    "explicit": Explicit(torch.ones(61, 61).tril(-9).bool()),
    "function": Predicate(lambda b, h, i, j: (i // 16 + j // 16 + b) % 2 == h, 2, 3),
    "composite": (Causal() & Window(20, 0) & Padding([61, 20])) | Global([0]),
}


def sets(number: Tensor, index: Tensor) -> list[set[int]]:
    rows = zip(number.flatten().tolist(), index.flatten(0, -2).tolist(), strict=True)
    return [set(row[:count]) for count, row in rows]


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("size", [16, (8, 16)])
@pytest.mark.parametrize("queries", [61, 29])
def test_block_masks_are_those_that_flex_attention_makes(name: str, size: int | tuple[int, int], queries: int) -> None:
    rule = RULES[name]
    if name == "explicit" and queries != 61:
        rule = Explicit(torch.ones(queries, 61).tril(-9).bool())
    found = to_block_mask(rule, queries, 61, size=size)
    wanted = create_block_mask(found.mask_mod, *rule.breadth, queries, 61, device="cpu", BLOCK_SIZE=size)
    assert found.shape == wanted.shape
    assert found.BLOCK_SIZE == wanted.BLOCK_SIZE
    assert torch.equal(found.to_dense() > 0, wanted.to_dense() > 0) or name == "composite"
    for kind in ("kv", "q"):
        partial, full = (
            [sets(getattr(x, f"{part}{kind}_num_blocks"), getattr(x, f"{part}{kind}_indices")) for x in (found, wanted)]
            for part in ("", "full_")
        )
        if name == "composite":  # a tile called mixed may be full or empty, never the other way round
            assert all(a <= b for a, b in zip(*full, strict=True))
            assert all(b | d <= a | c for a, b, c, d in zip(*partial, *full, strict=True))
        else:
            assert partial[0] == partial[1]
            assert full[0] == full[1]


FLEX = """
import torch
from clearhead.masks import *
from torch.nn.attention.flex_attention import flex_attention

ids = torch.arange(61) // 5 % 3
rules = [
    Causal() & Window(20, 0) & Padding([61, 20]),
    (Causal() & Documents(ids)) | Global([0]),
    Prefix([19, 30]) & ~Dilated(7, 3),
    Blocks(torch.eye(5).bool().repeat(3, 1, 1), 16) | Explicit(torch.ones(61, 61).tril(-9).bool()),
    Predicate(lambda b, h, i, j: (i // 16 + j // 16 + b) % 2 == h, 2, 3),
]
for rule in rules:
    for queries in {61, 29} if "Explicit" not in repr(rule) else {61}:
        q, k, v = (torch.randn(2, 3, n, 16) for n in (queries, 61, 61))
        found = flex_attention(q, k, v, block_mask=to_block_mask(rule, queries, 61, size=16))
        scores = (q @ k.mT * 0.25).masked_fill(~rule.dense(queries, 61), -torch.inf)
        wanted = scores.softmax(-1).nan_to_num(0.0) @ v  # rows that may attend to nothing
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
print(len(rules), "run")
"""


def test_flex_attention_runs_with_it() -> None:
    assert printed(FLEX, "ignore") == "5 run\n"


def test_a_bias_that_is_trained_stays_one_at_0() -> None:
    weights = torch.zeros(QUERIES, KEYS, requires_grad=True)
    assert from_sdpa(weights) == (None, weights)
    forbidden = torch.zeros(QUERIES, KEYS).index_fill(1, torch.tensor([2]), -torch.inf)
    assert from_sdpa(weights + forbidden)[1] is not None


def test_lengths_of_a_function_are_kept_to() -> None:
    rule = from_mask_mod(lambda b, h, i, j: j <= i, lengths=(3, 5))
    assert repr(rule) == "Predicate(<lambda>, lengths=(3, 5))"
    with pytest.raises(ShapeError, match=r"counts queries from 0 of \(3, 5\), and was asked for 4 × 6"):
        rule.dense(4, 6)


def test_three_axes_of_hugging_face_are_texts() -> None:
    allowed = some_allowed(BATCH, QUERIES, KEYS)
    mask, _ = from_huggingface(allowed)
    assert mask is not None
    assert torch.equal(mask.dense(QUERIES, KEYS), allowed[:, None])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: from_multihead(torch.zeros(6, 3, 3), heads=0), "heads is a whole number of at least 1; got 0"),
        (lambda: from_multihead(torch.zeros(2, 3, 3, 3)), r"\(queries, keys\) or .* got \(2, 3, 3, 3\)"),
        (lambda: from_sdpa(torch.tensor(0.0), lengths=(3, 3)), r"2 to 4 axes; got \(\)"),
    ],
)
def test_what_is_no_mask_of_theirs(call: Callable[[], object], said: str) -> None:
    with pytest.raises((InputError, ShapeError), match=said):
        call()
