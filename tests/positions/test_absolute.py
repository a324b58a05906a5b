"""Codes added to embeddings: what the texts claim of the sinusoidal one, and the learned table."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clearhead.errors import InputError
from clearhead.positions import Learned, Sinusoidal


def formula(position: int, dim: int, base: float = 10000.0) -> torch.Tensor:
    """The formula of Vaswani et al. with Python's own sine and cosine."""
    numbers = []
    for i in range(dim // 2):
        angle = position / base ** (2 * i / dim)
        numbers += [math.sin(angle), math.cos(angle)]
    return torch.tensor(numbers, dtype=torch.float64)


@pytest.mark.parametrize("position", [0, 1, 13, 511, 512, 4097, 10**6])
def test_the_formula_at_any_position(position: int) -> None:
    code = Sinusoidal(22)(torch.tensor(position), dtype=torch.float64)
    torch.testing.assert_close(code, formula(position, 22), rtol=0, atol=1e-9)
    other = Sinusoidal(6, base=500.0)(torch.tensor([[position]]), dtype=torch.float64)
    torch.testing.assert_close(other[0, 0], formula(position, 6, 500.0), rtol=0, atol=1e-9)


def test_single_precision_is_the_double_one_rounded() -> None:
    positions = torch.tensor([0, 7, 10**6])
    exact = Sinusoidal(14)(positions, dtype=torch.float64)
    assert torch.equal(Sinusoidal(14)(positions), exact.float())
    assert torch.equal(Sinusoidal(14)(positions, dtype=torch.bfloat16), exact.bfloat16())


def closest(codes: torch.Tensor) -> float:
    """The distance of the two codes that are most alike."""
    squares = (codes**2).sum(-1)
    least = math.inf
    for start in range(0, len(codes), 2000):
        rows = codes[start : start + 2000]
        distances = squares[start : start + 2000, None] + squares - 2 * rows @ codes.T
        distances[torch.arange(len(rows)), torch.arange(start, start + len(rows))] = math.inf
        least = min(least, float(distances.min()))
    return math.sqrt(max(least, 0.0))


def test_every_position_has_a_code_of_its_own() -> None:
    """Far beyond a training length of 512. Neighbours are the closest: nothing comes near to them again."""
    codes = Sinusoidal(64)(torch.arange(10_000), dtype=torch.float64)
    neighbours = float((codes[1] - codes[0]).norm())
    assert neighbours > 1.4
    assert closest(codes) == pytest.approx(neighbours, abs=1e-9)


def test_codes_that_come_again_are_noticed() -> None:
    codes = Sinusoidal(64)(torch.arange(3_000), dtype=torch.float64)
    codes[2_900] = codes[17]
    assert closest(codes) < 1e-6


@given(st.integers(-300, 3000), st.integers(0, 10**6))
def test_a_shift_is_the_same_linear_map_from_anywhere(offset: int, position: int) -> None:
    code = Sinusoidal(10)
    matrix = code.shift(offset, dtype=torch.float64)
    there = code(torch.tensor(position + offset), dtype=torch.float64)
    torch.testing.assert_close(matrix @ code(torch.tensor(position), dtype=torch.float64), there, rtol=0, atol=1e-8)


def test_shifts_are_rotations_that_add_up() -> None:
    code = Sinusoidal(10)
    one, three = (code.shift(offset, dtype=torch.float64) for offset in (1, 3))
    torch.testing.assert_close(one @ one @ one, three)
    torch.testing.assert_close(three @ three.T, torch.eye(10, dtype=torch.float64))
    assert code.shift(0).dtype == torch.float32
    assert torch.equal(code.shift(0), torch.eye(10))


def test_it_goes_on_past_any_length() -> None:
    codes = Sinusoidal(30)(torch.arange(10**6, 10**6 + 1000))
    assert codes.isfinite().all()
    assert codes.abs().max() <= 1
    torch.testing.assert_close(codes.double().norm(dim=-1), torch.full((1000,), math.sqrt(15), dtype=torch.float64))


def test_learned_codes_may_begin_further_down() -> None:
    code = Learned(5, 3, first=2)
    assert code.table.shape == (7, 3)
    assert torch.equal(code(torch.tensor([0, 4])), code.table[[2, 6]])
    assert repr(code) == "Learned(5, 3, first=2)"
    with pytest.raises(InputError, match="position 5 has no learned code"):
        code(torch.tensor([5]))
    with pytest.raises(InputError, match="first"):
        Learned(5, 3, first=-1)


def test_learned_codes_are_rows_of_a_table() -> None:
    code = Learned(11, 5)
    positions = torch.tensor([[3, 0, 10], [10, 10, 1]])
    found = code(positions)
    assert torch.equal(found, code.table[positions])
    found.sum().backward()
    assert code.table.grad[:, 0].tolist() == [1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 3]
    assert list(code.state_dict()) == ["table"]


def test_on_the_meta_device() -> None:
    positions = torch.arange(7, device="meta")
    for code in (Sinusoidal(6), Learned(5, 6).to("meta")):
        assert code(positions).shape == (7, 6)
        assert code(positions).is_meta
    assert Sinusoidal(6).shift(3, device="meta").is_meta


def test_what_cannot_be() -> None:
    with pytest.raises(InputError, match=r"dim is 7, which is odd; .* use 6 or 8"):
        Sinusoidal(7)
    with pytest.raises(InputError, match="dim is a whole number of at least 2; got 0"):
        Sinusoidal(0)
    with pytest.raises(InputError, match=r"base is 1, .* above 1"):
        Sinusoidal(4, base=1.0)
    with pytest.raises(InputError, match=r"base is nan; .* at least 1"):
        Sinusoidal(4, base=math.nan)
    with pytest.raises(InputError, match="length is a whole number of at least 1; got 0"):
        Learned(0, 3)
    with pytest.raises(InputError, match="dim is a whole number of at least 1; got -1"):
        Learned(3, -1)
    code = Learned(11, 5)
    for position in (11, -1):
        with pytest.raises(InputError, match=f"position {position} has no learned code: there are 11, .* 0 … 10"):
            code(torch.tensor([2, position]))


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize("positions", [torch.tensor([0.5]), torch.tensor([True])])
def test_positions_are_whole_numbers(positions: torch.Tensor) -> None:
    for code in (Sinusoidal(6), Learned(5, 6)):
        with pytest.raises(InputError, match=f"positions are {positions.dtype}; they have to be integers"):
            code(positions)
