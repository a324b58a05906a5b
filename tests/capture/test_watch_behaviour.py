"""What watching must not change, what it leaves behind, and what it says when there is nothing to see."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import clearhead as ch
from clearhead.errors import NothingCapturedError, UnknownLayerError

BATCH, TOKENS, DIM, HEADS = 2, 7, 15, 3


class Attention(nn.Module):
    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.project, self.dropout = nn.Linear(DIM, 3 * DIM), dropout

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        q, k, v = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in self.project(x).split(DIM, -1))
        dropout = self.dropout if self.training else 0.0
        out = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
        return x + out.transpose(1, 2).flatten(-2)


class Weighted(nn.Module):
    """Attention whose layer is asked for weights."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(DIM, HEADS, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x, x, x)[0]


class Stack(nn.Module):
    """Three attention layers and one that has none."""

    def __init__(self, dropout: float = 0.0, again: bool = False) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Attention(dropout) for _ in range(3))
        self.head = nn.Linear(DIM, 11)
        self.again = again

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = checkpoint(layer, x, use_reentrant=False) if self.again else layer(x)
        return self.head(x)


PATHS = ["layers.0", "layers.1", "layers.2"]


@pytest.fixture
def model() -> Stack:
    return Stack().eval()


@pytest.fixture
def x() -> Tensor:
    return torch.randn(BATCH, TOKENS, DIM)


# The helpers of these tests see what they should.


def test_maps_agree_fails_when_it_should(maps_agree: Callable[..., None]) -> None:
    q, k, v = (torch.randn(BATCH, HEADS, n, DIM) for n in (5, TOKENS, TOKENS))
    mask = torch.ones(5, TOKENS).tril().bool()
    amap = ch.AttentionMap.from_qk(q, k, mask=mask)
    weights = amap.dense()
    whole = ch.AttentionMap.from_qk(q, k, mask=mask, values=v, output=weights @ v)
    maps_agree([amap], [weights], [mask], output=False)
    maps_agree([whole], [weights], [mask])
    other = weights.clone()
    other[1, 2, 4, :2] += torch.tensor([2e-5, -2e-5])
    wrong = ch.AttentionMap.from_qk(q, k, mask=mask, values=v, output=weights @ v + 1e-3)
    cases: list[tuple[Any, ...]] = [
        ([amap], [other], [mask], False),
        ([amap], [weights], [mask & (torch.arange(TOKENS) > 0)], False),
        ([amap], [weights[:1]], [mask], False),
        ([amap], [weights[..., :3]], None, False),
        ([amap, amap], [weights], None, False),
        ([], [], None, False),
        ([amap], [weights], [torch.zeros_like(mask)], False),
        ([amap], [weights], [mask], True),
        ([whole], [weights], [mask], False),
        ([wrong], [weights], [mask], True),
        ([ch.AttentionMap.from_weights(1.01 * weights)], [1.01 * weights], [mask], False),
    ]
    for maps, expected, allowed, output in cases:
        with pytest.raises(AssertionError):
            maps_agree(maps, expected, allowed, output=output)
    absent = torch.ones(BATCH, 5, dtype=torch.bool)
    absent[1, 4] = False
    maps_agree([amap], [other], [mask], [absent], output=False)


def test_same_bits_fails_when_it_should(same_bits: Callable[..., None]) -> None:
    a = torch.tensor([1.0, torch.nan])
    same_bits({"a": (a, None)}, {"a": (a.clone(), None)})
    others = [a.double(), a + 1e-7, torch.tensor([1.0, 7.0]), a[:1], None]
    for other in [*({"a": (b, None)} for b in others), {"b": (a, None)}, {"a": (a,)}, {"a": (a, a)}]:
        with pytest.raises(AssertionError):
            same_bits({"a": (a, None)}, other)


def test_reference_by_hand(reference: Callable[..., Tensor]) -> None:
    """exp(0) : exp(ln 3) is 1 : 3."""
    q, k = (
        torch.tensor([[[[1.0], [1.0]]]]),
        torch.tensor([[[[0.0], [3.0]]]]).log1p() * torch.log(torch.tensor(3.0)) / torch.log(torch.tensor(4.0)),
    )
    allowed = torch.tensor([[True, True], [False, False]])
    assert torch.allclose(reference(q, k, allowed=allowed, scale=1.0), torch.tensor([[[[0.25, 0.75], [0.0, 0.0]]]]))


# The output, the gradients and the random numbers are those of the model unwatched.


def test_modes(model: Stack, x: Tensor, same_bits: Callable[..., None]) -> None:
    for mode in (torch.enable_grad, torch.no_grad, torch.inference_mode):
        with mode():
            plain = model(x)
            with ch.watch(model) as capture:
                watched = model(x)
        same_bits(plain, watched)
        assert plain.requires_grad == watched.requires_grad
        assert plain.is_inference() == watched.is_inference()
        assert list(capture) == PATHS
        for amap in capture.values():
            assert amap.check().ok()
            assert not amap.dense().requires_grad
            assert not amap.dense().is_inference()


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("again", [False, True], ids=["kept", "checkpointed"])
def test_training(dropout: float, again: bool, x: Tensor, same_bits: Callable[..., None]) -> None:
    model = Stack(dropout, again).train()
    results = []
    for watched in (False, True):
        torch.manual_seed(3)
        model.zero_grad()
        given = x.clone().requires_grad_()
        if watched:
            with ch.watch(model) as capture:
                output = model(given)
                output.square().sum().backward()
        else:
            output = model(given)
            output.square().sum().backward()
        results.append([output, given.grad, *(p.grad.clone() for p in model.parameters()), torch.rand(3)])
    same_bits(*results)
    assert list(capture) == PATHS  # a checkpointed layer runs twice and is seen once
    for amap in capture.values():
        check = amap.check()
        assert check.row_sum < 1e-5
        assert (check.output is None) == (dropout > 0)


def test_backward_after_the_watch(x: Tensor, same_bits: Callable[..., None]) -> None:
    """A layer that is run again in a backward pass outside gives the gradients it would have given."""
    model = Stack(again=True).train()
    gradients = []
    for watched in (False, True):
        model.zero_grad()
        if watched:
            with ch.watch(model):
                output = model(x)
        else:
            output = model(x)
        output.square().sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    same_bits(*gradients)


def test_a_bias_that_is_learned_keeps_its_gradient(x: Tensor, same_bits: Callable[..., None]) -> None:
    model, gradients = Attention(), []
    bias = torch.randn(HEADS, TOKENS, TOKENS)
    for watched in (False, True):
        learned = bias.clone().requires_grad_()
        if watched:
            with ch.watch(model) as capture:
                model(x, learned).square().sum().backward()
        else:
            model(x, learned).square().sum().backward()
        gradients.append(learned.grad)
    same_bits(*gradients)
    assert capture["Attention"].check().ok()


@pytest.mark.parametrize("grad", [False, True])
def test_autocast(grad: bool, model: Stack, x: Tensor, same_bits: Callable[..., None]) -> None:
    """The map is exact for the rounded q and k: autocast does not reach into it."""
    with torch.set_grad_enabled(grad), torch.autocast("cpu", dtype=torch.bfloat16):
        plain = model(x)
        with ch.watch(model) as capture:
            watched = model(x)
    same_bits(plain, watched)
    amap = capture["layers.0"]
    assert amap.q.dtype == torch.bfloat16  # type: ignore[attr-defined]
    q, k = amap.q.float(), amap.k.float()  # type: ignore[attr-defined]
    expected = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1)
    assert (amap.dense() - expected).abs().max() < 1e-5
    assert amap.check().row_sum < 1e-5
    assert amap.check().output < 0.02  # type: ignore[operator]  # the kernel rounds to 8 bits


def test_a_decoding_step_under_autocast_is_exact(x: Tensor, reference: Callable[..., Tensor]) -> None:
    class Step(nn.Module):
        def forward(self, q: Tensor, k: Tensor) -> Tensor:
            return torch.nn.functional.scaled_dot_product_attention(q, k, k)

    module, q, k = Step(), 3 * torch.randn(BATCH, HEADS, 1, 5), torch.randn(BATCH, HEADS, TOKENS, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16), ch.watch(module) as capture:
        module(q, k)
    expected = reference(q.bfloat16().float(), k.bfloat16().float())
    assert (capture["Step"].dense() - expected).abs().max() < 1e-5


@pytest.mark.parametrize("values", [False, True])
def test_values_kept_whole(values: bool, model: Stack, x: Tensor) -> None:
    with ch.watch(model, values=values) as capture:
        model(x)
    check = capture["layers.1"].check()
    assert check.columns == (DIM // HEADS if values else 1)
    assert check.ok()


# Compiled models.


@pytest.mark.parametrize("how", ["wrapped", "in place", "one layer"])
def test_compiled(how: str, model: Stack, x: Tensor, same_bits: Callable[..., None]) -> None:
    """What is compiled runs uncompiled while it is watched, and PyTorch has nothing to warn of."""
    called: Any = model
    with torch.no_grad():
        plain = model(x)
        if how == "wrapped":
            called = torch.compile(model, backend="eager")
        elif how == "in place":
            model.compile(backend="eager")
        else:
            model.layers[1] = torch.compile(model.layers[1], backend="eager")  # type: ignore[call-overload]
        same_bits(called(x), plain)
        with ch.watch(called) as capture:
            watched = called(x)
        same_bits(watched, plain)
        same_bits(called(x), plain)
    assert list(capture) == PATHS
    assert all(amap.check().ok() for amap in capture.values())
    assert torch._dynamo.eval_frame._stance.stance == "default"
    torch._dynamo.reset()


# Said by PyTorch, watched or not.
@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
def test_under_vmap_the_model_runs(model: Stack, x: Tensor) -> None:
    def run() -> Tensor:
        with torch.no_grad():
            result: Tensor = torch.vmap(model)(x[:, None])
        return result

    plain = run()
    with pytest.raises(NothingCapturedError, match="vmap"), ch.watch(model):
        watched = run()
    assert torch.equal(plain, watched)


# What is left behind: nothing.


def test_everything_is_put_back(model: Stack, x: Tensor, traces: Callable[[], list[Any]]) -> None:
    before = traces()
    with ch.watch(model):
        during = traces()
        model(x)
    after = traces()
    assert [id(a) for a in after] == [id(b) for b in before]
    assert not {id(a) for a in during} & {id(b) for b in before}, "a function is not replaced while watching"


def test_everything_is_put_back_after_an_exception(model: Stack, x: Tensor, traces: Callable[[], list[Any]]) -> None:
    before = traces()

    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    handle = model.layers[1].register_forward_hook(fail)
    with pytest.raises(KeyboardInterrupt), ch.watch(model) as capture:
        model(x)
    assert [id(a) for a in traces()] == [id(b) for b in before]
    assert list(capture) == PATHS[:2]  # what was seen is at hand, the second layer's output failed
    handle.remove()
    with ch.watch(model.layers[2]) as capture:
        model(x)
    assert list(capture) == ["Attention"]


def test_an_exception_in_the_model_leaves_no_module_behind(model: Stack, x: Tensor) -> None:
    """Attention of another model must not be taken for that of a module that has gone by an exception."""
    other = Attention()
    with ch.watch(model) as capture:
        with pytest.raises(RuntimeError, match="mat1 and mat2 shapes"):
            model(x[..., 1:])
        other(x)
        model(x)
    assert list(capture) == PATHS


def test_a_watch_around_a_part_of_a_forward_pass(x: Tensor, traces: Callable[[], list[Any]]) -> None:
    """A model may watch itself, so that its outer modules enter unseen or leave unseen."""

    class Inward(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = Attention(), Attention()

        def forward(self, x: Tensor) -> Tensor:
            with ch.watch(self.first) as self.seen:
                x = self.first(x)
            return self.second(x)

    inward, before = Inward(), traces()
    inward(x)
    assert list(inward.seen) == ["Attention"]
    with ch.watch(inward) as capture:
        inward(x)
    assert list(capture) == ["first", "second"]
    assert [id(a) for a in traces()] == [id(b) for b in before]


def test_hooks_of_others_stay(model: Stack, x: Tensor) -> None:
    seen: list[str] = []
    handle = nn.modules.module.register_module_forward_pre_hook(lambda module, _: seen.append(type(module).__name__))
    try:
        with ch.watch(model):
            model(x)
        count = len(seen)
        model(x)
        assert len(seen) == 2 * count > 0
    finally:
        handle.remove()


def test_a_module_imported_while_watching(tmp_path: Path, model: Stack, x: Tensor) -> None:
    (tmp_path / "late.py").write_text("from torch.nn.functional import scaled_dot_product_attention\n")
    specification = importlib.util.spec_from_file_location("late", tmp_path / "late.py")
    assert specification is not None
    assert specification.loader is not None
    late = importlib.util.module_from_spec(specification)
    try:
        with ch.watch(model):
            sys.modules["late"] = late
            specification.loader.exec_module(late)
            model(x)
        assert late.scaled_dot_product_attention is torch.nn.functional.scaled_dot_product_attention
    finally:
        sys.modules.pop("late", None)


# Several watches, several models, several threads.


def test_nested_watches_of_one_model(model: Stack, x: Tensor, traces: Callable[[], list[Any]]) -> None:
    before = traces()
    with ch.watch(model) as outer:
        model(x)
        with ch.watch(model, layers=1) as inner:
            model(x)
        model(x)
    assert [id(a) for a in traces()] == [id(b) for b in before]
    assert list(outer) == [*PATHS, *(f"{p}@1" for p in PATHS), *(f"{p}@2" for p in PATHS)]
    assert list(inner) == ["layers.1"]
    assert torch.equal(inner["layers.1"].dense(), outer["layers.1@1"].dense())
    assert len(outer.calls("layers.1")) == 3


def test_nested_watches_of_a_part(model: Stack, x: Tensor) -> None:
    with ch.watch(model) as outer, ch.watch(model.layers[2]) as inner:
        model(x)
    assert list(outer) == PATHS
    assert list(inner) == ["Attention"]
    assert torch.equal(inner["Attention"].dense(), outer["layers.2"].dense())


def test_watches_that_end_in_another_order(model: Stack, x: Tensor, traces: Callable[[], list[Any]]) -> None:
    before = traces()
    first, second = ch.watch(model), ch.watch(model)
    one = first.__enter__()
    two = second.__enter__()
    model(x)
    first.__exit__(None, None, None)
    model(x)
    second.__exit__(None, None, None)
    assert [id(a) for a in traces()] == [id(b) for b in before]
    assert (len(one), len(two)) == (3, 6)


def test_other_models_are_not_recorded(model: Stack, x: Tensor) -> None:
    other = Stack().eval()
    failed: list[BaseException] = []
    watching, done = threading.Event(), threading.Event()

    def elsewhere() -> None:
        try:
            watching.wait(30)
            for _ in range(3):
                other(x)
        except BaseException as error:  # noqa: BLE001  # it is looked at below
            failed.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    with ch.watch(model) as capture:
        other(x)
        handle = model.layers[1].register_forward_pre_hook(lambda *_: (watching.set(), done.wait(30), None)[-1])
        model(x)  # the other thread runs its model in the middle of this one
        handle.remove()
        other(x)
    thread.join()
    assert not failed
    assert list(capture) == PATHS


# What to watch.


@pytest.mark.parametrize(
    ("layers", "seen"),
    [
        (None, PATHS),
        (1, ["layers.1"]),
        ([0, 2], ["layers.0", "layers.2"]),
        ("layers.2", ["layers.2"]),
        ("layers", PATHS),
        ("layers.[01]", ["layers.0", "layers.1"]),
        (["*.0", 2], ["layers.0", "layers.2"]),
    ],
)
def test_layers(layers: Any, seen: list[str], model: Stack, x: Tensor) -> None:
    with ch.watch(model, layers=layers) as capture:
        model(x)
    assert list(capture) == seen
    assert [layer.number for layer in capture.layers] == [int(path[-1]) for path in seen]


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("layers", [1, "1", "1.inner"])
def test_layers_that_are_asked_for_weights(layers: Any, grad: bool, x: Tensor) -> None:
    model = nn.Sequential(Weighted(), Weighted(), Weighted()).eval()
    with torch.set_grad_enabled(grad), ch.watch(model, layers=layers) as capture:
        model(x)
    assert [(layer.path, layer.number) for layer in capture.layers] == [("1.inner", 1)]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("layers.7", r"no module 'layers.7' in this model; near it: .*layers\.[012]"),
        ("encoder.*", r"no module 'encoder.\*'"),
        (-1, "numbered from 0 in order of execution; got -1"),
        (True, "numbers, module paths or globs; got True"),
    ],
)
def test_layers_that_cannot_be(layers: Any, message: str, model: Stack, traces: Callable[[], list[Any]]) -> None:
    before = traces()
    with pytest.raises(UnknownLayerError, match=message):
        ch.watch(model, layers=layers)
    assert [id(a) for a in traces()] == [id(b) for b in before]


def test_layers_that_did_not_run(model: Stack, x: Tensor) -> None:
    with pytest.raises(UnknownLayerError, match="no layer 5: attention ran in 3 modules"), ch.watch(model, layers=5):
        model(x)
    with pytest.raises(UnknownLayerError, match="no attention ran in 'head'"), ch.watch(model, layers=[0, "head"]):
        model(x)


def test_nothing_to_see(model: Stack, x: Tensor) -> None:
    looked_for = "scaled_dot_product_attention.*MultiheadAttention.*flex_attention.*AttentionInterface"
    with pytest.raises(NothingCapturedError, match="was not called while watched: call it inside"), ch.watch(model):
        pass
    linear = nn.Linear(DIM, 2)
    with pytest.raises(NothingCapturedError, match=f"ran, but no attention.*{looked_for}"), ch.watch(linear):
        linear(x)


def test_an_error_inside_is_not_hidden(model: Stack) -> None:
    with pytest.raises(ZeroDivisionError), ch.watch(model):
        _ = 1 / 0


def test_a_mistake_in_a_call_is_still_one(model: Stack) -> None:
    with pytest.raises(RuntimeError, match=r"mat1 and mat2 shapes"), ch.watch(model):
        model(torch.randn(BATCH, TOKENS, DIM + 1))


def test_shared_layers_keep_every_call(x: Tensor) -> None:
    layer = Attention()
    model = nn.Sequential(layer, layer, nn.Sequential(layer))
    with ch.watch(model) as capture:
        model(x)
    assert list(capture) == ["0", "0@1", "0@2"]
    assert not torch.equal(capture["0"].dense(), capture["0@1"].dense())


def test_a_capture_is_at_hand_inside(model: Stack, x: Tensor) -> None:
    with ch.watch(model) as capture:
        model(x)
        assert list(capture) == PATHS
        assert capture["layers.0"].dense().sum(-1).allclose(torch.ones(BATCH, HEADS, TOKENS))


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("kind", ["runs of keys", "odd", "added"])
def test_layers_share_what_they_share(kind: str, inference: bool, x: Tensor) -> None:
    """A mask that all layers are given is kept once."""

    class Masked(Stack):
        def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
            for layer in self.layers:
                x = layer(x, mask)
            return x

    place = torch.arange(TOKENS)
    masks = {
        "runs of keys": torch.ones(1, 1, TOKENS, TOKENS).tril().bool(),
        "odd": ((place[:, None] + place) % 2 == 0)[None, None],
        "added": torch.randn(1, HEADS, TOKENS, TOKENS),
    }
    model = Masked()
    with torch.inference_mode(inference), ch.watch(model) as capture:
        model(x, masks[kind].clone())
    places = []
    for amap in capture.values():
        held = {name: tensor for name, tensor in amap.tensors().items() if name.startswith(("mask", "bias"))}
        assert ("bias" in held) == (kind == "added")
        places.append({name: tensor.data_ptr() for name, tensor in held.items()})
    assert places[0]
    assert places[0] == places[1] == places[2]


def test_maps_elsewhere(model: Stack, x: Tensor) -> None:
    with torch.no_grad(), ch.watch(model, device="cpu", layers=0) as capture:
        model(x)
    assert capture["layers.0"].device == torch.device("cpu")
    assert capture.provenance["class"] == "Stack"
