"""Seeing every attention call of the process while some model is watched, and leaving no trace afterwards.

While at least one recorder is active,

* hooks on all modules (:func:`torch.nn.modules.module.register_module_forward_pre_hook`) say which module runs; they
  are not the per-module hooks that would turn PyTorch's fast paths off;
* the functions that compute attention are replaced by ones that call them and report what they saw. They are replaced
  where they are defined and in every loaded Python module that imported them by name.

A call is reported to those recorders whose model the running module belongs to, so other models and other threads are
left alone. Calls that happen during a backward pass (activation checkpointing) repeat what was seen and are not
reported; nor are those inside :func:`torch.vmap` and its like, whose tensors have no numbers of their own to keep.
"""

from __future__ import annotations

import functools
import inspect
import sys
import threading
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from clearhead.capture import huggingface
from clearhead.capture.recorder import AttentionCall, Recorder, is_autocast
from clearhead.maps import attend
from clearhead.mechanisms import attention, fused
from clearhead.mechanisms.plan import Plan
from clearhead.mechanisms.request import Request
from clearhead.mechanisms.rule import ScoreRule

__all__ = ["activate", "deactivate"]

_lock = threading.RLock()
_recorders: list[Recorder] = []
_restore = ExitStack()


class _Running(threading.local):
    """What runs in this thread."""

    def __init__(self) -> None:
        self.modules: list[nn.Module] = []
        self.outer: list[OuterCall] = []
        self.session = 0


class OuterCall:
    """An attention call of a higher level, inside which the kernel's own call is a detail of it."""

    def __init__(self) -> None:
        self.inner: AttentionCall | None = None
        self.projected: tuple[Tensor, Tensor, Tensor] | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """What happens inside belongs to this call."""
        calls = _running.outer
        calls.append(self)
        try:
            yield
        finally:
            calls.pop()


_running = _Running()


_session = 0
"""Counts the times that something began to be watched: what a thread remembers of an earlier time is out of date."""

Make = Callable[[Callable[..., Any]], Callable[..., Any]]

_functions: dict[Any, tuple[Callable[..., Any], Make]] = {}
"""The replaced functions that people import by name, each with its replacement and what made that."""


def activate(recorder: Recorder) -> None:
    """Report to ``recorder`` from now on."""
    with _lock:
        try:
            if not _recorders:
                _install()
            _replace_imported(recorder)
        except BaseException:
            if not _recorders:
                _restore.close()
            raise
        _recorders.append(recorder)


def deactivate(recorder: Recorder) -> None:
    """Report no more; the last one to go puts everything back."""
    with _lock:
        _recorders.remove(recorder)
        if not _recorders:
            _restore.close()


def _install() -> None:
    global _session
    _session += 1
    _functions.clear()
    _restore.callback(nn.modules.module.register_module_forward_pre_hook(_entered).remove)
    _restore.callback(nn.modules.module.register_module_forward_hook(_left, always_call=True).remove)
    functional = torch.nn.functional
    replaced = [
        (functional, "scaled_dot_product_attention", _sdpa),
        (functional, "multi_head_attention_forward", _multi_head_attention_forward),
        (functional, "_in_projection_packed", _projection),
        (functional, "_in_projection", _projection),
        (torch, "_native_multi_head_attention", _native_multi_head_attention),
        (torch, "_transformer_encoder_layer_fwd", _transformer_encoder_layer),
        (attention, "compute", _own_attention),
        (attend, "compute", _own_attention),
    ]
    flex = sys.modules.get("torch.nn.attention.flex_attention")
    if flex is not None:
        replaced.append((flex, "flex_attention", _flex_attention))
    for owner, name, make in replaced:
        original = getattr(owner, name, None)
        if original is None:  # a private function that this version of PyTorch does not have
            continue
        replacement = functools.wraps(original)(_unless_compiling(original, make(original)))
        _replace(owner, name, replacement)
        if not name.startswith("_"):
            _functions[original] = (replacement, make)
    interface = huggingface.attention_interface()
    if interface is not None:
        _replace(interface, "get_interface", _get_interface(interface.get_interface))
    _restore.callback(_restore_imported, len(sys.modules))


def _unless_compiling(original: Callable[..., Any], replacement: Callable[..., Any]) -> Callable[..., Any]:
    """The original while :func:`torch.compile` traces: what a graph does is not seen, and must not be disturbed."""

    def either(*args: Any, **kwargs: Any) -> Any:
        return (original if torch.compiler.is_compiling() else replacement)(*args, **kwargs)

    return either


def _replace(owner: Any, name: str, value: Any) -> None:
    _restore.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, value)


def _replace_imported(recorder: Recorder) -> None:
    """Also where a function was imported by name, compiled, or made an attribute of one of the model's modules."""
    global _imported
    if _imported.functions != set(_functions):
        _imported = _Imported(set(_functions))
    _imported.look(recorder.code)
    for owner, attribute in [*_imported.found, *_imported.among(recorder.modules)]:
        value = vars(owner).get(attribute)
        if value in _functions:
            _replace(owner, attribute, _functions[value][0])
        elif value is not None and _compiled_from(value) in _functions:
            make = _functions[_compiled_from(value)][1]
            replacement: Any = functools.wraps(value)(_unless_compiling(value, make(value)))
            del replacement._torchdynamo_orig_callable  # inherited, and another watch must not take it for compiled
            _replace(owner, attribute, replacement)


def _restore_imported(count: int) -> None:
    """A module that was imported meanwhile has imported the replacement."""
    if len(sys.modules) == count:
        return
    originals = {replacement: original for original, (replacement, _) in _functions.items()}
    for module in _modules(set(sys.modules) - _imported.seen):
        for attribute, value in list(vars(module).items()):
            if isinstance(value, types.FunctionType) and value in originals:
                setattr(module, attribute, originals[value])


def _modules(names: Iterable[str]) -> Iterator[types.ModuleType]:
    for name in names:
        module = sys.modules.get(name)
        if isinstance(module, types.ModuleType) and name.partition(".")[0] not in (
            "torch",
            "clearhead",
            "transformers",
        ):
            yield module


def _compiled_from(value: Any) -> Any:
    """The function that :func:`torch.compile` made ``value`` of, if it did."""
    return getattr(value, "_torchdynamo_orig_callable", None)


class _Imported:
    """Where the functions were imported by name.

    A program has thousands of modules, and a watch should cost nothing: each is looked through once, and every time
    only those in which the model's classes are written, which may have been edited and loaded anew, and ``__main__``,
    where people type.
    """

    def __init__(self, functions: set[Any]) -> None:
        self.functions = functions
        self.seen: set[str] = set()
        self.found: set[tuple[Any, str]] = set()
        self._count = 0

    def look(self, code: set[str]) -> None:
        """Look through the modules that are new, and those named."""
        names = {"__main__", *code}
        if len(sys.modules) != self._count:
            names |= set(sys.modules) - self.seen
            self._count = len(sys.modules)
        self.seen |= names
        self.found.update(self.among(_modules(names)))

    def among(self, owners: Iterable[Any]) -> list[tuple[Any, str]]:
        """The attributes of these objects that are one of the functions."""
        return [
            (owner, attribute)
            for owner in owners
            for attribute, value in list(vars(owner).items())
            if isinstance(value, types.FunctionType | types.BuiltinFunctionType)
            and (value in self.functions or _compiled_from(value) in self.functions)
        ]


_imported = _Imported(set())


# Which module runs.


def _entered(module: nn.Module, args: Any) -> None:
    del args
    if torch.compiler.is_compiling():
        return
    if _running.session != _session:  # a watch may begin and end amid a forward pass, whose modules then never leave
        _running.session = _session
        _running.modules.clear()
    _running.modules.append(module)
    for recorder in _recorders:
        if recorder.owns(module):
            recorder.ran = True


def _left(module: nn.Module, args: Any, output: Any) -> None:
    del args, output
    if torch.compiler.is_compiling():
        return
    modules = _running.modules
    for place in reversed(range(len(modules))):
        if modules[place] is module:  # what still stands above it left by an exception that runs no hooks
            del modules[place:]
            break


def _watchers(module: nn.Module | None = None) -> list[tuple[Recorder, nn.Module]]:
    """Who watches the running module (or ``module``), and as which of their modules."""
    if torch._C._current_graph_task_id() != -1 or torch._C._functorch.peek_interpreter_stack() is not None:
        return []
    running = _running.modules if _running.session == _session else []
    stack = running if module is None else [*running, module]
    found = []
    for recorder in _recorders:
        owned = next((m for m in reversed(stack) if recorder.owns(m)), None)
        if owned is not None:
            found.append((recorder, owned))
    return found


def _wanted(watchers: list[tuple[Recorder, nn.Module]]) -> bool:
    return any(recorder.wants(module) for recorder, module in watchers)


def _skip(watchers: list[tuple[Recorder, nn.Module]]) -> None:
    for recorder, module in watchers:
        recorder.skip(module)


def _report(watchers: list[tuple[Recorder, nn.Module]], make: Callable[[], AttentionCall | None]) -> None:
    call = make() if _wanted(watchers) else None
    for recorder, module in watchers:
        if call is not None and recorder.wants(module):
            recorder.record(module, call)
        else:
            recorder.skip(module)


# The functions that compute attention.


def _own_attention(original: Callable[..., Any]) -> Callable[..., Any]:
    """The attention of this package: ``attention`` and ``attend`` both end in one function, on whatever path."""

    def compute(
        request: Request, plan: Plan, rule: ScoreRule | None, *, with_map: bool = True
    ) -> tuple[Tensor, Tensor | None]:
        watchers = [] if _running.outer else _watchers()
        outer = OuterCall()
        with outer.running():
            output, statistic = original(request, plan, rule, with_map=with_map)

        def call() -> AttentionCall:
            lse = statistic if statistic is not None or outer.inner is None else outer.inner.lse
            shown = None if request.dropout > 0 else output
            q, k, v = request.q, request.k, request.v
            whole = request.rule() if rule is None else rule
            return AttentionCall(q, k, request.scale, lse=lse, values=v, output=shown, rule=whole)

        _report(watchers, call)
        return output, statistic

    return compute


def _sdpa(original: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def scaled_dot_product_attention(*args: Any, **kwargs: Any) -> Tensor:
        outer = _running.outer[-1] if _running.outer else None
        watchers = [] if outer is not None else _watchers()
        if outer is None and not _wanted(watchers):
            _skip(watchers)
            return original(*args, **kwargs)
        given = dict(zip(_SDPA_ARGUMENTS, args, strict=False)) | kwargs
        output, lse = fused.sdpa_with_lse(original, **given)
        call = _sdpa_call(given, output, lse)
        if outer is not None:
            outer.inner = call
        else:
            _report(watchers, lambda: call)
        return output

    return scaled_dot_product_attention


_SDPA_ARGUMENTS = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa")


def _sdpa_call(given: dict[str, Any], output: Tensor, lse: Tensor | None) -> AttentionCall:
    q, k, v, mask = given["query"], given["key"], given["value"], given.get("attn_mask")
    kind = q.device.type
    if is_autocast(kind):
        lower = torch.get_autocast_dtype(kind)
        q, k, v = (x if x.dtype == torch.float64 else x.to(lower) for x in (q, k, v))
    scale = given.get("scale")
    scale = q.shape[-1] ** -0.5 if scale is None else float(scale)
    if q.is_nested:
        (q, rows), (k, columns), (v, _), (output, _) = (_padded(x.transpose(1, 2)) for x in (q, k, v, output))
        q, k, v, output = (x.transpose(1, 2) for x in (q, k, v, output))
        mask = rows[:, None, :, None] & columns[:, None, None, :]
    return AttentionCall(
        q,
        k,
        scale,
        mask=mask,
        causal=bool(given.get("is_causal", False)),
        lse=lse,
        values=v,
        output=None if given.get("dropout_p", 0.0) > 0 else output,
    )


def _padded(nested: Tensor) -> tuple[Tensor, Tensor]:
    """Texts of different lengths, ``(batch, tokens, …)``, with zeros at their ends, and which tokens there are."""
    texts = nested.detach().unbind()
    lengths = torch.tensor([len(text) for text in texts], device=nested.device)
    whole = torch.nn.utils.rnn.pad_sequence(list(texts), batch_first=True)
    return whole, torch.arange(whole.shape[1], device=nested.device) < lengths[:, None]


def _projection(original: Callable[..., Any]) -> Callable[..., Any]:
    def projection(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if _running.outer:
            _running.outer[-1].projected = tuple(result)
        return result

    return projection


_signature = functools.cache(inspect.signature)


def _multi_head_attention_forward(original: Callable[..., Any]) -> Callable[..., Any]:
    signature = _signature(original)

    def multi_head_attention_forward(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
        if not given["need_weights"]:  # it calls scaled_dot_product_attention, which is seen by itself
            return original(*args, **kwargs)
        watchers = _watchers()
        if not _wanted(watchers):
            _skip(watchers)
            return original(*args, **kwargs)
        outer = OuterCall()
        with outer.running():
            result = original(*args, **kwargs)
        _report(watchers, lambda: _mha_call(given, outer))
        return result

    return multi_head_attention_forward


def _mha_call(given: dict[str, Any], outer: OuterCall) -> AttentionCall | None:
    if outer.projected is None:
        return None
    q, k, _ = outer.projected
    heads, batch = given["num_heads"], q.shape[1]
    if given["bias_k"] is not None:
        k = torch.cat([k, given["bias_k"].repeat(1, batch, 1)])
    q, k = (x.unflatten(-1, (heads, -1)).permute(1, 2, 0, 3) for x in (q, k))
    if given["static_k"] is not None:
        k = given["static_k"].unflatten(0, (batch, heads))
    if given["add_zero_attn"]:
        k = torch.cat([k, k.new_zeros((*k.shape[:2], 1, k.shape[3]))], 2)
    masks = []
    for mask, shape in ((given["attn_mask"], None), (given["key_padding_mask"], (-1, 1, 1))):
        if mask is None:
            continue
        added = (
            mask if mask.is_floating_point() else torch.zeros_like(mask, dtype=q.dtype).masked_fill(mask, -torch.inf)
        )
        if shape is not None:
            added = added.reshape(*shape, added.shape[-1])
        elif added.dim() == 3:
            added = added.unflatten(0, (-1, heads))
        else:
            added = added[None, None]
        masks.append(torch.nn.functional.pad(added, (0, k.shape[2] - added.shape[-1])))
    total = masks[0] + masks[1] if len(masks) == 2 else masks[0] if masks else None
    return AttentionCall(q, k, q.shape[-1] ** -0.5, mask=total)


def _native_multi_head_attention(original: Callable[..., Any]) -> Callable[..., Any]:
    def native_multi_head_attention(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if not kwargs and len(args) >= 10:
            mask, kind = (*args[9:10], *args[12:13], None, None)[:2]
            _report(_watchers(), lambda: _packed_call(args[0], args[4], args[5], args[6], mask, kind))
        return result

    return native_multi_head_attention


def _transformer_encoder_layer(original: Callable[..., Any]) -> Callable[..., Any]:
    def transformer_encoder_layer(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if not kwargs and len(args) >= 18:
            mask, kind = (*args[18:20], None, None)[:2]

            def call() -> AttentionCall:
                x, norm_first, epsilon = args[0], args[8], args[9]
                if norm_first:
                    x = torch.nn.functional.layer_norm(x, args[10].shape, args[10], args[11], epsilon)
                return _packed_call(x, args[2], args[3], args[4], mask, kind)

            layer = _running.modules[-1] if _running.modules else None
            _report(_watchers(getattr(layer, "self_attn", None)), call)
        return result

    return transformer_encoder_layer


def _packed_call(
    x: Tensor, heads: int, weight: Tensor, bias: Tensor, mask: Tensor | None, kind: int | None
) -> AttentionCall:
    """A call of PyTorch's inference fast path, whose queries and keys never leave C++: projected once more."""
    present = None
    if x.is_nested:
        x, present = _padded(x)
    width = x.shape[-1]
    q, k = torch.nn.functional.linear(x, weight[: 2 * width], bias[: 2 * width]).split(width, -1)
    q, k = (part.unflatten(-1, (heads, -1)).transpose(1, 2).contiguous() for part in (q, k))
    allowed = None
    if present is not None:  # tokens that are not there attend to nothing
        allowed = present[:, None, :, None] & present[:, None, None, :]
    elif mask is not None:
        forbidden = mask.bool()  # the kernel's own reading of a mask of any dtype
        allowed = ~(
            forbidden[:, None, None] if kind == 1 else forbidden if forbidden.dim() == 4 else forbidden[None, None]
        )
    return AttentionCall(q, k, q.shape[-1] ** -0.5, mask=allowed)


def _flex_attention(original: Callable[..., Any]) -> Callable[..., Any]:
    def flex_attention(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        score_mod: Any = None,
        block_mask: Any = None,
        scale: float | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        result = original(query, key, value, score_mod, block_mask, scale, *args, **kwargs)
        if not _running.outer:
            output = result[0] if isinstance(result, tuple) else result
            _report(
                _watchers(),
                lambda: AttentionCall(
                    query,
                    key,
                    query.shape[-1] ** -0.5 if scale is None else float(scale),
                    predicate=None if block_mask is None else block_mask.mask_mod,
                    modify=score_mod,
                    values=value,
                    output=output,
                ),
            )
        return result

    return flex_attention


def _get_interface(original: Callable[..., Any]) -> Callable[..., Any]:
    """Hugging Face's choice of an attention function, each wrapped so that it reports."""

    def get_interface(self: Any, attn_implementation: Any, default: Any) -> Any:
        function = original(self, attn_implementation, default)

        @functools.wraps(function)
        def attention(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, *args: Any, **kwargs: Any) -> Any:
            watchers = _watchers(module)
            if not watchers or torch.compiler.is_compiling():
                return function(module, query, key, value, *args, **kwargs)
            outer = OuterCall()  # the kernel's own call inside is a detail of this one
            with outer.running():
                result = function(module, query, key, value, *args, **kwargs)
            given = {"attention_mask": args[0] if args else None, **kwargs}
            _report(
                watchers,
                lambda: huggingface.call(
                    str(attn_implementation), module, query, key, value, result[0], given, outer.inner
                ),
            )
            return result

        return attention

    return get_interface
