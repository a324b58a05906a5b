"""Looking for NaN and infinity where asked to."""

from __future__ import annotations

from itertools import chain

import torch
from torch import Tensor, nn

from clearhead.errors import NotFiniteError

__all__ = ["check_finite"]


def check_finite(**named: Tensor | nn.Module) -> None:
    """Raise where a tensor, or a parameter or buffer of a module, is NaN or infinite.

    It reads every number, so it is called where something is being looked for and not in every step.

    Args:
        named: Tensors and modules, by the names that the message uses.

    Raises:
        NotFiniteError: It names the tensor, how many of its numbers are not finite, and where the first one is.

    Example:
        >>> check_finite(x=torch.ones(2, 3), layer=nn.Linear(3, 3))
        >>> check_finite(x=torch.tensor([[1.0, float("nan")]]))
        Traceback (most recent call last):
        ...
        clearhead.errors.NotFiniteError: x is not finite: 1 of 2 numbers, the first at [0, 1], is nan; ...

    """
    for name, thing in named.items():
        if isinstance(thing, Tensor):
            tensors = {name: thing}
        else:
            tensors = {f"{name}.{path}": x for path, x in chain(thing.named_parameters(), thing.named_buffers())}
        for path, tensor in tensors.items():
            wrong = ~torch.isfinite(tensor)
            if bool(wrong.any()):
                first = wrong.nonzero()[0].tolist()
                raise NotFiniteError(
                    f"{path} is not finite: {int(wrong.sum())} of {tensor.numel()} numbers, the first at {first}, "
                    f"is {tensor[tuple(first)].item()}; check what was computed before it the same way"
                )
