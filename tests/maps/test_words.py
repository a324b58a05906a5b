"""Maps by word against sums and means written out."""

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from oracle import STATISTICS, Sizes, by_word, close, make, words_for

from clearhead import AttentionMap
from clearhead.errors import ShapeError, StaleMapError
from clearhead.maps.words import WordMap


def test_two_words_by_hand() -> None:
    # Tokens 1 and 2 are one word. To it: the sum; from it: the mean of its two rows.
    weights = torch.tensor([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])[None, None]
    words = torch.tensor([[0, 1, 1]])
    amap = WordMap(AttentionMap.from_weights(weights), words, words)
    assert amap[0, 0].tolist() == [[0.5, 0.5], [0.25, 0.75]]
    assert amap.received()[0, 0].tolist() == [0.75, 1.25]
    assert amap.mass([[0]])[0, 0, :, 0].tolist() == [0.5, 0.25]


def test_tokens_without_a_word_are_left_out() -> None:
    weights = torch.full((1, 1, 3, 3), 1 / 3)
    words = torch.tensor([[-1, 0, 0]])
    amap = WordMap(AttentionMap.from_weights(weights), words, words)
    close(amap[0, 0], torch.tensor([[2 / 3]]), 1e-6)


def test_texts_of_a_batch_have_other_words() -> None:
    case = make("causal", dtype=torch.float64)
    query_words, key_words = words_for(case)
    assert query_words[0] != query_words[1]
    amap = WordMap(case.amap, torch.tensor(query_words), torch.tensor(key_words))
    wanted = by_word(case.weights, query_words, key_words)
    fewer = max(query_words[1]) + 1
    assert fewer < amap.shape[2]
    assert (amap[1, :, fewer:] == 0).all()
    close(amap.dense(), wanted, 1e-11)
    # Words in any order, and one of them twice.
    rows, columns = torch.tensor([7, 0, 7]), torch.tensor([3, 3, 1, 0])
    index = (torch.tensor([1]), torch.tensor([2, 0]))
    close(amap.outer(*index, rows, columns), wanted[1:, [2, 0]][:, :, rows][..., columns], 1e-11)


def test_rows_still_sum_to_one() -> None:
    q, k = torch.randn(2, 3, 11, 5), torch.randn(2, 3, 11, 5)
    words = torch.arange(11).div(3, rounding_mode="floor").expand(2, -1)
    amap = WordMap(AttentionMap.from_qk(q, k, causal=True), words, words)
    close(amap.dense().sum(-1), torch.ones(2, 3, 4, dtype=torch.float64), 1e-5)


@hypothesis.settings(max_examples=20)
@hypothesis.given(data=st.data(), batch=st.integers(1, 2), queries=st.integers(1, 7), keys=st.integers(1, 7))
def test_any_words(data: st.DataObject, batch: int, queries: int, keys: int) -> None:
    case = make("everything", Sizes(batch, 2, 1, queries, keys, 3), torch.float64)

    def words(count: int) -> list[list[int]]:
        text = st.lists(st.integers(-1, 4), min_size=count, max_size=count)
        drawn = data.draw(st.lists(text, min_size=batch, max_size=batch))
        drawn[0][0] = max(drawn[0][0], 0)  # at least one word
        return drawn

    query_words, key_words = words(queries), words(keys)
    amap = WordMap(case.amap, torch.tensor(query_words), torch.tensor(key_words))
    weights = by_word(case.weights, query_words, key_words)
    for check in STATISTICS.values():
        check(amap, weights, 1e-10)


def test_no_words_at_all() -> None:
    none = torch.full((1, 5), -1)
    amap = WordMap(AttentionMap.from_weights(torch.rand(1, 2, 5, 5)), none, none)
    assert amap.shape == (1, 2, 0, 0)
    assert amap.dense().shape == (1, 2, 0, 0)
    assert amap.entropy().shape == (1, 2, 0)


def test_what_it_passes_on() -> None:
    case = make("causal", values=None)
    words = torch.arange(29).expand(2, -1) // 2, torch.arange(31).expand(2, -1) // 2
    amap = WordMap(case.amap, *words)
    assert amap.check() == case.amap.check()
    assert amap.nbytes == case.amap.nbytes + 2 * (29 + 31) * 8
    assert set(amap.tensors()) == set(case.amap.tensors())
    assert repr(amap).startswith("WordMap(batch=2, heads=6, queries=15, keys=16")
    close(amap.select_heads([3, 1]).dense(), amap.dense()[:, [3, 1]].double(), 1e-6)
    close(amap.cpu().dense(), amap.dense().double(), 0)


def test_words_for_another_number_of_tokens() -> None:
    amap, words = AttentionMap.from_weights(torch.rand(1, 2, 5, 7)), torch.zeros(1, 5, dtype=torch.int64)
    with pytest.raises(ShapeError, match=r"key_words has the shape \(1, 7\) here; got \(1, 5\)"):
        WordMap(amap, words, words)


def test_words_that_were_changed_in_place() -> None:
    words = torch.tensor([[0, 1, 1]])
    amap = WordMap(AttentionMap.from_weights(torch.rand(1, 1, 3, 3)), words, words)
    words.zero_()
    with pytest.raises(StaleMapError, match=r"query_words"):
        amap[0, 0]
