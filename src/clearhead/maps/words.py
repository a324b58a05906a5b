"""Maps by word: several tokens shown as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clearhead.errors import ShapeError
from clearhead.maps.base import AttentionMap, Check
from clearhead.maps.held import Held

__all__ = ["WordMap"]

_TOKEN_TILE = 2**20  # weights by token that exist at once


class WordMap(AttentionMap):
    """A map whose queries and keys are groups of those of another, still lazy.

    Attention *to* a word is the sum over its tokens, attention *from* it the mean (Clark et al. 2019,
    arXiv:1906.04341), so that each row still sums to 1.

    Args:
        tokens: The map by token.
        query_words: ``(batch, queries)`` word number of each query from 0, −1 for none.
        key_words: ``(batch, keys)`` likewise.

    Where the texts of a batch differ in their number of words, words that a text does not have get weight 0.

    """

    def __init__(
        self,
        tokens: AttentionMap,
        query_words: Int[Tensor, "batch queries"],
        key_words: Int[Tensor, "batch keys"],
    ) -> None:
        batch, heads, queries, keys = tokens.shape
        for name, words, wanted in (("query_words", query_words, queries), ("key_words", key_words, keys)):
            if tuple(words.shape) != (batch, wanted):
                raise ShapeError(f"{name} has the shape ({batch}, {wanted}) here; got {tuple(words.shape)}")
        self.by_token = tokens
        self._held = Held({"query_words": query_words.to(tokens.device), "key_words": key_words.to(tokens.device)})
        counts = (int(words.max()) + 1 if words.numel() else 0 for words in (query_words, key_words))
        self.shape = (batch, heads, *counts)  # type: ignore[assignment]  # the generator has two items
        self.device, self.dtype = tokens.device, tokens.dtype

    @property
    def query_words(self) -> Int[Tensor, "batch queries"]:
        """The word number of each query of the map by token, −1 for none."""
        return self._held["query_words"]

    @property
    def key_words(self) -> Int[Tensor, "batch keys"]:
        """Likewise of each key."""
        return self._held["key_words"]

    @property
    def nbytes(self) -> int:
        return self.by_token.nbytes + self._held.nbytes

    def tensors(self) -> Mapping[str, Tensor]:
        return self.by_token.tensors()

    def outer(
        self,
        batch: Int[Tensor, "b"],
        head: Int[Tensor, "h"],
        query: Int[Tensor, "i"],
        key: Int[Tensor, "j"],
    ) -> Float[Tensor, "b h i j"]:
        result = torch.zeros((len(batch), len(head), len(query), len(key)), dtype=self.dtype, device=self.device)
        for place, number in enumerate(batch.tolist()):
            row_token, row_word = _members(self.query_words[number], query)
            column_token, column_word = _members(self.key_words[number], key)
            at = torch.tensor([number], device=self.device)
            # A word of very many tokens must not make a tile of very many weights.
            step = max(1, _TOKEN_TILE // max(1, len(head) * len(column_token)))
            for token, word in zip(row_token.split(step), row_word.split(step), strict=True):
                weights = self.by_token.outer(at, head, token, column_token)[0]
                summed = weights.new_zeros((*weights.shape[:2], len(key))).index_add_(2, column_word, weights)
                result[place].index_add_(1, word, summed)
            result[place] /= torch.bincount(row_word, minlength=len(query)).clamp(min=1)[:, None]
        return result

    def points(
        self,
        batch: Int[Tensor, "*points"],
        head: Int[Tensor, "*points"],
        query: Int[Tensor, "*points"],
        key: Int[Tensor, "*points"],
    ) -> Float[Tensor, "*points"]:
        flat = [x.reshape(-1, 1) for x in (batch, head, query, key)]
        result = torch.zeros(batch.shape, dtype=self.dtype, device=self.device)
        for n in range(result.numel()):
            result.view(-1)[n] = self.outer(*(x[n] for x in flat)).squeeze()
        return result

    def apply(self, columns: Float[Tensor, "#batch #heads keys c"]) -> Float[Tensor, "batch heads queries c"]:
        batch = self.shape[0]
        columns = columns.to(self.dtype).expand(batch, -1, -1, -1)
        present = self.key_words >= 0
        spread = columns.gather(2, self._places(self.key_words, columns.shape[1], columns.shape[-1]))
        by_query = self.by_token.apply(spread * present[:, None, :, None])
        result = by_query.new_zeros((*self.shape[:3], columns.shape[-1]))
        kept = by_query * (self.query_words >= 0)[:, None, :, None]
        result.scatter_add_(2, self._places(self.query_words, self.shape[1], columns.shape[-1]), kept)
        return result / self._sizes()[:, None, :, None]

    def received(
        self, weights: Float[Tensor, "#batch #heads queries"] | None = None
    ) -> Float[Tensor, "batch heads keys"]:
        share = (1 / self._sizes())[:, None]
        share = share if weights is None else share * weights
        places = self.query_words.clamp(min=0)[:, None].expand(-1, share.shape[1], -1)
        by_token = share.gather(2, places) * (self.query_words >= 0)[:, None]
        received = self.by_token.received(by_token) * (self.key_words >= 0)[:, None]
        result = received.new_zeros((*self.shape[:2], self.shape[3]))
        return result.scatter_add_(2, self.key_words.clamp(min=0)[:, None].expand(-1, self.shape[1], -1), received)

    def to(self, device: torch.device | str) -> WordMap:
        return WordMap(self.by_token.to(device), self.query_words.to(device), self.key_words.to(device))

    def select_heads(self, heads: Sequence[int]) -> WordMap:
        return WordMap(self.by_token.select_heads(heads), self.query_words, self.key_words)

    def check(self) -> Check:
        """That of the map by token, which this one is summed from."""
        return self.by_token.check()

    def _sizes(self) -> Float[Tensor, "batch words"]:
        """How many tokens each query word has, at least 1."""
        sizes = torch.zeros((self.shape[0], self.shape[2]), dtype=self.dtype, device=self.device)
        return sizes.scatter_add_(1, self.query_words.clamp(min=0), (self.query_words >= 0).to(self.dtype)).clamp(min=1)

    @staticmethod
    def _places(words: Tensor, heads: int, width: int) -> Tensor:
        return words.clamp(min=0)[:, None, :, None].expand(-1, heads, -1, width)


def _members(words: Int[Tensor, "tokens"], wanted: Int[Tensor, "w"]) -> tuple[Tensor, Tensor]:
    """Token numbers of the wanted words, and for each the place of its word among the wanted."""
    by_word = words.argsort(stable=True)  # first the tokens without a word, −1, then those of word 0, 1, …
    counts = torch.bincount(words + 1, minlength=int(wanted.max()) + 2 if len(wanted) else 1)
    first = counts.cumsum(0) - counts
    sizes = counts[wanted + 1]
    place = torch.repeat_interleave(sizes)
    within = torch.arange(len(place), device=words.device) - (sizes.cumsum(0) - sizes)[place]
    return by_word[first[wanted + 1][place] + within], place
