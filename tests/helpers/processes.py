"""Several processes that train together."""

from __future__ import annotations

__all__ = ["launch"]


def launch(count: int = 2) -> list[str]:
    """What makes Python start that many of them, which meet at a free port of this machine.

    By its number: the name of a machine is not always one that can be looked up.
    """
    where = ["--standalone", "--local-addr", "127.0.0.1"]
    return ["-m", "torch.distributed.run", *where, "--nproc-per-node", str(count)]
