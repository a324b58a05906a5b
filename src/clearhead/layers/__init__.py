"""Attention as layers: projections into heads, the mechanism, the projection back, and caches for decoding."""

from clearhead.layers.cache import Cache, Cached, GrowingCache, PreallocatedCache, SlidingCache, StaticCache
from clearhead.layers.extra_keys import LearnedKey, ZeroKey
from clearhead.layers.feed_forward import ACTIVATIONS, FeedForward
from clearhead.layers.finite import check_finite
from clearhead.layers.linear import LinearAttention
from clearhead.layers.multihead import KeyValues, MultiHeadAttention
from clearhead.layers.self_attention import SelfAttention

__all__ = [
    "ACTIVATIONS",
    "Cache",
    "Cached",
    "FeedForward",
    "GrowingCache",
    "KeyValues",
    "LearnedKey",
    "LinearAttention",
    "MultiHeadAttention",
    "PreallocatedCache",
    "SelfAttention",
    "SlidingCache",
    "StaticCache",
    "ZeroKey",
    "check_finite",
]
