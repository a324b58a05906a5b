"""Watching a model."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from types import TracebackType

import torch
from torch import nn

from clearhead.capture import intercept
from clearhead.capture.capture import Capture
from clearhead.capture.recorder import LayerChoice, Recorder
from clearhead.capture.tokens import Tokens
from clearhead.errors import InputError

__all__ = ["watch"]


class watch:  # noqa: N801  # used like a function, as torch.no_grad is
    """See the attention of any PyTorch model, without changing the model, its speed or its output.

    A context manager; what runs inside is captured, and the capture is at hand inside and after the block.

    It sees :func:`torch.nn.functional.scaled_dot_product_attention`, :class:`torch.nn.MultiheadAttention` and the
    stacks built on it (their inference fast paths too), ``flex_attention``, and Hugging Face models with whichever
    attention implementation they were loaded. The output is that of the unwatched model bit for bit. What is kept is
    q, k and the LSE of each row, without gradient history; weights are computed when they are looked at.

    A model that was compiled (:func:`torch.compile`) runs uncompiled while it is watched, since a compiled graph
    shows nothing; its output is then that of the uncompiled model.

    ``check()`` compares weights·values with the output where that can be seen: not on the fast paths of
    ``torch.nn.MultiheadAttention`` and with its ``need_weights=True``, which give out only what follows, and not where
    weights were dropped out.

    Maps are named by the path of the module that computed them; the model itself, where it is the one, by its class.

    Args:
        model: Any module.
        layers: Which attention layers to keep: numbers in order of execution from 0, module paths (also of a part
            that contains attention), or globs such as ``"encoder.layer.*.attention.self"``; one or several.
        values: Keep values and outputs whole, so that ``check()`` compares every column; else one random ±1 sum of
            the columns is kept, which costs two numbers a token.
        device: Where to keep the maps, for instance ``"cpu"``; default: where they are made.
        tokens: The texts of the batch, for maps by word and for views.

    Raises:
        InputError: ``model`` is no module.
        NothingCapturedError: On leaving, if no attention was seen.
        UnknownLayerError: A name in ``layers`` that the model does not have, or that has no attention.

    Example:
        >>> import torch, clearhead as ch
        >>> model = torch.nn.TransformerEncoderLayer(8, 2, batch_first=True).eval()
        >>> with torch.no_grad(), ch.watch(model) as capture:
        ...     _ = model(torch.randn(1, 5, 8))
        >>> list(capture)
        ['self_attn']
        >>> bool(capture["self_attn"].check().ok())
        True

    """

    def __init__(
        self,
        model: nn.Module,
        layers: LayerChoice = None,
        *,
        values: bool = False,
        device: torch.device | str | None = None,
        tokens: list[Tokens] | None = None,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise InputError(f"watch wants a torch.nn.Module; got {type(model).__name__}")
        target = None if device is None else torch.device(device)
        self._recorder = Recorder(model, layers, values=values, device=target)
        self._recorder.capture.tokens = tokens
        self._held = ExitStack()

    def __enter__(self) -> Capture:
        if self._recorder.ran or self._recorder.capture.layers:
            raise RuntimeError("a watch is entered once; call clearhead.watch(model) again for another capture")
        with ExitStack() as held:
            if self._recorder.is_compiled:
                held.enter_context(warnings.catch_warnings())
                # PyTorch warns that the hooks, of which nothing is lost, run once more for the compiled wrapper.
                warnings.filterwarnings("ignore", message=".*global hooks on modules", category=UserWarning)
                held.enter_context(torch.compiler.set_stance("force_eager"))
            intercept.activate(self._recorder)
            held.callback(intercept.deactivate, self._recorder)
            self._held = held.pop_all()
        return self._recorder.capture

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()
        if kind is None:
            self._recorder.finish()
