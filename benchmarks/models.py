"""Models against transformers.

Our stacks against ``transformers`` with ``sdpa``, on the same published weights (all-MiniLM-L6-v2) or the same random
ones: BERT of base size, GPT-2 of small size, and a Llama of 110 million weights (12 layers of 768, 12 heads on 4,
gated 2,048, 32,000 words). float32, one process, 2 threads; outputs are compared before anything is timed.

*Generation* is greedy, 256 new tokens after a prompt of 128, against ``generate`` with its default cache and with its
static one (not compiled, as nothing here is). Ours keeps a second copy of the weights, laid out for single tokens and
made in the first call, before those that are timed. Every token reads all weights once: the *limit* is their bytes over
the speed at which this machine reads memory in the same run.

*Load* is from safetensors that the system has in memory, to a model that is ready to be called; its memory is the
highest that a fresh process holds afterwards with the weights once read through, above what it held before. *Look* is
the command from cold.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clearhead.models import generate, load
from clearhead.models.files import carried
from measure import Result, Say, at_least, at_most, fresh, interleave, megabytes, peak, reset_peak

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
LLAMA = {
    "vocab_size": 32000,
    "hidden_size": 768,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "num_key_value_heads": 4,
    "max_position_embeddings": 2048,
}


def measure(say: Say, *, quick: bool) -> Iterator[Result]:
    """All results, one by one."""
    with tempfile.TemporaryDirectory() as root:
        folders = _made(say, Path(root), quick)
        rounds = 2 if quick else 5
        yield from _forward(say, folders, rounds, quick)
        yield from _training(say, folders, rounds, quick)
        yield from _generation(say, folders, 1 if quick else 2, quick)
        yield from _loading(say, folders, rounds)
    yield from _looking(say, 1 if quick else 5)


def _made(say: Say, root: Path, quick: bool) -> dict[str, Path]:
    """Folders with models, made by transformers."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    fewer = {"num_hidden_layers": 2} if quick else {}
    models: dict[str, Any] = {
        "BERT-base": partial(transformers.BertModel, transformers.BertConfig(**fewer), add_pooling_layer=False),
        "GPT-2 small": partial(
            transformers.GPT2LMHeadModel, transformers.GPT2Config(n_layer=2 if quick else 12, eos_token_id=None)
        ),
        "Llama 110M": partial(
            transformers.LlamaForCausalLM, transformers.LlamaConfig(**LLAMA | fewer, eos_token_id=None)
        ),
    }
    found = {}
    for name, make in models.items():
        say(f"making {name}")
        torch.manual_seed(0)
        make().save_pretrained(root / name)
        found[name] = root / name
    folder = carried(MINILM)
    assert folder is not None
    return {"MiniLM": folder, **found}


def _both(folder: Path) -> tuple[Any, Any]:
    """The model of transformers and ours."""
    import json

    import transformers

    config = json.loads((folder / "config.json").read_text())
    kind = getattr(transformers, config["architectures"][0])
    options = {"add_pooling_layer": False} if config["architectures"][0] == "BertModel" else {}
    return kind.from_pretrained(folder, attn_implementation="sdpa", **options).eval(), load(folder)


def _output(found: Any) -> Tensor:
    return found.logits if hasattr(found, "logits") else found.last_hidden_state


def _compare(found: Tensor, wanted: Tensor, name: str) -> None:
    worst = float((found - wanted).abs().max() / wanted.abs().max())
    if not worst <= 1e-4:
        raise SystemExit(f"{name} differs by {worst:.2g}: it does not compute the same")


@torch.no_grad()
def _forward(say: Say, folders: dict[str, Path], rounds: int, quick: bool) -> Iterator[Result]:
    for name in ("MiniLM", "BERT-base"):
        theirs, ours = _both(folders[name])
        for tokens in (32, 128 if quick else 512):
            for batch in (1, 2 if quick else 16):
                what = f"{name}, {tokens} tokens, batch {batch}"
                say(what)
                ids = torch.randint(1000, 20000, (batch, tokens), generator=torch.Generator().manual_seed(0))
                _compare(ours(ids), _output(theirs(ids)), name)
                repeat = max(1, 128 // (tokens * batch))
                cases = {"ours": partial(ours, ids), "theirs": partial(theirs, ids)}
                # As many rounds as a ratio near 1 needs on a noisy machine, where they do not take minutes.
                rows = tokens * batch
                many = 1 if quick or (rows > 2048 and name != "MiniLM") else 3 if rows > 2048 else 8
                times = interleave(cases, many * rounds, repeat=repeat)
                peer = f"transformers: {times.median('theirs')}"
                yield at_most(1.02, f"{what}: forward, {times.median('ours')}", times.ratio("ours", "theirs"), peer)


def _step(model: Any, ids: Tensor) -> Callable[[], None]:
    parameters = [x for x in model.parameters() if x.requires_grad]

    def run() -> None:
        found = model(ids)
        (found if isinstance(found, Tensor) else _output(found)).square().mean().backward()
        for parameter in parameters:
            parameter.grad = None

    return run


def _training(say: Say, folders: dict[str, Path], rounds: int, quick: bool) -> Iterator[Result]:
    for name in folders:
        theirs, ours = _both(folders[name])
        tokens, batch = (32, 2) if quick else (128, 8)
        what = f"{name}, {tokens} tokens, batch {batch}"
        say(f"{what}: training")
        ids = torch.randint(1000, 20000, (batch, tokens), generator=torch.Generator().manual_seed(0))
        for model in (theirs, ours):  # without dropout, whose random numbers are not what is compared
            model.train()
            for module in model.modules():
                module.dropout = (
                    0.0 if isinstance(getattr(module, "dropout", None), float) else getattr(module, "dropout", None)
                )
                if isinstance(module, torch.nn.Dropout):
                    module.p = 0.0
        times = interleave({"ours": _step(ours, ids), "theirs": _step(theirs, ids)}, rounds + 2)
        peer = f"transformers: {times.median('theirs')}"
        yield at_most(1.02, f"{what}: training step, {times.median('ours')}", times.ratio("ours", "theirs"), peer)


def _bandwidth() -> float:
    """Bytes a second that this machine reads."""
    x = torch.ones(2**26)
    times = interleave({"read": x.sum}, 5)
    return float(x.nbytes / min(times["read"]))


@torch.no_grad()
def _generation(say: Say, folders: dict[str, Path], rounds: int, quick: bool) -> Iterator[Result]:
    prompt, new = (16, 8) if quick else (128, 256)
    for name in ("GPT-2 small", "Llama 110M"):
        theirs, ours = _both(folders[name])
        size = sum(x.nbytes for x in ours.parameters())
        for batch in (1, 8):
            what = f"{name}, batch {batch}, {new} tokens after {prompt}"
            say(what)
            ids = torch.randint(1000, 20000, (batch, prompt), generator=torch.Generator().manual_seed(0))
            there = torch.ones_like(ids)
            options = {"max_new_tokens": new, "do_sample": False, "pad_token_id": 0, "attention_mask": there}

            def own(ids: Tensor = ids, network: Any = ours.network) -> Tensor:
                return torch.stack(list(generate(network, ids, max_new_tokens=new)), 1)

            def default(ids: Tensor = ids, model: Any = theirs, options: Any = options) -> Tensor:
                return model.generate(ids, **options)[:, prompt:]

            def static(ids: Tensor = ids, model: Any = theirs, options: Any = options) -> Tensor:
                # Not compiled, as nothing else here is.
                return model.generate(ids, cache_implementation="static", disable_compile=True, **options)[:, prompt:]

            if not torch.equal(own(), default()):
                raise SystemExit(f"{what}: other tokens")
            static()
            times = interleave({"ours": own, "default": default, "static": static}, rounds, warmups=0)
            seconds = min(times["ours"]) / new
            share = size / _bandwidth() / seconds
            speed = f"{batch * new / min(times['ours']):.0f} tokens a second, {share:.0%} of the limit"
            for peer in ("default", "static"):
                text = f"generate, {peer} cache: {times.median(peer)}"
                yield at_least(1.5, f"{what}: {speed}, faster than", times.ratio(peer, "ours"), text)


def memory(folder: str, ours: bool) -> dict[str, int]:
    """Bytes that loading a model takes; runs in a process of its own."""
    import transformers

    kind = load if ours else transformers.AutoModel.from_pretrained
    kind(carried(MINILM))
    reset_peak()
    before = peak()
    model = kind(folder)
    for parameter in model.parameters():
        parameter.sum()
    return {"bytes": peak() - before, "weights": sum(x.nbytes for x in model.parameters())}


def _loading(say: Say, folders: dict[str, Path], rounds: int) -> Iterator[Result]:
    import transformers

    for name, folder in folders.items():
        say(f"{name}: load")
        kind = getattr(transformers, "AutoModel" if name in ("MiniLM", "BERT-base") else "AutoModelForCausalLM")
        times = interleave({"ours": partial(load, folder), "theirs": partial(kind.from_pretrained, folder)}, 2 * rounds)
        peer = f"transformers: {times.median('theirs')}"
        yield at_most(0.5, f"{name}: load, {times.median('ours')}", times.ratio("ours", "theirs"), peer)
        found = fresh("models", "memory", folder=str(folder), ours=True)
        theirs = fresh("models", "memory", folder=str(folder), ours=False)
        share = found["bytes"] / found["weights"]
        what = f"{name}: peak memory of loading, {megabytes(found['bytes'])}"
        peer = f"weights: {megabytes(found['weights'])}; transformers: {megabytes(theirs['bytes'])}"
        yield Result(what, f"{share:.2f}×", peer, "≤ 1.2×", share <= 1.2)


_THEIRS = """
import clearhead as ch
from clearhead.analysis import strongest_looks
from clearhead.views.terminal import render
from rich.console import Console
capture = ch.look("The animal didn't cross the street because it was too tired.", ch.load_pretrained(ch.DEFAULT_MODEL))
capture = capture.words()
Console().print(render(strongest_looks(capture, "it", None), unit="words", top=8, head=None))
"""


def _looking(say: Say, rounds: int) -> Iterator[Result]:
    say("clearhead look from cold")
    sentence = "The animal didn't cross the street because it was too tired."

    def run(*command: str) -> None:
        subprocess.run([sys.executable, *command], check=True, capture_output=True)

    cases = {
        "ours": partial(run, "-m", "clearhead", "look", sentence, "--from", "it"),
        "theirs": partial(run, "-c", _THEIRS),
    }
    times = interleave(cases, rounds)
    peer = f"the same through transformers: {times.median('theirs')}"
    yield at_most(0.5, f"clearhead look from cold, {times.median('ours')}", times.ratio("ours", "theirs"), peer)


__all__ = ["measure", "memory"]
