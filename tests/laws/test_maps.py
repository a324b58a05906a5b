"""Every mask and rule × every kind of map × every statistic obeys the dense reference in float64."""

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from oracle import MAPS, SETTINGS, STATISTICS, TOLERANCE, Sizes, make

from clearhead.errors import ShapeError
from clearhead.maps.stored import StoredMap


@pytest.mark.parametrize("kind_of_map", MAPS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_every_statistic_of_every_map_under_every_rule(setting: str, kind_of_map: str) -> None:
    amap, weights = MAPS[kind_of_map](make(setting, dtype=torch.float64))
    for statistic in STATISTICS.values():
        statistic(amap, weights, TOLERANCE[torch.float64])


@pytest.mark.parametrize("setting", SETTINGS)
def test_low_precision_q_and_k_are_computed_with_in_float32(setting: str) -> None:
    dtype = torch.bfloat16
    case = make(setting, Sizes(batch=1, queries=37, keys=37, head_dim=7), dtype)
    assert case.amap.dtype == torch.float32
    for statistic in STATISTICS.values():
        statistic(case.amap, case.weights, TOLERANCE[dtype])


@pytest.mark.parametrize(
    "sizes",
    [
        # Above the 256 queries for which distances are worked out together.
        Sizes(batch=1, heads=2, kv_heads=1, queries=277, keys=311, head_dim=11),
        Sizes(batch=1, heads=2, kv_heads=1, queries=311, keys=271, head_dim=11),
        Sizes(batch=2, heads=2, kv_heads=1, queries=1, keys=31, head_dim=5),
        Sizes(batch=3, heads=2, kv_heads=1, queries=31, keys=1, head_dim=5),
        Sizes(batch=2, heads=2, kv_heads=1, queries=23, keys=19, head_dim=1),
        Sizes(batch=1, heads=6, kv_heads=1, queries=11, keys=307, head_dim=67),
    ],
    ids=lambda s: f"{s.queries}x{s.keys}x{s.head_dim}",
)
@pytest.mark.parametrize("setting", SETTINGS)
def test_sizes_at_which_other_paths_run(setting: str, sizes: Sizes) -> None:
    case = make(setting, sizes, torch.float32)
    for statistic in STATISTICS.values():
        statistic(case.amap, case.weights, TOLERANCE[torch.float32])


@pytest.mark.parametrize("setting", ["causal", "everything"])
def test_maps_of_more_queries_than_are_written_out_together(setting: str) -> None:
    case = make(setting, Sizes(batch=1, heads=1, kv_heads=1, queries=1103, keys=1103, head_dim=11), torch.float32)
    for statistic in STATISTICS.values():
        statistic(case.amap, case.weights, TOLERANCE[torch.float32])


@pytest.mark.parametrize("setting", ["causal", "random", "predicate"])
def test_statistics_streamed_over_tiny_tiles_and_blocks(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in (
        ("base", "_TILE", 2**5),
        ("factored", "_ROWS", 3),
        ("words", "_TOKEN_TILE", 2**5),
    ):
        monkeypatch.setattr(f"clearhead.maps.{module}.{name}", value)
    for kind_of_map in MAPS.values():
        amap, weights = kind_of_map(make(setting, Sizes(1, 2, 1, 7, 11, 3), torch.float64))
        for statistic in STATISTICS.values():
            statistic(amap, weights, TOLERANCE[torch.float64])


PRIMES = [1, 2, 3, 5, 7, 11, 13, 17, 19, 23]


@hypothesis.settings(max_examples=25)
@hypothesis.given(
    setting=st.sampled_from(list(SETTINGS)),
    dtype=st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16]),
    kind_of_map=st.sampled_from(list(MAPS)),
    lengths=st.lists(st.sampled_from(PRIMES), min_size=3, max_size=3, unique=True),
    heads=st.sampled_from([(1, 1), (2, 1), (3, 3), (6, 2)]),
    batch=st.integers(1, 3),
    seed=st.integers(0, 2**16),
)
def test_masks_dtypes_grouped_heads_and_prime_sizes(
    setting: str,
    dtype: torch.dtype,
    kind_of_map: str,
    lengths: list[int],
    heads: tuple[int, int],
    batch: int,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    case = make(setting, Sizes(batch, *heads, *lengths), dtype)
    amap, weights = MAPS[kind_of_map](case)
    for statistic in STATISTICS.values():
        statistic(amap, weights, TOLERANCE[dtype])


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_lse_and_the_check(setting: str) -> None:
    torch.manual_seed(5)
    case = make(setting, dtype=torch.float64)
    empty = case.lse == -torch.inf
    lse = case.amap.tensors()["lse"]
    if "normalizer" not in case.setting.options:  # others have another number in its place
        torch.testing.assert_close(lse, case.lse, rtol=0, atol=1e-11)
        assert ((lse == -torch.inf) == empty).all()
    torch.manual_seed(5)
    checked = make(setting, dtype=torch.float64, values=case.values, output=case.output).amap.check()
    assert checked.row_sum < 1e-12
    assert checked.output is not None
    assert checked.output < 1e-12
    assert checked.ok()


# Each assertion can fail.


@pytest.mark.parametrize("statistic", STATISTICS)
def test_every_assertion_notices_a_wrong_weight(statistic: str) -> None:
    weights = make("causal", dtype=torch.float64).weights
    wrong = weights.clone()
    wrong[0, :, 6, 0] += 0.01
    STATISTICS[statistic](StoredMap(weights), weights, 1e-9)
    with pytest.raises(AssertionError, match=r"differs"):
        STATISTICS[statistic](StoredMap(wrong), weights, 1e-9)


def test_the_assertions_notice_nan_and_other_shapes() -> None:
    weights = make("causal", dtype=torch.float64).weights
    wrong = weights.clone()
    wrong[0, 0, 5, 5] = torch.nan
    for statistic in STATISTICS.values():
        with pytest.raises(AssertionError):
            statistic(StoredMap(wrong), weights, 1e-9)
        with pytest.raises((AssertionError, IndexError, RuntimeError, ShapeError)):
            statistic(StoredMap(weights[:, :, :, :-1]), weights, 1e-9)
