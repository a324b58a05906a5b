"""Sparse patterns by the names of the papers that they come from, made of the rules of this package."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from clearhead.errors import InputError
from clearhead.masks.base import FARTHEST, Mask
from clearhead.masks.blocks import Blocks
from clearhead.masks.causal import Causal
from clearhead.masks.dilated import Dilated
from clearhead.masks.global_ import Global
from clearhead.masks.window import Window
from clearhead.shapes import whole_number

__all__ = ["big_bird", "longformer", "strided"]


def longformer(window: int, positions: Sequence[int] | Sequence[Sequence[int]] | Tensor) -> Mask:
    """A window around each token, and a few tokens that see all and are seen by all.

    ``Window(window // 2, window // 2) | Global(positions)`` (Beltagy et al. 2020, arXiv:2004.05150, section 3.1).

    >>> from clearhead.masks import longformer
    >>> print(longformer(2, [0]).draw())
        k0 k1 k2 k3 k4 k5
    q0   #  #  #  #  #  #
    q1   #  #  #  .  .  .
    q2   #  #  #  #  .  .
    q3   #  .  #  #  #  .
    q4   #  .  .  #  #  #
    q5   #  .  .  .  #  #

    Args:
        window: Keys that a token sees besides itself, half of them on each side: an even number.
        positions: Of the tokens that see all, as in :class:`Global`: ``(count,)`` or ``(batch, count)``. Negative ones
            are none, and not counted from the end: they fill up the texts that have fewer. Those past the end of the
            text are ignored.

    Raises:
        InputError: The window is odd, negative or no whole number.

    """
    half, odd = divmod(whole_number("a window", window, 0), 2)
    if odd:
        raise InputError(f"half of the window lies on each side, so it is even; got {window}")
    return Window(half, half) | Global(positions)


def big_bird(
    tokens: int, *, block: int = 64, window: int = 3, random: int = 3, heads: int = 1, seed: int = 0
) -> Blocks:
    """Blocks of tokens that see their neighbours, some random blocks, and the first and the last block, which see all.

    Zaheer et al. 2020, arXiv:2007.14062, in the block form of its appendix D, with the defaults of the published
    models. With one random block:

    >>> from clearhead.masks import big_bird
    >>> print(big_bird(7, block=1, window=1, random=1).draw(7))
        k0 k1 k2 k3 k4 k5 k6
    q0   #  #  #  #  #  #  #
    q1   #  #  .  .  .  #  #
    q2   #  .  #  .  #  .  #
    q3   #  #  .  #  .  .  #
    q4   #  .  .  .  #  #  #
    q5   #  #  .  .  .  #  #
    q6   #  #  #  #  #  #  #

    Args:
        tokens: How many tokens there are. Of a text that is shorter the last block, which sees all and is seen by all,
            lies outside, and random blocks may; one that is longer than the blocks is refused.
        block: Tokens a block.
        window: Blocks around a block, itself included: an odd number.
        random: Further blocks that each block sees, or all there are if there are fewer.
        heads: Each draws its own random blocks; 1 serves all heads.
        seed: The same seed draws the same blocks.

    Raises:
        InputError: A number that is no whole number or too small, or an even window.

    """
    count = -(-whole_number("tokens", tokens) // whole_number("the size of a block", block))
    if whole_number("the window in blocks", window) % 2 == 0:
        raise InputError(f"as many blocks lie on each side, so the window is odd, its own block included; got {window}")
    whole_number("the number of random blocks", random, 0)
    number = torch.arange(count)
    near = (number[:, None] - number).abs() <= window // 2
    near[[0, -1]], near[:, [0, -1]] = True, True
    generator = torch.Generator().manual_seed(whole_number("the seed", seed, 0))
    order = torch.rand(whole_number("heads", heads), count, count, generator=generator).masked_fill(near, 2.0)
    drawn = torch.zeros_like(order, dtype=torch.bool)
    drawn.scatter_(-1, order.topk(min(random, count), largest=False).indices, value=True)
    return Blocks(near | drawn, block)


def strided(stride: int) -> Mask:
    """The last ``stride`` keys, and before them every ``stride``-th.

    ``Causal() & (Window(stride − 1, 0) | Dilated(…, stride))``: both kinds of head of the Sparse Transformer's strided
    pattern in one (Child et al. 2019, arXiv:1904.10509, section 4.2).

    >>> from clearhead.masks import strided
    >>> print(strided(2).draw())
        k0 k1 k2 k3 k4 k5
    q0   #  .  .  .  .  .
    q1   #  #  .  .  .  .
    q2   #  #  #  .  .  .
    q3   .  #  #  #  .  .
    q4   #  .  #  #  #  .
    q5   .  #  .  #  #  #

    Args:
        stride: At least 1; about the square root of the number of tokens costs least.

    Raises:
        InputError: It is no whole number of at least 1.

    """
    whole_number("the stride", stride)
    return Causal() & (Window(stride - 1, 0) | Dilated(FARTHEST // stride, stride))
