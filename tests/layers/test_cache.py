"""A text given in pieces to a layer with a cache has the output of the text given whole."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import printed
from torch import Tensor, nn

from clearhead.errors import InputError, ShapeError, StaleMapError
from clearhead.layers import (
    Cache,
    GrowingCache,
    LearnedKey,
    MultiHeadAttention,
    PreallocatedCache,
    SlidingCache,
    StaticCache,
    ZeroKey,
)
from clearhead.masks import Causal, Documents, Explicit, Global, Mask, Padding, Predicate, Prefix, Window
from clearhead.positions import ALiBi, RelativeBias, Rotary, YaRNScaling

BATCH, TOKENS, DIM, HEADS, ROOM, WINDOW = 2, 13, 12, 6, 17, 5
PADDING = torch.arange(TOKENS) >= torch.tensor([[3], [0]])  # on the left


def bias(heads: int) -> RelativeBias:
    made = RelativeBias(heads, buckets=8, furthest=7, bidirectional=False)
    nn.init.normal_(made.table)
    return made


LAYERS: dict[str, Callable[[], dict[str, Any]]] = {
    "plain": dict,
    "rotary": lambda: {"position": Rotary(), "head_dim": 4},
    "scaled rotary": lambda: {"position": Rotary(pairing="adjacent", scaling=YaRNScaling(4.0, 8)), "head_dim": 4},
    "ALiBi": lambda: {"position": ALiBi(HEADS)},
    "relative bias": lambda: {"position": bias(HEADS)},
    "grouped queries": lambda: {"kv_heads": 2, "value_head_dim": 3, "position": Rotary()},
    "norms, soft-cap and sinks": lambda: {"qk_norm": nn.RMSNorm, "softcap": 3.0, "sinks": True},
    "extra keys": lambda: {"extra_keys": [LearnedKey(HEADS, 2), ZeroKey()], "position": bias(HEADS)},
}
MASKS: dict[str, Callable[[], Mask]] = {
    "causal": Causal,
    "padding on the left": lambda: Causal() & Padding(PADDING),
    "lengths": lambda: Causal() & Padding([11, 13]),
    "prefix": lambda: Causal() | Prefix([3, 2]),
    "documents": lambda: Causal() & Documents(torch.arange(TOKENS) // 4),
    "window or first": lambda: Causal() & (Window(2, 0) | Global([0])),
    "an explicit one": lambda: Explicit(torch.rand(TOKENS, TOKENS) < 0.6) & Causal(),
}


def up_to(mask: Mask, start: int, stop: int) -> Mask:
    """The rule for the queries from ``start`` and the first ``stop`` keys: what holds a tensor is cut."""

    def cut(x: Tensor) -> Tensor:
        if x.shape[-2:] == (TOKENS, TOKENS):
            return x[..., start:stop, :stop]
        return x[..., :stop] if x.shape[-1:] == (TOKENS,) else x

    return mask.change(cut)


def with_room(mask: Mask) -> Mask:
    """The rule for all keys of a static cache: what holds a tensor is filled up."""
    missing = ROOM - TOKENS

    def fill(x: Tensor) -> Tensor:
        if x.shape[-2:] == (TOKENS, TOKENS):
            return nn.functional.pad(x, (0, missing, 0, missing))
        return nn.functional.pad(x, (0, missing)) if x.shape[-1:] == (TOKENS,) else x

    return mask.change(fill)


def build(kind: str) -> MultiHeadAttention:
    layer = MultiHeadAttention(DIM, HEADS, **LAYERS[kind]()).double().eval()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-0.7, 0.7)
    return layer


def static(layer: MultiHeadAttention) -> StaticCache:
    return StaticCache(
        BATCH,
        ROOM,
        kv_heads=layer.kv_heads,
        head_dim=layer.head_dim,
        value_head_dim=layer.value_head_dim,
        dtype=torch.float64,
    )


def in_pieces(
    layer: MultiHeadAttention, x: Tensor, mask: Mask, cache: Cache, stops: list[int]
) -> tuple[Tensor, list[Tensor]]:
    """The output, and the maps' weights, of the text cut at ``stops``."""
    outputs, maps = [], []
    for start, stop in pairwise([0, *stops, TOKENS]):
        rule = with_room(mask) if isinstance(cache, StaticCache) else up_to(mask, start, stop)
        output, amap = layer.attend(x[:, start:stop], mask=rule, cache=cache)
        outputs.append(output)
        maps.append(amap.dense())
        assert int(cache.seen) == stop
    return torch.cat(outputs, 1), maps


def close(found: Tensor, wanted: Tensor) -> None:
    assert found.shape == wanted.shape
    assert ((found - wanted).abs() < 1e-12).all()


CUTS = {"token by token": list(range(1, TOKENS)), "a prompt, then tokens": [7, 8, 9, 10, 11, 12], "chunks": [5, 7]}


def check_caches(kind: str, rule: str, stops: list[int]) -> None:
    layer = build(kind)
    x = torch.randn(BATCH, TOKENS, DIM, dtype=torch.float64)
    mask = MASKS[rule]()
    with torch.no_grad():
        wanted, amap = layer.attend(x, mask=mask)
        weights, extra = amap.dense(), len(layer.extra_keys)
        for cache in (GrowingCache(), PreallocatedCache(TOKENS), static(layer)):
            output, maps = in_pieces(layer, x, mask, cache, stops)
            close(output, wanted)
            for start, stop, part in zip([0, *stops], [*stops, TOKENS], maps, strict=True):
                close(part[..., :stop], weights[:, :, start:stop, :stop])
                end = part.shape[-1] - extra
                assert (part[..., stop:end] == 0).all()
                close(part[..., end:], weights[:, :, start:stop, TOKENS:])


@pytest.mark.parametrize("stops", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("kind", LAYERS)
def test_every_layer_decodes_as_it_reads(kind: str, stops: list[int]) -> None:
    check_caches(kind, "padding on the left", stops)


@pytest.mark.parametrize("rule", MASKS)
def test_every_mask_is_that_of_the_whole_text(rule: str) -> None:
    check_caches("relative bias", rule, CUTS["chunks"])


@settings(max_examples=25)
@given(st.sampled_from(list(LAYERS)), st.sampled_from(list(MASKS)), st.sets(st.integers(1, TOKENS - 1)))
def test_any_cut_of_any_layer_under_any_mask(kind: str, rule: str, stops: set[int]) -> None:
    # A prefix attends ahead, so it has to come whole.
    check_caches(kind, rule, sorted(stops - {1, 2} if rule == "prefix" else stops))


@pytest.mark.parametrize("stops", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("padded", [False, True])
def test_a_sliding_cache_keeps_what_its_window_needs(kind: str, stops: list[int], padded: bool) -> None:
    layer = build(kind)
    x = torch.randn(BATCH, TOKENS, DIM, dtype=torch.float64)
    mask: Mask = Causal() & Window(WINDOW - 1, 0)
    mask = mask & Padding(PADDING) if padded else mask
    with torch.no_grad():
        cache = SlidingCache(WINDOW)
        output, maps = in_pieces(layer, x, mask, cache, stops)
        close(output, layer(x, mask=mask))
    last = TOKENS - [0, *stops][-1]
    assert maps[-1].shape[-1] == min(TOKENS, last + WINDOW - 1) + len(layer.extra_keys)


def test_a_bias_of_the_call_is_for_all_keys_so_far() -> None:
    layer = build("relative bias")
    x, added = torch.randn(BATCH, TOKENS, DIM).double(), torch.randn(HEADS, TOKENS, TOKENS).double()
    mask = Causal() & Window(WINDOW - 1, 0)
    with torch.no_grad():
        wanted = layer(x, mask=mask, bias=added)
        for cache in (GrowingCache(), SlidingCache(WINDOW), static(layer)):
            found = []
            for start, stop in pairwise([0, 7, 8, TOKENS]):
                part = added[:, start:stop, :stop]
                if isinstance(cache, StaticCache):
                    part = nn.functional.pad(part, (0, ROOM - stop))
                found.append(layer(x[:, start:stop], mask=mask, bias=part, cache=cache))
            close(torch.cat(found, 1), wanted)
        with pytest.raises(ShapeError, match="all keys so far: its last axis is 14 here"):
            layer(x[:, :1], mask=mask, bias=added[:, :1, :7], cache=_filled(layer, x, SlidingCache(WINDOW)))


def _filled(layer: MultiHeadAttention, x: Tensor, cache: Cache) -> Cache:
    layer(x, mask=Causal(), cache=cache)
    return cache


def test_positions_can_be_given() -> None:
    layer = build("rotary")
    x = torch.randn(BATCH, TOKENS, DIM).double()
    place = torch.arange(TOKENS) * 3 + 5
    with torch.no_grad():
        wanted = layer(x, mask=Causal(), positions=place)
        assert not torch.allclose(wanted, layer(x, mask=Causal()))
        close(layer(x, mask=Causal(), positions=torch.arange(TOKENS) + 100), layer(x, mask=Causal()))
        cache = GrowingCache()
        parts = [layer(x[:, a:b], mask=Causal(), positions=place[None, a:b], cache=cache) for a, b in ((0, 5), (5, 13))]
        close(torch.cat(parts, 1), wanted)


def test_gradients_flow_through_a_growing_cache() -> None:
    layer = build("rotary")
    gradients = []
    for stops in ([], [5, 7]):
        torch.manual_seed(3)
        x = torch.randn(BATCH, TOKENS, DIM, dtype=torch.float64, requires_grad=True)
        in_pieces(layer, x, Causal(), GrowingCache(), stops)[0].square().sum().backward()
        assert x.grad is not None
        gradients.append(x.grad)
    close(gradients[1], gradients[0])


def test_maps_of_a_growing_cache_stay_valid_and_those_of_a_static_one_go_stale() -> None:
    layer = build("plain")
    x = torch.randn(BATCH, 3, DIM, dtype=torch.float64)
    with torch.no_grad():
        for cache in (GrowingCache(), SlidingCache(2), PreallocatedCache(5)):
            mask = Causal() & Window(1, 0)
            _, amap = layer.attend(x, mask=mask, cache=cache)
            before = layer.attend(x, mask=mask)[1].dense()
            layer(x[:, :1], mask=mask, cache=cache)
            close(amap.dense(), before)
        room = static(layer)
        _, amap = layer.attend(x, mask=Causal(), cache=room)
        layer(x[:, :1], mask=Causal(), cache=room)
        with pytest.raises(StaleMapError):
            amap.dense()


@pytest.mark.parametrize(
    "mask", [None, Causal(), Causal() & Window(WINDOW, 0), (Causal() & Window(WINDOW - 1, 0)) | Global([0])]
)
def test_a_sliding_cache_refuses_a_mask_that_reaches_farther_back(mask: Mask | None) -> None:
    layer, cache = build("plain"), SlidingCache(WINDOW)
    x = torch.randn(BATCH, TOKENS, DIM, dtype=torch.float64)
    with torch.no_grad():
        layer(x, mask=mask, cache=cache)  # nothing was dropped before this
        with pytest.raises(InputError, match=rf"SlidingCache\(13 tokens seen\) keeps {WINDOW - 1} keys"):
            layer(x[:, :1], mask=mask, cache=cache)
        layer(x[:, :1], mask=Causal() & Window(WINDOW - 1, 0), cache=cache)


def test_a_cache_belongs_to_one_layer() -> None:
    one, other = build("plain"), build("plain")
    x = torch.randn(BATCH, 3, DIM, dtype=torch.float64)
    with torch.no_grad():
        for cache in (GrowingCache(), SlidingCache(7), static(one)):
            one(x, mask=Causal(), cache=cache)
            with pytest.raises(InputError, match="each layer has its own, or reset"):
                other(x, mask=Causal(), cache=cache)
            cache.reset()
            other(x, mask=Causal(), cache=cache)


def test_a_cache_can_be_used_again() -> None:
    layer = build("rotary")
    x = torch.randn(BATCH, TOKENS, DIM, dtype=torch.float64)
    with torch.no_grad():
        wanted = layer(x, mask=Causal())
        for cache in (GrowingCache(), SlidingCache(TOKENS), static(layer)):
            for _ in range(2):
                close(layer(x, mask=Causal(), cache=cache), wanted)
                cache.reset()
                assert int(cache.seen) == 0


def test_a_window_of_one_key_keeps_nothing() -> None:
    cache = SlidingCache(1)
    for seen in (3, 4):
        found = cache.update(torch.zeros(1, 1, 3 if seen == 3 else 1, 2), torch.zeros(1, 1, 3 if seen == 3 else 1, 2))
        assert (cache.seen, found.k.shape[2]) == (seen, 3 if seen == 3 else 1)


@pytest.mark.parametrize("window", [0, -3, True])
def test_a_window_is_a_whole_number(window: int) -> None:
    with pytest.raises(InputError, match="at least 1"):
        SlidingCache(window)


def test_what_does_not_fit_a_cache() -> None:
    layer = build("plain")
    x = torch.randn(BATCH, TOKENS, DIM, dtype=torch.float64)
    with torch.no_grad():
        full = _filled(layer, x, static(layer))
        with pytest.raises(ShapeError, match=r"room for 17 tokens; it holds 13 and got 5 more"):
            layer(x[:, :5], mask=Causal(), cache=full)
        with pytest.raises(ShapeError, match="the cache has room for keys of"):
            layer(x[:1], mask=Causal(), cache=full)
        with pytest.raises(ShapeError, match="only keys may differ"):
            layer(x[:1], mask=Causal(), cache=_filled(layer, x, GrowingCache()))
        with pytest.raises(InputError, match=r"the cache holds torch\.float64 on cpu; got keys of torch.float32"):
            layer.float()(x.float(), mask=Causal(), cache=static(layer))
        with pytest.raises(ShapeError, match="Padding"):
            layer(x.float(), mask=Padding(PADDING), cache=StaticCache(BATCH, ROOM, kv_heads=HEADS, head_dim=2))
        with pytest.raises(ShapeError, match="an explicit mask of 13 × 17"):
            layer(
                x.float(),
                mask=torch.ones(TOKENS, ROOM, dtype=torch.bool),
                cache=StaticCache(BATCH, ROOM, kv_heads=HEADS, head_dim=2),
            )
        with pytest.raises(InputError, match="for self-attention"):
            layer(x.float(), x.float(), cache=GrowingCache())
    with pytest.raises(InputError, match="no gradient can flow"):
        layer(x.float(), mask=Causal(), cache=StaticCache(BATCH, ROOM, kv_heads=HEADS, head_dim=2))


COMPILED = """
import torch
from torch._dynamo.utils import counters
from clearhead.layers import MultiHeadAttention, StaticCache
from clearhead.masks import Causal, Padding
from clearhead.positions import ALiBi, Rotary

for position in (Rotary(), ALiBi(6)):
    torch._dynamo.reset()
    torch.manual_seed(0)
    layer = MultiHeadAttention(24, 6, kv_heads=3, position=position).double().eval()
    x = torch.randn(2, 13, 24, dtype=torch.float64)
    present = torch.ones(2, 17, dtype=torch.bool)
    present[0, :3] = False
    frames = []

    def backend(graph, inputs):
        frames.append(graph)
        return graph

    @torch.compile(fullgraph=True, backend=backend)
    def step(token, cache):
        return layer(token, mask=Causal() & Padding(present), cache=cache)

    cache = StaticCache(2, 17, kv_heads=3, head_dim=4, dtype=torch.float64)
    with torch.no_grad():
        wanted = layer(x, mask=Causal() & Padding(present[:, :13]))
        found = [layer(x[:, :7], mask=Causal() & Padding(present), cache=cache)]
        found += [step(x[:, n : n + 1], cache) for n in range(7, 13)]
    assert len(frames) == 1, len(frames)
    assert (torch.cat(found, 1) - wanted).abs().max() < 1e-12
print("done")
"""


def test_a_compiled_step_is_compiled_once() -> None:
    assert printed(COMPILED) == "done\n"


def test_close_fails_without_the_cache() -> None:
    layer = build("rotary")
    x = torch.randn(BATCH, TOKENS, DIM, dtype=torch.float64)
    with torch.no_grad(), pytest.raises(AssertionError):
        close(torch.cat([layer(x[:, :5], mask=Causal()), layer(x[:, 5:], mask=Causal())], 1), layer(x, mask=Causal()))


@pytest.mark.parametrize("kind", ["growing", "sliding", "preallocated", "static"])
def test_a_call_that_fails_leaves_the_cache_as_it_was(kind: str) -> None:
    layer = build("relative bias")
    x = torch.randn(BATCH, TOKENS, DIM, dtype=torch.float64)
    mask = Causal() & Window(WINDOW - 1, 0)
    caches = {"growing": GrowingCache(), "sliding": SlidingCache(WINDOW), "preallocated": PreallocatedCache(TOKENS)}
    cache = caches.get(kind, static(layer))
    with torch.no_grad():
        found = [layer(x[:, :7], mask=mask, cache=cache)]
        for wrong in ({"mask": torch.ones(3, 4, dtype=torch.bool)}, {"mask": mask, "bias": torch.zeros(3, 4).double()}):
            with pytest.raises(ShapeError):
                layer(x[:, 7:8], **wrong, cache=cache)  # type: ignore[arg-type]
        with pytest.raises(ShapeError):
            layer(x[:1, 7:8], mask=mask, cache=cache)
        assert int(cache.seen) == 7
        found.append(layer(x[:, 7:], mask=mask, cache=cache))
        close(torch.cat(found, 1), layer(x, mask=mask))


def test_a_cache_that_was_reset_knows_nothing() -> None:
    layer = build("plain")
    x = torch.randn(BATCH, 3, DIM, dtype=torch.float64)
    cache = static(layer)
    with torch.no_grad():
        layer(x * math.nan, mask=Causal(), cache=cache)
        cache.reset()
        close(layer(x[:, :2], mask=Causal(), cache=cache), layer(x[:, :2], mask=Causal()))


def test_a_preallocated_cache_holds_so_many_tokens_and_no_gradient() -> None:
    layer = build("plain")
    x = torch.randn(BATCH, 5, DIM, dtype=torch.float64)
    cache = PreallocatedCache(4)
    with torch.no_grad():
        layer(x[:, :3], mask=Causal(), cache=cache)
        with pytest.raises(ShapeError, match="has room for 4 tokens; it holds 3 and got 2 more"):
            layer(x[:, 3:], mask=Causal(), cache=cache)
        _, amap = layer.attend(x[:, 3:4], mask=Causal(), cache=cache)
        cache.reset()
        before = amap.dense()
        layer(-x[:, :3], mask=Causal(), cache=cache)
        close(amap.dense(), before)  # the new text has a room of its own
    with pytest.raises(InputError, match="no gradient can flow through it"):
        layer(x[:, 3:4], mask=Causal(), cache=cache)
    with pytest.raises(InputError, match="length"):
        PreallocatedCache(0)


def test_caches_are_copied_with_their_layer() -> None:
    layer = build("plain")
    x = torch.randn(BATCH, TOKENS, DIM, dtype=torch.float64)
    with torch.no_grad():
        wanted = layer(x, mask=Causal())
        for cache in (GrowingCache(), SlidingCache(TOKENS), PreallocatedCache(TOKENS), static(layer)):
            layer(x[:, :5], mask=Causal(), cache=cache)
            twin, kept = copy.deepcopy((layer, cache))
            close(twin(x[:, 5:], mask=Causal(), cache=kept), wanted[:, 5:])
            close(layer(x[:, 5:], mask=Causal(), cache=cache), wanted[:, 5:])
            assert repr(kept).endswith(f"({TOKENS} tokens seen)")


@pytest.mark.parametrize(
    ("mask", "stop"),
    [
        (Causal() & Documents([0, 0, 0, 0, 1, 1, 1, 1, 2, 0, 0, 2, 2]), 8),  # a later token of the piece looks back
        ((Causal() & Window(2, 0)) | Predicate(lambda b, h, i, j: (i == 11) & (j == 0)), 10),
    ],
)
def test_a_sliding_cache_looks_at_every_new_token(mask: Mask, stop: int) -> None:
    layer, cache = build("plain"), SlidingCache(3)
    x = torch.randn(BATCH, TOKENS, DIM, dtype=torch.float64)
    with torch.no_grad():
        layer(x[:, :stop], mask=Causal(), cache=cache)
        with pytest.raises(InputError, match="lets it see more"):
            layer(x[:, stop:], mask=mask, cache=cache)
        with pytest.raises(InputError, match="lets it see more"):
            layer(x[:, stop:], mask=mask.dense(TOKENS - stop, TOKENS), cache=cache)
        with pytest.raises(ShapeError):  # and not an index that does not exist
            layer(x[:, stop:], mask=Documents([0, 1, 2]), cache=cache)


def test_cross_attention_piece_by_piece_gives_the_positions() -> None:
    layer = build("rotary")
    x, text = (torch.randn(BATCH, n, DIM, dtype=torch.float64) for n in (7, TOKENS))
    with torch.no_grad():
        known = layer.project(text)
        wanted = layer(x, known)
        place = torch.arange(TOKENS - 7, TOKENS)
        found = [layer(x[:, i : i + 1], known, positions=place[i : i + 1]) for i in range(7)]
        close(torch.cat(found, 1), wanted)
        # With x as its own context its keys stand where its tokens do.
        close(layer(x, None, x, positions=place), layer(x, positions=place))
