"""What one ``watch`` keeps of the attention calls that pass by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from clearhead.capture.capture import Capture, Layer, covers, near
from clearhead.errors import NothingCapturedError, UnknownLayerError
from clearhead.maps import AttentionMap
from clearhead.maps.factored import FactoredMap
from clearhead.maps.held import keep
from clearhead.maps.stored import StoredMap
from clearhead.masks import BoundMask, BoundRule, Predicate, Spans, Window, read_additive, read_boolean
from clearhead.mechanisms import ScoreRule
from clearhead.models import LoadedModel
from clearhead.shapes import exact_dtype

__all__ = ["AttentionCall", "Recorder", "is_autocast"]

LayerChoice = int | str | Sequence[int | str] | None


@dataclass
class AttentionCall:
    """One attention call, in the words of the kernel that ran it."""

    q: Tensor
    """(batch, heads, queries, head_dim)"""
    k: Tensor
    """(batch, kv_heads, keys, head_dim)"""
    scale: float
    mask: Tensor | None = None
    """Boolean (True = may attend) or added to the scores; broadcasts to (batch, heads, queries, keys)."""
    causal: bool = False
    """The triangle from the upper left corner, as ``scaled_dot_product_attention`` has it."""
    window: tuple[int, int] | None = None
    """Keys from i − left to i + right, the last query at the last key."""
    predicate: Any = None
    """FlexAttention's ``mask_mod``."""
    bias: Tensor | None = None
    softcap: float | None = None
    sinks: Tensor | None = None
    modify: Any = None
    lse: Tensor | None = None
    values: Tensor | None = None
    """(batch, kv_heads, keys, value_dim)"""
    output: Tensor | None = None
    """(batch, heads, queries, value_dim), before any dropout of weights"""
    rule: ScoreRule | None = None
    """All of the above but q and k, where the call was clearhead's own."""


class Recorder:
    """Collects the calls of one model's modules into a capture."""

    def __init__(self, model: nn.Module, layers: LayerChoice, *, values: bool, device: torch.device | None) -> None:
        self._model = model  # so that no other object gets the identity of one of its modules
        named = dict(model.named_modules())
        self.modules = list(named.values())
        # The Python modules in which the model is written.
        self.code = {base.__module__ for kind in {type(module) for module in self.modules} for base in kind.__mro__}
        self._names = {id(module): _clean(name, model) for name, module in named.items()}
        if isinstance(model, LoadedModel):  # maps are named as in the published model, whoever loaded it
            self._names |= {id(module): name for module, name in model.attention_names().items()}
        self.is_compiled = any(
            "_orig_mod" in name or module.__dict__.get("_compiled_call_impl") is not None
            for name, module in named.items()
        )
        self._choice = [layers] if isinstance(layers, int | str) else None if layers is None else list(layers)
        self._values, self._device = values, device
        self._seen: dict[str, int] = {}  # calls of each module so far, of all that have attention
        self._used: set[int | str] = set()
        # Layers share their mask: it is read once, and forgotten with the tensor.
        self._masks: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self.ran = False
        self._failed: tuple[str, Exception] | None = None
        self.capture = Capture(provenance=_provenance(model))
        self._check_choice()

    def owns(self, module: nn.Module) -> bool:
        """Whether ``module`` belongs to the watched model."""
        return id(module) in self._names

    def wants(self, module: nn.Module) -> bool:
        """Whether calls of ``module`` are to be kept. Those that are not are counted all the same."""
        return self._match(self._names[id(module)]) is not None

    def skip(self, module: nn.Module) -> None:
        """Count a call that is not wanted, so that numbers given as ``layers`` mean what they say."""
        self._count(self._names[id(module)])

    def record(self, module: nn.Module, call: AttentionCall) -> None:
        """Keep one call."""
        path = self._names[id(module)]
        self._used.update(self._match(path) or [])
        number = self._number(path)
        times = self._count(path)
        # Neither the model's autocast nor its gradients are for what is worked out here.
        kind = call.q.device.type
        plain = torch.autocast(kind, enabled=False) if is_autocast(kind) else nullcontext()
        try:
            with torch.inference_mode(False), torch.no_grad(), plain:
                amap = self._map(_align(call), stays=bool(getattr(module, "keys_stay", False)))
        except Exception as error:  # noqa: BLE001  # the model must run as if nobody watched; finish() says it
            self._failed = self._failed or (path, error)
            return
        self.capture.layers.append(Layer(path, times, number, tuple(range(amap.shape[1])), amap.shape, lambda: amap))

    def finish(self) -> None:
        """Raise if there was nothing to see, or not what was asked for, or it could not be read."""
        if self._failed is not None:
            path, error = self._failed
            raise NothingCapturedError(
                f"the attention of {path} ran, but its map could not be made: {error}"
            ) from error
        if not self.capture.layers and not self._seen:
            if not self.ran:
                raise NothingCapturedError("the model was not called while watched: call it inside the with block")
            raise NothingCapturedError(
                "the model ran, but no attention was seen; looked for "
                "clearhead.attention, torch.nn.functional.scaled_dot_product_attention, torch.nn.MultiheadAttention, "
                "flex_attention and Hugging Face's AttentionInterface, called inside the model's modules. Attention "
                "written out as matrix products, in TorchScript, in a custom kernel, under torch.vmap or in a compiled "
                "graph cannot be seen: call one of these, watch the compiled model itself, and import flex_attention "
                "before the watch begins"
            )
        missed = [item for item in self._choice or [] if item not in self._used]
        if missed:
            paths = list(self._seen)
            if isinstance(missed[0], int):
                raise UnknownLayerError(
                    f"no layer {missed[0]}: attention ran in {len(paths)} modules, numbered from 0 "
                    "in order of execution"
                )
            raise UnknownLayerError(f"no attention ran in {missed[0]!r}; {near(str(missed[0]), paths)}")

    def _count(self, path: str) -> int:
        """How often this module ran before."""
        times = self._seen.get(path, 0)
        self._seen[path] = times + 1
        return times

    def _number(self, path: str) -> int:
        """The module's number among those with attention, in the order in which they first ran."""
        order = list(self._seen)
        return order.index(path) if path in self._seen else len(order)

    def _match(self, path: str) -> list[int | str] | None:
        """The items of ``layers`` that choose this module; None if none does."""
        if self._choice is None:
            return []
        number = self._number(path)
        found: list[int | str] = [
            item for item in self._choice if (item == number if isinstance(item, int) else covers(item, path))
        ]
        return found or None

    def _check_choice(self) -> None:
        names = [name for name in self._names.values() if name]
        for item in self._choice or []:
            if isinstance(item, bool) or not isinstance(item, int | str):
                raise UnknownLayerError(f"layers are numbers, module paths or globs; got {item!r}")
            if isinstance(item, int) and item < 0:
                raise UnknownLayerError(f"layers are numbered from 0 in order of execution; got {item}")
            if isinstance(item, str) and not any(covers(item, name) or name == item for name in names):
                raise UnknownLayerError(f"no module {item!r} in this model; {near(item, names)}")

    # From a call to a map.

    def _map(self, call: AttentionCall, *, stays: bool) -> AttentionMap:
        q, k = _own(call.q), keep(call.k) if stays else _own(call.k)
        shape = (q.shape[0], q.shape[1], q.shape[2], k.shape[2])
        if call.rule is not None:
            rule = call.rule.change(_own)
        else:
            mask, bias = self._read_mask(call, shape)
            rule = ScoreRule(call.scale, mask, bias, call.softcap, call.sinks, call.modify)
        values, output = self._columns(call)
        # A kernel's LSE of half precision is not that of its q and k: rows would sum to 1 only within 1e-4.
        exact = q.dtype in (torch.float32, torch.float64)
        lse = keep(call.lse).reshape(shape[:3]) if call.lse is not None and exact else None
        made: AttentionMap = FactoredMap(q, k, rule, lse=lse, values=values, output=output)
        if shape[2] == 1 and shape[3] > 1 and rule.sinks is None and not stays:
            # A decoding step: its one row is far smaller than the cache that it was computed from, and the cache
            # will be written over, or is another tensor at every step.
            made = StoredMap(
                made.dense(force=True), values=values, output=output, sums_to_one=rule.normalizer.sums_to_one
            )
        return made if self._device is None else made.to(self._device)

    def _columns(self, call: AttentionCall) -> tuple[Tensor | None, Tensor | None]:
        """What ``check()`` compares: all values and outputs, or one random ±1 sum of their columns.

        The sum catches any error that all columns would show, save with the chance that it cancels (Freivalds 1977),
        and costs 2 numbers a token instead of 2 × value_dim.
        """
        if call.values is None or call.output is None:
            return None, None
        values, output = keep(call.values), keep(call.output)
        if self._values:
            return _own(values), _own(output)
        return _signed_sum(values), _signed_sum(output)

    def _read_mask(
        self, call: AttentionCall, shape: tuple[int, int, int, int]
    ) -> tuple[BoundMask | None, Tensor | None]:
        queries, keys = shape[2:]
        rules: list[BoundMask] = []
        bias: Tensor | None = None
        for tensor in (call.mask, call.bias):
            if tensor is None:
                continue
            mask, added = self._read_tensor(tensor, shape)
            rules += [] if mask is None else [mask]
            if added is not None:
                bias = added if bias is None else bias + added
        if call.causal:
            rules.append(Spans.causal(queries, keys, device=call.q.device, offset=0))
        if call.window is not None:
            rules.append(Window(*call.window).bind(queries, keys, call.q.device))
        if call.predicate is not None:
            # FlexAttention counts queries from 0, wherever they stand.
            predicate = Predicate(call.predicate, *shape[:2])
            rules += _shorten(BoundRule(predicate, queries, keys, call.q.device, first=0))
        result: BoundMask | None = None
        for rule in rules:
            result = rule if result is None else result & rule
        return result, bias

    def _read_tensor(self, tensor: Tensor, shape: tuple[int, int, int, int]) -> tuple[BoundMask | None, Tensor | None]:
        known = self._masks.get(tensor)
        if known is not None and known[0] == shape:
            # An inference tensor has no version that would tell whether it is still the same.
            same = torch.equal(known[2], tensor) if tensor.is_inference() else known[1] == tensor._version
            if same:
                return known[3], known[4]
        whole = full = keep(tensor)
        full = full.reshape((1,) * (4 - full.dim()) + tuple(full.shape)) if full.dim() < 4 else full
        full = full.expand(-1, -1, -1, shape[3]) if full.shape[3] == 1 else full[..., : shape[3]]
        if full.dtype == torch.bool:
            mask, bias = read_boolean(full, shape[2]), None
        else:
            mask, bias = read_additive(full, shape[2])
        if isinstance(mask, BoundRule) and tensor.dtype == torch.bool:
            mask = mask.change(_own)
        self._masks[tensor] = (shape, whole._version, whole if tensor.is_inference() else None, mask, bias)
        return mask, bias


@cache
def _signs(width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    sign = torch.randint(0, 2, (width,), generator=torch.Generator().manual_seed(width)) * 2.0 - 1.0
    return sign.to(device, dtype)


def _signed_sum(columns: Tensor) -> Tensor:
    """The sum of all columns with random signs, the same for every tensor of one width."""
    dtype = exact_dtype(columns.dtype)
    sign = _signs(columns.shape[-1], dtype, columns.device)
    tokens_first = columns.transpose(1, 2)
    if tokens_first.is_contiguous():  # as most models have it; a product over the view would copy it first
        rows = tokens_first.to(dtype).view(-1, columns.shape[-1])
        return rows.mv(sign).view(*tokens_first.shape[:-1], 1).transpose(1, 2)
    return (columns.to(dtype) @ sign)[..., None]


def _shorten(predicate: BoundRule) -> list[BoundMask]:
    """A predicate as what it says now, where that is small enough: what it closes over may change later."""
    if math.prod(predicate.breadth) * predicate.queries * predicate.keys > 2**24:
        return [predicate]
    tile = predicate.tile(range(predicate.queries), range(predicate.keys))
    read = None if tile is None else read_boolean(tile, predicate.queries)
    return [] if read is None else [read]


def is_autocast(kind: str) -> bool:
    """Whether autocast is on for this type of device; not every type knows it."""
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)


def _align(call: AttentionCall) -> AttentionCall:
    """The call with the axes (batch, heads, …, …) that broadcasting gives its tensors.

    Leading axes are one batch; tensors of three axes have no heads, so one.
    """
    if (
        call.q.dim() == 4
        and call.q.shape[:2] == call.k.shape[:2]
        and all(x is None or x.shape[:2] == call.q.shape[:2] for x in (call.values, call.output))
        and (call.mask is None or (call.mask.dim() == 4 and call.mask.shape[0] in (1, call.q.shape[0])))
    ):
        return call  # as nearly every model has them
    tensors = [x for x in (call.q, call.k, call.values, call.mask) if x is not None]
    single = all(x.dim() <= 3 for x in tensors)

    def four(tensor: Tensor) -> Tensor:
        if tensor.dim() >= 4:
            return tensor  # the object itself: layers that share a mask are known by that
        return tensor[:, None] if single and tensor.dim() == 3 else tensor[(None,) * (4 - tensor.dim())]

    leading = torch.broadcast_shapes(*(four(x).shape[:-3] for x in tensors))
    kv_heads = max(four(x).shape[-3] for x in (call.k, call.values) if x is not None)
    heads = max(four(x).shape[-3] for x in tensors)

    def whole(tensor: Tensor, heads: int) -> Tensor:
        return four(tensor).expand(*leading, heads, -1, -1).flatten(0, -4)

    mask = call.mask
    if mask is not None and mask.dim() >= 3:
        mask = four(mask) if len(leading) == 1 else whole(mask, four(mask).shape[-3])
    return replace(
        call,
        q=whole(call.q, heads),
        k=whole(call.k, kv_heads),
        values=None if call.values is None else whole(call.values, kv_heads),
        output=None if call.output is None else four(call.output).flatten(0, -4),
        mask=mask,
    )


def _own(tensor: Tensor) -> Tensor:
    """The tensor, or a copy where holding it would hold more, or where somebody writes into it (a static cache)."""
    kept = keep(tensor)
    if kept._version > 0 or kept.untyped_storage().nbytes() > 1.1 * kept.nbytes:
        return kept.clone(memory_format=torch.contiguous_format)
    return kept


def _clean(name: str, model: nn.Module) -> str:
    if "_orig_mod" in name:  # what torch.compile puts between a wrapper and the module in it
        name = ".".join(part for part in name.split(".") if part != "_orig_mod")
    return name or type(getattr(model, "_orig_mod", model)).__name__


def _provenance(model: nn.Module) -> dict[str, Any]:
    from clearhead._version import __version__

    config = getattr(model, "config", None)
    parameter = next(model.parameters(), None)
    versions = {"clearhead": __version__, "torch": torch.__version__}
    if config is not None and type(config).__module__.startswith("transformers."):
        import transformers

        versions["transformers"] = transformers.__version__
    if isinstance(model, LoadedModel):
        name, kind = model.name, model.published_class
    else:
        kind = type(model).__name__
        name = getattr(config, "_name_or_path", "") or kind
    return {
        "model": name,
        "class": kind,
        "attention": getattr(config, "_attn_implementation", None),
        "dtype": None if parameter is None else str(parameter.dtype).removeprefix("torch."),
        "versions": versions,
    }
