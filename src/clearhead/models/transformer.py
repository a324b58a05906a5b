"""The Transformer: what happens to a text from its first embedding to its last hidden state, top to bottom.

A stack is put together from parts that are passed in: an embedding, blocks, and a norm at the end. So the Transformer
of 2017, BERT, GPT-2, T5, ViT and Llama are all the classes of this file, with other parts; ``models/pretrained/`` has
one file for each published architecture that says with which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from clearhead.errors import InputError, ShapeError
from clearhead.layers import KeyValues, MultiHeadAttention
from clearhead.layers.cache import Cache
from clearhead.layers.dropout import Dropout
from clearhead.masks import Causal, Mask, Padding
from clearhead.positions import Bias, Rotary

__all__ = ["Block", "Decoder", "Embedding", "Encoder", "EncoderDecoder", "PatchEmbedding", "Stack", "VisionEncoder"]

Hidden = Float[Tensor, "batch tokens dim"]
Context = Float[Tensor, "batch context_tokens context_dim"]
Ids = Int[Tensor, "batch tokens"]


class Embedding(nn.Module):
    """From token ids to vectors: a trained one for each id, plus where it stands and of which kind it is.

    ``dropout(norm(scale · tokens[id] + position(p) + types[t]))``, of which all but the first may be left out.

    Args:
        vocabulary: How many ids there are.
        dim: Width of a vector.
        position: From positions to codes, such as :class:`~clearhead.Sinusoidal` or :class:`~clearhead.Learned`;
            nothing where the attention layers know positions by themselves.
        padding: An id that is not counted: it stands at −1, and others at how many there are before them (RoBERTa).
            Otherwise token i stands at i.
        types: How many kinds of tokens there are (BERT's first and second sentence).
        norm: What normalises the sum.
        scale: Factor of the token's vector; √dim in the Transformer of 2017.
        dropout: Share of numbers that training drops.

    """

    def __init__(
        self,
        vocabulary: int,
        dim: int,
        *,
        position: nn.Module | None = None,
        padding: int | None = None,
        types: int = 0,
        norm: nn.Module | None = None,
        scale: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, dim)
        self.position, self.padding = position, padding
        self.types = nn.Embedding(types, dim) if types else None
        self.norm, self.scale, self.dropout = norm, scale, Dropout(dropout)
        for table in (self.tokens, self.types):
            if table is not None:
                nn.init.normal_(table.weight, std=0.02 if scale == 1.0 else dim**-0.5)

    def positions(self, ids: Ids) -> Int[Tensor, "*#batch tokens"]:
        """Where the tokens of a whole text stand."""
        if self.padding is None:
            return torch.arange(ids.shape[1], device=ids.device)
        there = (ids != self.padding).long()
        return there.cumsum(-1) * there - 1

    def forward(self, ids: Ids, positions: Int[Tensor, "*#batch tokens"], types: Ids | None = None) -> Hidden:
        """The vectors; kind 0 where ``types`` is not given.

        Raises:
            InputError: An id that the table has no row for. In compiled code and on other devices than the CPU that is
                left to PyTorch.

        """
        if ids.device.type == "cpu" and not torch.compiler.is_compiling() and ids.numel():
            low, high = (int(x) for x in ids.aminmax())
            if low < 0 or high >= self.tokens.num_embeddings:
                raise InputError(
                    f"there is no token {low if low < 0 else high}: the model knows the ids 0 … "
                    f"{self.tokens.num_embeddings - 1}"
                )
        x: Tensor = self.tokens(ids)
        if self.scale != 1.0:
            x = x * self.scale
        if self.types is not None:
            x = x + (self.types.weight[0] if types is None else self.types(types))
        if self.position is not None:
            x = x + self.position(positions).to(x.dtype)
        if self.norm is not None:
            x = self.norm(x)
        found: Tensor = self.dropout(x)
        return found


class Block(nn.Module):
    """Attention and a feed-forward layer, each with a residual connection and a norm.

    With the norm first (pre-norm), ``x + f(norm(x))``; else (post-norm, as in 2017) ``norm(x + f(x))``.

    Args:
        attention: Self-attention.
        feed_forward: What follows it.
        norm: Makes a norm, one for each of the parts: ``lambda: nn.LayerNorm(dim)``.
        cross_attention: Attention to another text, between the two.
        norm_first: Whether each part sees normalised numbers.
        dropout: Share of each part's output that training drops.

    """

    def __init__(
        self,
        attention: MultiHeadAttention,
        feed_forward: nn.Module,
        norm: Callable[[], nn.Module],
        *,
        cross_attention: MultiHeadAttention | None = None,
        norm_first: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if isinstance(norm, nn.Module):
            raise InputError("norm makes the norms, one for each part: norm=lambda: nn.LayerNorm(dim)")
        self.attention, self.attention_norm = attention, norm()
        self.cross_attention = cross_attention
        self.cross_attention_norm = None if cross_attention is None else norm()
        self.feed_forward, self.feed_forward_norm = feed_forward, norm()
        self.norm_first, self.dropout = norm_first, Dropout(dropout)

    def forward(
        self,
        x: Hidden,
        *,
        mask: Mask | Tensor | None = None,
        bias: Bias | None = None,
        cache: Cache | None = None,
        positions: Int[Tensor, "*#batch tokens"] | None = None,
        context: Context | KeyValues | None = None,
        context_mask: Mask | Tensor | None = None,
    ) -> Hidden:
        """One step of the residual stream. ``context`` is what the cross-attention attends to."""

        def attend(x: Tensor) -> Tensor:
            place = positions if isinstance(self.attention.position, Rotary) else None
            found: Tensor = self.attention(x, mask=mask, bias=bias, cache=cache, positions=place)
            return found

        def attend_across(x: Tensor) -> Tensor:
            assert self.cross_attention is not None
            found: Tensor = self.cross_attention(x, context, mask=context_mask)
            return found

        x = self._residual(x, attend, self.attention_norm)
        if self.cross_attention_norm is not None and context is not None:
            x = self._residual(x, attend_across, self.cross_attention_norm)
        return self._residual(x, self.feed_forward, self.feed_forward_norm)

    def _residual(self, x: Tensor, part: Callable[[Tensor], Tensor], norm: nn.Module) -> Tensor:
        found: Tensor = x + self.dropout(part(norm(x))) if self.norm_first else norm(x + self.dropout(part(x)))
        return found


class Stack(nn.Module):
    """Blocks one after the other, and a norm at the end.

    Args:
        embedding: What the blocks start from.
        blocks: The blocks.
        norm: The last norm; post-norm blocks need none.
        bias: A bias that the self-attention of all blocks shares (T5).
        dropout: Share of the last hidden state that training drops.

    Attributes:
        checkpoints: Set to True, training computes each block again in the backward pass instead of keeping what is in
            it (gradient checkpointing, Chen et al. 2016, arXiv:1604.06174).

    """

    def __init__(
        self,
        embedding: nn.Module,
        blocks: Iterable[Block],
        *,
        norm: nn.Module | None = None,
        bias: Bias | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.blocks = nn.ModuleList(blocks)
        self.norm, self.bias, self.dropout = norm, bias, Dropout(dropout)
        self.checkpoints = False

    def run(
        self,
        x: Hidden,
        *,
        mask: Mask | Tensor | None,
        caches: Sequence[Cache] | None = None,
        positions: Int[Tensor, "*#batch tokens"] | None = None,
        context: Context | Sequence[KeyValues] | None = None,
        context_mask: Mask | Tensor | None = None,
        states: list[Tensor] | None = None,
    ) -> Hidden:
        """From the embedded text to its last hidden state; ``states`` gets what enters each block, and the last."""
        for number, block in enumerate(self.blocks):
            if states is not None:
                states.append(x)
            options: dict[str, Any] = {
                "mask": mask,
                "bias": self.bias,
                "cache": None if caches is None else caches[number],
                "positions": positions,
                "context": context if context is None or isinstance(context, Tensor) else context[number],
                "context_mask": context_mask,
            }
            if self.checkpoints and torch.is_grad_enabled():
                x = checkpoint(block, x, use_reentrant=False, **options)
            else:
                x = block(x, **options)
        if self.norm is not None:
            x = self.norm(x)
        x = self.dropout(x)
        if states is not None:
            states.append(x)
        return x


class Encoder(Stack):
    """A stack in which every token sees the whole text.

    Args:
        embedding: From ids to vectors.
        blocks: The blocks.
        norm: The last norm.
        bias: A bias that all blocks share.
        dropout: Share of the last hidden state that training drops.

    Example:
        >>> from clearhead.layers import FeedForward, MultiHeadAttention
        >>> def block():
        ...     return Block(MultiHeadAttention(8, 2), FeedForward(8, 32), lambda: nn.LayerNorm(8))
        >>> encoder = Encoder(Embedding(100, 8), [block() for _ in range(2)], norm=nn.LayerNorm(8))
        >>> encoder(torch.tensor([[5, 7, 9]])).shape
        torch.Size([1, 3, 8])

    """

    embedding: Embedding

    def forward(
        self,
        ids: Ids,
        *,
        mask: Mask | Tensor | None = None,
        types: Ids | None = None,
        states: list[Tensor] | None = None,
    ) -> Hidden:
        """The last hidden state of each token.

        Args:
            ids: The token ids.
            mask: Who may attend to whom; a boolean tensor ``(batch, tokens)`` says which tokens there are.
            types: The kind of each token.
            states: A list that gets the hidden states: what enters each block, and the last.

        """
        check_ids(ids)
        x = self.embedding(ids, self.embedding.positions(ids), types)
        return self.run(x, mask=which_are_there(mask, ids.shape[1]), states=states)


class Decoder(Stack):
    """A stack in which every token sees those up to itself, and, with cross-attention, another text.

    Args:
        embedding: From ids to vectors.
        blocks: The blocks.
        norm: The last norm.
        bias: A bias that all blocks share.
        dropout: Share of the last hidden state that training drops.

    """

    embedding: Embedding

    def forward(
        self,
        ids: Ids,
        *,
        mask: Mask | Tensor | None = None,
        caches: Sequence[Cache] | None = None,
        positions: Int[Tensor, "*#batch tokens"] | None = None,
        context: Context | Sequence[KeyValues] | None = None,
        context_mask: Mask | Tensor | None = None,
        states: list[Tensor] | None = None,
    ) -> Hidden:
        """The last hidden state of each token.

        Args:
            ids: The token ids; with caches, the newest.
            mask: Which tokens there are, those in the caches included, ``(batch, tokens)``; or any mask, which
                :class:`~clearhead.Causal` is added to.
            caches: Of each block, the keys and values of the tokens before.
            positions: Where the tokens stand, if not at 0, 1, …, those that are not there not counted.
            context: The other text's hidden states, or what :meth:`project` made of them.
            context_mask: Which of its tokens there are.
            states: A list that gets the hidden states.

        """
        check_ids(ids)
        seen = 0 if caches is None else caches[0].seen
        there = which_are_there(mask, None if isinstance(seen, Tensor) else seen + ids.shape[1])
        if context is None and any(isinstance(x, Block) and x.cross_attention is not None for x in self.blocks):
            raise InputError("the decoder attends to another text as well: call it with context, that text's states")
        if positions is None and isinstance(mask, Tensor):  # those that are not there are not counted
            positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        elif positions is None:
            positions = seen + torch.arange(ids.shape[1], device=ids.device)
        allowed = there  # of which the last token may see all
        if ids.shape[1] > 1:
            allowed = Causal() if there is None else Causal() & there
        return self.run(
            self.embedding(ids, positions),
            mask=allowed,
            caches=caches,
            positions=positions,
            context=context,
            context_mask=which_are_there(context_mask, None),
            states=states,
        )

    def project(self, context: Context) -> list[KeyValues]:
        """The keys and values that the cross-attention of each block makes of a text: for many calls, computed once."""
        layers = [block.cross_attention for block in self.blocks if isinstance(block, Block)]
        return [layer.project(context) for layer in layers if layer is not None]


class EncoderDecoder(nn.Module):
    """An encoder, and a decoder that attends to what it made of the text.

    Args:
        encoder: Reads the text.
        decoder: Its blocks have cross-attention.

    """

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        if any(block.cross_attention is None for block in decoder.blocks):
            raise InputError("a block of the decoder has no cross-attention: Block(…, cross_attention=…)")
        self.encoder, self.decoder = encoder, decoder

    @property
    def checkpoints(self) -> bool:
        """Of both stacks: see :class:`Stack`."""
        return self.encoder.checkpoints and self.decoder.checkpoints

    @checkpoints.setter
    def checkpoints(self, value: bool) -> None:
        self.encoder.checkpoints = self.decoder.checkpoints = value

    def forward(
        self,
        ids: Ids,
        target: Int[Tensor, "batch targets"],
        *,
        mask: Mask | Tensor | None = None,
        target_mask: Mask | Tensor | None = None,
        states: list[Tensor] | None = None,
        target_states: list[Tensor] | None = None,
    ) -> Float[Tensor, "batch targets dim"]:
        """The last hidden state of each target token, given the text and the target tokens up to it.

        ``states`` gets the hidden states of the encoder, ``target_states`` those of the decoder.
        """
        context = self.encoder(ids, mask=mask, states=states)
        found: Tensor = self.decoder(target, mask=target_mask, context=context, context_mask=mask, states=target_states)
        return found


class PatchEmbedding(nn.Module):
    """From an image to a vector for each of its patches, with one more, trained, in front.

    Args:
        image: Height and width of the image in pixels.
        patch: Height and width of a patch; whole patches fill the image.
        channels: Numbers of a pixel.
        dim: Width of a vector.
        dropout: Share of numbers that training drops.

    Source: Dosovitskiy et al. 2021, arXiv:2010.11929.

    """

    def __init__(
        self, image: tuple[int, int], patch: tuple[int, int], channels: int, dim: int, *, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if any(side % part for side, part in zip(image, patch, strict=True)):
            raise ShapeError(
                f"patches of {patch[0]} × {patch[1]} pixels do not fill an image of {image[0]} × {image[1]}"
            )
        self.image, self.channels = image, channels
        self.grid = image[0] // patch[0], image[1] // patch[1]
        self.patches = nn.Conv2d(channels, dim, kernel_size=patch, stride=patch)
        self.first = nn.Parameter(torch.zeros(dim))
        self.position = nn.Parameter(torch.empty(1 + self.grid[0] * self.grid[1], dim))
        nn.init.normal_(self.position, std=0.02)
        self.dropout = Dropout(dropout)

    def forward(self, pixels: Float[Tensor, "batch channels height width"]) -> Hidden:
        """The vectors: the trained one, then row by row those of the patches."""
        if tuple(pixels.shape[1:]) != (self.channels, *self.image):
            raise ShapeError(
                f"images are (batch, {self.channels}, {self.image[0]}, {self.image[1]}); got {tuple(pixels.shape)}"
            )
        x = self.patches(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(len(x), 1, -1), x], 1) + self.position
        found: Tensor = self.dropout(x)
        return found


class VisionEncoder(Stack):
    """A stack in which every patch of an image sees all others.

    Args:
        embedding: From images to vectors.
        blocks: The blocks.
        norm: The last norm.

    """

    embedding: PatchEmbedding

    def forward(
        self, pixels: Float[Tensor, "batch channels height width"], *, states: list[Tensor] | None = None
    ) -> Hidden:
        """The last hidden state of the whole and of each patch."""
        return self.run(self.embedding(pixels), mask=None, states=states)


def check_ids(ids: object) -> None:
    """Refuse what is no batch of token ids.

    Raises:
        InputError: It is no tensor of whole numbers.
        ShapeError: It has other axes than ``(batch, tokens)``.

    """
    if not isinstance(ids, Tensor) or ids.is_floating_point() or ids.dtype == torch.bool:
        seen = ids.dtype if isinstance(ids, Tensor) else type(ids).__name__
        raise InputError(f"a model takes token ids, whole numbers (batch, tokens); got {seen}. encode() makes them")
    if ids.dim() != 2:
        raise ShapeError(f"token ids are (batch, tokens), got {tuple(ids.shape)}; of one text they are ids[None]")


def which_are_there(mask: Mask | Tensor | None, tokens: int | None) -> Mask | None:
    """A boolean tensor ``(batch, tokens)`` as the :class:`~clearhead.Padding` that it means; others as they are."""
    if mask is None or isinstance(mask, Mask):
        return mask
    if mask.dtype != torch.bool or mask.dim() != 2:
        raise InputError(
            "a mask is a clearhead mask, or booleans (batch, tokens), True = there is a token; got "
            f"{mask.dtype} of the shape {tuple(mask.shape)}"
        )
    if tokens is not None and mask.shape[1] != tokens:
        raise ShapeError(f"the mask speaks of {mask.shape[1]} tokens, and there are {tokens}")
    return Padding(mask)
