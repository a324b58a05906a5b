"""A dense matrix seen from afar, from the definition."""

from __future__ import annotations

import torch
from torch import Tensor


def blocks(whole: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The mean and the maximum of every ``size × size`` block; those at the border may be smaller."""
    margins = [-side % size for side in whole.shape]
    padded = torch.nn.functional.pad(whole, (0, margins[1], 0, margins[0]), value=torch.nan)
    parts = padded.unflatten(1, (-1, size)).unflatten(0, (-1, size)).transpose(1, 2).flatten(2)
    return parts.nanmean(2), parts.nan_to_num(-1.0).amax(2)
