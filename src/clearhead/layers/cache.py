"""What decoding keeps of the tokens before: their keys and values.

A cache is a part that a layer is called with: ``layer(x, mask=Causal(), cache=cache)``. Each layer has its own. With
every one of them, a text given whole and the same text given in pieces of any lengths have the same output.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple
from weakref import ref

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from clearhead.errors import InputError, ShapeError
from clearhead.masks import Mask
from clearhead.masks.base import shown
from clearhead.shapes import Keys, whole_number

__all__ = ["Cache", "Cached", "GrowingCache", "PreallocatedCache", "SlidingCache", "StaticCache"]


class Cached(NamedTuple):
    """All the keys and values that the newest tokens may attend to, and where they stand."""

    k: Keys
    v: Float[Tensor, "batch kv_heads keys value_dim"]
    first: int = 0
    """The position of the first key."""
    seen: Int[Tensor, ""] | None = None
    """How many of the keys are there already; ``None`` if all are."""


class Cache(ABC):
    """Keys and values of the tokens before, added to by each call of a layer."""

    layer: ref[nn.Module] | None = None
    """The layer whose keys it holds."""
    keys_stay: ClassVar[bool] = False
    """Whether what it gives lies in one tensor for all calls, and is not written over."""

    def check_mask(self, mask: Mask | Tensor | None, queries: int) -> None:
        """Raise :class:`~clearhead.errors.InputError` if the mask of so many new tokens wants what is not kept."""
        del mask, queries

    def __getstate__(self) -> dict[str, object]:
        """All but whose it is: a copy is for a copy of the layer."""
        return {name: value for name, value in vars(self).items() if name != "layer"}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({int(self.seen)} tokens seen)"

    @property
    @abstractmethod
    def seen(self) -> int | Int[Tensor, ""]:
        """How many tokens it has been given: the position of the next one."""

    @abstractmethod
    def extend(self, k: Keys, v: Float[Tensor, "batch kv_heads keys value_dim"]) -> Cached:
        """All that the newest tokens may attend to, their own keys and values last; nothing is remembered yet."""

    @abstractmethod
    def advance(self, found: Cached, tokens: int) -> None:
        """Remember what :meth:`extend` gave for so many tokens."""

    def update(self, k: Keys, v: Float[Tensor, "batch kv_heads keys value_dim"]) -> Cached:
        """Add the newest tokens' keys and values, and give all that these tokens may attend to."""
        found = self.extend(k, v)
        self.advance(found, k.shape[2])
        return found

    @abstractmethod
    def reset(self) -> None:
        """Forget everything."""


class GrowingCache(Cache):
    """Keeps every key and value, in tensors that grow with each call.

    Tensors that it gave out are never written to again: maps made from them stay valid, and gradients flow.

    Raises:
        ShapeError: Keys or values that do not fit those before.

    Example:
        >>> cache = GrowingCache()
        >>> for tokens in (5, 1):
        ...     found = cache.update(torch.zeros(1, 2, tokens, 3), torch.zeros(1, 2, tokens, 3))
        >>> cache.seen, found.k.shape
        (6, torch.Size([1, 2, 6, 3]))

    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.layer = None
        self._kept: tuple[Tensor, Tensor] | None = None
        self._seen = 0

    @property
    def seen(self) -> int:
        """How many tokens it has been given."""
        return self._seen

    def extend(self, k: Keys, v: Float[Tensor, "batch kv_heads keys value_dim"]) -> Cached:
        """All keys and values that are kept, and the newest."""
        tokens = k.shape[2]
        if self._kept is not None:
            k, v = (_after(kept, new) for kept, new in zip(self._kept, (k, v), strict=True))
        return Cached(k, v, first=self._seen + tokens - k.shape[2])

    def advance(self, found: Cached, tokens: int) -> None:
        """Keep what the next call needs of them."""
        self._kept = self._trim(found.k), self._trim(found.v)
        self._seen += tokens

    def _trim(self, x: Tensor) -> Tensor:
        """What is kept for the next call."""
        return x


class SlidingCache(GrowingCache):
    """Keeps what the next token's window needs: the last ``window − 1`` keys and values.

    For layers whose mask is ``Causal() & Window(window − 1, 0)``, or forbids more: a token attends to ``window`` keys,
    itself included (Mistral, arXiv:2310.06825). The cache does not set that mask, and refuses one that reaches farther
    back (not while a compiler traces). A call with many tokens attends to all of them and the kept ones, so that its
    first tokens too have what they need. Column j of a step's map is the key at ``Cached.first + j``, the last column
    the newest token.

    Args:
        window: How many keys a token attends to, itself included.

    Raises:
        InputError: ``window`` is not a whole number of at least 1, or a layer's mask reaches farther back.
        ShapeError: Keys or values that do not fit those before.

    Example:
        >>> cache = SlidingCache(4)
        >>> for tokens in (5, 1):
        ...     found = cache.update(torch.zeros(1, 2, tokens, 3), torch.zeros(1, 2, tokens, 3))
        >>> cache.seen, found.k.shape, found.first
        (6, torch.Size([1, 2, 4, 3]), 2)

    """

    def __init__(self, window: int) -> None:
        self.window = whole_number("a sliding cache's window, which has the token's own key in it,", window)
        super().__init__()

    def check_mask(self, mask: Mask | Tensor | None, queries: int) -> None:
        """No new token may be allowed a key that was dropped."""
        dropped, keys = self._seen - (self.window - 1), self._seen + queries
        if dropped <= 0 or not isinstance(mask, Mask | Tensor | None):
            return
        if isinstance(mask, Tensor):
            wants = mask.shape[-1] == keys and bool(mask[..., :dropped].any())
        elif mask is None:
            wants = True
        else:
            mask.fits(queries, keys)
            where = next((x.device for x in mask.tensors().values()), None)
            batch, heads = (torch.arange(n, device=where) for n in mask.breadth)
            query = torch.arange(self._seen, keys, device=where)[:, None]
            key = torch.arange(dropped, device=where)
            wants = bool(mask.allows(batch[:, None, None, None], heads[:, None, None], query, key).any())
        if wants:
            raise InputError(
                f"{self!r} keeps {self.window - 1} keys for the next token, and the mask lets it see more; use "
                f"Causal() & Window({self.window - 1}, 0), or a cache that keeps more; the mask is {shown(mask)}"
            )

    def _trim(self, x: Tensor) -> Tensor:
        start = max(0, x.shape[2] - (self.window - 1))
        return x[:, :, start:].clone() if start else x  # a view would keep all of it


class StaticCache(Cache):
    """Room for ``length`` tokens, made once and written in place: nothing changes shape from step to step.

    So a step that is compiled (:func:`torch.compile`) is compiled once, and a CUDA graph can hold it. Keys that are not
    there yet are masked; a mask that holds a tensor speaks of all ``length`` keys, and an
    :class:`~clearhead.masks.Explicit` one has one row or ``length``. It is for inference: no gradient flows through
    it, and a map made from it is stale after the next call.

    Args:
        batch: How many texts.
        length: How many tokens there is room for.
        kv_heads: How many heads k and v have.
        head_dim: Width of a key.
        value_head_dim: Width of a value; head_dim if it is not given.
        device: Where it is.
        dtype: What it holds.

    Raises:
        ShapeError: Keys or values of other sizes, or more of them than there is room for (when compiled: an
            error of PyTorch).
        InputError: A gradient is wanted.

    Example:
        >>> cache = StaticCache(1, 7, kv_heads=2, head_dim=3)
        >>> found = cache.update(torch.zeros(1, 2, 5, 3), torch.zeros(1, 2, 5, 3))
        >>> cache.seen, found.k.shape
        (tensor(5), torch.Size([1, 2, 7, 3]))

    """

    def __init__(
        self,
        batch: int,
        length: int,
        *,
        kv_heads: int,
        head_dim: int,
        value_head_dim: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        widths = (head_dim, head_dim if value_head_dim is None else value_head_dim)
        sizes = (("batch", batch), ("length", length), ("kv_heads", kv_heads), ("head_dim", head_dim))
        for name, size in (*sizes, ("value_head_dim", widths[1])):
            whole_number(name, size)
        self._k, self._v = (torch.zeros(batch, kv_heads, length, n, device=device, dtype=dtype) for n in widths)
        self._seen = torch.zeros((), dtype=torch.int64, device=device)

    def reset(self) -> None:
        """Forget everything."""
        self.layer = None
        for tensor in (self._k, self._v, self._seen):
            tensor.zero_()

    @property
    def seen(self) -> Int[Tensor, ""]:
        """How many tokens it has been given: a tensor, so that a compiled step does not depend on its value."""
        return self._seen

    def extend(self, k: Keys, v: Float[Tensor, "batch kv_heads keys value_dim"]) -> Cached:
        """Write the newest tokens' keys and values after those before, and give all the room."""
        tokens, length = k.shape[2], self._k.shape[2]
        for name, room, new in (("keys", self._k, k), ("values", self._v, v)):
            if new.shape[:2] != room.shape[:2] or new.shape[3] != room.shape[3]:
                raise ShapeError(
                    f"the cache has room for {name} of (batch, kv_heads, {length}, width) = {tuple(room.shape)}; got "
                    f"{tuple(new.shape)}"
                )
            if new.dtype != room.dtype or new.device != room.device:
                raise InputError(
                    f"the cache holds {room.dtype} on {room.device}; got {name} of {new.dtype} on {new.device}"
                )
            if new.requires_grad:
                raise InputError(
                    "a StaticCache is written in place, so no gradient can flow through it; decode under "
                    "torch.no_grad(), or use a GrowingCache"
                )
        # Asking for the number would end the graph of a compiler.
        if not torch.compiler.is_compiling() and int(self._seen) + tokens > length:
            raise ShapeError(
                f"the cache has room for {length} tokens; it holds {int(self._seen)} and got {tokens} more. Make it "
                "longer, or reset() it"
            )
        place = self._seen + torch.arange(tokens, device=self._seen.device)
        self._k.index_copy_(2, place, k)
        self._v.index_copy_(2, place, v)
        return Cached(self._k, self._v, seen=self._seen + tokens)

    def advance(self, found: Cached, tokens: int) -> None:
        """Count the tokens."""
        del found
        self._seen.add_(tokens)


class PreallocatedCache(Cache):
    """Room for ``length`` tokens, made at the first call; what it gives are views of the keys and values so far.

    For decoding that is not compiled: nothing is copied but the newest token's key and value, and nothing that is not
    there yet is computed or masked. Maps made from it stay valid, since what was given out is not written again. It
    is for inference: no gradient flows through it.

    Args:
        length: How many tokens there is room for.

    Raises:
        ShapeError: Keys or values that do not fit those before, or more of them than there is room for.
        InputError: A gradient is wanted, or ``length`` is not a whole number of at least 1.

    Example:
        >>> cache = PreallocatedCache(7)
        >>> for tokens in (5, 1):
        ...     found = cache.update(torch.zeros(1, 2, tokens, 3), torch.zeros(1, 2, tokens, 3))
        >>> cache.seen, found.k.shape
        (6, torch.Size([1, 2, 6, 3]))

    """

    keys_stay = True

    def __init__(self, length: int) -> None:
        self.length = whole_number("length", length)
        self.reset()

    def reset(self) -> None:
        """Forget everything; the room is made anew, since maps may hold the old one."""
        self.layer = None
        self._room: tuple[Tensor, Tensor] | None = None
        self._seen = 0

    @property
    def seen(self) -> int:
        """How many tokens it has been given."""
        return self._seen

    def extend(self, k: Keys, v: Float[Tensor, "batch kv_heads keys value_dim"]) -> Cached:
        """Write the newest tokens' keys and values after those before, and give all so far."""
        start, stop = self._seen, self._seen + k.shape[2]
        if k.requires_grad or v.requires_grad:
            raise InputError(
                "a PreallocatedCache is written in place, so no gradient can flow through it; decode under "
                "torch.no_grad(), or use a GrowingCache"
            )
        if stop > self.length:
            raise ShapeError(
                f"the cache has room for {self.length} tokens; it holds {start} and got {k.shape[2]} more. Make it "
                "longer, or reset() it"
            )
        if self._room is None:
            self._room = _room(k, self.length), _room(v, self.length)
        keys, values = self._room
        for room, new in ((keys, k), (values, v)):
            _check_fits(room, new)
            # Through .data, which counts no change: what was given out before lies apart from what is written.
            room.data.narrow(2, start, stop - start).copy_(new)
        return Cached(keys.narrow(2, 0, stop), values.narrow(2, 0, stop))

    def advance(self, found: Cached, tokens: int) -> None:
        """Count the tokens."""
        del found
        self._seen += tokens


def _room(x: Tensor, length: int) -> Tensor:
    return x.new_empty(*x.shape[:2], length, x.shape[3])


def _check_fits(kept: Tensor, new: Tensor) -> None:
    if kept.shape[:2] != new.shape[:2] or kept.shape[3] != new.shape[3]:
        raise ShapeError(
            f"the cache holds (batch, kv_heads, keys, width) = {tuple(kept.shape)}, and the newest are "
            f"{tuple(new.shape)}; only keys may differ. reset() it for another batch"
        )


def _after(kept: Tensor, new: Tensor) -> Tensor:
    _check_fits(kept, new)
    return torch.cat((kept, new), 2)
