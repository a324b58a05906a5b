"""A capture as a page: what it holds, what is selected at first, and what is refused."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

import clearhead as ch
from clearhead.capture import Capture, Layer, Tokens
from clearhead.errors import InputError, NotFiniteError, UnknownLayerError, UnknownWordError
from clearhead.views import page as pages


def text_of(marks: int) -> Tokens:
    """Five tokens of three words, of which the first ``marks`` are special."""
    return Tokens(
        "unhappy cat cat",
        ("[CLS]", "un", "##happy", "cat", "cat"),
        ((0, 0), (0, 2), (2, 7), (8, 11), (12, 15)),
        tuple(n < marks for n in range(5)),
        (False,) * 5,
    )


def capture_of(*shapes: tuple[int, int], batch: int = 2, heads: tuple[int, ...] = (0, 1, 2)) -> Capture:
    layers = []
    for number, (queries, keys) in enumerate(shapes or [(5, 5), (5, 5)]):
        amap = ch.AttentionMap.from_qk(torch.randn(batch, len(heads), queries, 7), torch.randn(batch, 1, keys, 7))
        layers.append(Layer(f"layer.{number}", 0, number, heads, amap.shape, lambda amap=amap: amap))
    return Capture(layers, [text_of(1) for _ in range(batch)], {"model": "tiny"})


def parts(page: str | None) -> tuple[dict[str, Any], bytes]:
    """The options and the capture file of a page."""
    assert page is not None
    options = re.search(r'<script type="application/json" id="options">(.*?)</script>', page)
    data = re.search(r'<script type="application/octet-stream" id="capture">(.*?)</script>', page)
    assert options is not None
    assert data is not None
    return json.loads(options[1]), base64.b64decode(data[1])


def start(capture: Capture, **options: Any) -> str:
    found: str = parts(capture.to_html(**options))[0]["start"]
    return found


@pytest.mark.parametrize("by_word", [False, True])
def test_the_page_holds_the_capture(by_word: bool, tmp_path: Path) -> None:
    capture = capture_of()
    options, data = parts((capture.words() if by_word else capture).to_html())
    assert options["words"]["tokens"][1]["words"] == ["[CLS]", "unhappy", "cat", "cat"]
    (tmp_path / "run.safetensors").write_bytes(data)
    again = ch.open(tmp_path / "run.safetensors")
    assert again.unit == ("words" if by_word else "tokens")
    wanted = capture.words() if by_word else capture
    torch.testing.assert_close(again["layer.1"].dense(), wanted["layer.1"].dense())


def test_it_is_written_whole_or_given_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    capture, path = capture_of(), tmp_path / "out.html"
    assert capture.to_html(path, heads="L1H2") is None
    assert parts(path.read_text(encoding="utf-8"))[0] == parts(capture.to_html(heads="L1H2"))[0]
    with pytest.raises(InputError, match="cannot write"):
        capture.to_html(tmp_path / "no" / "out.html")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "no"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "no"))
    with pytest.raises(InputError, match="cannot write the capture to a temporary file: No such file"):
        capture.to_html(tmp_path / "out.html")
    assert [x.name for x in tmp_path.iterdir()] == ["out.html"]


def test_what_is_selected_is_said_in_the_pages_own_numbers() -> None:
    capture = capture_of(heads=(1, 4, 8))
    assert start(capture) == ""
    assert start(capture, heads="L1H4") == "h=1.1"
    assert start(capture, heads=["L1H8", "L0H1"]) == "h=1.2,0.0"
    assert start(capture, source="cat#2", target="unhappy") == "q=3&k=1"
    assert start(capture.words(), source="cat#2", target=0) == "q=3&k=0"
    assert start(capture, unit="pieces", source="cat#2", target="##happy") == "q=4&k=2&u=pieces"
    options = {"view": "arcs", "text": 1, "log": True, "hide": "special", "theme": "dark"}
    assert start(capture, **options) == "v=arcs&t=1&hide=special&theme=dark&log=1"
    assert start(capture, source="cat", text=1) == "q=2&t=1"


def test_numbers_are_selected_where_the_page_has_numbers() -> None:
    capture = capture_of((5, 5), (5, 9))
    assert start(capture, heads="L1H0", source="unhappy", target="8") == "h=1.0&q=1&k=8"
    capture.tokens = None
    assert start(capture, source=4, target="3") == "q=4&k=3"
    with pytest.raises(UnknownWordError, match="no word 'unhappy'; its words are 0, 1, 2, 3, 4"):
        capture.to_html(source="unhappy")


def translated() -> Capture:
    """An encoder of four words and a decoder of three, and its second run, which attends from the last of them."""
    shapes = {
        "encoder.layer.0.attention": [(6, 6)],
        "decoder.layer.0.self_attn": [(2, 2), (1, 3)],
        "decoder.layer.0.cross_attn": [(2, 6), (1, 6)],
    }
    layers = []
    for number, (path, calls) in enumerate(shapes.items()):
        for call, (queries, keys) in enumerate(calls):
            amap = ch.AttentionMap.from_weights(torch.softmax(torch.randn(1, 1, queries, keys), -1))
            layers.append(Layer(path, call, number, (0,), amap.shape, lambda amap=amap: amap))
    source = Tokens(
        "the cat sat down",
        ("the", "c", "at", "sat", "down", "</s>"),
        ((0, 3), (4, 5), (5, 7), (8, 11), (12, 16), (16, 16)),
        (False, False, False, False, False, True),
        (False,) * 6,
    )
    return Capture(layers, [Tokens.from_pieces(["le", "chat", "noir"])], source_tokens=[source])


def test_words_are_of_the_text_that_stands_at_the_side() -> None:
    capture = translated()
    assert start(capture, heads="L2H0", source="chat", target="cat") == "h=3.0&q=1&k=1"
    assert start(capture, heads="L2H0", source="chat", target="sat", unit="pieces") == "h=3.0&q=1&k=3&u=pieces"
    assert start(capture, heads="L0H0", source="sat", target="down") == "h=0.0&q=2&k=3"
    with pytest.raises(UnknownWordError, match="no word 'chat'; its words are the, cat, sat, down"):
        capture.to_html(heads="L2H0", target="chat")
    # The rows of a step are counted from its first, and the keys from that of the text.
    assert start(capture, heads="L1H0@1", source="noir", target="chat") == "h=2.0&q=0&k=1"
    assert start(capture, heads="L2H0@1", source="noir", target="down") == "h=4.0&q=0&k=3"
    with pytest.raises(UnknownWordError, match="no word 'le'; its words are noir"):
        capture.to_html(heads="L1H0@1", source="le")


def test_padding_is_no_word_of_a_side() -> None:
    capture = capture_of(batch=1)
    capture.tokens = [
        Tokens("a cat", ("[PAD]", "[PAD]", "a", "c", "at"), ((0, 0), (0, 0), (0, 1), (2, 3), (3, 5)),
               (True, True, False, False, False), (True, True, False, False, False))
    ]  # fmt: skip
    assert start(capture, source="cat") == f"q={capture.tokens[0].words.index('cat')}"
    assert start(capture, source="at", unit="pieces") == "q=4&u=pieces"


def test_a_page_is_called_html(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a page is written as \.html; got 'x\.txt'"):
        capture_of().to_html(tmp_path / "x.txt")
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_cannot_be_selected() -> None:
    capture = capture_of()
    for options in ({"source": "dog"}, {"target": 4}, {"source": -1}):
        with pytest.raises(UnknownWordError):
            capture.to_html(**options)
    with pytest.raises(UnknownLayerError, match="no layer 7"):
        capture.to_html(heads="L7H0")
    with pytest.raises(InputError, match="the capture holds 2 texts, numbered from 0; there is no text 2"):
        capture.to_html(text=2)
    with pytest.raises(InputError, match="the capture holds 1 text, numbered from 0; there is no text 1"):
        capture_of(batch=1).to_html(text=1)


@pytest.mark.usefixtures("as_for_users")
@pytest.mark.parametrize("name", ["view", "unit", "hide", "theme"])
def test_options_that_do_not_exist_are_said(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} is one of .*; got 'nonsense'"):
        capture_of().to_html(**{name: "nonsense"})


def test_no_maps_are_no_page() -> None:
    with pytest.raises(InputError, match="the capture holds no maps: there is nothing to look at"):
        Capture().to_html()
    with pytest.raises(InputError, match="holds no maps"):
        pages.page(Capture())


@pytest.mark.parametrize("kind", ["q", "weights"])
def test_nan_is_refused(kind: str) -> None:
    capture = capture_of()
    if kind == "q":
        q = torch.randn(2, 3, 5, 7)
        q[1, 2, 3, 4] = torch.nan
        amap = ch.AttentionMap.from_qk(q, torch.randn(2, 3, 5, 7))
    else:
        weights = torch.full((2, 3, 5, 5), 0.2)
        weights[1, 2, 3, 4] = torch.nan
        amap = ch.AttentionMap.from_weights(weights)
    capture.layers[1] = Layer("layer.1", 0, 1, (0, 1, 2), amap.shape, lambda: amap)
    with pytest.raises(NotFiniteError, match=r"the attention of L1 \(layer\.1\) is not finite"):
        capture.to_html()
    assert capture.select(0).to_html() is not None


def test_what_the_mask_hides_is_no_nan() -> None:
    mask = torch.ones(1, 1, 5, 5, dtype=torch.bool)
    mask[..., 2, :] = False
    mask[..., 3] = False
    q, k = torch.randn(2, 1, 1, 5, 7)
    q[0, 0, 2], k[0, 0, 3] = torch.nan, torch.nan
    lse = ch.AttentionMap.from_qk(q.nan_to_num(), k.nan_to_num(), mask=mask).lse
    assert lse[0, 0, 2] == -torch.inf
    amap = ch.AttentionMap.from_qk(q, k, mask=mask, lse=lse)
    assert Capture([Layer("a", 0, 0, (0,), amap.shape, lambda: amap)]).to_html() is not None


def test_a_page_that_no_browser_opens_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    capture = capture_of()
    size = len(parts(capture.to_html())[1])
    monkeypatch.setattr(pages, "_MOST_CHARACTERS", size)  # the tensors fit, the file with its header does not
    with pytest.raises(InputError, match=r"would have 0 MB, .*select\(\) fewer layers or heads, or save\(\) it"):
        capture.to_html()
    monkeypatch.setattr(pages, "_MOST_CHARACTERS", 100)
    monkeypatch.setattr(pages, "carried", None)  # it is refused before anything is written
    with pytest.raises(InputError, match="browsers open none of more than"):
        capture.to_html()


@pytest.mark.parametrize("sizes", [(1, 1), (1, 9)], ids=str)
def test_one_head_one_token_no_text(sizes: tuple[int, int], tmp_path: Path) -> None:
    capture = capture_of(sizes, batch=1, heads=(3,))
    capture.tokens = None
    capture.to_html(tmp_path / "out.html", heads="L0H3", source=0)
    assert parts((tmp_path / "out.html").read_text(encoding="utf-8"))[0] == {
        "words": {"tokens": None, "source_tokens": None},
        "sides": [[None, None]] * len(capture.layers),
        "start": "h=0.0&q=0",
    }


def test_names_that_are_not_unicode_are_no_error(tmp_path: Path) -> None:
    capture = capture_of()
    capture.provenance["model"] = "folder\udcff"
    capture.to_html(tmp_path / "out.html")
    assert "<title>folder? – clearhead</title>" in (tmp_path / "out.html").read_text(encoding="utf-8")
