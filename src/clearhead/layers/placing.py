"""Masks and biases where the last query does not stand at the last key."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from clearhead.errors import InputError, ShapeError
from clearhead.masks import Explicit, Mask
from clearhead.mechanisms.request import MASK, check_bias, mask_hint
from clearhead.positions import Bias

__all__ = ["Place"]


@dataclass(frozen=True)
class Place:
    """Where the queries and keys of one call stand, and which of the keys are there.

    Rules and biases are functions of positions. As long as keys stand at 0, 1, … and the last query at the last of
    them, ``attention`` evaluates them itself, without n × n. Caches that drop keys, caches with room for keys that are
    not there yet, and extra keys after the last one are other cases: there what they say is written out.
    """

    queries: int
    keys: int
    """Keys of tokens, also those that are not there yet."""
    extra: int
    """Keys after those, which every query may attend to and to which no bias is added."""
    first: int
    """The position of the first key."""
    seen: Int[Tensor, ""] | None
    """The position after that of the last query; ``None`` if that is after the last key."""
    device: torch.device

    @property
    def is_usual(self) -> bool:
        """Whether the first key is at position 0 and the last query at the last key."""
        return self.first == 0 and self.seen is None and not self.extra

    @property
    def query(self) -> Int[Tensor, "queries"]:
        """The queries' positions."""
        stop = self.first + self.keys if self.seen is None else self.seen
        return stop - self.queries + torch.arange(self.queries, device=self.device)

    @property
    def key(self) -> Int[Tensor, "keys"]:
        """The tokens' keys' positions."""
        return self.first + torch.arange(self.keys, device=self.device)

    def mask(self, mask: Mask | Tensor | None) -> Mask | Tensor | None:
        """The mask as ``attention`` wants it for this call."""
        if self.is_usual:
            return mask
        if isinstance(mask, Tensor):
            mask = Explicit(mask)
        elif mask is not None and not isinstance(mask, Mask):
            raise InputError(f"a mask is {MASK}; got {type(mask).__name__}{mask_hint(mask)}")
        allowed = None if mask is None else self._allowed(mask)
        if self.seen is not None:
            there = (self.key < self.seen)[None, None, None].expand(1, 1, self.queries, -1)
            allowed = there if allowed is None else allowed & there
        if allowed is None:
            return None
        return Explicit(torch.nn.functional.pad(allowed, (0, self.extra), value=True))

    def _allowed(self, mask: Mask) -> Bool[Tensor, "#batch #heads queries keys"]:
        last = self.first + self.keys
        # A mask that holds a tensor speaks of all keys up to the last one, the dropped ones too.
        mask.fits(self.queries if self.seen is None else last, last)
        batch, heads = (torch.arange(n, device=self.device) for n in mask.breadth)
        allowed: Tensor = mask.allows(batch[:, None, None, None], heads[:, None, None], self.query[:, None], self.key)
        allowed = allowed[(None,) * (4 - allowed.dim())]
        return allowed.expand(-1, -1, self.queries, self.keys)

    def bias(self, bias: Tensor | Bias | None, position: Bias | None) -> Tensor | Bias | None:
        """The call's bias and the layer's as ``attention`` wants them for this call: one of them, or a tensor."""
        for part in (bias, position):
            if part is not None:
                check_bias(part, self.device)
        if position is None and not isinstance(bias, Bias):
            return self._tensor(bias)
        if bias is None and self.is_usual:
            return position
        if position is None and self.is_usual:
            return bias
        whole: Tensor | None = None
        for part in (bias, position):
            if isinstance(part, Bias):
                added: Tensor | None = torch.nn.functional.pad(part.tile(self.query, self.key), (0, self.extra))
            else:
                added = self._tensor(part)
            if added is None or whole is None:
                whole = added if whole is None else whole
                continue
            try:
                whole = whole + added
            except RuntimeError:
                raise ShapeError(
                    f"the bias of the call, {tuple(whole.shape)}, and that of the layer's position, "
                    f"{tuple(added.shape)}, (batch, heads, queries, keys), cannot be added"
                ) from None
        return whole

    def _tensor(self, bias: Tensor | None) -> Tensor | None:
        if not isinstance(bias, Tensor):
            return bias
        bias, last = bias if bias.dim() else bias[None], self.first + self.keys
        if bias.shape[-1] not in (1, last):
            raise ShapeError(
                f"a bias is for all keys so far: its last axis is {last} here; got the shape {tuple(bias.shape)}"
            )
        if bias.shape[-1] == last:
            bias = bias[..., self.first :]
        if not self.extra:
            return bias
        return torch.nn.functional.pad(bias.expand(*bias.shape[:-1], self.keys), (0, self.extra))
