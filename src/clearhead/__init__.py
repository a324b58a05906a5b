"""clearhead: attention you can see through, at the speed of attention you can't.

    import clearhead as ch

    with ch.watch(model) as capture:      # any PyTorch model, unchanged
        model(**inputs)
    capture["encoder.layer.3.attention.self"][0, 1]

    out, amap = ch.attend(q, k, v, mask=ch.Causal() & ch.Window(255, 0))

Names are resolved when they are first used: importing the package loads neither torch nor transformers.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from clearhead._version import __version__

if TYPE_CHECKING:
    from clearhead.analysis.looks import strongest_looks
    from clearhead.capture.capture import Capture, Layer
    from clearhead.capture.format import open_capture as open  # noqa: A004  # the surface says ch.open
    from clearhead.capture.look import look
    from clearhead.capture.sides import Picture
    from clearhead.capture.sources import Pretrained
    from clearhead.capture.sources import load as load_pretrained
    from clearhead.capture.tokens import Tokens
    from clearhead.capture.watch import watch
    from clearhead.layers import (
        GrowingCache,
        LinearAttention,
        MultiHeadAttention,
        SelfAttention,
        SlidingCache,
        StaticCache,
    )
    from clearhead.maps.attend import attend
    from clearhead.maps.base import AttentionMap
    from clearhead.maps.linear import LinearMap, linear_attend
    from clearhead.masks import (
        Blocks,
        Causal,
        Dilated,
        Documents,
        Explicit,
        Global,
        Mask,
        Padding,
        Predicate,
        Prefix,
        Window,
    )
    from clearhead.mechanisms.attention import attention
    from clearhead.mechanisms.explain import explain
    from clearhead.mechanisms.feature_maps import PositiveRandomFeatures
    from clearhead.mechanisms.linear import LinearState, linear_attention, linear_prefill, linear_step
    from clearhead.mechanisms.linear_explain import linear_explain
    from clearhead.models import LoadedModel, load
    from clearhead.models.files import DEFAULT_MODEL
    from clearhead.positions import (
        ALiBi,
        Bias,
        Learned,
        LinearScaling,
        Llama3Scaling,
        NTKScaling,
        RelativeBias,
        Rotary,
        Sinusoidal,
        YaRNScaling,
    )

_HOMES = {
    "ALiBi": "clearhead.positions:ALiBi",
    "AttentionMap": "clearhead.maps.base:AttentionMap",
    "Bias": "clearhead.positions:Bias",
    "Blocks": "clearhead.masks:Blocks",
    "Capture": "clearhead.capture.capture:Capture",
    "Causal": "clearhead.masks:Causal",
    "DEFAULT_MODEL": "clearhead.models.files:DEFAULT_MODEL",
    "Dilated": "clearhead.masks:Dilated",
    "Documents": "clearhead.masks:Documents",
    "Explicit": "clearhead.masks:Explicit",
    "Global": "clearhead.masks:Global",
    "GrowingCache": "clearhead.layers:GrowingCache",
    "Layer": "clearhead.capture.capture:Layer",
    "Learned": "clearhead.positions:Learned",
    "LinearAttention": "clearhead.layers:LinearAttention",
    "LinearMap": "clearhead.maps.linear:LinearMap",
    "LinearScaling": "clearhead.positions:LinearScaling",
    "LoadedModel": "clearhead.models:LoadedModel",
    "LinearState": "clearhead.mechanisms.linear:LinearState",
    "Llama3Scaling": "clearhead.positions:Llama3Scaling",
    "Mask": "clearhead.masks:Mask",
    "MultiHeadAttention": "clearhead.layers:MultiHeadAttention",
    "NTKScaling": "clearhead.positions:NTKScaling",
    "Padding": "clearhead.masks:Padding",
    "Picture": "clearhead.capture.sides:Picture",
    "PositiveRandomFeatures": "clearhead.mechanisms.feature_maps:PositiveRandomFeatures",
    "Predicate": "clearhead.masks:Predicate",
    "Prefix": "clearhead.masks:Prefix",
    "Pretrained": "clearhead.capture.sources:Pretrained",
    "RelativeBias": "clearhead.positions:RelativeBias",
    "Rotary": "clearhead.positions:Rotary",
    "SelfAttention": "clearhead.layers:SelfAttention",
    "Sinusoidal": "clearhead.positions:Sinusoidal",
    "SlidingCache": "clearhead.layers:SlidingCache",
    "StaticCache": "clearhead.layers:StaticCache",
    "Tokens": "clearhead.capture.tokens:Tokens",
    "Window": "clearhead.masks:Window",
    "YaRNScaling": "clearhead.positions:YaRNScaling",
    "attend": "clearhead.maps.attend:attend",
    "attention": "clearhead.mechanisms.attention:attention",
    "explain": "clearhead.mechanisms.explain:explain",
    "linear_attend": "clearhead.maps.linear:linear_attend",
    "linear_attention": "clearhead.mechanisms.linear:linear_attention",
    "linear_explain": "clearhead.mechanisms.linear_explain:linear_explain",
    "linear_prefill": "clearhead.mechanisms.linear:linear_prefill",
    "linear_step": "clearhead.mechanisms.linear:linear_step",
    "load": "clearhead.models:load",
    "load_pretrained": "clearhead.capture.sources:load",
    "look": "clearhead.capture.look:look",
    "open": "clearhead.capture.format:open_capture",
    "strongest_looks": "clearhead.analysis.looks:strongest_looks",
    "watch": "clearhead.capture.watch:watch",
}

__all__ = [
    "DEFAULT_MODEL",
    "ALiBi",
    "AttentionMap",
    "Bias",
    "Blocks",
    "Capture",
    "Causal",
    "Dilated",
    "Documents",
    "Explicit",
    "Global",
    "GrowingCache",
    "Layer",
    "Learned",
    "LinearAttention",
    "LinearMap",
    "LinearScaling",
    "LinearState",
    "Llama3Scaling",
    "LoadedModel",
    "Mask",
    "MultiHeadAttention",
    "NTKScaling",
    "Padding",
    "Picture",
    "PositiveRandomFeatures",
    "Predicate",
    "Prefix",
    "Pretrained",
    "RelativeBias",
    "Rotary",
    "SelfAttention",
    "Sinusoidal",
    "SlidingCache",
    "StaticCache",
    "Tokens",
    "Window",
    "YaRNScaling",
    "__version__",
    "attend",
    "attention",
    "explain",
    "linear_attend",
    "linear_attention",
    "linear_explain",
    "linear_prefill",
    "linear_step",
    "load",
    "load_pretrained",
    "look",
    "open",
    "strongest_looks",
    "watch",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'clearhead' has no attribute {name!r}")
    module, attribute = home.split(":")
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
