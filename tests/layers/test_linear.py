"""The layer against its parts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from linear_oracle import differs_by, elu, weights_of
from torch import Tensor

import clearhead as ch
from clearhead import LinearAttention, PositiveRandomFeatures
from clearhead.errors import InputError, ShapeError


def by_hand(layer: LinearAttention, x: Tensor, decay: Tensor | None = None) -> Tensor:
    """The layer's definition, head by head, all pairs written out."""
    batch, tokens, _ = x.shape
    groups = layer.heads // layer.kv_heads
    heads = []
    for h in range(layer.heads):
        rows = slice(h * layer.head_dim, (h + 1) * layer.head_dim)
        shared = h // groups
        key_rows = slice(shared * layer.head_dim, (shared + 1) * layer.head_dim)
        value_rows = slice(shared * layer.value_head_dim, (shared + 1) * layer.value_head_dim)
        q = x @ layer.query.weight[rows].T + layer.query.bias[rows]
        k = x @ layer.key.weight[key_rows].T + layer.key.bias[key_rows]
        v = x @ layer.value.weight[value_rows].T + layer.value.bias[value_rows]
        gate = None if decay is None else decay[shared].expand(batch, 1, tokens, 1)
        weights = weights_of(elu(q)[:, None], elu(k)[:, None], causal=layer.causal, decay=gate)
        heads.append((weights @ v[:, None])[:, 0])
    return torch.cat(heads, -1) @ layer.output.weight.T + layer.output.bias


@pytest.mark.parametrize("decay", [None, [0.5, 0.9, 1.0]])
@pytest.mark.parametrize("causal", [True, False])
def test_it_is_what_its_docstring_says(causal: bool, decay: list[float] | None) -> None:
    if decay is not None and not causal:
        return
    layer = LinearAttention(13, 6, kv_heads=3, head_dim=5, value_head_dim=7, causal=causal, decay=decay).double()
    x = torch.randn(2, 11, 13, dtype=torch.float64)
    wanted = by_hand(layer, x, None if decay is None else torch.tensor(decay, dtype=torch.float64)).detach()
    assert differs_by(layer(x).detach(), wanted) < 1e-13


def test_pieces_and_steps() -> None:
    layer = LinearAttention(12, 6, kv_heads=2, causal=True, decay=0.9)
    x = torch.randn(2, 23, 12)
    whole = layer(x)
    output, state = layer.prefill(x[:, :7])
    outputs = [output]
    output, state = layer.prefill(x[:, 7:20], state)
    outputs.append(output)
    for i in range(20, 23):
        output, state = layer.step(x[:, i : i + 1], state)
        outputs.append(output)
    torch.testing.assert_close(torch.cat(outputs, 1), whole)
    first, _ = layer.step(x[:, :1], layer.start(2))
    torch.testing.assert_close(first, whole[:, :1])


def test_attend_is_a_call_of_the_layer() -> None:
    layer = LinearAttention(12, 6, causal=True)
    x, seen = torch.randn(2, 23, 12), []
    layer.register_forward_hook(lambda module, inputs, output: seen.append(type(output)))
    output, amap = layer.attend(x, mask=ch.Padding([23, 5]))
    assert torch.equal(output, layer(x, mask=ch.Padding([23, 5])))
    assert seen == [tuple, Tensor]
    assert amap.shape == (2, 6, 23, 23)
    assert not amap[1, :, :, 5:].any()


def test_state_dict_holds_the_random_projection() -> None:
    one, two = (LinearAttention(12, 2, feature_map=PositiveRandomFeatures(6, 17, seed=n)) for n in range(2))
    x = torch.randn(1, 7, 12)
    assert set(one.state_dict()) == {
        "projection",
        *(f"{part}.{name}" for part in ("query", "key", "value", "output") for name in ("weight", "bias")),
    }
    assert not torch.equal(one(x), two(x))
    two.load_state_dict(one.state_dict())
    assert torch.equal(one(x), two(x))
    assert two.feature_map == one.feature_map
    one.redraw(torch.Generator().manual_seed(3))
    assert not torch.equal(one(x), two(x))
    assert set(LinearAttention(12, 2).state_dict()) == set(one.state_dict()) - {"projection"}


def test_layers_share_no_projection() -> None:
    phi = PositiveRandomFeatures(6, 17)
    before = phi.projection.clone()
    one, two = (LinearAttention(12, 2, feature_map=phi) for _ in range(2))
    one.load_state_dict(LinearAttention(12, 2, feature_map=PositiveRandomFeatures(6, 17, seed=1)).state_dict())
    assert torch.equal(phi.projection, before)
    assert two.feature_map == phi
    assert one.feature_map != phi


def test_the_projection_stays_float32() -> None:
    layer = LinearAttention(12, 2, feature_map=PositiveRandomFeatures(6, 17))
    before = layer.projection
    assert before is not None
    for changed in (layer.bfloat16(), layer.half(), layer.double(), layer.to(torch.bfloat16), layer.float()):
        assert changed.projection is not None
        assert changed.projection.dtype == torch.float32
        assert torch.equal(changed.projection, before)
    there = layer.to("meta").projection
    assert there is not None
    assert there.is_meta


@pytest.mark.parametrize("decay", [0.5, torch.tensor(0.5), [0.5, 1], (0.5, 1.0), torch.tensor([0.5, 1.0])], ids=str)
def test_forms_of_a_decay(decay: Any) -> None:
    layer = LinearAttention(8, 2, causal=True, decay=decay)
    assert layer.decay in (0.5, [0.5, 1.0])
    assert layer(torch.randn(1, 3, 8)).shape == (1, 3, 8)


@pytest.mark.parametrize(
    "decay", ["x", True, [None, 1], [True, 0.5], {"a": 1}, torch.tensor(True), torch.ones(2, 2)], ids=str
)
def test_errors_of_decays(decay: Any, as_for_users: None) -> None:
    with pytest.raises(InputError, match="decay is a number, or one for each of 2 key heads; got"):
        LinearAttention(8, 2, causal=True, decay=decay)


def test_it_trains_and_changes_its_dtype() -> None:
    for features in ("elu", PositiveRandomFeatures(6, 17)):
        layer = LinearAttention(12, 2, causal=True, feature_map=features)
        layer(torch.randn(2, 67, 12)).square().sum().backward()
        assert all(x.grad is not None and x.grad.isfinite().all() for x in layer.parameters())
        x = torch.randn(2, 67, 12, dtype=torch.bfloat16)
        output, state = layer.bfloat16().prefill(x)
        assert output.dtype == torch.bfloat16
        assert layer.step(x[:, :1], state)[0].shape == (2, 1, 12)
        assert layer.double()(x.double()).dtype == torch.float64


def test_repr() -> None:
    assert "12, heads=6, head_dim=2, kv_heads=2, feature_map=Elu(), causal=True, decay=0.5" in repr(
        LinearAttention(12, 6, kv_heads=2, causal=True, decay=0.5)
    )


def test_errors(as_for_users: None) -> None:
    x = torch.randn(1, 5, 12)
    with pytest.raises(ShapeError, match="not divisible by kv_heads"):
        LinearAttention(12, 6, kv_heads=4)
    with pytest.raises(ShapeError, match="give head_dim"):
        LinearAttention(13, 6)
    with pytest.raises(ShapeError, match="3 key heads; got 2"):
        LinearAttention(12, 3, causal=True, decay=[0.5, 0.6])
    with pytest.raises(InputError, match=r"decay is in \(0, 1\]; got 2"):
        LinearAttention(12, 3, causal=True, decay=2.0)
    with pytest.raises(InputError, match="causal=True"):
        LinearAttention(12, 3, decay=0.5)
    with pytest.raises(InputError, match="no feature map"):
        LinearAttention(12, 3, feature_map="exp")
    wrong: Any = "no"
    with pytest.raises(InputError, match="causal is True or False; got 'no'"):
        LinearAttention(12, 3, causal=wrong)
    with pytest.raises(InputError, match="normalize is True, False or None; got 'no'"):
        LinearAttention(12, 3, normalize=wrong)
    layer = LinearAttention(12, 3)
    with pytest.raises(InputError, match="make it with causal=True"):
        layer.start(1)
    layer_that_steps = LinearAttention(12, 3, causal=True)
    with pytest.raises(InputError, match="make it with causal=True"):
        layer.step(x[:, :1], layer_that_steps.start(1))
    with pytest.raises(InputError, match="random features"):
        layer.redraw()
    with pytest.raises(ShapeError, match="12 wide"):
        layer(torch.randn(1, 5, 11))
    with pytest.raises(InputError, match=r"start from layer\.start\(batch\), .* layer\.prefill\(x\)"):
        layer_that_steps.step(x[:, :1], None)
    with pytest.raises(ShapeError, match=r"got 2 tokens; .* layer\.prefill\(x, state\)"):
        layer_that_steps.step(x[:, :2], layer_that_steps.start(1))
    learned = torch.tensor([0.5, 0.6, 0.7], requires_grad=True)
    with pytest.raises(InputError, match=r"the decay of a layer is fixed.*clearhead\.linear_attention to train it"):
        LinearAttention(12, 3, causal=True, decay=learned)
    assert LinearAttention(12, 3, causal=True, decay=learned.detach()).decay == pytest.approx([0.5, 0.6, 0.7])


@pytest.mark.parametrize("filler", [float("nan"), float("inf")])
@pytest.mark.parametrize("causal", [True, False])
def test_what_is_not_there_may_be_anything(causal: bool, filler: float) -> None:
    layer = LinearAttention(12, 3, causal=causal)
    x, present = torch.randn(1, 9, 12), torch.tensor([[True] * 4 + [False] * 2 + [True] * 3])
    filled = x.masked_fill(~present[..., None], filler)
    wanted = layer(x, mask=ch.masks.Padding(present))[present]
    assert torch.equal(layer(filled, mask=ch.masks.Padding(present))[present], wanted)
    output, amap = layer.attend(filled, mask=ch.masks.Padding(present))
    assert torch.equal(output[present], wanted)
    assert amap.dense()[:, :, present[0]].isfinite().all()
    if causal:
        output, state = layer.prefill(filled, mask=ch.masks.Padding(present))
        assert torch.equal(output[present], wanted)
        assert state.values.isfinite().all()


def test_the_comparison_notices_another_decay() -> None:
    layer = LinearAttention(13, 6, kv_heads=3, head_dim=5, causal=True, decay=[0.5, 0.9, 1.0]).double()
    x = torch.randn(2, 11, 13, dtype=torch.float64)
    assert differs_by(layer(x).detach(), by_hand(layer, x, torch.tensor([0.5, 0.8, 1.0])).detach()) > 1e-4
