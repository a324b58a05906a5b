"""What is computed again in the backward pass: the same numbers, and memory that does not grow with n²."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor

import clearhead as ch
from clearhead.mechanisms import streamed
from clearhead.mechanisms.normalizers import Softmax
from clearhead.mechanisms.recompute import in_blocks

PARTS = [range(3), range(3, 5), range(5, 11)]
EVERY = slice(None)


def halves(part: range, x: Tensor, shared: Tensor, *, seen: list[range] | None = None) -> tuple[Tensor, Tensor]:
    if seen is not None:
        seen.append(part)
    product = x * shared
    return product.exp(), product.sum(-1)


def places(part: range) -> list[tuple[slice, ...]]:
    return [(EVERY, EVERY, slice(part.start, part.stop)), (EVERY,)]


@pytest.mark.parametrize("joined", [True, False])
def test_results_and_gradients_of_all_orders(joined: bool) -> None:
    x = torch.randn(1, 2, 11, 3, dtype=torch.float64, requires_grad=True)
    shared = torch.randn(3, dtype=torch.float64, requires_grad=True)
    read = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)

    def compute(part: range, x: Tensor, shared: Tensor) -> tuple[Tensor, Tensor]:
        first, second = halves(part, x, shared * read)
        return (first, second) if joined else (first.sum(2), second.sum(2))

    def function(x: Tensor, shared: Tensor, read: Tensor) -> tuple[Tensor, ...]:  # compute reads it
        rows = [len(part) for part in PARTS] if joined else None
        return in_blocks(compute, PARTS, [x, shared], places, rows=rows, read=[read])

    wanted = compute(range(11), x, shared)
    for a, b in zip(function(x, shared, read), wanted, strict=True):
        torch.testing.assert_close(a, b)
    loss, expected = (sum(part.square().sum() for part in parts) for parts in (function(x, shared, read), wanted))
    inputs = (x, shared, read)
    for a, b in zip(torch.autograd.grad(loss, inputs), torch.autograd.grad(expected, inputs), strict=True):
        torch.testing.assert_close(a, b)
    torch.autograd.gradcheck(lambda x, shared: function(x, shared, read), (x, shared))
    torch.autograd.gradgradcheck(lambda x, shared: function(x, shared, read), (x, shared))


def test_every_part_runs_twice_with_a_gradient_and_once_without() -> None:
    seen: list[range] = []
    x, shared = torch.randn(1, 2, 11, 3, requires_grad=True), torch.randn(3)

    def compute(part: range, x: Tensor, shared: Tensor) -> tuple[Tensor, Tensor]:
        return halves(part, x, shared, seen=seen)

    rows = [len(part) for part in PARTS]
    in_blocks(compute, PARTS, [x, shared], places, rows=rows)[0].sum().backward()
    assert seen == PARTS * 2
    with torch.no_grad():
        in_blocks(compute, PARTS, [x, shared], places, rows=rows)
    assert seen == PARTS * 3


def test_random_numbers_are_drawn_again_and_only_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed, "_SCORES", 2 * 11 * 3)
    x = [torch.randn(1, 2, 11, 5, dtype=torch.float64, requires_grad=True) for _ in range(3)]

    def dropped(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        torch.manual_seed(5)
        return ch.attention(q, k, v, dropout=0.3, softcap=1.0)

    torch.autograd.gradcheck(dropped, x, fast_mode=True)
    torch.autograd.gradgradcheck(dropped, x, fast_mode=True)
    output = dropped(*x)
    torch.manual_seed(9)
    wanted = torch.rand(1)
    torch.manual_seed(9)
    output.sum().backward()
    assert torch.equal(torch.rand(1), wanted)


class Tempered(Softmax):
    """A normalizer with a number of its own that is trained."""

    def __init__(self) -> None:
        self.temperature = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)

    def statistic(self, scores: Tensor) -> Tensor:
        return super().statistic(scores * self.temperature)

    def weights(self, scores: Tensor, statistic: Tensor) -> Tensor:
        return super().weights(scores * self.temperature, statistic)


def test_a_normalizer_of_ones_own_is_trained() -> None:
    q, k, v = (torch.randn(1, 2, n, 3, dtype=torch.float64) for n in (5, 7, 7))
    mine = Tempered()
    weights = (q @ k.mT * 3**-0.5 * mine.temperature).softmax(-1)
    output, amap = ch.attend(q, k, v, normalizer=mine)
    for found, wanted in ((output, weights @ v), (amap.received(), weights.sum(-2))):
        torch.testing.assert_close(found, wanted)
        wish = torch.randn_like(wanted)
        a, b = (torch.autograd.grad(x, mine.temperature, wish, retain_graph=True)[0] for x in (found, wanted))
        torch.testing.assert_close(a, b)


def test_the_gradient_of_a_bias_is_made_a_block_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed, "_SCORES", 2 * 11 * 3)
    q, k, v = (torch.randn(1, 2, 11, 5, dtype=torch.float64) for _ in range(3))
    for shape in ((11, 11), (2, 1, 11), (1, 2, 11, 11)):
        bias = torch.randn(shape, dtype=torch.float64, requires_grad=True)
        found = ch.attention(q, k, v, bias=bias, mask=ch.Causal())
        scores = q @ k.mT * 5**-0.5 + bias
        wanted = scores.masked_fill(~torch.ones(11, 11).tril().bool(), -torch.inf).softmax(-1) @ v
        a, b = (torch.autograd.grad(x.square().sum(), bias)[0] for x in (found, wanted))
        torch.testing.assert_close(a, b)


MEMORY = """
import re, sys, torch, clearhead as ch
torch.set_num_threads(1)
tokens, kind = int(sys.argv[1]), sys.argv[2]
q, k, v = (torch.randn(1, 4, tokens, 32, requires_grad=True) for _ in range(3))
def peak():  # ru_maxrss would begin at that of the process that started this one
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
before = peak()
if kind == "softcap":
    found = ch.attention(q, k, v, softcap=30.0, mask=ch.Causal())
elif kind == "pooled":
    found = ch.attend(q, k, v)[1].pooled(64)
else:  # all scores kept, to show that this test notices
    found = (q @ k.mT).softmax(-1) @ v
found.square().sum().backward()
print((peak() - before) // 1024)
"""


def resident(tokens: int, kind: str) -> int:
    """MiB that a process grows by in a forward and backward pass."""
    arguments = [sys.executable, "-W", "ignore", "-c", MEMORY, str(tokens), kind]
    return int(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize(("kind", "most"), [("softcap", 450), ("pooled", 250)])
def test_resident_memory_does_not_grow_with_the_square(kind: str, most: int) -> None:
    # Of the process, not of live tensors: a heap with holes counts too. 4,096² scores of 4 heads are 256 MiB.
    assert resident(4096, kind) < most


def test_the_measure_of_resident_memory_notices() -> None:
    assert resident(4096, "kept") > 500
