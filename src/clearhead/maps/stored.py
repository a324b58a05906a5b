"""Maps that hold their weights, for those that are smaller than their q and k."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clearhead.errors import ShapeError
from clearhead.maps.base import AttentionMap, Check
from clearhead.maps.held import Held
from clearhead.maps.indexing import pick
from clearhead.mechanisms.fused import product
from clearhead.shapes import exact_dtype

__all__ = ["StoredMap"]


class StoredMap(AttentionMap):
    """A map of which the weights themselves are kept: below about head_dim tokens, and for single decoding steps."""

    def __init__(
        self,
        weights: Float[Tensor, "batch heads queries keys"],
        *,
        values: Float[Tensor, "batch kv_heads keys c"] | None = None,
        output: Float[Tensor, "batch heads queries c"] | None = None,
        sums_to_one: bool = True,
    ) -> None:
        if weights.dim() != 4:
            raise ShapeError(f"weights have the axes (batch, heads, queries, keys); got {tuple(weights.shape)}")
        self._sums_to_one = sums_to_one
        self._held = Held({"weights": weights, "values": values, "output": output})
        batch, heads, queries, keys = weights.shape
        self.shape = (batch, heads, queries, keys)
        self.device = weights.device
        self.dtype = exact_dtype(weights.dtype)

    @property
    def nbytes(self) -> int:
        return self._held.nbytes

    def tensors(self) -> Mapping[str, Tensor]:
        return self._held.all()

    def outer(
        self,
        batch: Int[Tensor, "b"],
        head: Int[Tensor, "h"],
        query: Int[Tensor, "i"],
        key: Int[Tensor, "j"],
    ) -> Float[Tensor, "b h i j"]:
        weights = self._held["weights"]
        for axis, index in enumerate((batch, head, query, key)):
            weights = pick(weights, axis, index)
        # A run of all axes is a view of what is held, which nobody outside may write into.
        return weights.to(self.dtype, copy=True)

    def points(
        self,
        batch: Int[Tensor, "*points"],
        head: Int[Tensor, "*points"],
        query: Int[Tensor, "*points"],
        key: Int[Tensor, "*points"],
    ) -> Float[Tensor, "*points"]:
        return self._held["weights"][batch, head, query, key].to(self.dtype)

    def to(self, device: torch.device | str) -> StoredMap:
        held = {name: x.to(device) for name, x in self._held.all().items()}
        return StoredMap(
            held["weights"], values=held.get("values"), output=held.get("output"), sums_to_one=self._sums_to_one
        )

    def select_heads(self, heads: Sequence[int]) -> StoredMap:
        chosen, held = self._check_heads(heads), self._held.all()
        values, output = held.get("values"), held.get("output")
        if values is not None:
            groups = self.shape[1] // values.shape[1]
            values = values[:, [h // groups for h in chosen]]
        return StoredMap(
            held["weights"][:, chosen],
            values=values,
            output=None if output is None else output[:, chosen],
            sums_to_one=self._sums_to_one,
        )

    def check(self) -> Check:
        held = self._held.all()
        weights = held["weights"].to(self.dtype)
        total = weights.sum(-1)
        some = total != 0
        row_sum = float((total - 1).abs()[some].max()) if self._sums_to_one and bool(some.any()) else 0.0
        if "values" not in held or "output" not in held:
            return Check(row_sum, None, 0)
        values = held["values"].to(self.dtype)
        values = values.repeat_interleave(self.shape[1] // values.shape[1], 1)
        deviation = (product(weights, values) - held["output"].to(self.dtype)).abs()[some]
        return Check(row_sum, float(deviation.max()) if deviation.numel() else 0.0, values.shape[-1])
