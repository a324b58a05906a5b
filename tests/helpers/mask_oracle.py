"""What a mask answers, compared with the boolean matrix that it stands for."""

import itertools
import random

import torch
from torch import Tensor

from clearhead.masks import BoundMask


def assert_stands_for(mask: BoundMask, allowed: Tensor) -> None:
    """All questions at once. ``allowed`` has all four axes written out."""
    heads, queries, keys = allowed.shape[1:]
    assert (mask.queries, mask.keys) == (queries, keys)
    index = torch.meshgrid(*(torch.arange(n) for n in allowed.shape), indexing="ij")
    assert torch.equal(mask.allows(*index).expand_as(allowed), allowed), "allows"
    for rows, columns in itertools.product(parts(queries), parts(keys)):
        found = mask.tile(rows, columns)
        wanted = allowed[..., rows.start : rows.stop, columns.start : columns.stop]
        if found is None:
            assert wanted.all(), "a tile that should forbid something says that it forbids nothing"
        else:
            assert torch.equal(found.expand_as(wanted), wanted), "tile"
    for rows in parts(queries):
        seen = mask.columns_for(rows)
        assert 0 <= seen.start <= seen.stop <= keys
        there = allowed[..., rows.start : rows.stop, :].flatten(0, 2).any(0).nonzero().flatten().tolist()
        assert all(key in seen for key in there), "columns_for leaves out a key that is seen"
    for columns in parts(keys):
        seen = mask.rows_for(columns)
        assert 0 <= seen.start <= seen.stop <= queries
        there = allowed[..., columns.start : columns.stop].any(-1).flatten(0, 1).any(0).nonzero().flatten().tolist()
        assert all(row in seen for row in there), "rows_for leaves out a query that sees"
    for size in ((2, 3), (3, 1), (queries, keys)):
        if 0 in (queries, keys):
            continue
        some, every = (tiles.expand(*allowed.shape[:2], -1, -1) for tiles in mask.in_tiles(size))
        for row, column in itertools.product(range(some.shape[2]), range(some.shape[3])):
            tile = allowed[..., row * size[0] : (row + 1) * size[0], column * size[1] : (column + 1) * size[1]]
            assert (some[..., row, column] >= tile.flatten(2).any(-1)).all(), "a tile is called empty and is not"
            assert (every[..., row, column] <= tile.flatten(2).all(-1)).all(), "a tile is called full and is not"
    if queries > 3 and keys > 3:
        # Some of the pairs of tiles, others for each mask: all of them would be most of the time that masks are tested.
        chance = random.Random(int(allowed.sum()))  # noqa: S311  # not for secrets
        for _ in range(150):
            rows, columns = (sorted(chance.sample(range(n - 1), 2)) for n in (queries, keys))
            if mask.are_alike(rows, 2, columns, 2):
                tiles = [allowed[..., i : i + 2, j : j + 2] for i, j in zip(rows, columns, strict=True)]
                assert torch.equal(*tiles), "tiles are called alike and are not"
    assert torch.equal(mask.empty_rows().expand(allowed.shape[:3]), ~allowed.any(-1)), "empty_rows"
    if mask.is_same_for_all_queries:
        assert (allowed == allowed[:, :, :1]).all(), "is_same_for_all_queries"
    ahead = torch.arange(keys) > torch.arange(queries)[:, None] + keys - queries
    if mask.looks_back_only:
        assert not (allowed & ahead).any(), "looks_back_only"
    triangle = (queries == keys) and bool((allowed == ~ahead).all())
    assert not mask.is_causal or triangle, "is_causal"
    whole = mask.tile(range(queries), range(keys))
    assert whole is None or (whole.shape[0] <= mask.breadth[0] and whole.shape[1] <= mask.breadth[1])
    assert heads >= mask.breadth[1]


def parts(length: int) -> list[range]:
    return [range(length), range(1), range(length // 2, length), range(length // 3, length // 2 + 1)]
