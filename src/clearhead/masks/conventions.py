"""Masks as other libraries write them, read into rules, and a rule written for FlexAttention."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from clearhead.errors import InputError, ShapeError
from clearhead.masks.base import Mask
from clearhead.masks.causal import Causal
from clearhead.masks.explicit import Explicit
from clearhead.masks.grid import Tile
from clearhead.masks.padding import Padding
from clearhead.masks.predicate import Predicate
from clearhead.masks.read import forbidden
from clearhead.shapes import whole_number

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask

__all__ = ["from_additive", "from_huggingface", "from_mask_mod", "from_multihead", "from_sdpa", "to_block_mask"]


def from_additive(added: Float[Tensor, "..."]) -> tuple[Mask | None, Float[Tensor, "..."] | None]:
    """Numbers that are added to the scores, split into (mask, bias); ``None`` for what forbids or adds nothing.

    A pair may not attend where the number is −inf or at most half the lowest one of its dtype, which models write for
    it. The bias is the tensor itself.

    >>> import torch
    >>> from_additive(torch.tensor([[0.0, -torch.inf], [0.0, 0.0]]))
    (Explicit([[True, False], [True, True]]), None)

    Args:
        added: ``(batch, heads, queries, keys)``, without the first one or two axes if they are 1.

    Raises:
        InputError: They are no floating-point numbers.
        ShapeError: There are not 2 to 4 axes.

    """
    not_allowed = forbidden(added)
    mask = Explicit(~not_allowed) if bool(not_allowed.any()) else None
    adds = added.requires_grad or bool(added.masked_fill(not_allowed, 0.0).any())
    return mask, added if adds else None


def from_sdpa(
    attn_mask: Tensor | None = None, is_causal: bool = False, *, lengths: tuple[int, int] | None = None
) -> tuple[Mask | None, Float[Tensor, "..."] | None]:
    """(mask, bias) of the arguments of ``torch.nn.functional.scaled_dot_product_attention``.

    >>> from_sdpa(is_causal=True)
    (Causal(), None)

    Args:
        attn_mask: Booleans, True = may attend, or numbers to add; ``(…, queries, keys)``.
        is_causal: The triangle from the upper left corner. It is :class:`Causal` where there are as many queries as
            keys; for others, give ``lengths``.
        lengths: Queries and keys, needed for a triangle of unequal sides or a mask with one column for all keys.

    Raises:
        ShapeError: The mask has not 2 to 4 axes.

    """
    rules: list[Mask] = []
    bias = None
    if attn_mask is not None:
        if not 2 <= attn_mask.dim() <= 4:
            raise ShapeError(f"attn_mask is (…, queries, keys) of 2 to 4 axes; got {tuple(attn_mask.shape)}")
        if lengths is not None and attn_mask.shape[-1] == 1:
            attn_mask = attn_mask.expand(*attn_mask.shape[:-1], lengths[1])
        mask, bias = _read(attn_mask)
        rules += [] if mask is None else [mask]
    if is_causal and (lengths is None or lengths[0] == lengths[1]):
        rules.append(Causal())
    elif is_causal and lengths is not None:
        where = None if attn_mask is None else attn_mask.device
        rules.append(Explicit(torch.ones(lengths, dtype=torch.bool, device=where).tril()))
    return _all_of(rules), bias


def from_multihead(
    attn_mask: Tensor | None = None, key_padding_mask: Tensor | None = None, *, heads: int = 1
) -> tuple[Mask | None, Float[Tensor, "..."] | None]:
    """(mask, bias) of the arguments of ``torch.nn.MultiheadAttention``, whose booleans say True = may *not* attend.

    >>> import torch
    >>> from_multihead(key_padding_mask=torch.tensor([[False, False, True]]))
    (Padding([True, True, False]), None)

    Args:
        attn_mask: ``(queries, keys)`` or ``(batch · heads, queries, keys)``.
        key_padding_mask: ``(batch, keys)`` or ``(keys,)``.
        heads: The layer's heads, needed for an ``attn_mask`` of three axes.

    Raises:
        ShapeError: The first of three axes is no multiple of ``heads``, or the axes are others.

    """
    rules: list[Mask] = []
    biases: list[Tensor] = []
    whole_number("heads", heads)
    if attn_mask is not None:
        if attn_mask.dim() not in (2, 3):
            raise ShapeError(
                f"attn_mask is (queries, keys) or (batch · heads, queries, keys); got {tuple(attn_mask.shape)}"
            )
        if attn_mask.dim() == 3:
            if attn_mask.shape[0] % heads:
                raise ShapeError(
                    f"attn_mask of shape {tuple(attn_mask.shape)} is (batch · heads, queries, keys), and "
                    f"{attn_mask.shape[0]} is no multiple of {heads} heads"
                )
            attn_mask = attn_mask.unflatten(0, (-1, heads))
        mask, bias = _read(~attn_mask if attn_mask.dtype == torch.bool else attn_mask)
        rules += [] if mask is None else [mask]
        biases += [] if bias is None else [bias]
    if key_padding_mask is not None:
        if key_padding_mask.dim() not in (1, 2):
            raise ShapeError(f"key_padding_mask is (batch, keys) or (keys,); got {tuple(key_padding_mask.shape)}")
        row = key_padding_mask if key_padding_mask.dim() == 2 else key_padding_mask[None]
        if row.dtype == torch.bool:
            rules.append(Padding(~row))
        else:
            mask, bias = from_additive(row[:, None, None])
            if isinstance(mask, Explicit):
                rules.append(Padding(mask.allowed[:, 0, 0]))
            biases += [] if bias is None else [bias]
    return _all_of(rules), sum(biases[1:], biases[0]) if biases else None


def from_huggingface(attention_mask: Tensor) -> tuple[Mask | None, Float[Tensor, "..."] | None]:
    """(mask, bias) of what Hugging Face's models are given as ``attention_mask``.

    >>> import torch
    >>> from_huggingface(torch.tensor([[1, 1, 0], [1, 1, 1]]))
    (Padding([[True, True, False], [True, True, True]]), None)

    Args:
        attention_mask: ``(batch, keys)``, 1 where a token is there; or ``(batch, queries, keys)`` or ``(batch, heads,
            queries, keys)``, boolean or to be added. A causal model's own triangle is not part of the first.

    Raises:
        InputError: A mask of two axes holds other numbers than 0 and 1.

    """
    if attention_mask.dim() != 2:
        return _read(attention_mask[:, None] if attention_mask.dim() == 3 else attention_mask)
    present = attention_mask.bool()
    if not bool((attention_mask == present).all()):
        raise InputError(
            "an attention_mask (batch, keys) holds 1 where a token is and 0 where none is; got numbers from "
            f"{attention_mask.min().item()} to {attention_mask.max().item()}: those that are added have four axes"
        )
    return Padding(present), None


def from_mask_mod(
    mask_mod: Callable[..., Tensor], batch: int = 1, heads: int = 1, *, lengths: tuple[int, int] | None = None
) -> Predicate:
    """FlexAttention's ``mask_mod(batch, head, query, key)`` as a rule.

    FlexAttention counts queries from 0, a rule says where they stand: the same where there are as many queries as
    keys; for others, give ``lengths``.

    >>> print(from_mask_mod(lambda b, h, i, j: j <= i, lengths=(3, 5)).draw(3, 5))
        k0 k1 k2 k3 k4
    q0   #  .  .  .  .
    q1   #  #  .  .  .
    q2   #  #  #  .  .

    Args:
        mask_mod: The function.
        batch: For how many texts it speaks apart; 1 for a function that is the same for all of them.
        heads: For how many heads it speaks apart.
        lengths: Queries and keys, where they are not as many.

    """
    unequal = lengths is not None and lengths[0] != lengths[1]
    return Predicate(mask_mod, batch, heads, lengths=lengths if unequal else None)


def to_block_mask(
    mask: Mask,
    queries: int,
    keys: int,
    *,
    size: int | tuple[int, int] = 128,
    device: torch.device | str | None = None,
) -> BlockMask:
    """The rule as FlexAttention's ``BlockMask``, made from its tiles and not by evaluating all pairs.

    >>> to_block_mask(Causal(), 512, 512).sparsity()
    37.5

    Args:
        mask: The rule.
        queries: How many queries there are.
        keys: How many keys there are.
        size: Of a block, queries × keys.
        device: Where to; by default where the rule's tensors are, else on the CPU.

    """
    from torch.nn.attention.flex_attention import BlockMask

    if not isinstance(mask, Mask):
        raise InputError(f"to_block_mask writes a rule such as Causal() & Window(255, 0); got {mask!r}")
    rows, columns = (size, size) if isinstance(size, int) else size
    found = mask.tiles(queries, keys, (rows, columns), device=device)
    full = found == Tile.FULL
    # Kernels ask nothing about a full block, so none may reach past the end.
    if queries % rows:
        full[..., -1, :] = False
    if keys % columns:
        full[..., -1] = False
    offset = keys - queries
    return BlockMask.from_kv_blocks(
        *_ordered((found > Tile.EMPTY) & ~full),
        *_ordered(full),
        BLOCK_SIZE=(rows, columns),
        mask_mod=lambda batch, head, query, key: mask.allows(batch, head, query + offset, key),
        seq_lengths=(queries, keys),
    )


def _ordered(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """How many blocks each row has, and which: these first, then the others."""
    order = blocks.to(torch.int32).argsort(dim=-1, descending=True, stable=True)
    return blocks.sum(-1, dtype=torch.int32), order.to(torch.int32)


def _read(tensor: Tensor) -> tuple[Mask | None, Tensor | None]:
    return from_additive(tensor) if tensor.is_floating_point() else (Explicit(tensor), None)


def _all_of(rules: list[Mask]) -> Mask | None:
    whole: Mask | None = None
    for rule in rules:
        whole = rule if whole is None else whole & rule
    return whole
