"""A viewer's server that runs in a thread of the test."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import clearhead as ch
from clearhead.views.server import ViewerServer


@contextmanager
def serving(*captures: ch.Capture, **options: Any) -> Iterator[ViewerServer]:
    made = ViewerServer(captures, **options)
    thread = threading.Thread(target=made.run)
    thread.start()
    try:
        while not made.is_started:
            time.sleep(0.01)
        yield made
    finally:
        made.stop()
        thread.join(30)
        assert not thread.is_alive()
