"""What changed between two captures, against the definition on dense weights in float64."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from tiny_models import word_model

import clearhead as ch
from clearhead.analysis.comparison import Comparison, compare, divergence, merge
from clearhead.capture.capture import Layer
from clearhead.errors import InputError, NotFiniteError


def rows(seed: int, *shape: int, gone: float = 0.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    scores = 3 * torch.randn(*shape, generator=generator, dtype=torch.float64)
    hidden = torch.rand(*shape, generator=generator) < gone
    return torch.softmax(scores.masked_fill(hidden, -math.inf), -1).nan_to_num(0)


@given(st.integers(0, 10**6), st.integers(1, 23), st.floats(0, 1))
def test_a_divergence_is_symmetric_zero_for_equal_and_at_most_ln_2(seed: int, keys: int, gone: float) -> None:
    p, q = rows(seed, 5, keys, gone=gone), rows(seed + 1, 5, keys, gone=gone)
    found = divergence(p, q)
    assert torch.equal(found, divergence(q, p))
    assert (found >= 0).all()
    assert (found <= math.log(2)).all()
    assert (divergence(p, p) < 1e-12).all()


def test_a_divergence_is_scipys() -> None:
    p, q = rows(0, 7, 11), rows(1, 7, 11)
    wanted = torch.tensor(jensenshannon(p.numpy(), q.numpy(), axis=1) ** 2)
    torch.testing.assert_close(divergence(p, q), wanted, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(
        divergence(torch.eye(3), torch.eye(3)[[1, 2, 0]]), torch.full((3,), math.log(2)).double()
    )
    # What is lacking to 1 is one key more.
    torch.testing.assert_close(
        divergence(torch.zeros(3), torch.tensor([0.0, 1.0, 0.0])), torch.tensor(math.log(2)).double()
    )


def capture(seed: int, tokens: int = 131, batch: int = 2, padding: int = 0, **options: Any) -> ch.Capture:
    torch.manual_seed(seed)
    layers = []
    for number in range(2):
        amap = ch.AttentionMap.from_qk(torch.randn(batch, 3, tokens, 7), torch.randn(batch, 3, tokens, 7), **options)
        layers.append(Layer(f"layer{number}", 0, number, (0, 1, 2), amap.shape, lambda amap=amap: amap))
    names = tuple(f"w{n}" for n in range(tokens))
    there = tuple(n >= tokens - padding for n in range(tokens))
    text = ch.Tokens(" ".join(names), names, ((0, 0),) * tokens, (False,) * tokens, there)
    return ch.Capture(layers, [text] * batch)


@pytest.mark.parametrize("options", [{}, {"causal": True}, {"sinks": torch.tensor([0.5, 2.0, -1.0])}], ids=str)
def test_a_comparison_is_the_mean_over_queries_that_are_there(options: dict[str, Any]) -> None:
    before, after = capture(0, padding=17, **options), capture(1, padding=17, **options)
    found = compare(before, after)
    assert [change.head for change in found.heads] == [f"L{n}H{h}" for n in range(2) for h in range(3)]
    for change in found.heads:
        maps = [x[change.path] for x in (before, after)]
        head = int(change.head[-1])
        p, q = (x.dense()[:, head, :114].double() for x in maps)
        assert change.divergence == pytest.approx(float(divergence(p, q).mean()), abs=1e-7)
        for at, amap in enumerate(maps):
            assert change.entropy[at] == pytest.approx(float(amap.entropy()[:, head, :114].mean()), abs=1e-5)
            assert change.distance[at] == pytest.approx(float(amap.distance().mean[:, head, :114].mean()), rel=1e-5)
        assert change.queries == 228
    assert compare(after, before).heads[0].divergence == found.heads[0].divergence
    assert all(change.divergence < 1e-9 for change in compare(before, before).heads)
    most = found.most_changed(2)
    assert most[0].divergence >= most[1].divergence >= max(x.divergence for x in found.heads if x not in most)


def test_what_cannot_be_compared_is_said() -> None:
    before = capture(0)
    with pytest.raises(InputError, match="text 1 has 'w7' at token 7 in one capture and no more in the other"):
        compare(before, capture(0, tokens=7))
    unnamed = [replace(capture(0, tokens=n), tokens=None) for n in (131, 7)]
    with pytest.raises(InputError, match=r"L0 is .2, 3, 131, 131. in one capture and .2, 3, 7, 7."):
        compare(*unnamed)
    with pytest.raises(InputError, match="L0 has the heads 0, 1, 2 in one capture and 0, 2 in the other"):
        compare(before, before.select(heads=[0, 2]))
    with pytest.raises(InputError, match="by tokens and the other by words"):
        compare(before, before.words())
    with pytest.raises(InputError, match="has 2 layers and the other 1"):
        compare(before, before.select(layers=[0]))
    with pytest.raises(InputError, match="no maps"):
        compare(ch.Capture([]), ch.Capture([]))
    other = capture(1)
    other.tokens = [ch.Tokens.from_pieces([f"v{n}" for n in range(131)])] * 2
    with pytest.raises(InputError, match="text 1 has 'w0' at token 0 in one capture and 'v0'"):
        compare(before, other)
    with pytest.raises(InputError, match="below 0"):
        compare(capture(0, normalizer="none"), capture(1, normalizer="none"))
    with pytest.raises(InputError, match="sum to more than 1"):
        compare(*[ch.Capture.from_maps({"a": ch.AttentionMap.from_weights(torch.ones(1, 1, 3, 3))})] * 2)


def test_nan_is_said() -> None:
    amap = ch.AttentionMap.from_weights(torch.full((1, 1, 3, 3), torch.nan))
    of = ch.Capture([Layer("layer", 0, 0, (0,), amap.shape, lambda: amap)])
    with pytest.raises(NotFiniteError, match="L0H0"):
        compare(of, of)


# Of models, on several texts.

TEXTS = ["a cabbage be a deaf badge", "cafe", "feed a bad cab", "a big abide"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[ch.LoadedModel, ch.LoadedModel, ch.LoadedModel]:
    """A tiny model, one with other weights, and one that has those too and cuts texts into letters."""
    folder = tmp_path_factory.mktemp("models")
    before = word_model(folder / "before")
    after = word_model(folder / "after")
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in after.parameters():
            weight += 0.3 * torch.randn_like(weight)
    after.save(folder / "letters")
    tokenizer = folder / "letters" / "tokenizer.json"
    description = json.loads(tokenizer.read_text(encoding="utf-8"))
    description["model"]["merges"] = []
    tokenizer.write_text(json.dumps(description), encoding="utf-8")
    return before, after, ch.load(folder / "letters")


def close(one: Comparison, other: Comparison) -> None:
    assert (one.texts, one.queries, one.unit) == (other.texts, other.queries, other.unit)
    for a, b in zip(one.heads, other.heads, strict=True):
        assert (a.head, a.path, a.queries) == (b.head, b.path, b.queries)
        assert a.divergence == pytest.approx(b.divergence, rel=1e-4, abs=1e-7)
        assert a.entropy == pytest.approx(b.entropy, rel=1e-4)
        assert a.distance == pytest.approx(b.distance, rel=1e-4)


@pytest.mark.parametrize("words", [False, True])
def test_a_corpus_is_the_same_however_it_is_cut_into_batches(
    models: tuple[ch.LoadedModel, ...], words: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of(texts: list[str]) -> Comparison:
        pair = [ch.look(texts, model) for model in models[:2]]
        return compare(*(x.words() if words else x for x in pair))

    together = of(TEXTS)
    assert together.texts == 4
    assert together.heads[0].divergence > 1e-3
    close(merge(of([text]) for text in TEXTS), together)
    close(merge([of(TEXTS[:3]), of(TEXTS[3:])]), together)
    with pytest.raises(AssertionError):
        close(merge([of(TEXTS[:3]), of(TEXTS[:1])]), together)
    monkeypatch.setattr("clearhead.analysis.comparison._WEIGHTS", 1)  # a row at a time
    close(of(TEXTS), together)


def by_word(weights: torch.Tensor, word_of: tuple[int, ...]) -> torch.Tensor:
    """Attention to a word is summed, from it averaged; in float64."""
    numbers = torch.tensor(word_of)
    member = torch.nn.functional.one_hot(numbers).double()
    return (member / member.sum(0)).T @ weights.double() @ member


def test_models_that_cut_texts_otherwise_are_compared_by_word(models: tuple[ch.LoadedModel, ...]) -> None:
    before, _, after = models
    captures = [ch.look(TEXTS, model) for model in (before, after)]
    with pytest.raises(InputError, match=r"text 1 has 'ag' at token 6 in one capture and 'a' .*, or by word"):
        compare(*captures)
    found = compare(*(x.words() for x in captures))
    assert (found.unit, found.texts) == ("words", 4)
    for change in found.heads:
        dense = []
        for model in (before, after):
            dense += [
                by_word(alone[change.path].dense()[0, change.number], alone.tokens[0].word_of)
                for alone in (ch.look(text, model) for text in TEXTS)
                if alone.tokens
            ]
        pairs = list(zip(dense[:4], dense[4:], strict=True))
        js = torch.cat([torch.tensor(jensenshannon(p.numpy(), q.numpy(), axis=1) ** 2) for p, q in pairs])
        assert change.queries == len(js) == sum(map(len, dense[:4]))
        assert change.divergence == pytest.approx(float(js.mean()), rel=1e-4)
        for at in range(2):
            all_rows = [pair[at] for pair in pairs]
            entropy = torch.cat([-torch.xlogy(p, p).sum(-1) for p in all_rows])
            away = [(torch.arange(len(p))[:, None] - torch.arange(len(p))).abs() for p in all_rows]
            distance = torch.cat([(p * d).sum(-1) for p, d in zip(all_rows, away, strict=True)])
            assert change.entropy[at] == pytest.approx(float(entropy.mean()), rel=1e-4)
            assert change.distance[at] == pytest.approx(float(distance.mean()), rel=1e-4)


def test_words_of_another_text_are_said(models: tuple[ch.LoadedModel, ...]) -> None:
    captures = [ch.look(text, models[0]).words() for text in ("a cab", "a cafe")]
    with pytest.raises(InputError, match=r"text 1 has 'cab' at word 2 .* and 'cafe' in the other: compare captures of"):
        compare(*captures)


def test_the_grid_has_every_head_in_its_place() -> None:
    before, after = capture(0), capture(1)
    heads = [
        x.select(layers=[0], heads=[2]).layers + x.select(layers=[1], heads=[0, 2]).layers for x in (before, after)
    ]
    found = compare(*(ch.Capture(layers) for layers in heads))
    assert (found.layers, found.numbers) == (("L0", "L1"), (0, 2))
    assert math.isnan(found.grid[0, 0])
    assert found.grid[0, 1] == found.heads[0].divergence
    assert found.grid[1].tolist() == [change.divergence for change in found.heads[1:]]
    assert found.mean("L1") == pytest.approx(float(found.grid[1].mean()))
    assert found.mean() == pytest.approx(float(found.grid.nanmean()))
    with pytest.raises(InputError, match="no layer 'L7' was compared; there are L0, L1"):
        found.mean("L7")


def test_what_cannot_be_merged_is_said() -> None:
    with pytest.raises(InputError, match="no comparison"):
        merge([])
    one = compare(capture(0), capture(1))
    for other in (replace(one, unit="words"), replace(one, heads=one.heads[:-1])):
        with pytest.raises(InputError, match="have no mean"):
            merge([one, other])


def test_cross_attention_has_no_distance() -> None:
    pair = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        shapes = {"decoder.0.attn": (2, 3, 5, 5), "decoder.0.encoder_attn": (2, 3, 5, 7)}
        maps = {path: ch.AttentionMap.from_weights(torch.rand(x).softmax(-1)) for path, x in shapes.items()}
        pair.append(ch.Capture.from_maps(maps, [ch.Tokens.from_pieces(list("abcde"))] * 2))
        pair[-1].source_tokens = [ch.Tokens.from_pieces(list("abcdefg"))] * 2
    found = merge([compare(*pair)] * 2)
    wanted = [float((x["decoder.0.attn"].distance().mean.double())[:, 1].mean()) for x in pair]
    assert found.heads[1].distance == pytest.approx(wanted)
    assert [change.distance for change in found.heads[3:]] == [None] * 3


def test_other_sources_and_pictures_are_refused() -> None:
    one, other = capture(0, tokens=7), capture(1, tokens=7)
    one.source_tokens = [ch.Tokens.from_pieces(["a", "b"])] * 2
    other.source_tokens = [ch.Tokens.from_pieces(["a", "c"])] * 2
    with pytest.raises(InputError, match="decoders attend to different texts"):
        compare(one, other)
    other.source_tokens = one.source_tokens
    one.pictures = [ch.Picture.of(torch.zeros(7, 6, 3, dtype=torch.uint8).numpy(), (3, 2), 1)] * 2
    with pytest.raises(InputError, match="different pictures"):
        compare(one, other)
