"""Biases of positions: ALiBi and T5's, against transformers and by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import T5Config
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.mpt.modeling_mpt import build_mpt_alibi_tensor
from transformers.models.t5.modeling_t5 import T5Attention

from clearhead.errors import InputError
from clearhead.positions import ALiBi, Bias, RelativeBias
from clearhead.positions.alibi import alibi_slopes
from clearhead.positions.relative import relative_bucket

QUERIES, KEYS = torch.arange(6, 13), torch.arange(13)  # 7 queries at the end of 13 keys


def biases(heads: int) -> list[Bias]:
    made = [
        ALiBi(heads),
        ALiBi(heads, symmetric=True),
        RelativeBias(heads, buckets=12, furthest=10),
        RelativeBias(heads, buckets=5, furthest=7, bidirectional=False),
    ]
    for bias in made:
        for parameter in bias.parameters():
            torch.nn.init.normal_(parameter)
    return made


def check_relative(bias: Bias, reference: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> None:
    """Equal up to a constant for each query, which a softmax does not see."""
    found = bias.tile(query, key)[0]
    torch.testing.assert_close(found - found[..., :1], reference - reference[..., :1])


@pytest.mark.parametrize("heads", [1, 2, 3, 8, 11, 12, 16, 71])
def test_alibi_is_that_of_bloom_and_mpt(heads: int) -> None:
    bloom = build_alibi_tensor(torch.ones(1, 13), heads, torch.float32).view(heads, 1, 13).expand(-1, 7, -1)
    check_relative(ALiBi(heads), bloom, QUERIES, KEYS)
    check_relative(ALiBi(heads), build_mpt_alibi_tensor(heads, 13).expand(-1, 7, -1), QUERIES, KEYS)


def test_the_comparison_notices_other_slopes() -> None:
    bloom = build_alibi_tensor(torch.ones(1, 13), 3, torch.float32).view(3, 1, 13).expand(-1, 7, -1)
    with pytest.raises(AssertionError):
        check_relative(ALiBi(3, slopes=[0.0625, 0.25, 0.00390625]), bloom, QUERIES, KEYS)


def test_slopes_are_those_printed_in_the_paper() -> None:
    assert alibi_slopes(8) == tuple(2.0**-power for power in range(1, 9))
    torch.testing.assert_close(torch.tensor(alibi_slopes(16)), 2 ** -(torch.arange(1, 17) / 2))


def test_alibi_by_hand() -> None:
    bias = ALiBi(2)
    expected = torch.tensor([[[-0.125, -0.0625, 0.0, 0.0625]], [[-0.0078125, -0.00390625, 0.0, 0.00390625]]])
    assert torch.equal(bias.tile(torch.tensor([2]), torch.arange(4))[0], expected)
    both = ALiBi(2, symmetric=True).tile(torch.tensor([2]), torch.arange(4))[0]
    assert torch.equal(both, torch.minimum(expected, -expected))


def test_slopes_survive_casts_and_moves() -> None:
    bias = ALiBi(12)
    exact = torch.tensor(alibi_slopes(12), dtype=torch.float64)
    assert torch.equal(bias.bfloat16().slopes, exact.float())
    assert torch.equal(bias.double().slopes, exact)
    assert torch.equal(bias.float().slopes, exact.float())
    with torch.device("meta"):
        empty = ALiBi(12)
    assert empty.slopes.is_meta
    assert torch.equal(empty.to_empty(device="cpu").slopes, exact.float())
    assert not bias.state_dict()


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("buckets", "furthest"), [(32, 128), (8, 20), (12, 37), (64, 1000), (20, 11)])
def test_buckets_are_t5s(bidirectional: bool, buckets: int, furthest: int) -> None:
    distance = torch.arange(-2 * furthest, 2 * furthest + 1)
    theirs = T5Attention._relative_position_bucket(-distance, bidirectional, buckets, furthest)
    mine = relative_bucket(distance, buckets=buckets, furthest=furthest, bidirectional=bidirectional)
    assert torch.equal(mine, theirs)


@given(st.integers(2, 40), st.integers(1, 300), st.integers(0, 1000))
def test_the_bucket_of_a_distance_is_the_largest_that_starts_before_it(side: int, further: int, distance: int) -> None:
    """In whole numbers: (distance/exact)^m against (furthest/exact)^j, so that no rounding can tip it."""
    exact = side // 2
    furthest, steps = exact + further, side - exact
    expected = distance
    if distance >= exact:
        j = max(j for j in range(steps + 1) if distance**steps * exact**j >= exact**steps * furthest**j)
        expected = min(exact + j, side - 1)
    for sign, offset in ((1, 0), (-1, side if distance else 0)):
        found = relative_bucket(torch.tensor([sign * distance]), buckets=2 * side, furthest=furthest)
        assert found.item() == expected + offset


@pytest.mark.parametrize("is_decoder", [True, False])
def test_relative_tiles_are_t5s(is_decoder: bool) -> None:
    config = T5Config(d_model=15, d_kv=5, num_heads=3, is_decoder=is_decoder)
    theirs = T5Attention(config, has_relative_attention_bias=True, layer_idx=0)
    torch.nn.init.normal_(theirs.relative_attention_bias.weight)
    mine = RelativeBias(3, bidirectional=not is_decoder)
    mine.table.data.copy_(theirs.relative_attention_bias.weight)
    reference = theirs.compute_bias(311, 347)
    assert torch.equal(mine.tile(torch.arange(311), torch.arange(347)), reference)
    later = theirs.compute_bias(7, 347, past_seen_tokens=340)
    assert torch.equal(mine.tile(torch.arange(340, 347), torch.arange(347)), later)


@pytest.mark.parametrize("which", range(4))
def test_tiles_points_and_single_heads_agree(which: int) -> None:
    bias = biases(5)[which]
    tile = bias.tile(QUERIES, KEYS)
    assert tile.shape == (1, 5, 7, 13)
    for head, row, column in ((0, 0, 0), (4, 6, 12), (3, 2, 11), (1, 5, 0)):
        point = bias.points(torch.tensor(head), QUERIES[row], KEYS[column])
        assert torch.equal(point, tile[0, head, row, column])
    chosen = bias.select_heads([3, 0, 3])
    assert chosen.heads == 3
    assert torch.equal(chosen.tile(QUERIES, KEYS), tile[:, [3, 0, 3]])
    assert torch.equal(chosen.select_heads([1]).tile(QUERIES, KEYS), tile[:, [0]])
    assert chosen.is_trained == bias.is_trained == bool(list(bias.parameters()))
    assert isinstance(chosen, ALiBi) == isinstance(bias, ALiBi)
    assert str(bias.heads) in repr(bias)


@pytest.mark.parametrize("bidirectional", [True, False])
def test_gradients_of_the_table(bidirectional: bool) -> None:
    bias = RelativeBias(2, buckets=8, furthest=6, bidirectional=bidirectional).double()
    assert bias.is_trained
    upstream = torch.randn(1, 2, 7, 13, dtype=torch.float64)
    (bias.tile(QUERIES, KEYS) * upstream).sum().backward()
    expected = torch.zeros(8, 2, dtype=torch.float64)
    buckets = relative_bucket(QUERIES[:, None] - KEYS, buckets=8, furthest=6, bidirectional=bidirectional)
    for row in range(7):
        for column in range(13):
            expected[buckets[row, column]] += upstream[0, :, row, column]
    torch.testing.assert_close(bias.table.grad, expected)
    selected = bias.select_heads([1])
    bias.table.grad = None
    selected.points(torch.tensor(0), torch.tensor(9), torch.tensor(4)).backward()
    assert bias.table.grad.nonzero().tolist() == [[int(relative_bucket(torch.tensor(5), buckets=8, furthest=6,
        bidirectional=bidirectional)), 1]]  # fmt: skip
    bias.requires_grad_(False)
    assert not bias.is_trained


@pytest.mark.parametrize("which", range(4))
def test_biases_on_the_meta_device(which: int) -> None:
    bias = biases(5)[which].to("meta")
    assert bias.tile(QUERIES.to("meta"), KEYS.to("meta")).is_meta


def test_what_cannot_be() -> None:
    for heads in (0, -3, True):
        with pytest.raises(InputError, match=f"heads is a whole number of at least 1; got {heads}"):
            ALiBi(heads)
        with pytest.raises(InputError, match=f"heads is a whole number of at least 1; got {heads}"):
            RelativeBias(heads)
    with pytest.raises(InputError, match="2 slopes for 3 heads"):
        ALiBi(3, slopes=[0.5, 0.25])
    for bias in biases(5):
        with pytest.raises(InputError, match="no head 5: the bias has 5"):
            bias.select_heads([0, 5])
    with pytest.raises(InputError, match="buckets is 33, which is odd"):
        RelativeBias(2, buckets=33)
    with pytest.raises(InputError, match="buckets is a whole number of at least 4; got 3"):
        RelativeBias(2, buckets=3)
    with pytest.raises(InputError, match=r"furthest is 8, .* over 8"):
        RelativeBias(2, furthest=8)
    with pytest.raises(InputError, match="furthest is 8"):
        relative_bucket(torch.tensor([1]), furthest=8)


def test_the_bias_of_a_window_far_out_is_that_of_the_first_one() -> None:
    for bias in biases(3):
        far = 10**6
        near = bias.double().tile(QUERIES, KEYS)
        torch.testing.assert_close(bias.tile(QUERIES + far, KEYS + far), near, rtol=0, atol=0)
        assert bias.tile(QUERIES + far, KEYS).isfinite().all()
