"""The capture file: one safetensors file, described in docs/format.md."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clearhead.capture.capture import Capture, Layer
from clearhead.capture.tokens import Tokens
from clearhead.errors import CaptureFormatError, ClearheadError, InputError, LargeMapError
from clearhead.maps.base import MOST_ENTRIES, AttentionMap
from clearhead.maps.factored import FactoredMap
from clearhead.maps.stored import StoredMap
from clearhead.maps.words import WordMap
from clearhead.masks import Explicit, Mask, Spans
from clearhead.masks.both import Both
from clearhead.mechanisms import ScoreRule

__all__ = ["VERSION", "open_capture", "save"]

VERSION = 1
_KEY, _DIGEST_KEY = "clearhead", "clearhead.sha256"


# Writing.


class _Writer:
    """Collects tensors under names, each once however many layers share it."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._known: dict[tuple[Any, ...], str] = {}

    def add(self, tensor: Tensor, name: str) -> str:
        key = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype, tensor.device)
        if key not in self._known:
            self.tensors[name] = tensor
            self._known[key] = name
        return self._known[key]

    def mask(self, mask: Mask | None, name: str) -> dict[str, Any] | None:
        if mask is None:
            return None
        if isinstance(mask, Spans):
            names = {part: self.add(x, f"{name}.{part}") for part, x in mask.tensors().items()}
            return {"kind": "spans", **names}
        if isinstance(mask, Both):
            parts = [self.mask(part, f"{name}.{n}") for n, part in enumerate((mask.first, mask.second))]
            return {"kind": "both", "parts": parts}
        if isinstance(mask, Explicit):
            return {"kind": "explicit", "allowed": self.add(mask.allowed, f"{name}.allowed")}
        if mask.queries * mask.keys > MOST_ENTRIES:
            raise LargeMapError(
                f"the mask of {name} is a function and has {mask.queries:,} × {mask.keys:,} entries, more than 2²⁸: "
                "it cannot be written out; select() fewer layers"
            )
        part = mask.tile(range(mask.queries), range(mask.keys))
        if part is None:
            return None
        return {"kind": "explicit", "allowed": self.add(part, f"{name}.allowed")}

    def map(self, amap: AttentionMap, name: str) -> dict[str, Any]:
        if isinstance(amap, FactoredMap) and amap.rule.modify is None:
            rule = amap.rule
            parts = {"q": amap.q, "k": amap.k, "lse": amap.lse, "bias": rule.bias, "sinks": rule.sinks}
            header: dict[str, Any] = {"kind": "factored", "scale": rule.scale, "softcap": rule.softcap}
            header["mask"] = self.mask(rule.mask, f"{name}.mask")
        else:
            # A score that is computed by a function cannot be rebuilt elsewhere: its weights are kept instead.
            parts, header = {"weights": amap.dense()}, {"kind": "stored"}
        held = amap.tensors()
        parts |= {"values": held.get("values"), "output": held.get("output")}
        header["tensors"] = {part: self.add(x, f"{name}.{part}") for part, x in parts.items() if x is not None}
        header["shape"] = list(amap.shape)
        return header


def save(capture: Capture, path: Path) -> None:
    """Write ``capture``; the file at ``path`` appears whole, or what was there stays.

    Raises:
        InputError: The folder does not exist or cannot be written.
        LargeMapError: A mask or score given as a function is too large to be written out.

    """
    from safetensors.torch import save_file

    writer = _Writer()
    layers = []
    for position, layer in enumerate(capture.layers):
        amap = layer.map.by_token if isinstance(layer.map, WordMap) else layer.map
        described = writer.map(amap, str(position))
        layers.append(
            {
                "path": layer.path,
                "call": layer.call,
                "number": layer.number,
                "heads": list(layer.heads),
                "map": described,
            }
        )
    tensors = {name: x.detach().cpu().contiguous() for name, x in writer.tensors.items()}
    header = {
        "version": VERSION,
        "unit": capture.unit,
        "provenance": capture.provenance,
        "tokens": None if capture.tokens is None else [text.to_json() for text in capture.tokens],
        "layers": layers,
        "sha256": {name: _digest(x) for name, x in tensors.items()},
    }
    text = json.dumps(header, ensure_ascii=False, sort_keys=True, allow_nan=False)
    metadata = {_KEY: text, _DIGEST_KEY: hashlib.sha256(text.encode()).hexdigest()}
    write_whole(path, lambda part: save_file(tensors, part, metadata=metadata))


def write_whole(path: Path, write: Callable[[str], Any]) -> None:
    """Let ``write`` fill a file beside ``path`` and put it in place only once it is complete.

    Raises:
        InputError: The folder does not exist or cannot be written.

    """
    try:
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None
    os.close(handle)
    try:
        write(part)
        with Path(part).open("rb+") as file:
            os.fsync(file.fileno())
        mode = 0o666 & ~_umask()
        Path(part).chmod(mode)
        Path(part).replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        Path(part).unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _digest(tensor: Tensor) -> str:
    data = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy()
    return hashlib.sha256(data.data).hexdigest()


# Reading.


def open_capture(path: str | Path) -> Capture:
    """Open a capture file. Neither the model nor transformers is needed, and no tensor is read until it is used.

    A tensor's checksum is compared when its map is first looked at.

    Raises:
        CaptureFormatError: Not a capture, damaged, altered, or written by a newer version.

    """
    path = Path(path)
    try:
        reader = _Reader(path)
        return reader.capture()
    except ClearheadError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError, OverflowError) as error:
        raise CaptureFormatError(f"{path} is damaged: its header does not describe a capture ({error!r})") from None


class _Reader:
    def __init__(self, path: Path) -> None:
        from safetensors import SafetensorError, safe_open

        self.path = path
        try:
            with path.open("rb"):
                pass
            self.file = safe_open(path, framework="pt")
            metadata = self.file.metadata() or {}
        except OSError as error:
            raise CaptureFormatError(f"cannot open {path}: {error.strerror or error}") from None
        except SafetensorError as error:
            raise CaptureFormatError(f"{path} is no whole safetensors file ({error})") from None
        if _KEY not in metadata:
            raise CaptureFormatError(f"{path} is a safetensors file, but no clearhead capture")
        text = metadata[_KEY]
        header = json.loads(text)
        version = header.get("version") if isinstance(header, dict) else None
        if isinstance(version, int) and version > VERSION:
            raise CaptureFormatError(
                f"{path} was written in version {version} of the format, and this clearhead reads up to {VERSION}: "
                "update clearhead"
            )
        if hashlib.sha256(text.encode()).hexdigest() != metadata.get(_DIGEST_KEY):
            raise CaptureFormatError(f"{path} was altered: the checksum of its header does not fit")
        if version != VERSION:
            raise CaptureFormatError(f"{path} has the format version {version!r}; this clearhead reads {VERSION}")
        self.header: dict[str, Any] = header
        odd = sorted(set(self.file.keys()) ^ set(header["sha256"]))
        if odd:
            raise CaptureFormatError(f"{path} was altered: the tensors {', '.join(odd[:3])} do not belong or lack")

    def capture(self) -> Capture:
        header = self.header
        tokens = None if header["tokens"] is None else [Tokens.from_json(text) for text in header["tokens"]]
        layers = []
        for item in header["layers"]:
            described = item["map"]
            batch, count, queries, keys = described["shape"]
            shape = (batch, count, queries, keys)
            self._check_shapes(described, shape)
            heads = tuple(item["heads"])
            if len(heads) != shape[1]:
                raise CaptureFormatError(
                    f"{self.path} is damaged: {item['path']} names {len(heads)} of {shape[1]} heads"
                )
            load = functools.cache(functools.partial(self.map, described, shape))
            layers.append(Layer(item["path"], item["call"], item["number"], heads, shape, load))
        capture = Capture(layers, tokens, header["provenance"])
        return capture.words() if header["unit"] == "words" else capture

    def _check_shapes(self, described: Mapping[str, Any], shape: tuple[int, ...]) -> None:
        """That the tensors' shapes, which safetensors' own header has, are those of the map."""
        batch, heads, queries, keys = shape
        for part, name in described["tensors"].items():
            have = tuple(self.file.get_slice(name).get_shape())
            if part in ("bias", "sinks"):
                continue
            wanted: tuple[int | None, ...] = {
                "q": (batch, heads, queries, None),
                "k": (batch, None, keys, None),
                "lse": (batch, heads, queries),
                "weights": shape,
                "values": (batch, None, keys, None),
                "output": (batch, heads, queries, None),
            }[part]
            if len(have) != len(wanted) or any(b is not None and a != b for a, b in zip(have, wanted, strict=True)):
                raise CaptureFormatError(
                    f"{self.path} is damaged: {name} has the shape {have}, and {wanted} was wanted"
                )

    def tensor(self, name: str) -> Tensor:
        """One tensor, mapped from the file, after its checksum was compared."""
        found: Tensor = self.file.get_tensor(name)
        if _digest(found) != self.header["sha256"][name]:
            raise CaptureFormatError(f"{self.path} was altered: the checksum of tensor {name} does not fit")
        return found

    def mask(self, described: Mapping[str, Any] | None, queries: int, keys: int) -> Mask | None:
        if described is None:
            return None
        kind = described["kind"]
        if kind == "spans":
            present = self.tensor(described["present"]) if "present" in described else None
            return Spans(self.tensor(described["starts"]), self.tensor(described["stops"]), queries, keys, present)
        if kind == "both":
            first, second = (self.mask(part, queries, keys) for part in described["parts"])
            if first is None or second is None:
                return second if first is None else first
            return first & second
        if kind == "explicit":
            return Explicit(self.tensor(described["allowed"]))
        raise CaptureFormatError(f"{self.path} is damaged: unknown mask {kind!r}")

    def map(self, described: Mapping[str, Any], shape: tuple[int, int, int, int]) -> AttentionMap:
        """One map, read and verified."""
        try:
            return self._map(described, shape)
        except ClearheadError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
            raise CaptureFormatError(f"{self.path} is damaged ({error!r})") from None

    def _map(self, described: Mapping[str, Any], shape: tuple[int, int, int, int]) -> AttentionMap:
        parts = {part: self.tensor(name) for part, name in described["tensors"].items()}
        values, output = parts.get("values"), parts.get("output")
        if described["kind"] == "stored":
            return StoredMap(parts["weights"], values=values, output=output)
        if described["kind"] != "factored":
            raise CaptureFormatError(f"{self.path} is damaged: unknown map {described['kind']!r}")
        rule = ScoreRule(
            float(described["scale"]),
            self.mask(described["mask"], shape[2], shape[3]),
            parts.get("bias"),
            described["softcap"],
            parts.get("sinks"),
        )
        return FactoredMap(parts["q"], parts["k"], rule, lse=parts["lse"], values=values, output=output)
