"""Rotary positions: against transformers, and what makes them relative."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import GPTNeoXConfig, LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.gpt_neox import modeling_gpt_neox
from transformers.models.gptj import modeling_gptj
from transformers.models.llama import modeling_llama

from clearhead.errors import InputError, ShapeError
from clearhead.positions import LinearScaling, Llama3Scaling, NTKScaling, Rotary, RotaryScaling, YaRNScaling

DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def formula(x: torch.Tensor, positions: torch.Tensor, base: float, pairing: str, dim: int) -> torch.Tensor:
    """The paper's rotation in float64, pair by pair, by complex multiplication."""
    turned = x.double().clone()
    for i in range(dim // 2):
        a, b = (i, i + dim // 2) if pairing == "half" else (2 * i, 2 * i + 1)
        angle = positions.double() * base ** (-2 * i / dim)
        product = torch.complex(x[..., a].double(), x[..., b].double()) * torch.polar(torch.ones_like(angle), angle)
        turned[..., a], turned[..., b] = product.real, product.imag
    return turned


@pytest.mark.parametrize("pairing", ["half", "adjacent"])
@pytest.mark.parametrize("dim", [None, 6, 2])
def test_the_formula(pairing: Any, dim: int | None) -> None:
    x = torch.randn(2, 3, 7, 10, dtype=torch.float64)
    positions = torch.tensor([0, 1, 2, 5, 90, 1000, 10**6])
    found = Rotary(base=500.0, pairing=pairing, dim=dim).rotate(x, positions)
    reference = formula(x, positions, 500.0, pairing, dim or 10)
    torch.testing.assert_close(found, reference, rtol=0, atol=1e-9)
    other = formula(x, positions, 500.0, "half" if pairing == "adjacent" else "adjacent", 10)
    assert not torch.allclose(found, other, atol=1e-3)


def rope(config: Any, kind: str, **parameters: Any) -> None:
    config.rope_parameters = {"rope_type": kind, "rope_theta": 10000.0, **parameters}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("base", [10000.0, 500000.0])
def test_as_llama_does_it(dtype: torch.dtype, base: float) -> None:
    config = LlamaConfig(hidden_size=48, num_attention_heads=3, rope_parameters={"rope_type": "default",
                         "rope_theta": base})  # fmt: skip
    q, k = torch.randn(2, 3, 11, 16, dtype=dtype), torch.randn(2, 1, 11, 16, dtype=dtype)
    positions = torch.stack([torch.arange(11), torch.arange(5, 16)])
    cosine, sine = modeling_llama.LlamaRotaryEmbedding(config)(q, positions)
    theirs = modeling_llama.apply_rotary_pos_emb(q, k, cosine, sine)
    rotary = Rotary(base=base)
    assert rotary.rotate(q, positions).dtype == dtype
    assert torch.equal(rotary.rotate(q, positions), theirs[0])
    assert torch.equal(rotary.rotate(k, positions), theirs[1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_as_gpt_neox_does_it_with_a_quarter_of_the_head(dtype: torch.dtype) -> None:
    config = GPTNeoXConfig(hidden_size=48, num_attention_heads=3)
    rope(config, "default", partial_rotary_factor=0.25)
    x = torch.randn(2, 3, 11, 16, dtype=dtype)
    positions = torch.arange(11)[None]
    cosine, sine = modeling_gpt_neox.GPTNeoXRotaryEmbedding(config)(x, positions)
    theirs = modeling_gpt_neox.apply_rotary_pos_emb(x, x, cosine, sine)[0]
    assert torch.equal(Rotary(dim=4).rotate(x, positions), theirs)


def test_as_gptj_does_it() -> None:
    x = torch.randn(2, 3, 11, 16)
    sine, cosine = modeling_gptj.create_sinusoidal_positions(11, 6).split(3, -1)
    leading = x[..., :6].transpose(1, 2)
    theirs = modeling_gptj.apply_rotary_pos_emb(leading, sine[None], cosine[None]).transpose(1, 2)
    found = Rotary(pairing="adjacent", dim=6).rotate(x, torch.arange(11))
    torch.testing.assert_close(found, torch.cat((theirs, x[..., 6:]), -1), rtol=1e-6, atol=1e-6)


SCALINGS: list[tuple[RotaryScaling, str, dict[str, Any]]] = [
    (LinearScaling(4.0), "linear", {"factor": 4.0}),
    (NTKScaling(2.0, 32), "dynamic", {"factor": 2.0}),
    (YaRNScaling(4.0, 32), "yarn", {"factor": 4.0, "original_max_position_embeddings": 32}),
    (
        YaRNScaling(8.0, 4096, 24.0, 2.0, 1.25, truncate=False),
        "yarn",
        {"factor": 8.0, "original_max_position_embeddings": 4096, "beta_fast": 24.0, "beta_slow": 2.0,
         "attention_factor": 1.25, "truncate": False},
    ),
    (YaRNScaling(40.0, 4096), "yarn", {"factor": 40.0, "original_max_position_embeddings": 4096}),
    (YaRNScaling(4.0, 6, truncate=True), "yarn", {"factor": 4.0, "original_max_position_embeddings": 6}),
    (
        Llama3Scaling(8.0, 1.0, 4.0, 8192),
        "llama3",
        {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192},
    ),
    (
        Llama3Scaling(32.0, 1.5, 5.0, 64),
        "llama3",
        {"factor": 32.0, "low_freq_factor": 1.5, "high_freq_factor": 5.0, "original_max_position_embeddings": 64},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("scaling", "kind", "parameters"), SCALINGS)
@pytest.mark.parametrize("base", [10000.0, 500000.0])
@pytest.mark.parametrize("length", [20, 70])
def test_scalings_are_those_of_transformers(
    scaling: RotaryScaling, kind: str, parameters: dict[str, Any], base: float, length: int
) -> None:
    config = LlamaConfig(hidden_size=3 * 34, num_attention_heads=3, max_position_embeddings=32)
    config.rope_parameters = {"rope_type": kind, "rope_theta": base, **parameters}
    expected, amplitude = ROPE_INIT_FUNCTIONS[kind](config, seq_len=length)
    plain = 1.0 / base ** (torch.arange(0, 34, 2).float() / 34)
    found = scaling.frequencies(plain, base, torch.arange(length))
    torch.testing.assert_close(found, expected, rtol=2e-6, atol=0)
    assert scaling.amplitude == pytest.approx(amplitude, rel=1e-12)
    assert kind == "dynamic" or not torch.allclose(found, plain, rtol=0.1)  # else nothing was tested
    # and with it the whole rotation
    x = torch.randn(2, 3, length, 34)
    positions = torch.arange(length)[None]
    cosine, sine = modeling_llama.LlamaRotaryEmbedding(config)(x, positions)
    theirs = modeling_llama.apply_rotary_pos_emb(x, x, cosine, sine)[0]
    torch.testing.assert_close(Rotary(base=base, scaling=scaling).rotate(x, positions), theirs, rtol=0, atol=5e-5)


def test_dynamic_ntk_changes_nothing_within_the_trained_length_and_the_slow_pairs_beyond() -> None:
    plain = 10.0 ** -torch.arange(5.0)
    scaling = NTKScaling(2.0, 32)
    assert torch.equal(scaling.frequencies(plain, 10.0**5, torch.arange(32)), plain)
    assert torch.equal(scaling.frequencies(plain, 10.0**5, torch.arange(0)), plain)
    longer = plain / scaling.frequencies(plain, 10.0**5, torch.arange(64))
    torch.testing.assert_close(longer, 3.0 ** (torch.arange(5) / 4))  # 2 · 64 / 32 − 1
    fixed = plain / NTKScaling(2.0).frequencies(plain, 10.0**5, torch.arange(3))
    torch.testing.assert_close(fixed, 2.0 ** (torch.arange(5) / 4))


@given(st.integers(-5000, 5000), st.integers(0, 5000), st.sampled_from(["half", "adjacent"]),
       st.sampled_from([None, LinearScaling(3.0), NTKScaling(5.0), YaRNScaling(4.0, 64),
                        Llama3Scaling(8.0, 1.0, 4.0, 64)]))  # fmt: skip
def test_products_depend_on_the_distance_alone(
    distance: int, position: int, pairing: Any, scaling: RotaryScaling | None
) -> None:
    generator = torch.Generator().manual_seed(position)
    q, k = torch.randn(2, 1, 1, 1, 14, dtype=torch.float64, generator=generator)
    rotary = Rotary(pairing=pairing, dim=10, scaling=scaling)

    def product(query: int, key: int) -> torch.Tensor:
        return (rotary.rotate(q, torch.tensor([query])) * rotary.rotate(k, torch.tensor([key]))).sum()

    torch.testing.assert_close(product(position + distance, position), product(distance, 0), rtol=0, atol=1e-9)


@given(st.integers(0, 10**6), st.sampled_from(["half", "adjacent"]))
def test_norms_are_kept_and_position_0_turns_nothing(position: int, pairing: Any) -> None:
    x = torch.randn(1, 2, 1, 14, dtype=torch.float64)
    rotary = Rotary(pairing=pairing)
    torch.testing.assert_close(rotary.rotate(x, torch.tensor([position])).norm(), x.norm())
    assert torch.equal(rotary.rotate(x, torch.tensor([0])), x)


@pytest.mark.parametrize("pairing", ["half", "adjacent"])
def test_the_rest_of_the_head_is_untouched(pairing: Any) -> None:
    x = torch.randn(2, 3, 7, 11)
    found = Rotary(pairing=pairing, dim=4, scaling=YaRNScaling(4.0, 16)).rotate(x, torch.arange(3, 10))
    assert torch.equal(found[..., 4:], x[..., 4:])
    assert not torch.isclose(found[..., :4], x[..., :4]).any(-1).all()


def test_the_two_pairings_are_one_up_to_a_permutation() -> None:
    x = torch.randn(2, 3, 7, 10)
    order = torch.tensor([0, 5, 1, 6, 2, 7, 3, 8, 4, 9])
    positions = torch.arange(7)
    half = Rotary().rotate(x, positions)
    adjacent = Rotary(pairing="adjacent").rotate(x[..., order], positions)
    assert torch.equal(half[..., order], adjacent)


@pytest.mark.parametrize("scaling", [None, LinearScaling(3.0), NTKScaling(5.0), YaRNScaling(4.0, 4),
                                     Llama3Scaling(8.0, 1.0, 4.0, 4), NTKScaling(5.0, 13)])  # fmt: skip
def test_a_step_turns_as_the_full_pass_did(scaling: RotaryScaling | None) -> None:
    x = torch.randn(2, 3, 13, 10)
    rotary = Rotary(scaling=scaling)
    full = rotary.rotate(x, torch.arange(13))
    for token in range(13):
        assert torch.equal(rotary.rotate(x[:, :, token : token + 1], torch.tensor([token]))[:, :, 0], full[:, :, token])


def test_beyond_its_length_dynamic_ntk_does_not_as_its_docstring_says() -> None:
    x = torch.randn(2, 3, 13, 10)
    rotary = Rotary(scaling=NTKScaling(5.0, 7))
    full = rotary.rotate(x, torch.arange(13))
    assert not torch.allclose(rotary.rotate(x[:, :, :3], torch.arange(3)), full[:, :, :3], atol=1e-3)
    assert torch.equal(rotary.rotate(x[:, :, 12:], torch.tensor([12])), full[:, :, 12:])


def test_rows_of_a_batch_have_positions_of_their_own() -> None:
    x = torch.randn(2, 3, 7, 10)
    positions = torch.stack([torch.arange(7), torch.arange(7).flip(0)])
    found = Rotary().rotate(x, positions)
    for row in range(2):
        assert torch.equal(found[row], Rotary().rotate(x, positions[row])[row])
    assert torch.equal(Rotary().rotate(x, positions[:1]), Rotary().rotate(x, positions[0]))


def test_two_of_one_width_but_other_bases_do_not_mix() -> None:
    x = torch.randn(1, 1, 7, 10)
    first, second = Rotary(base=100.0), Rotary(base=10000.0)
    before = first.rotate(x, torch.arange(7))
    assert not torch.allclose(second.rotate(x, torch.arange(7)), before)
    assert torch.equal(first.rotate(x, torch.arange(7)), before)
    assert first != second
    assert Rotary(scaling=LinearScaling(2.0)) == Rotary(scaling=LinearScaling(2.0))
    assert len({Rotary(), Rotary(), first}) == 2


def test_gradients() -> None:
    x = torch.randn(1, 2, 3, 6, dtype=torch.float64, requires_grad=True)
    for pairing in ("half", "adjacent"):
        rotary = Rotary(pairing=pairing, dim=4)
        assert torch.autograd.gradcheck(lambda x, rotary=rotary: rotary.rotate(x, torch.arange(3)), x)


def test_on_the_meta_device_and_without_tokens() -> None:
    x = torch.empty(2, 3, 7, 10, device="meta")
    for scaling in (None, *(scaling for scaling, _, _ in SCALINGS)):
        rotary = Rotary(scaling=scaling)
        found = rotary.rotate(x, torch.arange(7, device="meta"))
        assert found.is_meta
        assert found.shape == x.shape
        assert rotary.rotate(torch.empty(2, 3, 0, 10), torch.arange(0)).shape == (2, 3, 0, 10)


def test_what_cannot_be() -> None:
    x, positions = torch.randn(2, 3, 7, 10), torch.arange(7)
    with pytest.raises(InputError, match="dim is 5, which is odd"):
        Rotary(dim=5)
    with pytest.raises(InputError, match=r"base is 0.5"):
        Rotary(base=0.5)
    with pytest.raises(InputError, match="head_dim is 9, which is odd"):
        Rotary().rotate(x[..., :9], positions)
    with pytest.raises(InputError, match="dim is 12, but the heads have 10 numbers"):
        Rotary(dim=12).rotate(x, positions)
    with pytest.raises(InputError, match="two pairs at least"):
        Rotary(dim=2, scaling=NTKScaling(2.0)).rotate(x, positions)


@pytest.mark.usefixtures("shapes_unchecked")
def test_shapes_that_do_not_fit() -> None:
    x = torch.randn(2, 3, 7, 10)
    for positions in (torch.arange(6), torch.zeros(3, 7, dtype=torch.long), torch.tensor(0), torch.arange(1)):
        with pytest.raises(ShapeError, match=r"x is \(2, 3, 7, 10\) and positions are .*wanted"):
            Rotary().rotate(x, positions)
    with pytest.raises(ShapeError, match=r"x is \(3, 7, 10\)"):
        Rotary().rotate(x[0], torch.arange(7))
    with pytest.raises(InputError, match=r"positions are torch.float32; they have to be integers"):
        Rotary().rotate(x, torch.arange(7.0))
    with pytest.raises(InputError, match=r"pairing is 'thirds'; .* 'half' or 'adjacent'"):
        Rotary(pairing="thirds")


@pytest.mark.parametrize("make", [LinearScaling, NTKScaling, lambda factor: YaRNScaling(factor, 8),
                                  lambda factor: Llama3Scaling(factor, 1.0, 4.0, 8)])  # fmt: skip
@pytest.mark.parametrize("factor", [0.5, math.nan, math.inf, -2.0])
def test_factors_that_cannot_be(make: Any, factor: float) -> None:
    with pytest.raises(InputError, match=f"factor is {factor}; it has to be a finite number of at least 1"):
        make(factor)


def test_limits_that_cannot_be() -> None:
    with pytest.raises(InputError, match="beta_fast > beta_slow > 0"):
        YaRNScaling(2.0, 8, beta_fast=1.0)
    with pytest.raises(InputError, match="high > low > 0"):
        Llama3Scaling(2.0, 4.0, 1.0, 8)
    for make in (lambda: NTKScaling(2.0, 0), lambda: YaRNScaling(2.0, 0), lambda: Llama3Scaling(2.0, 1.0, 4.0, 0)):
        with pytest.raises(InputError, match="original_length is a whole number of at least 1; got 0"):
            make()
