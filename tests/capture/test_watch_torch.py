"""Maps of PyTorch's own layers, and of modules that call its kernels, against what is worked out by hand."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from torch.nn.functional import scaled_dot_product_attention

import clearhead as ch
from clearhead.errors import StaleMapError
from clearhead.maps.stored import StoredMap

BATCH, HEADS, QUERIES, KEYS, WIDTH = 2, 3, 5, 7, 11


class Plain(nn.Module):
    """Attention written by hand, once by the module's name and once by a name of its own."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, **options)


class ByName(nn.Module):
    def forward(self, q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
        return scaled_dot_product_attention(q, k, v, **options)


def sees(
    module: nn.Module, *args: Any, same_bits: Callable[..., None], **options: Any
) -> tuple[dict[str, ch.AttentionMap], Any]:
    """The maps and the output of one call, which is that of the call unwatched."""
    torch.manual_seed(5)
    plain = module(*args, **options)
    torch.manual_seed(5)
    with ch.watch(module) as capture:
        watched = module(*args, **options)
    same_bits(plain, watched)
    return dict(capture), watched


def triangle(queries: int, keys: int) -> Tensor:
    return torch.ones(queries, keys).tril().bool()


# scaled_dot_product_attention.

SHAPES = {
    "one row of heads": ((HEADS, QUERIES, WIDTH), (HEADS, KEYS, WIDTH)),
    "no batch": ((QUERIES, WIDTH), (KEYS, WIDTH)),
    "usual": ((BATCH, HEADS, QUERIES, WIDTH), (BATCH, HEADS, KEYS, WIDTH)),
    "more queries": ((BATCH, HEADS, KEYS, WIDTH), (BATCH, HEADS, QUERIES, WIDTH)),
    "two batch axes": ((BATCH, 13, HEADS, QUERIES, WIDTH), (BATCH, 13, HEADS, KEYS, WIDTH)),
    "keys for all texts": ((BATCH, HEADS, QUERIES, WIDTH), (1, HEADS, KEYS, WIDTH)),
    "queries for all texts": ((1, HEADS, QUERIES, WIDTH), (BATCH, HEADS, KEYS, WIDTH)),
    "queries for all heads": ((BATCH, 1, QUERIES, WIDTH), (BATCH, HEADS, KEYS, WIDTH)),
    "keys for all heads": ((BATCH, HEADS, QUERIES, WIDTH), (BATCH, 1, KEYS, WIDTH)),
}


@pytest.mark.parametrize("mask", ["none", "bool", "float", "causal", "padding"])
@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
def test_shapes_and_masks(
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    mask: str,
    maps_agree: Callable[..., None],
    same_bits: Callable[..., None],
    reference: Callable[..., Tensor],
) -> None:
    q, k, v = torch.randn(shapes[0]), torch.randn(shapes[1]), torch.randn(shapes[1])
    queries, keys = q.shape[-2], k.shape[-2]
    leading = torch.broadcast_shapes(q.shape[:-2], k.shape[:-2])
    options: dict[str, Any] = {}
    allowed = bias = None
    if mask == "causal":
        options, allowed = {"is_causal": True}, triangle(queries, keys)
    elif mask == "bool":
        allowed = torch.rand(*leading, queries, keys) > 0.4
        allowed[..., 2, :] = False  # a row that may attend to nothing
        options = {"attn_mask": allowed}
    elif mask == "padding":
        allowed = torch.rand(*leading[:-1], *([1] * len(leading[-1:])), 1, keys) > 0.3
        allowed[..., 0] = True
        options = {"attn_mask": allowed}
    elif mask == "float":
        bias = torch.randn(queries, keys)
        bias[:, 1] = -torch.inf
        options = {"attn_mask": bias}
    expected = reference(q, k, allowed=allowed, bias=bias)
    # Leading axes are one batch; tensors of three axes have one head.
    whole = expected.reshape(-1, leading[-1] if len(leading) > 1 else 1, queries, keys)
    maps, _ = sees(Plain(), q, k, v, same_bits=same_bits, **options)
    may = None if allowed is None else allowed.expand(*leading, queries, keys).reshape(whole.shape)
    maps_agree(maps.values(), [whole], [may])


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("value_width", [WIDTH, 13])
def test_grouped_queries(
    causal: bool,
    value_width: int,
    maps_agree: Callable[..., None],
    same_bits: Callable[..., None],
    reference: Callable[..., Tensor],
) -> None:
    q, k = torch.randn(BATCH, 6, QUERIES, WIDTH), torch.randn(BATCH, HEADS, KEYS, WIDTH)
    v = torch.randn(BATCH, HEADS, KEYS, value_width)
    maps, _ = sees(Plain(), q, k, v, same_bits=same_bits, enable_gqa=True, is_causal=causal)
    allowed = triangle(QUERIES, KEYS) if causal else None
    maps_agree(maps.values(), [reference(q, k, allowed=allowed)], [allowed])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_dtypes(dtype: torch.dtype, same_bits: Callable[..., None], reference: Callable[..., Tensor]) -> None:
    """A map is exact for the q and k that it holds, whatever its kernel rounded to."""
    q, k, v = (torch.randn(1, HEADS, 101, WIDTH, dtype=dtype) for _ in range(3))
    maps, _ = sees(Plain(), q, k, v, same_bits=same_bits, is_causal=True)
    exact = torch.promote_types(dtype, torch.float32)
    expected = reference(q.to(exact), k.to(exact), allowed=triangle(101, 101))
    (amap,) = maps.values()
    assert amap.dtype == exact
    assert (amap.dense() - expected).abs().max() < (1e-13 if exact == torch.float64 else 1e-5)
    assert (amap.dense().sum(-1) - 1).abs().max() < 1e-5


def test_a_scale_of_its_own(
    maps_agree: Callable[..., None], same_bits: Callable[..., None], reference: Callable[..., Tensor]
) -> None:
    q, k, v = (torch.randn(BATCH, HEADS, n, WIDTH) for n in (QUERIES, KEYS, KEYS))
    maps, _ = sees(Plain(), q, k, v, same_bits=same_bits, scale=0.7)
    maps_agree(maps.values(), [reference(q, k, scale=0.7)])


@pytest.mark.parametrize("module", [Plain(), ByName()])
def test_a_kernel_imported_by_name(
    module: nn.Module,
    maps_agree: Callable[..., None],
    same_bits: Callable[..., None],
    reference: Callable[..., Tensor],
) -> None:
    before = scaled_dot_product_attention
    q, k, v = (torch.randn(BATCH, HEADS, n, WIDTH) for n in (QUERIES, KEYS, KEYS))
    maps, _ = sees(module, q, k, v, same_bits=same_bits)
    assert list(maps) == [type(module).__name__]
    maps_agree(maps.values(), [reference(q, k)])
    assert scaled_dot_product_attention is before is torch.nn.functional.scaled_dot_product_attention


def test_a_decoding_step_is_kept_as_its_weights(
    maps_agree: Callable[..., None], same_bits: Callable[..., None], reference: Callable[..., Tensor]
) -> None:
    q, k, v = (torch.randn(BATCH, HEADS, n, WIDTH) for n in (1, KEYS, KEYS))
    expected = reference(q, k)
    maps, _ = sees(Plain(), q, k, v, same_bits=same_bits)
    k.zero_()  # the cache is written over
    (amap,) = maps.values()
    assert isinstance(amap, StoredMap)
    maps_agree([amap], [expected])


def test_a_cache_written_in_place_does_not_change_a_map(
    maps_agree: Callable[..., None], same_bits: Callable[..., None], reference: Callable[..., Tensor]
) -> None:
    q, cache = torch.randn(BATCH, HEADS, QUERIES, WIDTH), torch.zeros(BATCH, HEADS, KEYS, WIDTH)
    cache[:, :, :QUERIES] = torch.randn(BATCH, HEADS, QUERIES, WIDTH)
    allowed = triangle(QUERIES, KEYS)
    expected = reference(q, cache, allowed=allowed)
    maps, _ = sees(Plain(), q, cache, cache, same_bits=same_bits, attn_mask=allowed)
    cache.normal_()
    maps_agree(maps.values(), [expected], [allowed])


def test_a_map_whose_tensors_changed_says_so() -> None:
    q, k, v = (torch.randn(BATCH, HEADS, n, WIDTH) for n in (QUERIES, KEYS, KEYS))
    module = Plain()
    with ch.watch(module) as capture:
        module(q, k, v)
    q.zero_()
    with pytest.raises(StaleMapError, match="changed in place"):
        capture["Plain"].dense()


@pytest.mark.parametrize("inference", [False, True])
def test_one_mask_tensor_that_changes_between_calls(
    inference: bool, maps_agree: Callable[..., None], reference: Callable[..., Tensor]
) -> None:
    """A mask is read once for all layers, but not when it was written into in between."""
    module = Plain()
    with torch.inference_mode(inference):
        q, k, v = (torch.randn(BATCH, HEADS, n, WIDTH) for n in (QUERIES, KEYS, KEYS))
        mask, expected, allowed = torch.ones(QUERIES, KEYS, dtype=torch.bool), [], []
        with ch.watch(module) as capture:
            for n in range(3):
                mask[:, 2 * n] = False
                allowed.append(mask.clone())
                expected.append(reference(q, k, allowed=mask))
                module(q, k, v, attn_mask=mask)
    maps_agree(capture.values(), expected, allowed)


def test_texts_of_different_lengths(
    same_bits: Callable[..., None], maps_agree: Callable[..., None], reference: Callable[..., Tensor]
) -> None:
    """Nested tensors: what is not there attends to nothing."""
    lengths = (QUERIES, KEYS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch calls nested tensors a prototype
        texts = [torch.randn(n, HEADS, WIDTH) for n in lengths]
        q = torch.nested.nested_tensor(texts, layout=torch.jagged).transpose(1, 2)
        module = Plain()
        plain = module(q, q, q)
        with ch.watch(module) as capture:
            watched = module(q, q, q)
    same_bits(list(plain.unbind()), list(watched.unbind()))
    expected, allowed = torch.zeros(2, HEADS, KEYS, KEYS), torch.zeros(2, 1, KEYS, KEYS, dtype=torch.bool)
    for number, (n, text) in enumerate(zip(lengths, texts, strict=True)):
        expected[number, :, :n, :n] = reference(text.transpose(0, 1), text.transpose(0, 1))
        allowed[number, :, :n, :n] = True
    maps_agree(capture.values(), [expected], [allowed])


# torch.nn.MultiheadAttention.

DIM, MHA_HEADS = 12, 4


def _mha_masks(name: str) -> dict[str, Tensor]:
    pad = torch.zeros(BATCH, KEYS, dtype=torch.bool)
    pad[1, 5:] = True
    square = torch.ones(KEYS, KEYS).triu(1).bool()
    each = torch.rand(BATCH * MHA_HEADS, KEYS, KEYS) > 0.6
    each[..., 0] = False  # every query keeps a key, so that no weight is NaN
    found: dict[str, dict[str, Tensor]] = {
        "none": {},
        "padding": {"key_padding_mask": pad},
        "square": {"attn_mask": square},
        "square float": {"attn_mask": torch.randn(KEYS, KEYS)},
        "each head": {"attn_mask": each},
        "each head float": {"attn_mask": torch.randn(BATCH * MHA_HEADS, KEYS, KEYS)},
        "both": {"attn_mask": square, "key_padding_mask": pad},
        "both, each head": {"attn_mask": each, "key_padding_mask": pad},
        "padding float": {"key_padding_mask": torch.randn(BATCH, KEYS)},
    }
    return found[name]


MHA_MASKS = (
    "none",
    "padding",
    "square",
    "square float",
    "each head",
    "each head float",
    "both",
    "both, each head",
    "padding float",
)


@pytest.mark.parametrize("grad", [False, True], ids=["fast path", "with gradients"])
@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("name", MHA_MASKS)
def test_multihead_attention(
    name: str, need_weights: bool, grad: bool, maps_agree: Callable[..., None], same_bits: Callable[..., None]
) -> None:
    layer = nn.MultiheadAttention(DIM, MHA_HEADS, batch_first=True).eval()
    x, masks = torch.randn(BATCH, KEYS, DIM), _mha_masks(name)
    with torch.set_grad_enabled(grad):
        # Weights come out of the layer itself, by the path without shortcuts.
        with torch.enable_grad():
            expected = layer(x, x, x, average_attn_weights=False, **masks)[1].detach()
        maps, _ = sees(layer, x, x, x, need_weights=need_weights, same_bits=same_bits, **masks)
    assert list(maps) == ["MultiheadAttention"]
    allowed = (expected > 0) if all(m.dtype == torch.bool for m in masks.values()) else None
    # Where scaled_dot_product_attention computes it, the output is there to compare with. The fast path is not for
    # floating-point masks.
    seen = not need_weights and (grad or allowed is None)
    maps_agree(maps.values(), [expected], [allowed], output=seen)


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_multihead_attention_with_more_keys(
    need_weights: bool, padded: bool, maps_agree: Callable[..., None], same_bits: Callable[..., None]
) -> None:
    """A learned key and a key of zeros come after the others, and every query may attend to them."""
    layer = nn.MultiheadAttention(DIM, MHA_HEADS, batch_first=True, add_bias_kv=True, add_zero_attn=True).eval()
    x = torch.randn(BATCH, KEYS, DIM)
    masks = _mha_masks("both") if padded else {}
    expected = layer(x, x, x, average_attn_weights=False, **masks)[1].detach()
    maps, _ = sees(layer, x, x, x, need_weights=need_weights, same_bits=same_bits, **masks)
    assert expected.shape[-1] == KEYS + 2
    maps_agree(maps.values(), [expected], [expected > 0], output=not need_weights)


@pytest.mark.parametrize("need_weights", [False, True])
def test_multihead_attention_over_other_keys(
    need_weights: bool, maps_agree: Callable[..., None], same_bits: Callable[..., None]
) -> None:
    """Keys and values of their own widths, and tokens before texts."""
    layer = nn.MultiheadAttention(DIM, MHA_HEADS, kdim=5, vdim=13).eval()
    q, k, v = torch.randn(3, BATCH, DIM), torch.randn(KEYS, BATCH, 5), torch.randn(KEYS, BATCH, 13)
    expected = layer(q, k, v, average_attn_weights=False)[1].detach()
    maps, _ = sees(layer, q, k, v, need_weights=need_weights, same_bits=same_bits)
    maps_agree(maps.values(), [expected], output=not need_weights)


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("name", ["none", "padding", "each head"])
def test_multihead_attention_of_one_text(
    name: str, need_weights: bool, maps_agree: Callable[..., None], same_bits: Callable[..., None]
) -> None:
    layer = nn.MultiheadAttention(DIM, MHA_HEADS).eval()
    x, masks = torch.randn(KEYS, DIM), _mha_masks(name)
    if name == "padding":
        masks = {"key_padding_mask": masks["key_padding_mask"][1]}
    elif name == "each head":
        masks = {"attn_mask": masks["attn_mask"][:MHA_HEADS]}
    expected = layer(x, x, x, average_attn_weights=False, **masks)[1].detach()[None]
    maps, _ = sees(layer, x, x, x, need_weights=need_weights, same_bits=same_bits, **masks)
    maps_agree(maps.values(), [expected], [expected > 0], output=not need_weights)


@pytest.mark.parametrize("need_weights", [False, True])
def test_multihead_attention_told_to_be_causal(
    need_weights: bool, maps_agree: Callable[..., None], same_bits: Callable[..., None]
) -> None:
    layer = nn.MultiheadAttention(DIM, MHA_HEADS, batch_first=True).eval()
    x, masks = torch.randn(BATCH, KEYS, DIM), _mha_masks("square")
    expected = layer(x, x, x, average_attn_weights=False, **masks)[1].detach()
    maps, _ = sees(layer, x, x, x, need_weights=need_weights, is_causal=True, same_bits=same_bits, **masks)
    maps_agree(maps.values(), [expected], [triangle(KEYS, KEYS)], output=not need_weights)


def test_a_row_without_keys_is_zero_not_nan(same_bits: Callable[..., None]) -> None:
    layer = nn.MultiheadAttention(DIM, MHA_HEADS, batch_first=True).eval()
    x, mask = torch.randn(BATCH, KEYS, DIM), torch.zeros(KEYS, KEYS, dtype=torch.bool)
    mask[3] = True
    maps, (_, weights) = sees(layer, x, x, x, attn_mask=mask, same_bits=same_bits)
    (amap,) = maps.values()
    assert weights[:, 3].isnan().all()
    assert not amap.dense()[:, :, 3].any()
    assert not amap.dense().isnan().any()


def test_weights_are_those_before_dropout(maps_agree: Callable[..., None], same_bits: Callable[..., None]) -> None:
    layer = nn.MultiheadAttention(DIM, MHA_HEADS, dropout=0.5, batch_first=True)
    x = torch.randn(BATCH, KEYS, DIM)
    expected = layer.eval()(x, x, x, average_attn_weights=False)[1].detach()
    layer.train()
    for need_weights in (False, True):
        maps, _ = sees(layer, x, x, x, need_weights=need_weights, same_bits=same_bits)
        maps_agree(maps.values(), [expected], output=False)


# Stacks.


@pytest.fixture
def stack(request: pytest.FixtureRequest) -> nn.TransformerEncoder:
    norm_first = getattr(request, "param", False)
    layer = nn.TransformerEncoderLayer(DIM, MHA_HEADS, 13, batch_first=True, norm_first=norm_first)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=not norm_first).eval()


@pytest.mark.parametrize("stack", [False, True], indirect=True, ids=["norm after", "norm first"])
@pytest.mark.parametrize("name", ["none", "padding", "square", "both"])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
# PyTorch makes nested tensors of padded texts on its fast path, and calls them a prototype.
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_encoder(
    stack: nn.TransformerEncoder,
    name: str,
    mode: Callable[[], Any],
    maps_agree: Callable[..., None],
    same_bits: Callable[..., None],
) -> None:
    """The fast path shows the maps of the path without shortcuts."""
    names = {"key_padding_mask": "src_key_padding_mask", "attn_mask": "mask"}
    masks = {names[key]: mask for key, mask in _mha_masks(name).items()}
    x = torch.randn(BATCH, KEYS, DIM)
    with ch.watch(stack) as capture:  # with gradients: no fast path
        stack(x, **masks)
    slow = dict(capture)
    with mode():
        fast, _ = sees(stack, x, same_bits=same_bits, **masks)
    assert list(fast) == list(slow) == ["layers.0.self_attn", "layers.1.self_attn"]
    expected = [amap.dense() for amap in slow.values()]
    maps_agree(slow.values(), expected, [weights > 0 for weights in expected])
    nested = stack.use_nested_tensor and name == "padding"
    there = torch.ones(BATCH, KEYS, dtype=torch.bool)
    if nested:  # no row is computed for padding
        there = ~masks["src_key_padding_mask"]
        assert not next(iter(fast.values())).dense()[1, :, 5:].any()
    allowed = [(weights > 0) & there[:, None, :, None] for weights in expected]
    maps_agree(fast.values(), expected, allowed, output=False)


def test_the_fast_path_is_taken_while_watched(stack: nn.TransformerEncoder) -> None:
    called = []
    original = torch._transformer_encoder_layer_fwd

    def counted(*args: Any) -> Tensor:
        called.append(len(args))
        return original(*args)

    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(torch, "_transformer_encoder_layer_fwd", counted)
        with ch.watch(stack):
            stack(torch.randn(BATCH, KEYS, DIM))
    assert len(called) == 2


def test_one_encoder_layer_has_one_name(stack: nn.TransformerEncoder) -> None:
    layer, x = stack.layers[0], torch.randn(BATCH, KEYS, DIM)
    for grad in (False, True):
        with torch.set_grad_enabled(grad), ch.watch(layer) as capture:
            layer(x)
        assert list(capture) == ["self_attn"]


def test_encoder_weights_by_hand(
    stack: nn.TransformerEncoder, maps_agree: Callable[..., None], reference: Callable[..., Tensor]
) -> None:
    x = torch.randn(BATCH, KEYS, DIM)
    with torch.no_grad(), ch.watch(stack) as capture:
        stack(x)
    attention = stack.layers[0].self_attn
    projected = x @ attention.in_proj_weight.T + attention.in_proj_bias
    q, k, _ = (part.unflatten(-1, (MHA_HEADS, -1)).transpose(1, 2) for part in projected.detach().split(DIM, -1))
    maps_agree([capture["layers.0.self_attn"]], [reference(q, k)], output=False)


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad])
def test_decoder(mode: Callable[[], Any], maps_agree: Callable[..., None], same_bits: Callable[..., None]) -> None:
    layer = nn.TransformerDecoderLayer(DIM, MHA_HEADS, 13, batch_first=True)
    stack = nn.TransformerDecoder(layer, 2).eval()
    targets, memory = torch.randn(BATCH, QUERIES, DIM), torch.randn(BATCH, KEYS, DIM)
    pad = _mha_masks("padding")["key_padding_mask"]
    mask = nn.Transformer.generate_square_subsequent_mask(QUERIES)
    with mode():
        maps, _ = sees(stack, targets, memory, tgt_mask=mask, memory_key_padding_mask=pad, same_bits=same_bits)
    assert list(maps) == [f"layers.{n}.{part}" for n in range(2) for part in ("self_attn", "multihead_attn")]
    first = stack.layers[0]
    with torch.enable_grad():
        own = first.self_attn(targets, targets, targets, attn_mask=mask, average_attn_weights=False)
        middle = first.norm1(targets + own[0])
        cross = first.multihead_attn(middle, memory, memory, key_padding_mask=pad, average_attn_weights=False)
    shown = [maps["layers.0.self_attn"], maps["layers.0.multihead_attn"]]
    allowed = [triangle(QUERIES, QUERIES), (~pad)[:, None, None]]
    for amap in maps.values():
        assert amap.check().ok()
    for amap, weights, may in zip(shown, (own[1], cross[1]), allowed, strict=True):
        output = amap.check().output is not None
        maps_agree([amap], [weights.detach()], [may], output=output)


# flex_attention.


class Flexible(nn.Module):
    def forward(self, q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Any:
        return flex_attention(q, k, v, **options)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile:UserWarning")  # to be quick
@pytest.mark.parametrize("kind", ["plain", "causal", "odd", "modified", "grouped", "keys for all texts"])
def test_flex_attention(
    kind: str, maps_agree: Callable[..., None], same_bits: Callable[..., None], reference: Callable[..., Tensor]
) -> None:
    q, k, v = (torch.randn(BATCH, HEADS, KEYS, WIDTH) for _ in range(3))
    options: dict[str, Any] = {}
    allowed = bias = None
    place = torch.arange(KEYS)
    if kind == "causal":
        options["block_mask"] = create_block_mask(lambda _b, _h, i, j: i >= j, None, None, KEYS, KEYS, device="cpu")
        allowed = triangle(KEYS, KEYS)
    elif kind == "odd":  # several runs of keys a row
        options["block_mask"] = create_block_mask(
            lambda _b, _h, i, j: (i + j) % 2 == 0, None, None, KEYS, KEYS, device="cpu"
        )
        allowed = (place[:, None] + place) % 2 == 0
    elif kind == "modified":
        options["score_mod"] = lambda score, _b, h, i, j: score - 0.5 * (h + 1) * (i - j).abs()
        bias = -0.5 * torch.arange(1, HEADS + 1)[:, None, None] * (place[:, None] - place).abs()
    elif kind == "grouped":
        k, v = (torch.randn(BATCH, 1, KEYS, WIDTH) for _ in range(2))
        options["enable_gqa"] = True
    elif kind == "keys for all texts":
        k, v = (torch.randn(1, HEADS, KEYS, WIDTH) for _ in range(2))
        options["block_mask"] = create_block_mask(lambda b, _h, i, j: i - j < b + 1, BATCH, None, KEYS, KEYS, "cpu")
        allowed = place[:, None] - place < torch.arange(1, BATCH + 1).view(BATCH, 1, 1, 1)
    maps, _ = sees(Flexible(), q, k, v, same_bits=same_bits, **options)
    expected = reference(q, k, allowed=allowed, bias=bias)
    maps_agree(maps.values(), [expected], [allowed])


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile:UserWarning")  # to be quick
def test_a_block_mask_is_read_as_it_was(maps_agree: Callable[..., None], reference: Callable[..., Tensor]) -> None:
    """What its function closes over may be written over by the next step."""
    q, k, v = (torch.randn(BATCH, HEADS, KEYS, WIDTH) for _ in range(3))
    group = torch.tensor([0, 1, 0, 1, 0, 1, 0])
    allowed = group[:, None] == group
    mask = create_block_mask(lambda _b, _h, i, j: group[i] == group[j], None, None, KEYS, KEYS, device="cpu")
    module = Flexible()
    with ch.watch(module) as capture:
        module(q, k, v, block_mask=mask)
    group.zero_()
    maps_agree(capture.values(), [reference(q, k, allowed=allowed)], [allowed])
