"""Dropout as a module."""

from __future__ import annotations

from torch import Tensor, nn

from clearhead.mechanisms.dropout import dropout

__all__ = ["Dropout"]


class Dropout(nn.Dropout):
    """``torch.nn.Dropout``, about three times faster on a CPU: see :func:`clearhead.mechanisms.dropout.dropout`."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # as it is called there
        """In training, numbers set to 0 at random; else what it is given."""
        return dropout(input, self.p) if self.training and not self.inplace else super().forward(input)
