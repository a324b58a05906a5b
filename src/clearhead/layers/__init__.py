"""Attention as layers: projections into heads, the mechanism, the projection back, and caches for decoding."""

from clearhead.layers.cache import Cache, Cached, GrowingCache, SlidingCache, StaticCache
from clearhead.layers.extra_keys import LearnedKey, ZeroKey
from clearhead.layers.finite import check_finite
from clearhead.layers.linear import LinearAttention
from clearhead.layers.multihead import KeyValues, MultiHeadAttention
from clearhead.layers.self_attention import SelfAttention

__all__ = [
    "Cache",
    "Cached",
    "GrowingCache",
    "KeyValues",
    "LearnedKey",
    "LinearAttention",
    "MultiHeadAttention",
    "SelfAttention",
    "SlidingCache",
    "StaticCache",
    "ZeroKey",
    "check_finite",
]
