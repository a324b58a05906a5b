"""The axes' names, and the tensors that most signatures speak of.

``batch, heads, queries, keys, head_dim`` in the order of
:func:`torch.nn.functional.scaled_dot_product_attention`. ``kv_heads`` divides ``heads``: with grouped queries,
query head ``h`` uses key head ``h // (heads // kv_heads)``. A leading ``#`` allows an axis of size 1 that broadcasts.
"""

from jaxtyping import Float
from torch import Tensor

Queries = Float[Tensor, "batch heads queries head_dim"]
Keys = Float[Tensor, "batch kv_heads keys head_dim"]
Weights = Float[Tensor, "batch heads queries keys"]
PerQuery = Float[Tensor, "batch heads queries"]

__all__ = ["Keys", "PerQuery", "Queries", "Weights"]
