"""One new token of each text through a decoder, by as few operations as there are.

A token reads every weight once, so the memory's speed is the limit. Two things keep the plain forward pass from it: a
product of a few rows with a matrix, which PyTorch's own kernel does at half that speed for one row and at a quarter for
eight; and the calls of modules, with all that they check, which take as long as the products. Here the weights are
packed once more in oneDNN's own layout (through operators that PyTorch uses itself where a compiler froze a model), q,
k and v in one matrix, and what happens between the products is written out. It is the forward pass of
``transformer.py`` for one token, and gives the same numbers but for the order of sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from clearhead.layers import FeedForward, KeyValues, MultiHeadAttention, PreallocatedCache
from clearhead.mechanisms.normalizers import Softmax, as_normalizer
from clearhead.models.heads import LanguageModel, Sequence2Sequence
from clearhead.models.transformer import Block, Decoder, Embedding
from clearhead.positions import RelativeBias, Rotary
from clearhead.positions.rotary import turn

__all__ = ["Stepper", "stepper_for"]

Map = Callable[..., Tensor]
"""A linear map: of x, or of x and what is added to the result."""


_known: WeakKeyDictionary[nn.Module, Stepper] = WeakKeyDictionary()


def stepper_for(network: LanguageModel | Sequence2Sequence) -> Stepper | None:
    """What steps this network, if all its parts are of the kinds that are written out here.

    It is made once, if there is memory for the copy of the weights that it has, and made anew when they have changed.
    """
    if not _is_plain(network):
        return None
    stepper = _known.get(network)
    if stepper is None or not stepper.is_current:
        _known.pop(network, None)
        if 2 * sum(x.nbytes for x in network.parameters()) > _available_memory():
            return None
        stepper = _known[network] = Stepper(network)
    return stepper if stepper.may_run else None


class Stepper:
    """A network's forward pass for one token of each text, with the keys and values of those before in caches."""

    def __init__(self, network: LanguageModel | Sequence2Sequence) -> None:
        decoder = network.decoder
        self._decoder = decoder
        # What is looked at before every token is laid flat, so that looking takes no time.
        self._modules = list(network.modules())
        self._weights = list(network.parameters())
        self._tables = [table for x in self._modules for table in (x._modules, x._parameters)]
        self._hooks = [hooks for x in self._modules for hooks in (x._forward_hooks, x._forward_pre_hooks)]
        self._identities, self._versions = self._seen()
        self._sums = self._summed()
        self._blocks = [_Block(block) for block in decoder.blocks if isinstance(block, Block)]
        self._norm = decoder.norm if decoder.norm is None else _norm(decoder.norm)
        self._logits = _map([network.head or decoder.embedding.tokens])
        self._scale = network.scale if isinstance(network, Sequence2Sequence) else 1.0

    @property
    def may_run(self) -> bool:
        """Whether nobody waits for the calls of modules (hooks, a watch), and no part or weight is another one."""
        if nn.modules.module._has_any_global_hook() or torch.is_autocast_enabled("cpu"):
            return False
        if any(self._hooks) or any(x.training or "forward" in x.__dict__ for x in self._modules):
            return False
        return (self._identities, self._versions) == self._seen()

    def _seen(self) -> tuple[list[int], list[int]]:
        """Which parts and weights there are, and how often these were changed."""
        identities = [id(x) for table in self._tables for x in table.values()]
        return identities, [x._version for x in self._weights if not x.is_inference()]

    @property
    def is_current(self) -> bool:
        """Whether the weights are those that were laid out; fused optimizers and ``.data`` change them unseen."""
        return self.may_run and all(torch.equal(x, y) for x, y in zip(self._sums, self._summed(), strict=True))

    def _summed(self) -> list[Tensor]:
        """The sums of all weights' rows, which are read as fast as memory gives them."""
        with torch.no_grad():
            return [x.sum(-1) for x in self._weights]

    def __call__(
        self,
        ids: Tensor,
        caches: Sequence[PreallocatedCache],
        *,
        there: Tensor | None = None,
        known: Sequence[KeyValues] | None = None,
        context_there: Tensor | None = None,
    ) -> Tensor:
        """The logits ``(batch, vocabulary)`` of the next token.

        Args:
            ids: The newest tokens, ``(batch, 1)``.
            caches: Of each block.
            there: Which of all tokens so far there are, ``(batch, tokens)``.
            known: What the cross-attention of each block attends to.
            context_there: Which of its tokens there are.

        """
        decoder, seen = self._decoder, caches[0].seen
        positions = torch.full((1,), seen, device=ids.device) if there is None else there.sum(-1, keepdim=True) - 1
        x = decoder.embedding(ids, positions)
        added = _added(there, x)
        if decoder.bias is not None:
            place = torch.arange(seen + 1, device=x.device)
            tile = decoder.bias.tile(place[-1:], place).to(x.dtype)
            added = tile if added is None else tile + added
        context_added = _added(context_there, x)
        turned: dict[Rotary, tuple[Tensor, Tensor]] = {}
        for number, block in enumerate(self._blocks):
            x = block(
                x, caches[number], added, positions, turned, None if known is None else known[number], context_added
            )
        if self._norm is not None:
            x = self._norm(x)
        return self._logits(x if self._scale == 1.0 else x * self._scale)[:, -1]


def _added(there: Tensor | None, x: Tensor) -> Tensor | None:
    """0 for tokens that there are, −inf for others."""
    if there is None:
        return None
    return torch.zeros(there.shape, dtype=x.dtype, device=x.device).masked_fill(~there, -math.inf)[:, None, None]


class _Block:
    """A block, for one token."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._attention = _Attention(block.attention)
        self._cross = None if block.cross_attention is None else _Attention(block.cross_attention, across=True)
        feed_forward = block.feed_forward
        assert isinstance(feed_forward, FeedForward)
        self._feed = feed_forward
        gate = [] if feed_forward.gate is None else [feed_forward.gate]
        self._up, self._down = _map([*gate, feed_forward.up]), _map([feed_forward.down])
        cross = block.cross_attention_norm
        self._norms = (
            _norm(block.attention_norm),
            None if cross is None else _norm(cross),
            _norm(block.feed_forward_norm),
        )

    def __call__(
        self,
        x: Tensor,
        cache: PreallocatedCache,
        added: Tensor | None,
        positions: Tensor,
        turned: dict[Rotary, tuple[Tensor, Tensor]],
        known: KeyValues | None,
        context_added: Tensor | None,
    ) -> Tensor:
        first, second, third = self._norms
        attention, cross = self._attention, self._cross
        if self._block.norm_first:
            x = attention(first(x), cache, added, positions, turned, x)
            if cross is not None and known is not None and second is not None:
                x = cross.across(second(x), known, context_added, x)
            return self._feed_forward(third(x), x)
        x = first(attention(x, cache, added, positions, turned, x))
        if cross is not None and known is not None and second is not None:
            x = second(cross.across(x, known, context_added, x))
        found: Tensor = third(self._feed_forward(x, x))
        return found

    def _feed_forward(self, x: Tensor, residual: Tensor) -> Tensor:
        hidden = self._up(x)
        if self._feed.gate is not None:
            gate, hidden = hidden.chunk(2, -1)
            hidden = self._feed.activation(gate) * hidden
        else:
            hidden = self._feed.activation(hidden)
        return self._down(hidden, residual)


class _Attention:
    """An attention layer, for one token."""

    def __init__(self, layer: MultiHeadAttention, *, across: bool = False) -> None:
        self._layer = layer
        self._heads, self._kv_heads, self._width = layer.heads, layer.kv_heads, layer.head_dim
        self._project = _map([layer.query] if across else [layer.query, layer.key, layer.value])
        self._output = _map([layer.output])

    def __call__(
        self,
        x: Tensor,
        cache: PreallocatedCache,
        added: Tensor | None,
        positions: Tensor,
        turned: dict[Rotary, tuple[Tensor, Tensor]],
        residual: Tensor,
    ) -> Tensor:
        batch, heads, kv_heads = len(x), self._heads, self._kv_heads
        heads_of_all = self._project(x).view(batch, heads + 2 * kv_heads, 1, self._width)
        both, v = heads_of_all.split_with_sizes([heads + kv_heads, kv_heads], 1)
        position = self._layer.position
        if isinstance(position, Rotary):
            if position not in turned:
                cosine, sine = position.cosine_sine(positions, self._width, dtype=x.dtype)
                if positions.dim() == 2:
                    cosine, sine = cosine[:, None], sine[:, None]
                turned[position] = cosine, sine
            both = turn(both, *turned[position], pairing=position.pairing)
        q, k = both.split_with_sizes([heads, kv_heads], 1)
        found = cache.extend(k, v)
        cache.advance(found, 1)
        return self._attend(q, found.k, found.v, added, residual)

    def across(self, x: Tensor, known: KeyValues, added: Tensor | None, residual: Tensor) -> Tensor:
        """Attention to what is known of another text."""
        q = self._project(x).view(len(x), self._heads, 1, self._width)
        return self._attend(q, known.k, known.v, added, residual)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, added: Tensor | None, residual: Tensor) -> Tensor:
        groups = self._heads // self._kv_heads
        if groups > 1:  # heads that share keys are rows of one product
            q = q.view(len(q), self._kv_heads, groups, self._width)
            if added is not None and added.shape[1] > 1:
                added = added.view(len(added), self._kv_heads, groups, -1)
        output = scaled_dot_product_attention(q, k, v, added, scale=self._layer.scale)
        return self._output(output.reshape(len(q), 1, -1), residual)


def _norm(layer: nn.Module) -> Map:
    """A norm, without the call of a module where it is one of PyTorch's."""
    if type(layer) is nn.LayerNorm:
        return lambda x: torch.layer_norm(x, layer.normalized_shape, layer.weight, layer.bias, layer.eps)
    if type(layer) is nn.RMSNorm:
        return lambda x: torch.rms_norm(x, layer.normalized_shape, layer.weight, layer.eps)
    return layer


def _map(layers: Sequence[nn.Linear | nn.Embedding]) -> Map:
    """The linear maps of one input as one, packed where that can be done."""
    weights = [layer.weight.detach() for layer in layers]
    biases = [layer.bias.detach() for layer in layers if isinstance(layer, nn.Linear) and layer.bias is not None]
    weight = weights[0] if len(weights) == 1 else torch.cat(weights)
    bias = torch.cat(biases) if len(biases) > 1 else biases[0] if biases else None
    if _can_pack(weight):
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, None)
        plain, binary = torch.ops.mkldnn._linear_pointwise.default, torch.ops.mkldnn._linear_pointwise.binary

        def fast(x: Tensor, residual: Tensor | None = None) -> Tensor:
            if residual is None:
                found: Tensor = plain(x, packed, bias, "none", [], "")
            else:
                found = binary(x, residual, packed, bias, "add")
            return found

        return fast

    def slow(x: Tensor, residual: Tensor | None = None) -> Tensor:
        found: Tensor = linear(x, weight, bias)
        return found if residual is None else residual + found

    return slow


def _available_memory() -> float:
    """Bytes, where the system says; the weights are packed one by one, but the system should not have to swap."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return math.inf
    return next((int(line.split()[1]) * 1024.0 for line in lines if line.startswith("MemAvailable")), math.inf)


def _can_pack(weight: Tensor) -> bool:
    """Whether there are the operators, and the weights are what they take."""
    if weight.dtype != torch.float32 or weight.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return False
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")


def _is_plain(network: LanguageModel | Sequence2Sequence) -> bool:
    """Whether every part is of a kind that is written out above, not of one derived from it, and nothing is hooked."""
    decoder, head = network.decoder, network.head
    if type(network) not in (LanguageModel, Sequence2Sequence) or type(decoder) is not Decoder:
        return False
    if decoder.training or type(decoder.embedding) is not Embedding:
        return False
    if type(decoder.embedding.tokens) is not nn.Embedding or not (head is None or type(head) is nn.Linear):
        return False
    if not (decoder.bias is None or isinstance(decoder.bias, RelativeBias)):
        return False
    return all(isinstance(block, Block) and _is_plain_block(block) for block in decoder.blocks)


def _is_plain_block(block: Block) -> bool:
    feed_forward = block.feed_forward
    if type(block) is not Block or type(feed_forward) is not FeedForward:
        return False
    maps: list[Any] = [feed_forward.up, feed_forward.down, feed_forward.gate or feed_forward.up]
    for layer in (block.attention, block.cross_attention):
        if layer is None:
            continue
        if type(layer) is not MultiHeadAttention or not _is_plain_attention(layer):
            return False
        maps += [layer.query, layer.key, layer.value, layer.output]
    return all(type(x) is nn.Linear for x in maps)


def _is_plain_attention(layer: MultiHeadAttention) -> bool:
    norms = layer.query_norm is None and layer.key_norm is None
    parts = not len(layer.extra_keys) and layer.sinks is None and layer.softcap is None
    widths = layer.value_head_dim == layer.head_dim and not layer.shared_projection
    biases = len({x.bias is None for x in (layer.query, layer.key, layer.value)}) == 1
    known = layer.position is None or isinstance(layer.position, Rotary)
    return norms and parts and widths and biases and known and type(as_normalizer(layer.normalizer)) is Softmax
