"""Lazy attention maps, and what can be asked of them."""

from clearhead.maps.base import AttentionMap, Check, Distance, Moments, Tile, TopK

__all__ = ["AttentionMap", "Check", "Distance", "Moments", "Tile", "TopK"]
