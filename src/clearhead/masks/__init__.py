"""Which query may attend to which key. True = may attend, everywhere."""

from clearhead.masks.algebra import And, Not, Or
from clearhead.masks.base import Mask
from clearhead.masks.blocks import Blocks
from clearhead.masks.bound import BoundMask
from clearhead.masks.bound_rule import BoundRule
from clearhead.masks.causal import Causal
from clearhead.masks.conventions import (
    from_additive,
    from_huggingface,
    from_mask_mod,
    from_multihead,
    from_sdpa,
    to_block_mask,
)
from clearhead.masks.dilated import Dilated
from clearhead.masks.documents import Documents
from clearhead.masks.explicit import Explicit
from clearhead.masks.global_ import Global
from clearhead.masks.grid import Tile
from clearhead.masks.padding import Padding
from clearhead.masks.patterns import big_bird, longformer, strided
from clearhead.masks.predicate import Predicate
from clearhead.masks.prefix import Prefix
from clearhead.masks.read import read_additive, read_boolean
from clearhead.masks.spans import Spans
from clearhead.masks.window import Window

__all__ = [
    "And",
    "Blocks",
    "BoundMask",
    "BoundRule",
    "Causal",
    "Dilated",
    "Documents",
    "Explicit",
    "Global",
    "Mask",
    "Not",
    "Or",
    "Padding",
    "Predicate",
    "Prefix",
    "Spans",
    "Tile",
    "Window",
    "big_bird",
    "from_additive",
    "from_huggingface",
    "from_mask_mod",
    "from_multihead",
    "from_sdpa",
    "longformer",
    "read_additive",
    "read_boolean",
    "strided",
    "to_block_mask",
]
