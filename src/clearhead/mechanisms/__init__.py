"""Attention itself: the specification (``dense``), the kernels (``fused``), and the rule that both follow."""

from clearhead.mechanisms.rule import ScoreRule

__all__ = ["ScoreRule"]
