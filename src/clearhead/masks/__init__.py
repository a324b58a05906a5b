"""Which query may attend to which key. True = may attend, everywhere."""

from clearhead.masks.bound import BoundMask
from clearhead.masks.explicit import Explicit, Predicate
from clearhead.masks.read import read_additive, read_boolean
from clearhead.masks.spans import Spans

__all__ = ["BoundMask", "Explicit", "Predicate", "Spans", "read_additive", "read_boolean"]
