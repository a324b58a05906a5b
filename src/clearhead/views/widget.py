"""The viewer in notebooks: Jupyter, JupyterLab, VS Code, marimo."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from clearhead.capture import Capture
from clearhead.errors import LargeMapError, MissingPackageError
from clearhead.shapes import whole_number
from clearhead.views.carried import carried

try:
    import anywidget
    import traitlets
except ImportError:
    raise MissingPackageError("the viewer in a notebook needs anywidget: pip install 'clearhead[notebook]'") from None

__all__ = ["HEIGHT", "LEAST_HEIGHT", "MOST_BYTES", "CaptureWidget"]

HEIGHT = 600
LEAST_HEIGHT = 200
# All of it is in the notebook's page and once more in the worker that computes weights from it.
MOST_BYTES = 2**28

_BUNDLE = files("clearhead.views") / "bundle"


class CaptureWidget(anywidget.AnyWidget):
    """The viewer of a capture as a notebook widget; made by :meth:`clearhead.Capture.widget`.

    The notebook's page gets q, k and the log-sum-exp and computes the weights itself, so the widget goes on working
    while the kernel is busy. Its theme is the notebook's unless another one is chosen. ``close()`` ends it.

    Args:
        capture: What is to be looked at.
        height: Of the widget, in pixels.
        selection: What is selected at first.

    Raises:
        LargeMapError: The capture takes more than 256 MiB.
        InputError: The height is below 200, or the capture cannot be written (see :meth:`clearhead.Capture.save`).

    Example:
        >>> import torch, clearhead as ch
        >>> layer = torch.nn.MultiheadAttention(8, 2, batch_first=True).eval()
        >>> x = torch.randn(1, 5, 8)
        >>> with torch.no_grad(), ch.watch(layer) as capture:
        ...     _ = layer(x, x, x)
        >>> widget = capture.widget(selection="h=0.1&q=2")
        >>> widget.selection = "h=0.1&q=2&k=4&v=arcs"

    """

    # Only in the widget's own root is there any style, so the script brings it and anywidget's _css is not used.
    _esm = (_BUNDLE / "viewer.js").read_text(encoding="utf-8")

    _capture = traitlets.Bytes().tag(sync=True)
    _beside: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    selection = traitlets.Unicode("").tag(sync=True)
    """What is shown, as the address of a page says it after #; it changes with every click, and may be set.

    ``letter=value`` joined by ``&``; what is as at the start is left out: ``h`` the heads (``3.1``: of the capture's
    layer in place 3 the head in place 1; ``3.1,4.0`` averages two), ``q`` the query and ``k`` the key (the number of a
    word, or with ``u=pieces`` of a piece; ``2-4`` for several), ``v`` the view (``matrix``, ``arcs``, ``products``),
    ``t`` the text of the batch, ``log=1``, ``hide=special`` or ``first``, ``pool=max``, ``sort``, ``theme``. What
    cannot be read, or is not in the capture, is left out, and ``selection`` then says what is shown instead.
    """
    height = traitlets.Int(HEIGHT, min=LEAST_HEIGHT).tag(sync=True)
    """Pixels; may be set."""

    def __init__(self, capture: Capture, *, height: int = HEIGHT, selection: str = "") -> None:
        height = whole_number("height", height, LEAST_HEIGHT)
        _refuse_above(_nbytes(capture))
        content, beside = carried(capture)
        _refuse_above(len(content))  # masks and scores that are functions take room only once they are written out
        super().__init__(_capture=content, _beside=beside, height=height, selection=selection)

    def __repr__(self) -> str:
        return f"CaptureWidget(height={self.height}, selection={self.selection!r})"


def _nbytes(capture: Capture) -> int:
    """About what the capture takes as a file for the viewer, which has no use for values and outputs."""
    kept = {
        x.data_ptr(): x.nbytes
        for layer in capture.layers
        for name, x in layer.map.tensors().items()
        if name not in ("values", "output")
    }
    return sum(kept.values())


def _refuse_above(count: int) -> None:
    if count > MOST_BYTES:
        raise LargeMapError(
            f"the capture takes {count / 2**20:,.0f} MiB, and a notebook's page is given at most "
            f"{MOST_BYTES / 2**20:,.0f} MiB; select() fewer layers or heads, or save() it and look at it "
            "with: clearhead serve FILE"
        )
