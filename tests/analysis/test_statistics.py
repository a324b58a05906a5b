"""What heads do on the whole, against sums over dense weights in float64."""

from __future__ import annotations

import math

import pytest
import torch

import clearhead as ch
from clearhead.analysis.statistics import Observed, head_statistics
from clearhead.capture.capture import Layer
from clearhead.errors import InputError

TAGS = ("NOUN", "VERB", None)


def observed(seed: int, batch: int, tokens: int, padding: int, *, heads: int = 3, first: bool = True) -> Observed:
    """Texts whose first token is special or not, the last of them with padding."""
    generator = torch.Generator().manual_seed(seed)
    there = torch.ones(batch, tokens, dtype=torch.bool)
    there[-1, tokens - padding :] = False
    layers = []
    for number in range(2):
        q, k = 2 * torch.randn(2, batch, heads, tokens, 5, generator=generator)
        amap = ch.AttentionMap.from_qk(q, k, mask=ch.Padding(there))
        layers.append(Layer(f"layer{number}", 0, number, tuple(range(heads)), amap.shape, lambda amap=amap: amap))
    texts, tags = [], []
    for row in range(batch):
        drawn = torch.randint(3, (tokens,), generator=generator).tolist()
        special = [first and n in (0, tokens - padding - 1) for n in range(tokens)]
        pieces = tuple(f"w{n}" for n in range(tokens))
        marks = tuple(not bool(x) for x in there[row])
        texts.append(ch.Tokens(" ".join(pieces), pieces, ((0, 0),) * tokens, tuple(special), marks))
        tags.append([None if special[n] or marks[n] else TAGS[tag] for n, tag in enumerate(drawn)])
    return Observed(ch.Capture(layers, texts), tags)


@pytest.mark.parametrize("first", [True, False])
def test_statistics_are_those_of_dense_weights(first: bool) -> None:
    """Two captures of other sizes, one of them with tokens that are padding."""
    given = [observed(0, 3, 13, 0, first=first), observed(1, 2, 17, 5, first=first)]
    found, between = head_statistics(given)
    assert [x.head for x in found] == ["L0H0", "L0H1", "L0H2", "L1H0", "L1H1", "L1H2"]
    for record in found:
        sums, count = [0.0] * 4, 0
        of_tag: dict[tuple[str, str], list[float]] = {}
        for capture, tags in given:
            assert capture.tokens is not None
            dense = capture.layers[record.layer].map.dense().double()[:, record.number]
            for text, own, mine in zip(dense, capture.tokens, tags or (), strict=True):
                for i, row in enumerate(text.tolist()):
                    if own.padding[i]:
                        continue
                    count += 1
                    sums[0] -= sum(p * math.log(p) for p in row if p > 0)
                    sums[1] += sum(p * abs(i - j) for j, p in enumerate(row))
                    sums[2] += row[0]
                    sums[3] += sum(p for j, p in enumerate(row) if own.special[j])
                    for target in ("NOUN", "VERB"):
                        if mine[i] is not None:
                            weight = sum(p for j, p in enumerate(row) if mine[j] == target)
                            of_tag.setdefault((mine[i] or "", target), []).append(weight)
        assert record.queries == count
        mine = (record.entropy, record.distance, record.first, record.special)
        assert mine == pytest.approx([x / count for x in sums], rel=1e-4, abs=1e-6)
        records = {(x.source, x.target): x for x in between if x.head == record.head}
        assert set(records) == set(of_tag)
        for pair, weights in of_tag.items():
            assert records[pair].queries == len(weights)
            assert records[pair].weight == pytest.approx(sum(weights) / len(weights), rel=1e-4, abs=1e-6)


def test_cross_attention_has_no_tags_and_other_models_are_refused() -> None:
    amap = ch.AttentionMap.from_weights(torch.softmax(torch.randn(2, 3, 5, 7), -1))
    capture = ch.Capture([Layer("cross", 0, 0, (0, 1, 2), amap.shape, lambda: amap)])
    found, between = head_statistics([Observed(capture, [["NOUN"] * 7] * 2)])
    assert between == []
    assert [x.special for x in found] == [0.0] * 3
    assert found[1].first == pytest.approx(float(amap.dense()[:, 1, :, 0].mean()))
    with pytest.raises(InputError, match="different layers or heads"):
        head_statistics([observed(0, 2, 11, 0), observed(0, 2, 11, 0, heads=2)])
    with pytest.raises(InputError, match="there is no capture"):
        head_statistics([])
