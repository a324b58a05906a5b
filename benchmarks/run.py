"""Measure speed and memory against named peers, and write docs/benchmarks.md.

    python benchmarks/run.py                    # everything, about an hour on 2 cores; writes docs/benchmarks.md
    python benchmarks/run.py --only watching    # one part, whose section of the page is written anew
    python benchmarks/run.py --quick            # small sizes, to see that it works; prints only, proves nothing

The page is written after everything that was asked for was measured, or not at all: an interrupted or failed run
prints what it had and leaves the page as it was.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import torch
import transformers
from rich import box
from rich.console import Console
from rich.table import Table

import clearhead
from clearhead.files import write_whole
from measure import Result

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
PARTS = (
    "attention",
    "linear",
    "layers",
    "models",
    "masks",
    "long_sequences",
    "cost_of_attention",
    "watching",
    "map_statistics",
    "long_map",
    "training",
    "serving",
    "cold_start",
    "viewer",
)

_INTRODUCTION = (
    "Written by `make bench` (`benchmarks/run.py`); do not edit. Every ratio is to a peer that was measured in the "
    "same run. A time ratio is the median of the rounds' ratios, with the quartiles in parentheses; the cases of a "
    "round take turns. *Verdict* says whether that median keeps the target."
)

Found = dict[str, list[Result]]


def main() -> int:
    """Run what was asked for; 0 if all of it was measured, whatever the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small smoke run; writes nothing")
    parser.add_argument("--only", choices=PARTS, action="append", help="one part (repeatable)")
    given = parser.parse_args()
    out = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    machine = hardware()
    out.print("\n".join(f"{name}: {value}" for name, value in machine.items()), end="\n\n")
    found: Found = {}
    try:
        measure_all(given.only or list(PARTS), found, out, quick=given.quick)
    except KeyboardInterrupt:
        summary(found, out)
        out.print("Interrupted: the above is what had been measured; docs/benchmarks.md is as it was.")
        return 130
    except Exception:
        summary(found, out)
        out.print("Failed: the above is what had been measured; docs/benchmarks.md is as it was.")
        raise
    summary(found, out)
    if not given.quick:
        text = page(found, machine, PAGE.read_text(encoding="utf-8") if PAGE.exists() else "")
        for drawn in (sys.modules[part] for part in found):
            if hasattr(drawn, "draw"):
                picture = PAGE.parent / "images" / f"{drawn.__name__.replace('_', '-')}.png"
                write_whole(picture, lambda part, draw=drawn.draw: draw(Path(part)))
        write_whole(PAGE, lambda part: Path(part).write_text(text, encoding="utf-8"))
        out.print("Wrote docs/benchmarks.md.")
    return 0


def measure_all(parts: list[str], found: Found, out: Console, *, quick: bool) -> None:
    """Fill ``found`` part by part, showing each result as it comes."""
    with Console(stderr=True).status("starting") as status:
        for part in parts:
            results = found.setdefault(part, [])
            say: Callable[[str], None] = status.update
            for result in importlib.import_module(part).measure(say, quick=quick):
                if quick:
                    result = replace(result, met=None)  # small sizes say nothing about the targets
                results.append(result)
                out.print(f"{result.verdict:>6}  {result.what}: {result.measured} [{result.target}]", markup=False)


def summary(found: Found, out: Console) -> None:
    """One table of everything."""
    table = Table(box=box.SIMPLE, pad_edge=False)
    for name in ("what", "target", "measured", "peer", "verdict"):
        table.add_column(name)
    for results in found.values():
        for x in results:
            table.add_row(x.what, x.target, x.measured, x.peer, x.verdict)
        table.add_section()
    out.print(table)
    judged = [x for results in found.values() for x in results if x.met is not None]
    if judged:
        out.print(f"{sum(bool(x.met) for x in judged)} of {len(judged)} targets met")


def hardware() -> dict[str, str]:
    """What the figures depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": f"{_processor()}, {cores} cores, {torch.backends.cpu.get_cpu_capability()}",
        "memory": f"{memory / 2**30:.0f} GiB",
        "threads": str(torch.get_num_threads()),
        "load at the start": f"{os.getloadavg()[0]:.1f} processes",
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "clearhead": clearhead.__version__,
        "date": f"{datetime.now(tz=UTC):%Y-%m-%d}",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def page(found: Found, machine: dict[str, str], before: str) -> str:
    """The text of docs/benchmarks.md: what was measured now, and the sections of ``before`` on all that was not."""
    sections: dict[str, str] = {}
    for part in PARTS:
        module = importlib.import_module(part)
        title, _, method = (module.__doc__ or part).strip().partition("\n\n")
        heading = f"## {title.rstrip('.')}\n"
        _, there, old = f"\n{before}".partition(f"\n{heading}")
        if part in found:
            sections[heading] = section(method, machine, found[part])
        elif there:
            sections[heading] = old.partition("\n## ")[0].rstrip("\n") + "\n"
    return "\n".join([f"# Speed and memory\n\n{_INTRODUCTION}\n", *(head + text for head, text in sections.items())])


def section(method: str, machine: dict[str, str], results: list[Result]) -> str:
    """What was measured of one part, where and how."""
    lines = ["", method.replace("``", "`").strip(), ""]
    lines += ["Measured with " + "; ".join(f"{name} {value}" for name, value in machine.items()) + ".", ""]
    lines += ["| what | target | measured | peer | verdict |", "|---|---|---|---|---|"]
    for x in results:
        verdict = "**missed**" if x.met is False else x.verdict
        lines.append(f"| {x.what} | {x.target} | {x.measured} | {x.peer} | {verdict} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
