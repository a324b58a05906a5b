"""The node tests of ONNX: another specification of the same operators, with its own reference and its own data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
import torch
from onnx_cases import ADAPTERS, CASES, EXPANDED, LEFT_OUT, compare
from torch import Tensor

RUN = [name for name, case in CASES.items() if case.operator in ADAPTERS]


@pytest.mark.parametrize("name", RUN)
def test_onnx(name: str) -> None:
    case = CASES[name]
    compare(case, ADAPTERS[case.operator](case.attributes, case.inputs))


LOW = [name for name in RUN if any(x.dtype in (torch.float16, torch.bfloat16) for x in CASES[name].inputs.values())]


@pytest.mark.parametrize("name", LOW)
def test_low_precision_onnx_in_float64(name: str) -> None:
    case = CASES[name]
    inputs = {key: x.double() if x.is_floating_point() else x for key, x in case.inputs.items()}
    exact = ADAPTERS[case.operator](case.attributes, inputs)
    rounded = {key: exact[key].to(wanted.dtype) for key, wanted in case.outputs.items()}
    compare(case, rounded, 2**-6 if next(iter(case.outputs.values())).dtype == torch.bfloat16 else case.rtol)
    # The kernel's own rounding is less: one unit in the last place.
    name = next(iter(case.outputs))
    found = ADAPTERS[case.operator](case.attributes, case.inputs)[name]
    torch.testing.assert_close(found, rounded[name], rtol=torch.finfo(found.dtype).eps, atol=0)


def test_no_case_is_left_out_but_those_in_the_table() -> None:
    counts = Counter(case.operator for case in CASES.values())
    assert counts == {"Attention": 93, "FlexAttention": 11, "LinearAttention": 14, "RotaryEmbedding": 8}
    left_out = Counter(case.operator for name, case in CASES.items() if name not in RUN)
    assert left_out == {operator: count for operator, (count, _) in LEFT_OUT.items()}
    assert all(reason for _, reason in LEFT_OUT.values())


def test_the_expanded_cases_repeat_the_data_of_others() -> None:
    # ONNX registers each node a second time, as a graph of smaller operators with the same inputs and outputs.
    assert all(name.startswith(f"{owner}_expanded") for name, owner in EXPANDED)
    assert len(EXPANDED) == len(CASES)


def _nudged(wanted: Tensor) -> Tensor:
    changed = wanted.clone()
    changed.view(-1)[-1] *= 1.05
    return changed


@pytest.mark.parametrize(
    "spoil",
    [
        _nudged,
        lambda wanted: wanted.double() if wanted.dtype != torch.float64 else wanted.float(),
        lambda wanted: wanted[:, :1],
        lambda wanted: torch.full_like(wanted, torch.nan),
        lambda wanted: wanted.masked_fill(wanted == wanted.max(), -torch.inf),
    ],
    ids=["one number", "dtype", "shape", "nan", "infinity"],
)
@pytest.mark.parametrize(
    "name",
    ["test_attention_4d", "test_attention_4d_fp16", "test_attention_3d_causal_bf16", "test_flexattention_double"],
)
def test_compare_fails_on_a_wrong_answer(name: str, spoil: Callable[[Tensor], Tensor]) -> None:
    case = CASES[name]
    compare(case, case.outputs)
    with pytest.raises(AssertionError, match=name):
        compare(case, {"Y": spoil(case.outputs["Y"])})


def test_compare_wants_every_output() -> None:
    case = CASES["test_attention_4d_with_past_and_present"]
    with pytest.raises(KeyError):
        compare(case, {"Y": case.outputs["Y"]})


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("test_attention_4d_scaled", "scale"),
        ("test_attention_4d_causal", "is_causal"),
        ("test_attention_4d_softcap", "softcap"),
        ("test_attention_local_window", "left_window_size"),
        ("test_flexattention_relative_positional", "score_mod"),
        ("test_flexattention_prob_mod", "prob_mod"),
        ("test_rotary_embedding_interleaved", "interleaved"),
        ("test_linear_attention_explicit_scale", "scale"),
    ],
)
def test_a_case_notices_an_attribute_that_is_ignored(name: str, attribute: str) -> None:
    case = CASES[name]
    fewer = {key: value for key, value in case.attributes.items() if key != attribute}
    assert len(fewer) < len(case.attributes)
    with pytest.raises(AssertionError, match=name):
        compare(case, ADAPTERS[case.operator](fewer, case.inputs))
