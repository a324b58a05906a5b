"""Several processes that train together."""

from __future__ import annotations

import socket

__all__ = ["launch"]


def launch(count: int = 2) -> list[str]:
    """What makes Python start that many of them, which meet at a free port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    where = ["--master-addr", "127.0.0.1", "--master-port", port]
    return ["-m", "torch.distributed.run", "--nproc-per-node", str(count), *where]
