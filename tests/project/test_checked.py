"""Shapes in signatures are checked while the tests run, the package's own among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import beartype
import pytest
import torch
from checked import checked
from jaxtyping import Float
from torch import Tensor

from clearhead.mechanisms.normalizers import Softmax

Wrong = beartype.roar.BeartypeCallHintViolation


@checked(typechecker=beartype.beartype)
def product(
    x: Float[Tensor, "rows inner"], y: Float[Tensor, "inner columns"], count: int = 1
) -> Float[Tensor, "rows columns"]:
    return (x @ y)[:count]


@checked(typechecker=beartype.beartype)
def generated(x: Float[Tensor, "#rows inner"], y: Float[Tensor, "rows inner"]) -> Iterator[Tensor]:
    yield x + y


class Layer:
    width = 5

    @checked(typechecker=beartype.beartype)
    def widened(self, x: Tensor, more: int = 0) -> Float[Tensor, "rows {self.width}+{more}"]:
        del more
        return x


def zeros(*size: int) -> Tensor:
    return torch.zeros(size)


@pytest.mark.parametrize(
    "call",
    [
        lambda: product(zeros(2, 3), zeros(5, 7), 2),
        lambda: product(zeros(2, 3), zeros(3, 7)),  # gives one row of two
        lambda: product(zeros(2, 3), zeros(3, 7).long(), 2),
        lambda: product(zeros(2, 3), [[0.0]], 2),
        lambda: product(zeros(2, 3), zeros(3, 7), count="2"),
        lambda: next(generated(zeros(2, 3), zeros(7, 3))),
        lambda: Layer().widened(zeros(2, 6)),
        lambda: Layer().widened(zeros(2, 5), more=1),
        lambda: Softmax().weights(zeros(2, 3), zeros(5)),
        lambda: Softmax().weights(zeros(2, 3), statistic=[0.0, 0.0]),
    ],
)
def test_what_does_not_fit_is_refused(call: Callable[[], Any]) -> None:
    with pytest.raises((Wrong, TypeError), match=r"violates type hint|Type-check error"):
        call()


def test_what_fits_is_what_the_function_gives() -> None:
    assert product(zeros(2, 3), zeros(3, 7), 2).shape == (2, 7)
    assert next(generated(zeros(1, 3), zeros(7, 3))).shape == (7, 3)
    assert Layer().widened(zeros(2, 6), more=1).shape == (2, 6)
    assert product.__name__ == "product"
    assert product(zeros(2, 3), zeros(3, 5), 2).shape == (2, 5), "sizes of one call are not those of the next"


def test_as_for_users_nothing_is_checked(as_for_users: None) -> None:
    assert product(zeros(2, 3), zeros(3, 7)).shape == (1, 7)
    assert Layer().widened(zeros(2, 6)).shape == (2, 6)
