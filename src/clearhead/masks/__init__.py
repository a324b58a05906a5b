"""Which query may attend to which key. True = may attend, everywhere."""

from clearhead.masks.base import Mask
from clearhead.masks.explicit import Explicit, Predicate
from clearhead.masks.read import read_additive, read_boolean
from clearhead.masks.spans import Spans

__all__ = ["Explicit", "Mask", "Predicate", "Spans", "read_additive", "read_boolean"]
