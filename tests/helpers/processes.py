"""Several processes that train together."""

from __future__ import annotations

__all__ = ["launch"]


def launch(count: int = 2) -> list[str]:
    """What makes Python start that many of them, which meet at a free port of this machine."""
    return ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
