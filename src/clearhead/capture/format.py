"""The capture file: one safetensors file, described in docs/format.md."""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import torch
from torch import Tensor

from clearhead.capture.capture import Capture, Layer
from clearhead.capture.sides import Picture
from clearhead.capture.tokens import Tokens
from clearhead.errors import CaptureFormatError, ClearheadError, InputError, LargeMapError
from clearhead.files import write_whole
from clearhead.maps.base import MOST_ENTRIES, AttentionMap
from clearhead.maps.factored import FactoredMap
from clearhead.maps.stored import StoredMap
from clearhead.maps.words import WordMap
from clearhead.masks import BoundMask, BoundRule, Explicit, Spans, read_boolean
from clearhead.masks.both import Both
from clearhead.mechanisms import ScoreRule

__all__ = ["VERSION", "open_capture", "save", "writer"]

_Item = TypeVar("_Item")

VERSION = 1
_KEY, _DIGEST_KEY = "clearhead", "clearhead.sha256"
_FLOATS = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
_INTEGERS = {torch.int64: "I64", torch.int32: "I32"}
_DTYPES = {**_FLOATS, **_INTEGERS, torch.bool: "BOOL"}
_LARGEST = 1e300  # of a scale or softcap: what comes near the end of float64 is no number that a model has
_MOST = 2**20  # of a layer's, head's or call's number, so that no file can exhaust what counts to it
_DEEPEST = 32  # masks within masks, so that no file can exhaust a reader's stack


# Writing.


class _Writer:
    """Collects tensors under names, each once however many layers share it."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._known: dict[tuple[Any, ...], str] = {}

    def add(self, tensor: Tensor, name: str) -> str:
        if tensor.dtype not in _DTYPES:
            raise InputError(f"a capture file holds no tensors of {tensor.dtype}, which {name} is")
        key = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype, tensor.device)
        if key not in self._known:
            self.tensors[name] = tensor
            self._known[key] = name
        return self._known[key]

    def mask(self, mask: BoundMask | None, name: str) -> dict[str, Any] | None:
        """What describes the mask in the header; None where it forbids nothing."""
        if isinstance(mask, Spans):
            names = {part: self.add(x, f"{name}.{part}") for part, x in mask.tensors().items()}
            return {"kind": "spans", **names}
        if isinstance(mask, BoundRule) and isinstance(mask.rule, Explicit):
            return {"kind": "explicit", "allowed": self.add(mask.rule.allowed, f"{name}.allowed")}
        if isinstance(mask, Both):
            first, second = self.mask(mask.first, f"{name}.0"), self.mask(mask.second, f"{name}.1")
            if first is None or second is None:
                return second if first is None else first
            return {"kind": "both", "parts": [first, second]}
        if isinstance(mask, BoundRule):
            entries = math.prod(mask.breadth) * mask.queries * mask.keys
            if entries > MOST_ENTRIES:
                raise LargeMapError(
                    f"the mask of {name} is a function, {mask.rule!r}, and has {entries:,} entries, more than 2²⁸: it "
                    "cannot be written out; select() fewer layers"
                )
            allowed = mask.tile(range(mask.queries), range(mask.keys))
            return None if allowed is None else self.mask(read_boolean(_shared(allowed), mask.queries), name)
        return None

    def map(self, amap: AttentionMap, name: str, *, checks: bool) -> dict[str, Any]:
        if 0 in amap.shape:
            raise InputError(f"the map of layer {name} is empty, {amap.shape}: there is nothing to save")
        if isinstance(amap, FactoredMap) and not amap.rule.has_functions:
            rule = amap.rule
            parts = {"q": amap.q, "k": amap.k, "lse": amap.lse, "bias": rule.bias, "sinks": rule.sinks}
            header: dict[str, Any] = {"kind": "factored", "scale": rule.scale, "softcap": rule.softcap}
            header["mask"] = self.mask(rule.mask, f"{name}.mask")
        else:
            # What is computed by a function cannot be rebuilt elsewhere: the weights are kept instead.
            if math.prod(amap.shape) > MOST_ENTRIES:
                raise LargeMapError(
                    f"the score of layer {name} is computed by a function, and its {math.prod(amap.shape):,} weights "
                    "are more than 2²⁸: they cannot be written out; select() fewer layers or heads"
                )
            parts, header = {"weights": amap.dense()}, {"kind": "stored"}
        held = amap.tensors()
        if checks:
            parts |= {"values": held.get("values"), "output": held.get("output")}
        header["tensors"] = {part: self.add(x, f"{name}.{part}") for part, x in parts.items() if x is not None}
        header["shape"] = list(amap.shape)
        return header


def _shared(allowed: Tensor) -> Tensor:
    """The mask with one batch or one head where all are alike."""
    for axis in (0, 1):
        first = allowed.narrow(axis, 0, 1)
        allowed = first if bool((allowed == first).all()) else allowed
    return allowed


def save(capture: Capture, path: Path) -> None:
    """Write ``capture``; the file at ``path`` appears whole, or what was there stays.

    Raises:
        InputError: The file cannot be written there, or the provenance holds what JSON cannot.
        LargeMapError: A mask or score given as a function is too large to be written out.

    """
    write_whole(path, writer(capture))


def writer(capture: Capture, *, checks: bool = True) -> Callable[[str], None]:
    """What writes ``capture`` to the path that it is called with; all that can be wrong with it is found before.

    Without ``checks`` it leaves out the values and outputs by which weights can be verified.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    collected = _Writer()
    layers = []
    for position, layer in enumerate(capture.layers):
        amap = layer.map.by_token if isinstance(layer.map, WordMap) else layer.map
        described = collected.map(amap, str(position), checks=checks)
        layers.append(
            {
                "path": layer.path,
                "call": layer.call,
                "number": layer.number,
                "heads": list(layer.heads),
                "map": described,
            }
        )
    tensors = _apart(collected.tensors)
    header: dict[str, Any] = {
        "version": VERSION,
        "unit": capture.unit,
        "provenance": capture.provenance,
        "tokens": _in_json(capture.tokens),
        "layers": layers,
        "tensors": {
            name: {"dtype": _DTYPES[x.dtype], "shape": list(x.shape), "sha256": _digest(x)}
            for name, x in tensors.items()
        },
    }
    for name, items in (("source_tokens", capture.source_tokens), ("pictures", capture.pictures)):
        if items is not None:
            header[name] = _in_json(items)
    try:
        text = json.dumps(header, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"cannot save the capture: its provenance or tokens do not fit JSON ({error})") from None
    metadata = {_KEY: text, _DIGEST_KEY: hashlib.sha256(text.encode()).hexdigest()}

    def write(part: str) -> None:
        try:
            save_file(tensors, part, metadata=metadata)
        except SafetensorError as error:  # how it says that the disk is full
            raise OSError(str(error)) from None

    return write


def _in_json(items: list[Tokens] | list[Picture] | None) -> list[dict[str, Any]] | None:
    return None if items is None else [item.to_json() for item in items]


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, each in memory of its own, as safetensors wants them."""
    result: dict[str, Tensor] = {}
    taken: set[int] = set()
    for name, tensor in tensors.items():
        own = tensor.detach().cpu().contiguous()
        own = own.clone() if own.untyped_storage().data_ptr() in taken else own
        taken.add(own.untyped_storage().data_ptr())
        result[name] = own
    return result


def _digest(tensor: Tensor) -> str:
    data = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy()
    return hashlib.sha256(data.data).hexdigest()


# Reading.


def open_capture(path: str | Path) -> Capture:
    """Open a capture file. Neither the model nor transformers is needed, and no tensor is read until it is used.

    Everything but the numbers of the tensors is verified at once; a tensor's checksum is compared when its map is
    first looked at.

    Raises:
        CaptureFormatError: Not a capture, damaged, altered, or written by a newer version.

    """
    path = Path(path)
    try:
        return _Reader(path).capture()
    except CaptureFormatError:
        raise
    except (ClearheadError, ValueError, RecursionError) as error:  # the header is no JSON, or its tokens are wrong
        raise CaptureFormatError(f"{path} is damaged: its header does not describe a capture ({error})") from None


class _Reader:
    def __init__(self, path: Path) -> None:
        from safetensors import SafetensorError, safe_open

        self.path = path
        try:
            with path.open("rb") as file:  # says what is wrong with a path better than safetensors does
                begins = file.read(9)  # the length of safetensors' own header, then its JSON
            self.file = safe_open(path, framework="pt")
            metadata = self.file.metadata() or {}
        except OSError as error:
            raise CaptureFormatError(f"cannot open {path}: {error.strerror or error}") from None
        except SafetensorError as error:
            if begins[8:] != b"{":
                raise CaptureFormatError(f"{path} is no clearhead capture: it is no safetensors file") from None
            raise CaptureFormatError(f"{path} is no whole safetensors file ({error})") from None
        if _KEY not in metadata:
            raise CaptureFormatError(f"{path} is a safetensors file, but no clearhead capture")
        text = metadata[_KEY]
        header = json.loads(text, parse_constant=lambda name: self.refuse(f"its header holds {name}"))
        version = header.get("version") if isinstance(header, dict) else None
        if type(version) is int and version > VERSION:
            raise CaptureFormatError(
                f"{path} was written in version {version} of the format, and this clearhead reads up to {VERSION}: "
                "update clearhead"
            )
        if hashlib.sha256(text.encode()).hexdigest() != metadata.get(_DIGEST_KEY):
            raise CaptureFormatError(f"{path} was altered: the checksum of its header does not fit")
        if type(version) is not int or version != VERSION:
            raise CaptureFormatError(f"{path} has the format version {version!r}; this clearhead reads {VERSION}")
        self.header: dict[str, Any] = header
        self.tensors: dict[str, Any] = self.get(header, "tensors", dict)
        odd = sorted(set(self.file.keys()) ^ set(self.tensors))
        if odd:
            raise CaptureFormatError(f"{path} was altered: the tensors {', '.join(odd[:3])} do not belong or lack")
        for name in self.tensors:
            self._check_declared(name)

    def refuse(self, what: str) -> NoReturn:
        raise CaptureFormatError(f"{self.path} is damaged: {what}")

    def get(self, data: Any, key: str, *kinds: type) -> Any:
        """``data[key]``, which must be of just one of these types: True is no int here."""
        if type(data) is not dict or key not in data:
            self.refuse(f"{key!r} is missing")
        if type(data[key]) not in kinds:
            self.refuse(f"{key!r} is {data[key]!r:.40} and should be {' or '.join(kind.__name__ for kind in kinds)}")
        return data[key]

    def capture(self) -> Capture:
        header = self.header
        self.get(header, "tokens", list, type(None))
        tokens = self.items("tokens", Tokens.from_json)
        layers = [self.layer(item) for item in self.get(header, "layers", list)]
        capture = Capture(
            layers,
            tokens,
            self.get(header, "provenance", dict),
            source_tokens=self.items("source_tokens", Tokens.from_json),
            pictures=self.items("pictures", Picture.from_json),
        )
        if header.get("unit") not in ("tokens", "words"):
            self.refuse(f"its unit is {header.get('unit')!r:.40}")
        return capture.words() if header["unit"] == "words" else capture

    def items(self, name: str, read: Callable[[Any], _Item]) -> list[_Item] | None:
        found = self.header.get(name)
        if type(found) not in (list, type(None)):
            self.refuse(f"{name!r} is {found!r:.40} and should be list or NoneType")
        return None if found is None else [read(item) for item in found]

    def layer(self, item: Any) -> Layer:
        path, call, number = self.get(item, "path", str), self.get(item, "call", int), self.get(item, "number", int)
        heads, described = self.get(item, "heads", list), self.get(item, "map", dict)
        sizes = self.get(described, "shape", list)
        if len(sizes) != 4 or any(type(n) is not int or n < 1 for n in sizes):
            self.refuse(f"{path} has the shape {sizes!r:.80}")
        if (
            len(set(map(str, heads))) != len(heads)
            or len(heads) != sizes[1]
            or any(type(n) is not int or not 0 <= n < _MOST for n in (call, number, *heads))
        ):
            self.refuse(f"{path} has {sizes[1]} heads, call {call}, number {number}, and names the heads {heads!r:.80}")
        shape = (sizes[0], sizes[1], sizes[2], sizes[3])
        self._check_map(described, shape)
        load = functools.cache(functools.partial(self.map, described, shape))
        return Layer(path, call, number, tuple(heads), shape, load)

    # What can be verified without reading a tensor.

    def _check_declared(self, name: str) -> None:
        """That safetensors' own header, which no checksum covers, says of a tensor what ours says."""
        part, declared = self.file.get_slice(name), self.tensors[name]
        seen = (part.get_dtype(), list(part.get_shape()))
        dtype, shape = self.get(declared, "dtype", str), self.get(declared, "shape", list)
        if seen != (dtype, shape) or dtype not in _DTYPES.values():
            self.refuse(f"tensor {name} is {seen[0]} {seen[1]}, and {dtype:.40} {shape!r:.80} was declared")
        self.get(declared, "sha256", str)

    def _fits(self, parts: Any, part: str, dtypes: Mapping[Any, str], *axes: int | tuple[int, int] | None) -> list[int]:
        """The shape of a tensor, of which each axis must be of a given size, of either of two, or of any but 0."""
        name = self.get(parts, part, str)
        if name not in self.tensors:
            self.refuse(f"there is no tensor {name!r:.40}")
        shape: list[int] = self.tensors[name]["shape"]
        allowed = [axis if isinstance(axis, tuple) else (axis,) for axis in axes]
        if (
            len(shape) != len(axes)
            or self.tensors[name]["dtype"] not in dtypes.values()
            or any(n not in sizes and (sizes != (None,) or n < 1) for n, sizes in zip(shape, allowed, strict=True))
        ):
            self.refuse(f"the {part} of the map are {self.tensors[name]['dtype']} {shape}, which does not fit the map")
        return shape

    def _check_map(self, described: Mapping[str, Any], shape: tuple[int, int, int, int]) -> None:
        batch, heads, queries, keys = shape
        parts, kind = self.get(described, "tensors", dict), self.get(described, "kind", str)
        needed = {"factored": {"q", "k", "lse"}, "stored": {"weights"}}.get(kind)
        if needed is None:
            self.refuse(f"unknown map {kind!r:.40}")
        optional = {"values", "output"} | ({"bias", "sinks"} if kind == "factored" else set())
        if not needed <= set(parts) <= needed | optional:
            self.refuse(f"a {kind} map of the tensors {', '.join(sorted(parts)):.80}")
        shared: int | None = None
        if kind == "stored":
            self._fits(parts, "weights", _FLOATS, *shape)
        else:
            width = self._fits(parts, "q", _FLOATS, batch, heads, queries, None)[3]
            shared = self._fits(parts, "k", _FLOATS, batch, None, keys, width)[1]
            self._fits(parts, "lse", _FLOATS, batch, heads, queries)
            if heads % shared or self.tensors[parts["q"]]["dtype"] != self.tensors[parts["k"]]["dtype"]:
                self.refuse(f"q and k do not fit together: {heads} and {shared} heads, or of different dtype")
            if "bias" in parts:
                self._fits(parts, "bias", _FLOATS, (1, batch), (1, heads), (1, queries), keys)
            if "sinks" in parts:
                self._fits(parts, "sinks", _FLOATS, heads)
            scale, cap = (
                self.get(described, "scale", int, float),
                self.get(described, "softcap", int, float, type(None)),
            )
            if not abs(scale) < _LARGEST or not (cap is None or 0 < cap < _LARGEST):
                self.refuse(f"the scale is {scale!r:.40} and the softcap {cap!r:.40}")
            self._check_mask(self.get(described, "mask", dict, type(None)), shape)
        width_of_values: int | None = None
        if "values" in parts:
            _, groups, _, width_of_values = self._fits(parts, "values", _FLOATS, batch, shared, keys, None)
            if heads % groups:
                self.refuse(f"values of {groups} heads for {heads}")
        if "output" in parts:
            self._fits(parts, "output", _FLOATS, batch, heads, queries, width_of_values)

    def _check_mask(self, described: Any, shape: tuple[int, int, int, int], depth: int = 0) -> None:
        if described is None:
            return
        batch, heads, queries, keys = (1, shape[0]), (1, shape[1]), shape[2], shape[3]
        kind = self.get(described, "kind", str)
        if kind == "both":
            parts = self.get(described, "parts", list)
            if len(parts) != 2 or None in parts or depth == _DEEPEST:
                self.refuse(f"a mask of {len(parts)} parts at depth {depth}")
            for part in parts:
                self._check_mask(part, shape, depth + 1)
        elif kind == "spans":
            for side in ("starts", "stops"):
                self._fits(described, side, _INTEGERS, batch, heads, (1, queries))
            if "present" in described:
                self._fits(described, "present", {torch.bool: "BOOL"}, batch, heads, keys)
        elif kind == "explicit":
            self._fits(described, "allowed", {torch.bool: "BOOL"}, batch, heads, queries, keys)
        else:
            self.refuse(f"unknown mask {kind!r:.40}")

    # Reading tensors, once a map is looked at.

    def tensor(self, name: str) -> Tensor:
        """One tensor, mapped from the file, after its checksum was compared."""
        found: Tensor = self.file.get_tensor(name)
        if _digest(found) != self.tensors[name]["sha256"]:
            raise CaptureFormatError(f"{self.path} was altered: the checksum of tensor {name} does not fit")
        if found.dtype == torch.bool and bool((found.view(torch.uint8) > 1).any()):
            self.refuse(f"tensor {name} holds what is neither true nor false")
        return found

    def mask(self, described: Mapping[str, Any] | None, queries: int, keys: int) -> BoundMask | None:
        if described is None:
            return None
        if described["kind"] == "explicit":
            return Explicit(self.tensor(described["allowed"])).bind(queries, keys)
        if described["kind"] == "both":
            first, second = (self.mask(part, queries, keys) for part in described["parts"])
            assert first is not None
            assert second is not None
            return first & second
        starts, stops = self.tensor(described["starts"]), self.tensor(described["stops"])
        if any(bool(((x < 0) | (x > keys)).any()) for x in (starts, stops)):
            self.refuse(f"a mask speaks of keys beyond {keys}")
        present = self.tensor(described["present"]) if "present" in described else None
        return Spans(starts, stops, queries, keys, present)

    def map(self, described: Mapping[str, Any], shape: tuple[int, int, int, int]) -> AttentionMap:
        """One map, read and verified."""
        parts = {part: self.tensor(name) for part, name in described["tensors"].items()}
        values, output = parts.get("values"), parts.get("output")
        if described["kind"] == "stored":
            return StoredMap(parts["weights"], values=values, output=output)
        rule = ScoreRule(
            float(described["scale"]),
            self.mask(described["mask"], shape[2], shape[3]),
            parts.get("bias"),
            None if described["softcap"] is None else float(described["softcap"]),
            parts.get("sinks"),
        )
        return FactoredMap(parts["q"], parts["k"], rule, lse=parts["lse"], values=values, output=output)
