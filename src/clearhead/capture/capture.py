"""The maps of one run of one model, with its tokens and where they come from."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from clearhead.capture.figures import Figures
from clearhead.capture.sides import Picture, Side, sides
from clearhead.capture.tokens import Tokens
from clearhead.errors import InputError, UnknownLayerError
from clearhead.maps import AttentionMap
from clearhead.maps.joined import join
from clearhead.maps.words import WordMap

__all__ = ["Capture", "Layer", "Unit", "near"]

Unit = Literal["tokens", "words"]

if TYPE_CHECKING:
    _Maps = Mapping[str, AttentionMap]
else:
    _Maps = Mapping  # what checks types at run time would read a map to see whether it is one


def near(name: str, known: Sequence[str]) -> str:
    """A sentence part that names what is like ``name`` among ``known``, for error messages."""
    close = get_close_matches(name, known, n=3, cutoff=0.4) or [x for x in known if name in x][:3]
    if close:
        return f"near it: {', '.join(close)}"
    shown = ", ".join(known[:6])
    return f"there are: {shown}{', …' if len(known) > 6 else ''}" if known else "there are none"


@dataclass(frozen=True)
class Layer:
    """One attention call of a capture."""

    path: str
    """Where the module stands in the model."""
    call: int
    """Which call of this module it was, from 0."""
    number: int
    """The module's number of all with attention, from 0 in the order in which they first ran: the 3 of ``L3H1``."""
    heads: tuple[int, ...]
    """Which heads of the layer the map holds: the 1 of ``L3H1``."""
    shape: tuple[int, int, int, int]
    """(batch, heads, queries, keys) of the map."""
    load: Callable[[], AttentionMap]
    """Gives the map, the same one each time; a map in a file is read when it is first asked for."""

    @property
    def map(self) -> AttentionMap:
        """The map of this call."""
        return self.load()

    @property
    def name(self) -> str:
        """Its key in the capture: the path; for the second call ``path@1``, for the third ``path@2``."""
        return self.path if self.call == 0 else f"{self.path}@{self.call}"

    def label(self, head: int | None = None) -> str:
        """``L3``, or with a head ``L3H1``; from the module's second call on ``L3@1``, ``L3H1@1``."""
        return f"L{self.number}{'' if head is None else f'H{head}'}{f'@{self.call}' if self.call else ''}"

    def derive(
        self, heads: tuple[int, ...], shape: tuple[int, int, int, int], change: Callable[[AttentionMap], AttentionMap]
    ) -> Layer:
        """The same layer with ``change`` made to its map once that is looked at."""
        return replace(self, heads=heads, shape=shape, load=cache(lambda: change(self.map)))


@dataclass
class Capture(Figures, _Maps):
    """The maps of one run, by module path in order of execution.

    A module that ran several times (generation, shared layers) has its further calls under ``path@1``, ``path@2``, …;
    :meth:`calls` gives all of one module.

    Example:
        >>> import torch, clearhead as ch
        >>> layer = torch.nn.MultiheadAttention(8, 2, batch_first=True).eval()
        >>> x = torch.randn(1, 5, 8)
        >>> with torch.no_grad(), ch.watch(torch.nn.Sequential(layer)[0]) as capture:
        ...     _ = layer(x, x, x)
        >>> [amap.shape for amap in capture.values()]
        [(1, 2, 5, 5)]

    """

    layers: list[Layer] = field(default_factory=list)
    tokens: list[Tokens] | None = None
    """The texts of the batch, if they are known."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Model name, dtype, attention implementation, versions, whether the text was truncated."""
    unit: Unit = "tokens"
    source_tokens: list[Tokens] | None = None
    """Of an encoder–decoder model the texts that its encoder reads; ``tokens`` are then those of its decoder."""
    pictures: list[Picture] | None = None
    """Of a vision model the pictures of the batch, whose patches are the tokens."""

    def __post_init__(self) -> None:
        """Refuse maps where layers are wanted, before anything is asked of them."""
        given: Any = self.layers
        if not isinstance(given, list) or not all(isinstance(layer, Layer) for layer in given):
            raise InputError(
                "a Capture is made of a list of clearhead.Layer; Capture.from_maps({name: map, …}) makes one of maps"
            )

    @classmethod
    def from_maps(
        cls, maps: Mapping[str, AttentionMap], tokens: list[Tokens] | None = None, *, model: str | None = None
    ) -> Capture:
        """A capture of maps of one's own, to be looked at, drawn and saved like that of a model.

        Layers are numbered in the order of the mapping, and the heads of each from 0: ``L1H0`` is the first head of the
        second map.

        Args:
            maps: By what the layers are called; each ``(batch, heads, queries, keys)`` and by token.
            tokens: The texts of the batch, one :class:`Tokens` for each.
            model: The name of what made the maps, for titles.

        Raises:
            InputError: What is given is no mapping from names to maps by token, or there are not as many tokens as
                texts.

        Example:
            >>> import torch, clearhead as ch
            >>> q, k, v = torch.randn(3, 1, 2, 3, 8)
            >>> _, amap = ch.attend(q, k, v)
            >>> capture = ch.Capture.from_maps({"mine": amap}, [ch.Tokens.from_pieces(["a", "black", "cat"])])
            >>> print(capture)
            Capture of a model, 1 map by token
              L0 mine: batch=1, heads=2, 3 × 3
            >>> capture.to_html("mine.html", heads="L0H1", source="cat")  # doctest: +SKIP

        """
        if not isinstance(maps, Mapping):
            raise InputError(f"maps are given by name, {{'layer.0': map}}; got {type(maps).__name__}")
        texts: Any = tokens
        if texts is not None and not (isinstance(texts, list) and all(isinstance(x, Tokens) for x in texts)):
            raise InputError(
                "tokens are a list of one clearhead.Tokens for each text of the batch; Tokens.from_pieces makes them "
                "of words"
            )
        layers = []
        given: Mapping[Any, Any] = maps
        for number, (name, amap) in enumerate(given.items()):
            if not isinstance(name, str) or not isinstance(amap, AttentionMap) or isinstance(amap, WordMap):
                raise InputError(
                    f"maps are clearhead.AttentionMap by token, each with a name; {name!r} is {type(amap).__name__}"
                )
            if tokens is not None and len(tokens) != amap.shape[0]:
                raise InputError(
                    f"tokens are one for each text: {name} has a batch of {amap.shape[0]}, and {len(tokens)} are given"
                )
            layers.append(Layer(name, 0, number, tuple(range(amap.shape[1])), amap.shape, partial(_same, amap)))
        return cls(layers, tokens, {} if model is None else {"model": model})

    def __getitem__(self, name: str) -> AttentionMap:
        """The map of a module, by path. Raises UnknownLayerError, which names the near ones."""
        for layer in self.layers:
            if layer.name == name:
                return layer.map
        raise UnknownLayerError(f"no layer {name!r} in this capture; {near(str(name), list(self))}")

    def __iter__(self) -> Iterator[str]:
        return (layer.name for layer in self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        model = self.provenance.get("model") or "a model"
        maps = "1 map" if len(self) == 1 else f"{len(self)} maps"
        lines = [f"Capture of {model}, {maps} by {self.unit.removesuffix('s')}"]
        for layer in self.layers[:24]:
            batch, heads, queries, keys = layer.shape
            lines.append(f"  {layer.label()} {layer.path}: batch={batch}, heads={heads}, {queries} × {keys}")
        if len(self) > 24:
            lines.append(f"  … and {len(self) - 24} more")
        return "\n".join(lines)

    @property
    def nbytes(self) -> int:
        """Bytes of all maps together; a tensor that several share is counted once."""
        seen = {x.data_ptr(): x.nbytes for layer in self.layers for x in layer.map.tensors().values()}
        return sum(seen.values())

    def calls(self, path: str) -> list[AttentionMap]:
        """All maps of one module, in order."""
        found = [layer.map for layer in self.layers if layer.path == path]
        if not found:
            raise UnknownLayerError(f"no layer {path!r} in this capture; {near(path, self.paths)}")
        return found

    @property
    def paths(self) -> list[str]:
        """The modules that were seen, each once."""
        return list(dict.fromkeys(layer.path for layer in self.layers))

    def head(self, name: str) -> tuple[Layer, int]:
        """The layer and the place within its map of the head called ``name``: ``L3H1``, both from 0.

        ``L3H1@2`` is that of the third call of a module that ran several times.
        """
        match = re.fullmatch(r"[Ll](\d+)[Hh](\d+)(?:@(\d+))?", name.strip())
        if match is None:
            raise UnknownLayerError(f"{name!r} is no head name; heads are called like L3H1, layer 3 head 1, from 0")
        number, head, call = int(match[1]), int(match[2]), int(match[3] or 0)
        of_module = [layer for layer in self.layers if layer.number == number]
        if not of_module:
            known = [layer.number for layer in self.layers]
            raise UnknownLayerError(f"no layer {number}: the capture has the layers {_runs(known)}")
        layer = next((layer for layer in of_module if layer.call == call), None)
        if layer is None:
            raise UnknownLayerError(f"no call {call} of layer {number}: it ran {len(of_module)} times, numbered from 0")
        if head not in layer.heads:
            raise UnknownLayerError(f"no head {head} in layer {number}: it has the heads {_runs(layer.heads)}")
        return layer, layer.heads.index(head)

    def select(self, layers: int | str | Sequence[int | str] | None = None, heads: Any = None) -> Capture:
        """A capture of some layers and heads only, still lazy; they keep their names.

        Args:
            layers: Numbers, paths or globs, one or several; None for all.
            heads: Head numbers, one or several; None for all.

        """
        chosen = self.layers
        if layers is not None:
            wanted: list[int | str] = [layers] if isinstance(layers, int | str) else list(layers)
            for item in wanted:
                if not any(_is_chosen(layer, item) for layer in self.layers):
                    known = list(self) if isinstance(item, str) else [str(layer.number) for layer in self.layers]
                    raise UnknownLayerError(f"no layer {item!r} in this capture; {near(str(item), known)}")
            chosen = [layer for layer in chosen if any(_is_chosen(layer, item) for item in wanted)]
        if heads is not None:
            numbers = [heads] if isinstance(heads, int) else list(heads)
            chosen = [_select_heads(layer, numbers) for layer in chosen]
        return replace(self, layers=chosen)

    def joined(self) -> Capture:
        """The same capture with one map for each module: all calls together, each going on from the one before.

        So the maps of a text that was written token by token with a cache are those of the whole text, prompt included.

        Raises:
            InputError: A module's calls do not go on from one another.

        """
        made = []
        for path in self.paths:
            of_module = [layer for layer in self.layers if layer.path == path]
            last = of_module[-1]
            shape = (*last.shape[:2], sum(layer.shape[2] for layer in of_module), last.shape[3])
            try:
                amap = join([layer.map for layer in of_module])
            except InputError as error:
                raise InputError(f"{path}: {error}") from None
            made.append(replace(last, call=0, shape=shape, load=partial(_same, amap)))
        return replace(self, layers=made)

    def words(self) -> Capture:
        """The same capture by word: attention *to* a split word is summed over its tokens, *from* it averaged.

        Raises:
            InputError: The capture has no tokens, or a map whose sides are not these tokens (cross-attention).

        """
        if self.unit == "words":
            return self
        if self.tokens is None:
            raise InputError("words need tokens: set capture.tokens to one clearhead.Tokens for each text of the batch")
        lengths = sorted({len(text) for text in self.tokens})
        if len(lengths) != 1:
            raise InputError(
                "the texts of a batch have equally many tokens, padding included; capture.tokens has texts of "
                f"{', '.join(map(str, lengths)) or 'no'} tokens"
            )
        word_of = torch.tensor([text.word_of for text in self.tokens], dtype=torch.int64)
        for layer in self.layers:
            batch, _, queries, keys = layer.shape
            if (batch, queries, keys) != (len(word_of), word_of.shape[1], word_of.shape[1]):
                raise InputError(
                    f"{layer.name} is a map of {batch} × {queries} × {keys} (batch, queries, keys), but the tokens are "
                    f"{len(word_of)} × {word_of.shape[1]}: only self-attention over all tokens can be shown by word"
                )
        words = max(len(text.words) for text in self.tokens)

        def by_word(amap: AttentionMap) -> AttentionMap:
            return WordMap(amap, word_of, word_of)

        made = [layer.derive(layer.heads, (*layer.shape[:2], words, words), by_word) for layer in self.layers]
        return replace(self, layers=made, unit="words")

    def labels(self, text: int = 0) -> list[str]:
        """What stands at the map's sides for one text of the batch: tokens, or words after :meth:`words`."""
        if self.tokens is None:
            size = max((max(layer.shape[2:]) for layer in self.layers), default=0)
            return [str(n) for n in range(size)]
        tokens = self.tokens[text]
        return list(tokens.pieces if self.unit == "tokens" else tokens.words)

    def special(self, text: int = 0) -> list[bool]:
        """Which of the :meth:`labels` are special tokens or padding, which carry no meaning of the text."""
        if self.tokens is None:
            return [False] * len(self.labels(text))
        tokens = self.tokens[text]
        if self.unit == "words":
            return list(tokens.word_special)
        return [a or b for a, b in zip(tokens.special, tokens.padding, strict=True)]

    def sides(self, layer: Layer) -> tuple[Side | None, Side | None]:
        """Which tokens stand at the rows and columns of one of the :attr:`layers`; None where that is not known."""
        return sides(self, layer)

    def to(self, device: torch.device | str) -> Capture:
        """The same capture with every map on another device."""
        moved = [layer.derive(layer.heads, layer.shape, lambda amap: amap.to(device)) for layer in self.layers]
        return replace(self, layers=moved)

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, whole or not at all; :func:`clearhead.open` reads it. See docs/format.md."""
        from clearhead.capture.format import save

        save(self, Path(path))

    def widget(
        self,
        *,
        heads: str | Sequence[str] | None = None,
        source: int | str | None = None,
        target: int | str | None = None,
        view: Literal["matrix", "arcs", "products", "image"] = "matrix",
        text: int = 0,
        unit: Literal["words", "pieces"] = "words",
        log: bool = False,
        hide: Literal["nothing", "special", "first"] = "nothing",
        theme: Literal["system", "light", "dark"] = "system",
        height: int = 600,
        selection: str = "",
    ) -> Any:
        """The interactive viewer in a notebook (Jupyter, JupyterLab, VS Code, marimo), as a cell's last expression.

        Two-way: ``widget.selection`` says what is selected, and may be set; see
        :class:`clearhead.views.widget.CaptureWidget`. What is shown at first is said as for :meth:`to_html`, or by
        ``selection``, which is what the widget gives out:

        Parts as ``q=8``, joined by ``&``; what is left out is as usual. ``h``: the heads, joined by commas, each as
        ``3.1`` for the head in place 1 of the capture's layer in place 3, both from 0; ``q`` and ``k``: the query and
        the key, the number of a word, or with ``u=pieces`` of a piece, ``2-4`` for several; ``v``: ``arcs``,
        ``products`` or ``image`` instead of the matrix; ``t``: which text; ``log=1``; ``hide``: ``special`` or
        ``first``; ``theme``: ``light`` or ``dark``. So ``h=3.1,4.0&q=8&v=arcs`` draws two heads as arcs, from word 8.

        Args:
            heads: ``L3H1``, or several. [default: the first]
            source: The query that is selected, by number or word.
            target: The key that is selected.
            view: Of the chosen heads.
            text: Which text of the batch.
            unit: Words, or the model's tokens. ``source`` and ``target`` are of these.
            log: Whether colours are by the logarithm.
            hide: Keys to take out, after which rows sum to 1 again.
            theme: Of the widget; ``system`` is the notebook's.
            height: In pixels; ``widget.height`` changes it.
            selection: Instead of all these but ``height``.

        Raises:
            MissingPackageError: anywidget is not installed (``pip install 'clearhead[notebook]'``).
            UnknownLayerError: No such head.
            UnknownWordError: No such word.
            LargeMapError: The capture takes more than 256 MiB.
            InputError: The height is below 200, no maps, no such text, or both ``selection`` and what it says.

        Example:
            >>> import clearhead as ch
            >>> capture = ch.look("I saw a saw")
            >>> capture.widget(heads="L3H1", source="saw#2", view="arcs").selection
            'h=3.1&q=4&v=arcs'

        """
        # By name: what shows captures stands above them, and is loaded by who wants to see one.
        views = import_module("clearhead.views.widget")
        start = import_module("clearhead.views.page").start_of(
            self, heads=heads, source=source, target=target, view=view, text=text, unit=unit, log=log, hide=hide,
            theme=theme,
        )  # fmt: skip
        if selection and start:
            raise InputError(
                f"selection={selection!r} says what is selected, and so do other arguments ({start}): give one of both"
            )
        return views.CaptureWidget(self, height=height, selection=selection or start)


def _same(amap: AttentionMap) -> AttentionMap:
    return amap


def covers(item: str, path: str) -> bool:
    """Whether ``item`` names the module at ``path``, a part of the model that contains it, or is a glob for it."""
    return path == item or path.startswith(f"{item}.") or fnmatch.fnmatchcase(path, item)


def _is_chosen(layer: Layer, item: int | str) -> bool:
    return layer.number == item if isinstance(item, int) else layer.name == item or covers(item, layer.path)


def _select_heads(layer: Layer, heads: Sequence[int]) -> Layer:
    missing = [head for head in heads if head not in layer.heads]
    if missing:
        raise UnknownLayerError(f"no head {missing[0]} in layer {layer.number}: it has the heads {_runs(layer.heads)}")
    places = [layer.heads.index(head) for head in heads]
    batch, _, queries, keys = layer.shape
    shape = (batch, len(places), queries, keys)
    return layer.derive(tuple(heads), shape, lambda amap: amap.select_heads(places))


def _runs(numbers: Sequence[int]) -> str:
    """0–5, or 0, 3, 7 where they do not follow each other."""
    unique = sorted(set(numbers))
    if len(unique) > 2 and unique == list(range(unique[0], unique[-1] + 1)):
        return f"{unique[0]}–{unique[-1]}"
    return ", ".join(map(str, unique))
