"""Which example stands where."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from clearhead.training.order import by_length, shuffled


@given(st.integers(1, 37), st.integers(0, 211), st.integers(0, 5))
def test_every_example_comes_as_often_as_others(examples: int, wanted: int, seed: int) -> None:
    found = shuffled(examples, wanted, seed)
    assert len(found) == wanted
    counts = Counter(found)
    assert set(counts) <= set(range(examples))
    assert max(counts.values(), default=0) - min((counts[n] for n in range(examples)), default=0) <= 1
    assert found == shuffled(examples, wanted, seed)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=200), st.integers(1, 13), st.integers(0, 500))
def test_batches_of_one_length_hold_the_same_examples(lengths: list[int], batch: int, wanted: int) -> None:
    found = by_length(lengths, batch, wanted, seed=1)
    assert Counter(found) == Counter(shuffled(len(lengths), wanted, 1))
    assert found == by_length(lengths, batch, wanted, seed=1)


def test_batches_have_less_padding() -> None:
    lengths = [1 + (n * 7919) % 97 for n in range(1009)]

    def padding(order: list[int]) -> int:
        batches = [order[n : n + 16] for n in range(0, len(order), 16)]
        return sum(max(lengths[n] for n in batch) * len(batch) - sum(lengths[n] for n in batch) for batch in batches)

    assert padding(by_length(lengths, 16, 1009, 0)) < padding(shuffled(1009, 1009, 0)) / 4
    assert by_length(lengths, 16, 1009, 0) != sorted(range(1009), key=lambda n: lengths[n])
