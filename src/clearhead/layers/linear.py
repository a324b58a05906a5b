"""Linear attention as a layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clearhead.errors import InputError, ShapeError
from clearhead.layers.checks import check_heads, check_input
from clearhead.maps.linear import LinearMap, linear_attend
from clearhead.masks import Mask
from clearhead.mechanisms.feature_maps import FeatureMap, PositiveRandomFeatures, as_feature_map
from clearhead.mechanisms.linear import LinearState, linear_attention, linear_prefill, linear_step
from clearhead.shapes import check_flag, exact_dtype, whole_number

__all__ = ["LinearAttention"]


class LinearAttention(nn.Module):
    """Several linear attentions side by side, each with its own projections of the input.

    ``head_h = LinearAttention(x·Wq_h, x·Wk_h, x·Wv_h)`` and ``output = Concat(head_1 … head_h)·Wo``; see
    :func:`clearhead.linear_attention`. A causal one is also a recurrent network: :meth:`prefill` gives a state, from
    which :meth:`step` goes on token by token at the same cost each.

    Args:
        dim: Width of x.
        heads: How many heads.
        kv_heads: How many heads k and v have; it divides heads. heads if it is not given.
        head_dim: Width of a query and key; dim / heads if it is not given.
        value_head_dim: Width of a value; head_dim if it is not given.
        bias: Whether the projections to q, k and v add a bias.
        output_bias: Whether the output projection does; as ``bias`` if it is not given.
        feature_map: φ; the projection of :class:`~clearhead.PositiveRandomFeatures` is copied, part of the
            ``state_dict``, and float32 whatever the parameters are.
        causal: Whether a token sees only those up to itself.
        decay: A number in (0, 1], or one a key head, as a list or a tensor; causal only. It is fixed: to train one,
            give :func:`clearhead.linear_attention` a tensor.
        scale: q is multiplied by it before φ; see :func:`clearhead.linear_attention`.
        normalize: Whether weights are divided by their sum; by default where φ is never negative.
        device: Where the parameters are.
        dtype: What they are.

    Attributes:
        query: ``nn.Linear(dim, heads · head_dim)``.
        key: ``nn.Linear(dim, kv_heads · head_dim)``.
        value: ``nn.Linear(dim, kv_heads · value_head_dim)``.
        output: ``nn.Linear(heads · value_head_dim, dim)``.

    Raises:
        ShapeError: Heads that do not divide what they have to.
        InputError: An argument of the wrong kind.

    Example:
        >>> import torch
        >>> layer = LinearAttention(8, 2, causal=True, decay=[0.9, 0.99])
        >>> x = torch.randn(1, 5, 8)
        >>> before, state = layer.prefill(x[:, :4])
        >>> last, state = layer.step(x[:, 4:], state)
        >>> torch.allclose(torch.cat([before, last], 1), layer(x), atol=1e-6)
        True

    """

    projection: Tensor | None

    def __init__(
        self,
        dim: int,
        heads: int,
        *,
        kv_heads: int | None = None,
        head_dim: int | None = None,
        value_head_dim: int | None = None,
        bias: bool = True,
        output_bias: bool | None = None,
        feature_map: str | FeatureMap = "elu",
        causal: bool = False,
        decay: float | int | Sequence[float | int] | Tensor | None = None,
        scale: float | int | None = None,
        normalize: bool | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.dim, self.heads = whole_number("dim", dim), whole_number("heads", heads)
        self.kv_heads, self.head_dim = check_heads(dim, heads, kv_heads, head_dim)
        wide = self.head_dim if value_head_dim is None else value_head_dim
        self.value_head_dim = whole_number("value_head_dim", wide)
        chosen = as_feature_map(feature_map)
        self.features = chosen.width(self.head_dim)
        check_flag("causal", causal)
        if normalize is not None:
            check_flag("normalize", normalize, "True, False or None")
        self.causal, self.scale = causal, scale
        self.normalize = chosen.normalizes if normalize is None else normalize
        self._feature_map = chosen
        # A copy, so that no other layer and not the feature map itself changes with this one.
        drawn = chosen.projection.to(device, copy=True) if isinstance(chosen, PositiveRandomFeatures) else None
        self.register_buffer("projection", drawn)
        self.decay = _decays(decay, self.kv_heads, causal)

        def linear(inputs: int, outputs: int, bias: bool) -> nn.Linear:
            return nn.Linear(inputs, outputs, bias=bias, device=device, dtype=dtype)

        self.query = linear(dim, heads * self.head_dim, bias)
        self.key = linear(dim, self.kv_heads * self.head_dim, bias)
        self.value = linear(dim, self.kv_heads * self.value_head_dim, bias)
        self.output = linear(heads * self.value_head_dim, dim, bias if output_bias is None else output_bias)

    @property
    def feature_map(self) -> FeatureMap:
        """φ, with the projection that the layer holds."""
        if isinstance(self._feature_map, PositiveRandomFeatures) and self.projection is not None:
            return self._feature_map.with_projection(self.projection)
        return self._feature_map

    def redraw(self, generator: torch.Generator | None = None) -> None:
        """Draw another projection of the random features.

        A state does not remember the projection that it was made with: begin texts anew afterwards, since steps that go
        on from a state of before read it with other features, and nothing notices.

        Raises:
            InputError: The feature map is not a random one.

        """
        chosen = self.feature_map
        if not isinstance(chosen, PositiveRandomFeatures):
            raise InputError(f"random features are redrawn; this layer's feature map is {chosen!r}")
        chosen.redraw(generator)
        self.projection = chosen.projection

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> LinearAttention:
        """Move or convert the parameters; the projection stays float32, which φ is drawn in."""
        before = self.projection
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # PyTorch gives it no types
        now = self.projection
        if before is not None and now is not None and now.dtype != before.dtype:
            self.projection = before.to(now.device)
        return self

    def forward(
        self, x: Tensor, *, mask: Mask | Tensor | None = None, with_map: bool = False
    ) -> Tensor | tuple[Tensor, LinearMap]:
        """The attention of x to itself.

        Args:
            x: ``(batch, tokens, dim)``.
            mask: Which tokens are there, as in :func:`clearhead.linear_attention`.
            with_map: Give the map as well: what :meth:`attend` calls.

        Returns:
            ``(batch, tokens, dim)``; with the map, a pair.

        Raises:
            ShapeError: Shapes that do not fit; the message names the axis.
            InputError: Dtypes or devices that differ, or an argument of the wrong kind.

        """
        options = self._options() | {"causal": self.causal, "mask": mask}
        if not with_map:
            return self._join(linear_attention(*self._project(x), **options))
        output, amap = linear_attend(*self._project(x), **options)
        return self._join(output), amap

    def attend(
        self, x: Tensor, *, mask: Mask | Tensor | None = None
    ) -> tuple[Float[Tensor, "batch tokens dim"], LinearMap]:
        """What ``layer(x, …)`` gives, and the lazy map of the weights, ``(batch, heads, tokens, tokens)``."""
        found: tuple[Tensor, LinearMap] = self(x, mask=mask, with_map=True)
        return found

    def prefill(
        self, x: Tensor, state: LinearState | None = None, *, mask: Mask | Tensor | None = None
    ) -> tuple[Float[Tensor, "batch tokens dim"], LinearState]:
        """The output of the next tokens of a text, and the state after them; see :func:`clearhead.linear_prefill`."""
        self._check_causal()
        output, after = linear_prefill(*self._project(x), state, mask=mask, **self._options())
        return self._join(output), after

    def step(self, x: Tensor, state: LinearState | None) -> tuple[Float[Tensor, "batch 1 dim"], LinearState]:
        """The output of one token, ``(batch, 1, dim)``, and the state after it; see :func:`clearhead.linear_step`."""
        self._check_causal()
        projected = self._project(x)
        if x.shape[1] != 1:
            raise ShapeError(
                f"a step is of one token, x (batch, 1, {self.dim}); got {x.shape[1]} tokens; several at once go to "
                "layer.prefill(x, state)"
            )
        if state is None:
            raise InputError(
                "a recurrent step goes on from a state, and there is none; start from layer.start(batch), or from the "
                "state that layer.prefill(x) gives"
            )
        output, after = linear_step(*projected, state, **self._options())
        return self._join(output), after

    def start(self, batch: int) -> LinearState:
        """The state before the first token.

        Raises:
            InputError: The layer is not causal, or the batch is no whole number of at least 0.

        """
        self._check_causal()
        weight = self.query.weight
        dtype = exact_dtype(weight.dtype)
        sizes = (batch, self.kv_heads, self.features, self.value_head_dim)
        return LinearState.zeros(*sizes, normalize=self.normalize, dtype=dtype, device=weight.device)

    def extra_repr(self) -> str:
        """What the parts do not show."""
        shown = [f"{self.dim}, heads={self.heads}, head_dim={self.head_dim}"]
        shown += [f"kv_heads={self.kv_heads}"] if self.kv_heads != self.heads else []
        shown += [f"feature_map={self._feature_map!r}"]
        shown += ["causal=True"] if self.causal else []
        shown += [f"decay={self.decay}"] if self.decay is not None else []
        return ", ".join(shown)

    def _options(self) -> dict[str, Any]:
        decay: Any = self.decay
        if isinstance(decay, list):
            weight = self.query.weight
            dtype = exact_dtype(weight.dtype)
            decay = torch.tensor(decay, device=weight.device, dtype=dtype)
        return {
            "feature_map": self.feature_map,
            "scale": self.scale,
            "decay": decay,
            "normalize": self.normalize,
        }

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        check_input("x", x, self.dim, self.query.weight)
        q = self.query(x).unflatten(2, (self.heads, self.head_dim)).transpose(1, 2)
        k = self.key(x).unflatten(2, (self.kv_heads, self.head_dim)).transpose(1, 2)
        return q, k, self.value(x).unflatten(2, (self.kv_heads, self.value_head_dim)).transpose(1, 2)

    def _join(self, output: Tensor) -> Tensor:
        joined: Tensor = self.output(output.transpose(1, 2).flatten(2))
        return joined

    def _check_causal(self) -> None:
        if not self.causal:
            raise InputError("a layer goes on token by token if no token sees later ones: make it with causal=True")


def _decays(given: Any, kv_heads: int, causal: bool) -> float | list[float] | None:
    """A decay, or one a key head, as plain numbers."""
    if given is None:
        return None
    if not causal:
        raise InputError("decay says what becomes of a state from token to token: make the layer with causal=True")
    if isinstance(given, Tensor):
        if given.requires_grad:
            raise InputError(
                "the decay of a layer is fixed, and this tensor has requires_grad=True: give decay.detach() here, or "
                "the tensor to clearhead.linear_attention to train it"
            )
        given = given.tolist()
    one = not isinstance(given, list | tuple)
    found = [given] if one else list(given)
    for number in found:
        if isinstance(number, bool) or not isinstance(number, float | int):
            raise InputError(f"decay is a number, or one for each of {kv_heads} key heads; got {given!r}")
    if not one and len(found) != kv_heads:
        raise ShapeError(f"decay is one number, or one for each of {kv_heads} key heads; got {len(found)}")
    for number in found:
        if not 0.0 < number <= 1.0:
            raise InputError(f"decay is in (0, 1]; got {number:g}")
    numbers = [float(x) for x in found]
    return numbers[0] if one else numbers
