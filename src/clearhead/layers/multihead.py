"""Multi-head attention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast
from weakref import ref

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clearhead.errors import InputError, ShapeError
from clearhead.layers.cache import Cache, Cached
from clearhead.layers.checks import check_heads, check_input, nearest_divisors
from clearhead.layers.extra_keys import LearnedKey
from clearhead.layers.placing import Place
from clearhead.maps.attend import attend
from clearhead.maps.base import AttentionMap
from clearhead.masks import Mask
from clearhead.mechanisms.attention import attention
from clearhead.mechanisms.explain import Explanation, explain
from clearhead.mechanisms.normalizers import Normalizer, as_normalizer
from clearhead.mechanisms.request import check_settings
from clearhead.positions import Bias, Rotary
from clearhead.shapes import Keys, Queries, whole_number

__all__ = ["KeyValues", "MultiHeadAttention"]


class KeyValues(NamedTuple):
    """The keys and values of a text, from :meth:`MultiHeadAttention.project`: cross-attention computes them once."""

    k: Keys
    v: Float[Tensor, "batch kv_heads keys value_dim"]


class MultiHeadAttention(nn.Module):
    """Several attentions side by side, each with its own projections of the input.

    ``head_h = Attention(x·Wq_h, c·Wk_h, c·Wv_h)`` and ``output = Concat(head_1 … head_h)·Wo``, where c is x in
    self-attention and another text in cross-attention (Vaswani et al. 2017, arXiv:1706.03762). Heads are numbered
    from 0, as in the ``L3H1`` of :func:`clearhead.watch`: head h has the rows ``h·head_dim … (h + 1)·head_dim`` of
    ``query.weight`` and is ``[:, h]`` of the map.

    Dropout is active in training only. A query that may attend to nothing gets 0 from every head, so the bias of the
    output projection.

    Args:
        dim: Width of x.
        heads: How many heads.
        kv_heads: How many heads k and v have; it divides heads, and query head h uses ``h // (heads // kv_heads)``
            (Ainslie et al. 2023, arXiv:2305.13245). heads if it is not given; 1 is multi-query attention.
        head_dim: Width of a query and key; dim / heads if it is not given.
        value_head_dim: Width of a value; head_dim if it is not given.
        key_input_dim: Width of the text that gives the keys; dim if it is not given.
        value_input_dim: Width of the text that gives the values; key_input_dim if it is not given.
        output_dim: Width of the output; dim if it is not given.
        bias: Whether the projections to q, k and v add a bias.
        output_bias: Whether the output projection does; as ``bias`` if it is not given.
        position: How the layer knows where tokens stand: :class:`~clearhead.positions.Rotary` turns q and k, a
            :class:`~clearhead.positions.Bias` such as ALiBi or RelativeBias is added to the scores.
        qk_norm: What normalises each head's q and k before they are turned: a module for q and one for k, or what
            makes one from head_dim, such as ``torch.nn.RMSNorm`` (Henry et al. 2020, arXiv:2010.04245).
        extra_keys: Parts that each append a key and value to those of the tokens, such as
            :class:`~clearhead.layers.LearnedKey`. Every query may attend to them; they are the map's last columns. Mask
            and bias are then written out whole, queries × keys, as they are with a :class:`StaticCache`, and with a
            bias in the call beside one of ``position``: see :meth:`explain`.
        shared_projection: All heads share one projection each for q, k and v: the input is cut into as many pieces as
            there are heads, and each piece goes through the same matrix, head_dim × (dim / heads) (the texts' first
            layer).
        sinks: Whether each head has one more trained logit that takes part in the softmax and nowhere else (gpt-oss).
        softcap: Bounds scores to ±softcap (Gemma 2, arXiv:2408.00118).
        scale: Factor of q·k; 1/√head_dim if it is not given.
        normalizer: From scores to weights; see :func:`clearhead.attention`.
        dropout: Share of weights that training drops.
        device: Where the parameters are.
        dtype: What they are.

    Attributes:
        query: ``nn.Linear(dim, heads · head_dim)``.
        key: ``nn.Linear(key_input_dim, kv_heads · head_dim)``.
        value: ``nn.Linear(value_input_dim, kv_heads · value_head_dim)``.
        output: ``nn.Linear(heads · value_head_dim, output_dim)``.

    Raises:
        ShapeError: Heads that do not divide what they have to, or a part for another number of heads.
        InputError: A part of the wrong kind.

    Example:
        >>> import torch, clearhead as ch
        >>> layer = MultiHeadAttention(8, 2, position=ch.Rotary())
        >>> x = torch.randn(1, 5, 8)
        >>> layer(x, mask=ch.Causal()).shape
        torch.Size([1, 5, 8])
        >>> output, amap = layer.attend(x, mask=ch.Causal())
        >>> amap.shape, amap[0, 1, 0].tolist()  # head 1: the first token has only itself to attend to
        ((1, 2, 5, 5), [1.0, 0.0, 0.0, 0.0, 0.0])

    """

    def __init__(
        self,
        dim: int,
        heads: int,
        *,
        kv_heads: int | None = None,
        head_dim: int | None = None,
        value_head_dim: int | None = None,
        key_input_dim: int | None = None,
        value_input_dim: int | None = None,
        output_dim: int | None = None,
        bias: bool = True,
        output_bias: bool | None = None,
        position: Rotary | Bias | None = None,
        qk_norm: Callable[[int], nn.Module] | tuple[nn.Module, nn.Module] | None = None,
        extra_keys: Sequence[nn.Module] = (),
        shared_projection: bool = False,
        sinks: bool = False,
        softcap: float | None = None,
        scale: float | None = None,
        normalizer: str | Normalizer = "softmax",
        dropout: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.dim, self.heads = whole_number("dim", dim), whole_number("heads", heads)
        self.kv_heads, self.head_dim = check_heads(dim, heads, kv_heads, head_dim, cuts_input=shared_projection)
        self.value_head_dim = self.head_dim if value_head_dim is None else value_head_dim
        self.key_input_dim = dim if key_input_dim is None else key_input_dim
        self.value_input_dim = self.key_input_dim if value_input_dim is None else value_input_dim
        self.output_dim = dim if output_dim is None else output_dim
        for name in ("value_head_dim", "key_input_dim", "value_input_dim", "output_dim"):
            whole_number(name, getattr(self, name))
        check_settings(scale=scale, softcap=softcap, dropout=dropout)
        as_normalizer(normalizer)
        self.softcap, self.scale, self.normalizer, self.dropout = softcap, scale, normalizer, dropout
        self.shared_projection = shared_projection
        self.position = self._checked(position)
        self.query_norm, self.key_norm = _norms(qk_norm, self.head_dim, device, dtype)
        self.extra_keys = nn.ModuleList(self._checked_extra(extra_keys))

        def projection(name: str, inputs: int, heads: int, width: int) -> nn.Linear:
            if not shared_projection:
                return nn.Linear(inputs, heads * width, bias=bias, device=device, dtype=dtype)
            if inputs % heads:
                raise ShapeError(
                    f"a shared projection cuts the input of the {name} ({inputs}) into {heads} equal pieces, one a "
                    f"head; {nearest_divisors(inputs, heads)}"
                )
            return nn.Linear(inputs // heads, width, bias=bias, device=device, dtype=dtype)

        self.query = projection("query", dim, heads, self.head_dim)
        self.key = projection("key", self.key_input_dim, self.kv_heads, self.head_dim)
        self.value = projection("value", self.value_input_dim, self.kv_heads, self.value_head_dim)
        self.output = nn.Linear(
            heads * self.value_head_dim,
            self.output_dim,
            bias=bias if output_bias is None else output_bias,
            device=device,
            dtype=dtype,
        )
        self.sinks = nn.Parameter(torch.empty(heads, device=device, dtype=dtype)) if sinks else None
        # Of the last call, for whoever keeps its map: whether they are the same tensor each time.
        self.keys_stay = False
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start the layer's own parameters anew, those of its parts left alone.

        The projections to q, k and v by Xavier's uniform rule with gain 1/√2, which for equal widths is how
        ``torch.nn.MultiheadAttention`` starts its packed projection; the output projection as ``nn.Linear`` does;
        biases and sinks 0.
        """
        for linear in (self.query, self.key, self.value):
            nn.init.xavier_uniform_(linear.weight, gain=0.5**0.5)
        self.output.reset_parameters()
        for bias in (self.query.bias, self.key.bias, self.value.bias, self.output.bias, self.sinks):
            if bias is not None:
                nn.init.zeros_(bias)

    def forward(
        self,
        x: Tensor,
        context: Tensor | KeyValues | None = None,
        value: Tensor | None = None,
        *,
        mask: Mask | Tensor | None = None,
        bias: Tensor | Bias | None = None,
        cache: Cache | None = None,
        positions: Tensor | None = None,
        with_map: bool = False,
    ) -> Tensor | tuple[Tensor, AttentionMap]:
        """The attention of x to itself, or to another text.

        Args:
            x: What attends, ``(batch, queries, dim)``.
            context: What is attended to, ``(batch, keys, key_input_dim)``: cross-attention; or the
                :class:`KeyValues` that :meth:`project` made of it. x itself if it is not given.
            value: Where the values come from, ``(batch, keys, value_input_dim)``, if that is another tensor than
                context.
            mask: Who may attend to whom, as in :func:`clearhead.attention`. With a cache it speaks of all keys so far.
            bias: Added to the scores, also to a bias of ``position``.
            cache: The keys and values of the tokens before, to which those of x are added.
            positions: Where the tokens of x stand, ``(queries,)`` or ``(batch, queries)``, for
                :class:`~clearhead.positions.Rotary`. By default each stands where the mask has it: x after what the
                cache has seen; in cross-attention the keys at 0, 1, … and the last query at the last key, so a
                text that attends to another one piece by piece has to give those of each piece.
            with_map: Give the map as well: what :meth:`attend` calls.

        Returns:
            ``(batch, queries, output_dim)``; with the map, a pair.

        Raises:
            ShapeError: Shapes that do not fit; the message names the axis.
            InputError: Dtypes or devices that differ, or an argument of the wrong kind.

        """
        found, options = self._arguments(x, context, value, mask, bias, cache, positions)
        amap: AttentionMap | None = None
        if with_map:
            output, amap = attend(**options)
        else:
            output = attention(**options)
        if cache is not None:  # now that nothing can fail any more
            cache.advance(found, x.shape[1])
        output = self._join(output)
        return output if amap is None else (output, amap)

    def attend(
        self,
        x: Tensor,
        context: Tensor | KeyValues | None = None,
        value: Tensor | None = None,
        *,
        mask: Mask | Tensor | None = None,
        bias: Tensor | Bias | None = None,
        cache: Cache | None = None,
        positions: Tensor | None = None,
    ) -> tuple[Float[Tensor, "batch queries output_dim"], AttentionMap]:
        """What ``layer(x, …)`` gives, and the lazy map of the weights, ``(batch, heads, queries, keys)``.

        The map shows the weights before dropout; see :func:`clearhead.attend`. The module is called for it, so its
        hooks run, and get the pair.
        """
        options = {"mask": mask, "bias": bias, "cache": cache, "positions": positions}
        found: tuple[Tensor, AttentionMap] = self(x, context, value, **options, with_map=True)
        return found

    def explain(
        self,
        x: Tensor,
        context: Tensor | KeyValues | None = None,
        value: Tensor | None = None,
        *,
        mask: Mask | Tensor | None = None,
        bias: Tensor | Bias | None = None,
        cache: Cache | None = None,
        positions: Tensor | None = None,
        with_map: bool = False,
    ) -> Explanation:
        """Which path the attention of :meth:`forward` takes, and what it costs; see :func:`clearhead.explain`.

        Only the projections are computed, and a cache stays as it is.
        """
        options = self._arguments(x, context, value, mask, bias, cache, positions)[1]
        return explain(**options, with_map=with_map)

    def project(
        self,
        context: Tensor,
        value: Tensor | None = None,
    ) -> KeyValues:
        """The keys and values of a text that many calls attend to.

        >>> layer = MultiHeadAttention(8, 2, key_input_dim=6)
        >>> text = torch.randn(1, 7, 6)
        >>> known = layer.project(text)
        >>> x = torch.randn(1, 3, 8)
        >>> torch.equal(layer(x, known), layer(x, text))
        True
        """
        return self._keys(context, value, self._place(0, context.shape[1], context.device))

    @classmethod
    def from_torch(cls, module: nn.MultiheadAttention) -> MultiHeadAttention:
        """The same layer as a ``torch.nn.MultiheadAttention``, with a copy of its weights.

        Every configuration of it is read. Only the calling differs: here the batch comes first, a mask says True where
        a query may attend, numbers to be added are a ``bias``, and ``attend`` gives the weights. What was its
        ``attn_mask`` or ``key_padding_mask`` is read by ``mask, bias = clearhead.masks.from_multihead(…)``.

        Raises:
            InputError: It is no ``torch.nn.MultiheadAttention``.

        >>> theirs = nn.MultiheadAttention(8, 2, batch_first=True).eval()
        >>> x = torch.randn(1, 5, 8)
        >>> torch.allclose(MultiHeadAttention.from_torch(theirs)(x), theirs(x, x, x)[0], atol=1e-6)
        True

        """
        from clearhead.layers import interchange

        return interchange.from_torch(module)

    def to_torch(self, *, batch_first: bool = True) -> nn.MultiheadAttention:
        """The same layer as a ``torch.nn.MultiheadAttention``, with a copy of its weights.

        ``batch_first`` is False by default there; here the batch always comes first, so it has to be said.

        Raises:
            InputError: PyTorch's layer cannot do what this one does; the message says which of it.

        """
        from clearhead.layers import interchange

        return interchange.to_torch(self, batch_first=batch_first)

    def extra_repr(self) -> str:
        """What the parts do not show."""
        shown = [f"{self.dim}, heads={self.heads}, head_dim={self.head_dim}"]
        shown += [f"kv_heads={self.kv_heads}"] if self.kv_heads != self.heads else []
        shown += [f"position={self.position!r}"] if isinstance(self.position, Rotary) else []
        shown += ["shared_projection=True"] if self.shared_projection else []
        shown += ["sinks=True"] if self.sinks is not None else []
        shown += [f"normalizer={self.normalizer!r}"] if self.normalizer != "softmax" else []
        for name, usual in (("softcap", None), ("scale", None), ("dropout", 0.0)):
            value = getattr(self, name)
            shown += [f"{name}={value:g}"] if value != usual else []
        return ", ".join(shown)

    # From the call to the mechanism, and back.

    def _arguments(
        self,
        x: Tensor,
        context: Tensor | KeyValues | None,
        value: Tensor | None,
        mask: Mask | Tensor | None,
        bias: Tensor | Bias | None,
        cache: Cache | None,
        positions: Tensor | None,
    ) -> tuple[Cached, dict[str, Any]]:
        """All keys and values, and the arguments of the one call of the mechanism."""
        self._check("x", x, self.dim)
        itself = context is None and value is None
        if cache is not None:
            self._check_cache(cache, mask, x.shape[1], itself)
        if not torch.compiler.is_compiling():
            self.keys_stay = isinstance(context, KeyValues) if cache is None else cache.keys_stay
        if positions is not None and not isinstance(self.position, Rotary):
            raise InputError("positions are for a layer with position=Rotary(...); others count the keys")
        if positions is not None and positions.device != x.device:
            raise InputError(f"positions are on {positions.device} and x on {x.device}; move one of them with .to()")
        queries = x.shape[1]
        if context is None:  # the keys are those of x, and stand where its tokens do
            start = 0 if cache is None else cache.seen
            place = self._place(start, queries, x.device) if positions is None else positions
            k, v = self._keys(x, value, place)
        else:
            k, v = self._context(x, context, value)
            place = self._place(k.shape[2] - queries, queries, x.device) if positions is None else positions
        q = self._turned(_heads(self.query, x, self.heads, self.head_dim), self.query_norm, place)

        found = Cached(k, v) if cache is None else cache.extend(k, v)
        k, v, first, seen = found
        where = Place(queries, k.shape[2], len(self.extra_keys), first, seen, x.device)
        for extra in self.extra_keys:
            k, v = extra(k, v)
        return found, {
            "q": q,
            "k": k,
            "v": v,
            "mask": where.mask(mask),
            "bias": where.bias(bias, self.position if isinstance(self.position, Bias) else None),
            "scale": self.scale,
            "normalizer": self.normalizer,
            "dropout": self.dropout if self.training else 0.0,
            "softcap": self.softcap,
            "sinks": self.sinks,
        }  # fmt: skip

    def _context(self, x: Tensor, context: Tensor | KeyValues, value: Tensor | None) -> KeyValues:
        """The keys and values of another text than x."""
        if isinstance(context, KeyValues):
            if value is not None:
                raise InputError("the context brings its values with it, so there is no place for a second one")
            if context.k.shape[0] != x.shape[0]:
                raise ShapeError(f"x has batch {x.shape[0]} and the projected context {context.k.shape[0]}")
            found = (context.k.shape[1], context.k.shape[3], context.v.shape[3])
            own = (self.kv_heads, self.head_dim, self.value_head_dim)
            if found != own:
                raise ShapeError(
                    f"the layer has (kv_heads, head_dim, value_head_dim) = {own} and the projected context {found}: it "
                    "comes from project() of another layer"
                )
            return context
        if context.dim() == 3 and context.shape[0] != x.shape[0]:
            raise ShapeError(f"x has batch {x.shape[0]} and context {context.shape[0]}")
        return self.project(context, value)

    def _place(self, start: int | Tensor, count: int, device: torch.device) -> Tensor | None:
        """Positions, for a layer that turns by them."""
        return start + torch.arange(count, device=device) if isinstance(self.position, Rotary) else None

    def _keys(self, context: Tensor, value: Tensor | None, positions: Tensor | None) -> KeyValues:
        if value is None:
            value = context
        elif value.dim() == 3 and value.shape[:2] != context.shape[:2]:
            raise ShapeError(
                f"the keys come from (batch, tokens) = {tuple(context.shape[:2])} and the values from "
                f"{tuple(value.shape[:2])}; there is one value for each key"
            )
        self._check("what gives the keys", context, self.key_input_dim)
        self._check("what gives the values", value, self.value_input_dim)
        k = self._turned(_heads(self.key, context, self.kv_heads, self.head_dim), self.key_norm, positions)
        return KeyValues(k, _heads(self.value, value, self.kv_heads, self.value_head_dim))

    def _turned(self, x: Tensor, norm: nn.Module | None, positions: Tensor | None) -> Tensor:
        if norm is not None:
            x = norm(x)
        return x if positions is None else cast("Rotary", self.position).rotate(x, positions)

    def _join(self, output: Queries) -> Float[Tensor, "batch queries output_dim"]:
        joined: Tensor = self.output(output.transpose(1, 2).flatten(2))
        return joined

    # What can be wrong.

    def _check(self, name: str, x: Tensor, width: int) -> None:
        check_input(name, x, width, self.query.weight)

    def _checked_extra(self, parts: Sequence[nn.Module]) -> list[nn.Module]:
        if isinstance(parts, nn.Module):
            raise InputError(f"extra_keys is a list of parts; got the single module {parts!r}")
        for part in parts:
            if not isinstance(part, nn.Module):
                raise InputError(f"extra_keys are modules such as LearnedKey(heads, head_dim); got {part!r}")
            found = (*part.key.shape, part.value.shape[1]) if isinstance(part, LearnedKey) else None
            own = (self.kv_heads, self.head_dim, self.value_head_dim)
            if found not in (None, own):
                raise ShapeError(
                    f"the layer has (kv_heads, head_dim, value_head_dim) = {own}, and the extra key is for {found}"
                )
        return list(parts)

    def _check_cache(self, cache: Cache, mask: Mask | Tensor | None, queries: int, itself: bool) -> None:
        if not isinstance(cache, Cache):
            raise InputError(f"a cache is a part such as GrowingCache(), one for each layer; got {cache!r}")
        if not itself:
            raise InputError("a cache is for self-attention; for cross-attention give the keys and values of project()")
        if torch.compiler.is_compiling():
            return
        if cache.layer is not None and cache.layer() is not self:
            raise InputError("the cache holds the keys of another layer; each layer has its own, or reset() it")
        cache.layer = ref(self)
        cache.check_mask(mask, queries)

    def _checked(self, position: Rotary | Bias | None) -> Rotary | Bias | None:
        if position is not None and not isinstance(position, Rotary | Bias):
            raise InputError(
                "position is Rotary(...), which turns q and k, or a Bias such as ALiBi(heads); codes such as "
                f"Sinusoidal are added to x before the layer; got {type(position).__name__}"
            )
        width = None if not isinstance(position, Rotary) else self.head_dim if position.dim is None else position.dim
        if width is not None and (width % 2 or width > self.head_dim):
            raise ShapeError(
                f"{position!r} turns pairs of a head's numbers, an even count of at most head_dim; head_dim is "
                f"{self.head_dim}"
            )
        if isinstance(position, Bias) and position.heads not in (1, self.heads):
            raise ShapeError(f"the layer has {self.heads} heads, and position is for {position.heads}: {position!r}")
        return position


def _heads(linear: nn.Linear, x: Tensor, heads: int, width: int) -> Float[Tensor, "batch heads tokens width"]:
    """The projection of x, cut into heads: a view, whose last axis is contiguous as kernels want it."""
    if linear.in_features == x.shape[2]:
        projected: Tensor = linear(x).view(x.shape[0], x.shape[1], heads, width)
    else:  # shared: each head's piece of x goes through the same matrix
        projected = linear(x.unflatten(2, (heads, linear.in_features)))
    return projected.transpose(1, 2)


def _norms(
    qk_norm: Callable[[int], nn.Module] | tuple[nn.Module, nn.Module] | None,
    head_dim: int,
    device: torch.device | str | None,
    dtype: torch.dtype | None,
) -> tuple[nn.Module | None, nn.Module | None]:
    if qk_norm is None:
        return None, None
    if isinstance(qk_norm, tuple) and [isinstance(norm, nn.Module) for norm in qk_norm] == [True, True]:
        return qk_norm
    if isinstance(qk_norm, tuple | nn.Module) or not callable(qk_norm):
        raise InputError(
            "qk_norm is two modules, one for q and one for k, or what makes one from head_dim, such as "
            f"torch.nn.RMSNorm; got {qk_norm!r}"
        )
    return qk_norm(head_dim).to(device, dtype), qk_norm(head_dim).to(device, dtype)
