"""Models and tokenizers of transformers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearhead.errors import MissingPackageError, ModelError
from clearhead.models.files import carried, hub_is_in_reach, missing

__all__ = ["Pretrained", "load"]


@dataclass(frozen=True)
class Pretrained:
    """A model with its tokenizer."""

    name: str
    model: Any
    tokenizer: Any
    missing: tuple[str, ...]
    """Weights that the checkpoint lacks, so that they are random."""


def load(name: str) -> Pretrained:
    """Load a model and its tokenizer with transformers, from a folder, the hub's cache or the hub, in this order.

    Raises:
        MissingPackageError: transformers is not installed.
        ModelError: There is no such model, or it cannot be loaded.

    """
    try:
        import transformers
    except ImportError:
        raise MissingPackageError("this model needs transformers: pip install 'clearhead[hf]'") from None
    from transformers import AutoModel, AutoTokenizer

    is_folder = Path(name).is_dir()
    if is_folder and not (Path(name) / "config.json").is_file():
        raise ModelError(f"{name} holds no model: there is no config.json in it")
    source = name if is_folder else str(carried(name) or name)
    is_folder = Path(source).is_dir()
    with _quiet(transformers.utils.logging):
        try:
            return _load(AutoModel, AutoTokenizer, name, source, {"local_files_only": True})
        except ModelError:
            if is_folder:
                raise
    if not hub_is_in_reach():
        raise ModelError(_explain(name, source, "there is no network"))
    with _quiet(transformers.utils.logging, bars=True):  # a download takes its time, and shows it
        return _load(AutoModel, AutoTokenizer, name, source, {})


@contextmanager
def _quiet(settings: Any, *, bars: bool = False) -> Iterator[None]:
    """Keep transformers and the hub's client from writing what the errors here say in one line."""
    hub = logging.getLogger("huggingface_hub")
    verbosity, shown, level = settings.get_verbosity(), settings.is_progress_bar_enabled(), hub.level
    settings.set_verbosity_error()
    hub.setLevel(logging.ERROR)
    if not bars:
        settings.disable_progress_bar()
    try:
        yield
    finally:
        settings.set_verbosity(verbosity)
        hub.setLevel(level)
        if shown:
            settings.enable_progress_bar()


def _load(auto_model: Any, auto_tokenizer: Any, name: str, source: str, options: dict[str, Any]) -> Pretrained:
    try:
        tokenizer = auto_tokenizer.from_pretrained(source, **options)
        model, info = auto_model.from_pretrained(source, output_loading_info=True, **options)
    except Exception as error:  # noqa: BLE001  # damaged files make tokenizers and safetensors raise types of their own
        raise ModelError(_explain(name, source, str(error))) from None
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(
            f"the tokenizer of {name} gives no character offsets: a fast tokenizer (tokenizer.json) is needed"
        )
    if len(set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens)) < 2:
        # Without a tokenizer's files transformers makes one that knows no word (at most a mark for spaces).
        raise ModelError(f"cannot load the tokenizer of {name}: its files are missing, or hold no vocabulary")
    model.eval()
    # transformers reports heads that a checkpoint of the bare model lacks; a pooler has no part in the attention.
    missing = tuple(sorted(key for key in info["missing_keys"] if "pooler" not in key))
    return Pretrained(name, model, tokenizer, missing)


def _explain(name: str, source: str, reason: str) -> str:
    first = " ".join(reason.split("\n", 1)[0].split())
    return f"cannot load the model in {source}: {first}" if Path(source).is_dir() else missing(name, first)
