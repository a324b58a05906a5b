"""How this folder measures: time by interleaved repetitions, memory in fresh processes.

Time. The cases that are compared take turns within a round, in an order that moves on by one each round, so that a
machine that slows down slows all of them. A ratio is the median of the rounds' ratios, with their quartiles beside it.
What a case returns is dropped after the clock has stopped.

Memory. Each configuration runs in a process of its own (:func:`fresh`). Resident memory is read from
``/proc/self/status``: ``VmHWM`` is its highest since :func:`reset_peak`, ``VmRSS`` what is there now. Not
``getrusage``'s ``ru_maxrss``, which a child inherits from whoever started it. glibc keeps freed memory for later,
which would blur both; the processes run with ``MALLOC_MMAP_THRESHOLD_`` set, so that every tensor above 64 KiB is a
mapping of its own that the system takes back when it is freed, and :func:`held` returns the rest with ``malloc_trim``.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Ratio", "Result", "Say", "Timings", "at_least", "at_most", "fresh", "held", "interleave", "megabytes"]

Say = Callable[[str], None]
"""Tells whoever waits what is being measured."""


class Ratio(NamedTuple):
    """The median of several rounds' ratios, between their quartiles."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        digits = 4 if self.median < 0.1 else 2
        middle, low, high = (f"{x:.{digits}f}" for x in self)
        return f"{middle}×" if low == high else f"{middle}× ({low}–{high})"


@dataclass(frozen=True)
class Result:
    """One line of the table."""

    what: str
    measured: str
    peer: str
    """What it was measured against, in the same run."""
    target: str = "–"
    met: bool | None = None
    """None: stated for orientation, without a target."""

    @property
    def verdict(self) -> str:
        """One word."""
        return "–" if self.met is None else "met" if self.met else "missed"


def at_most(limit: float, what: str, ratio: Ratio, peer: str) -> Result:
    """A result whose median may not exceed ``limit``."""
    return Result(what, str(ratio), peer, f"≤ {limit:g}×", ratio.median <= limit)


def at_least(limit: float, what: str, ratio: Ratio, peer: str) -> Result:
    """A result whose median must reach ``limit``."""
    return Result(what, str(ratio), peer, f"≥ {limit:g}×", ratio.median >= limit)


# Time.


class Timings(dict[str, list[float]]):
    """Seconds of each case, one number a round."""

    def ratio(self, case: str, peer: str) -> Ratio:
        """``case`` / ``peer``, round by round."""
        ratios = [a / b for a, b in zip(self[case], self[peer], strict=True)]
        if len(ratios) == 1:
            return Ratio(ratios[0], ratios[0], ratios[0])
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
        return Ratio(middle, low, high)

    def median(self, case: str) -> str:
        """The median of one case, with its unit."""
        seconds = statistics.median(self[case])
        return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def interleave(cases: Mapping[str, Callable[[], Any]], rounds: int, *, warmups: int = 1, repeat: int = 1) -> Timings:
    """Run all cases in turn, ``rounds`` times, after ``warmups`` that are not counted.

    Args:
        cases: What to run, by name.
        rounds: How many times each is timed.
        warmups: Rounds before that.
        repeat: How often a case runs for one number, for cases too short for the clock; the number is of one run.

    """
    timings = Timings({name: [] for name in cases})
    names = list(cases)
    for number in range(-warmups, rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            seconds = _seconds(cases[name], repeat)
            if number >= 0:
                timings[name].append(seconds)
    return timings


def _seconds(case: Callable[[], Any], repeat: int) -> float:
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        for _ in range(repeat):
            result = case()
        seconds = (time.perf_counter() - start) / repeat
    finally:
        gc.enable()
    del result
    return seconds


# Memory.


def _status(field: str) -> int:
    """Bytes of one field of ``/proc/self/status``."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"memory is read from {field} in /proc/self/status, which this system lacks")


def held() -> int:
    """Bytes resident now, after what was freed has gone back to the system."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # another libc
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    return _status("VmRSS")


def reset_peak() -> None:
    """Let :func:`peak` count from here."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """The most bytes that were resident at once since :func:`reset_peak`."""
    return _status("VmHWM")


def fresh(module: str, function: str, **arguments: Any) -> dict[str, Any]:
    """What ``module.function(**arguments)`` of this folder returns, run in a process of its own."""
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
    command = [sys.executable, __file__, module, function, json.dumps(arguments)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def megabytes(count: float) -> str:
    """Bytes, written in MB or GB."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _child(module: str, function: str, arguments: str) -> str:
    return json.dumps(getattr(importlib.import_module(module), function)(**json.loads(arguments)))


if __name__ == "__main__":
    print(_child(*sys.argv[1:]))
