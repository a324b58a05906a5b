"""What can be loaded, and what of it is on this computer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from clearhead.errors import ModelError
from clearhead.models.files import DEFAULT_MODEL, carried, is_whole, read_json
from clearhead.models.pretrained import ARCHITECTURES

__all__ = ["Family", "LocalModel", "families", "local_models"]


class Family(NamedTuple):
    """An architecture that can be loaded."""

    name: str
    """``model_type`` in config.json."""
    classes: tuple[str, ...]
    """What ``architectures`` in config.json may say."""
    source: str
    """Where it was published."""


class LocalModel(NamedTuple):
    """A model that needs no network."""

    name: str
    family: str


def families() -> list[Family]:
    """The architectures that :func:`clearhead.load` builds."""
    found: dict[str, Family] = {}
    for x in ARCHITECTURES:
        found.setdefault(x.name, Family(x.name, (*x.bare, *x.heads), x.source))
    return list(found.values())


def local_models() -> list[LocalModel]:
    """The models of these architectures that a package carries or the hub's cache holds whole."""
    names = {x.name for x in ARCHITECTURES}
    found = []
    for name, folder in _folders():
        try:
            kind = read_json(folder / "config.json").get("model_type")
        except ModelError:
            continue
        if kind in names and is_whole(folder):
            found.append(LocalModel(name, str(kind)))
    return sorted(set(found))


def _folders() -> Iterator[tuple[str, Path]]:
    folder = carried(DEFAULT_MODEL)
    if folder is not None:
        yield DEFAULT_MODEL, folder
    from huggingface_hub import CacheNotFound, scan_cache_dir

    try:
        repositories = scan_cache_dir().repos
    except CacheNotFound:
        return
    for repository in repositories:
        for revision in repository.revisions:
            yield repository.repo_id, revision.snapshot_path
