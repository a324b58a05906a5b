"""One map of several calls, where each goes on from where the one before ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from clearhead.errors import InputError
from clearhead.maps.base import AttentionMap
from clearhead.maps.factored import FactoredMap
from clearhead.masks import read_boolean
from clearhead.mechanisms.rule import PlacedBias

__all__ = ["join"]


def join(maps: Sequence[AttentionMap]) -> AttentionMap:
    """The map of all queries of several calls, as when text is written token by token with a cache.

    Each call's queries stand after those of the one before, and its keys are those of the one before and its own; or,
    in cross-attention, all calls have the same keys. The queries of the whole are those of all calls, its keys those
    of the last. What a call did not have yet is forbidden to it.

    Args:
        maps: In order; each with the queries, keys and LSE of its call.

    Raises:
        InputError: They are not of that kind: keys that were dropped or overwritten, other scores, stored weights.

    """
    if len(maps) == 1:
        return maps[0]
    steps = [amap for amap in maps if isinstance(amap, FactoredMap)]
    if len(steps) < len(maps):
        raise InputError("a call whose weights are stored, not its queries and keys, cannot be joined with others")
    last = steps[-1]
    rule, keys, queries = last.rule, last.shape[3], sum(step.shape[2] for step in steps)
    is_cross = all(step.shape[3] == keys for step in steps)
    place = first = keys - queries  # of the keys, that of the first query
    for step in steps:
        place = keys if is_cross else place + step.shape[2]
        if step.shape[:2] != last.shape[:2] or step.shape[3] != place or not torch.equal(step.k, last.k[:, :, :place]):
            raise InputError(
                f"a call with {step.shape[2]} queries and {step.shape[3]} keys does not go on from those before it: "
                "keys were dropped or overwritten, or it was of another text"
            )
        if not _is_alike(step, last) or (is_cross and rule.position_bias is not None):
            raise InputError("calls with different scales, biases, soft-caps or normalizers cannot be joined")
    placed = None if rule.position_bias is None else PlacedBias(rule.position_bias.bias, first)
    return FactoredMap(
        torch.cat([step.q for step in steps], 2),
        last.k,
        replace(rule, mask=read_boolean(_allowed(steps, keys), queries), position_bias=placed),
        lse=torch.cat([step.lse for step in steps], 2),
    )


def _is_alike(step: FactoredMap, last: FactoredMap) -> bool:
    """Whether scores are made in the same way, by functions of positions at most."""
    one, other = step.rule, last.rule
    same = (one.scale, one.softcap, one.head_numbers) == (other.scale, other.softcap, other.head_numbers)
    plain = all(x.bias is None and x.modify is None for x in (one, other))
    sinks = one.sinks is other.sinks or (
        one.sinks is not None and other.sinks is not None and torch.equal(one.sinks, other.sinks)
    )
    return (
        same and plain and sinks and type(one.normalizer) is type(other.normalizer) and _placed(step) == _placed(last)
    )


def _placed(step: FactoredMap) -> tuple[object, int] | None:
    """A bias of positions, and where the last query stands."""
    placed = step.rule.position_bias
    return None if placed is None else (type(placed.bias), placed.shift + step.shape[2] - step.shape[3])


def _allowed(steps: Sequence[FactoredMap], keys: int) -> Tensor:
    """Who may attend to whom, keys that were not there yet being forbidden."""
    found = []
    for step in steps:
        queries, own = step.shape[2:]
        mask = step.rule.mask
        part = None if mask is None else mask.tile(range(queries), range(own))
        part = torch.ones(1, 1, 1, 1, dtype=torch.bool, device=step.device) if part is None else part
        found.append(torch.nn.functional.pad(part.expand(-1, -1, queries, own), (0, keys - own)))
    breadth = torch.broadcast_shapes(*(part.shape[:2] for part in found))
    return torch.cat([part.expand(*breadth, -1, -1) for part in found], 2)
