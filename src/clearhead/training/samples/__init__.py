"""Small texts to try training with; README.md says where they come from, and under which licences."""

from pathlib import Path

__all__ = ["TEXT", "TREEBANK"]

TREEBANK = Path(__file__).parent
"""A folder with a training, a development and a test set of a few sentences."""
TEXT = TREEBANK / "shakespeare.txt"
