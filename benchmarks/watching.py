"""Watching a model.

A BERT of 6 layers, width 384, 12 heads and random weights, one text, float32, without gradient. *Fused* is the model
as Hugging Face loads it (``sdpa``), *eager* the same weights with ``attn_implementation="eager"`` and
``output_attentions=True``, which is how weights are had without clearhead. What is timed is one forward pass;
watching includes opening and closing ``ch.watch``. *Kept by hand* is the fused model with a hook on each query and
key projection that appends its output to a list: what it costs to keep these tensors at all, since memory that is
kept cannot be used again by the next layer, and the system has to provide fresh pages. Fused, kept and watched take
turns in one loop, watched and eager in another, so that the gigabytes that eager fills and frees do not slow its
neighbour.

Memory is that of one forward pass in a process of its own, after one pass over 16 tokens that loads the kernels:
*held* is resident memory with the model's output dropped and the capture (or eager's maps) kept, less that before
the pass; *peak* is the highest during the pass, less the same. Extra is watched less fused, and the bytes of q, k and
LSE are counted from the shapes: 2 · dim + heads numbers a token and layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

import clearhead as ch
from measure import Ratio, Result, Say, at_least, at_most, fresh, held, interleave, megabytes, peak, reset_peak

LAYERS, DIM, HEADS = 6, 384, 12


def build(implementation: str, tokens: int) -> torch.nn.Module:
    """The model, with the same random weights for every implementation."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=DIM,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=4 * DIM,
        max_position_embeddings=max(tokens, 512),
        attn_implementation=implementation,
    )
    return BertModel(config, add_pooling_layer=False).eval()


def text_of(tokens: int) -> torch.Tensor:
    """One text of so many random tokens."""
    return torch.randint(1000, 30000, (1, tokens), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def run_fused(model: torch.nn.Module, text: torch.Tensor) -> Any:
    """An unwatched forward pass."""
    return model(text)


@torch.no_grad()
def run_watched(model: torch.nn.Module, text: torch.Tensor) -> Any:
    """The same, watched."""
    with ch.watch(model) as capture:
        output = model(text)
    return output, capture


@torch.no_grad()
def run_kept(model: torch.nn.Module, text: torch.Tensor) -> Any:
    """The unwatched pass with every layer's q and k kept by plain hooks."""
    kept: list[torch.Tensor] = []
    hooks = [
        module.register_forward_hook(lambda module, args, output: kept.append(output))  # noqa: ARG005
        for name, module in model.named_modules()
        if name.endswith((".query", ".key"))
    ]
    output = model(text)
    for hook in hooks:
        hook.remove()
    return output, kept


@torch.no_grad()
def run_eager(model: torch.nn.Module, text: torch.Tensor) -> Any:
    """The same by eager attention, with every weight stored."""
    output = model(text, output_attentions=True)
    return output.last_hidden_state, output.attentions


def memory(case: str, tokens: int) -> dict[str, int]:
    """Bytes held after one forward pass and the peak during it, in this process."""
    model = build("eager" if case == "eager" else "sdpa", tokens)
    run = {"fused": run_fused, "watched": run_watched, "eager": run_eager}[case]
    run(model, text_of(16))
    text = text_of(tokens)
    before = held()
    reset_peak()
    result = run(model, text)
    highest = peak()
    kept = None if case == "fused" else result[1]
    del result
    counted = kept.nbytes if isinstance(kept, ch.Capture) else 0
    return {"peak": highest - before, "held": held() - before, "nbytes": counted}


def measure(say: Say, *, quick: bool) -> Iterator[Result]:
    """All results, one by one."""
    for tokens, rounds in ((256, 5),) if quick else ((512, 41), (2048, 15), (4096, 9)):
        say(f"watching {tokens:,} tokens")
        model, text = build("sdpa", tokens), text_of(tokens)
        runs = {"fused": run_fused, "kept": run_kept, "watched": run_watched}
        cases = {name: partial(run, model, text) for name, run in runs.items()}
        times = interleave(cases, rounds)
        peer = f"fused, unwatched: {times.median('fused')}"
        yield at_most(1.05, f"watching, {tokens:,} tokens: time", times.ratio("watched", "fused"), peer)
        peer = f"fused, q and k kept by hand: {times.median('kept')}"
        yield Result(f"watching, {tokens:,} tokens: time", str(times.ratio("watched", "kept")), peer)

    say(f"eager attention with weights, {tokens:,} tokens")
    eager = build("eager", tokens)
    cases = {"watched": cases["watched"], "eager": partial(run_eager, eager, text)}
    times = interleave(cases, 2 if quick else 5)
    peer = f"eager with output_attentions: {times.median('eager')}"
    yield at_least(4, f"watching, {tokens:,} tokens: times faster", times.ratio("eager", "watched"), peer)
    del eager, cases

    for tokens in (256,) if quick else (512, 2048, 4096):
        say(f"memory of watching {tokens:,} tokens")
        least = 4 * LAYERS * tokens * (2 * DIM + HEADS)
        used = {case: fresh("watching", "memory", case=case, tokens=tokens) for case in ("fused", "watched", "eager")}
        what = f"watching, {tokens:,} tokens: extra memory"
        peer = f"bytes of q, k, LSE: {megabytes(least)}"
        for kind in ("held", "peak"):
            extra = (used["watched"][kind] - used["fused"][kind]) / least
            note = f"{kind} by the process"
            yield at_most(1.1, f"{what}, {note}", Ratio(extra, extra, extra), peer)
        counted = used["watched"]["nbytes"] / least
        yield at_most(1.1, f"{what}, counted by the capture", Ratio(counted, counted, counted), peer)
        watched, kept = used["watched"], used["eager"]
        measured = f"{megabytes(watched['peak'])} peak, {megabytes(watched['held'])} kept"
        peer = f"eager: {megabytes(kept['peak'])} peak, {megabytes(kept['held'])} of maps kept"
        yield Result(f"watching, {tokens:,} tokens: memory of one pass", measured, peer)
