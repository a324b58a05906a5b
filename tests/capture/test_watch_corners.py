"""Threads, compiled code, edited code and flash kernels: where watching could disturb or miss something."""

import importlib
import math
import sys
import threading
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

import clearhead as ch
from clearhead.capture import huggingface, recorder
from clearhead.capture.intercept import OuterCall, _mha_call
from clearhead.errors import NothingCapturedError, StaleMapError


class Attention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return scaled_dot_product_attention(x, x, x)


class Waiting(nn.Module):
    """A module that is inside its attention when another thread's watch ends."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.go_on = threading.Event(), threading.Event()

    def forward(self, x: Tensor) -> Tensor:
        self.inside.set()
        assert self.go_on.wait(30)
        return x


def test_a_watch_that_ends_leaves_other_threads_alone() -> None:
    """One whose model runs on its own, and one that is inside a call of MultiheadAttention that is looked into."""
    waiting = Waiting()
    other = nn.Sequential(waiting, Attention())
    failed: list[BaseException] = []

    def run() -> None:
        try:
            with torch.no_grad(), ch.watch(other) as capture:
                other(torch.randn(1, 2, 3, 4))
            assert list(capture) == ["1"]
        except BaseException as error:  # noqa: BLE001  # told to the main thread
            failed.append(error)

    thread = threading.Thread(target=run)
    model = nn.Sequential(Attention())
    with ch.watch(model):
        model(torch.randn(1, 2, 3, 4))
        thread.start()
        assert waiting.inside.wait(30)
    with ch.watch(model):
        model(torch.randn(1, 2, 3, 4))
    waiting.go_on.set()
    thread.join(30)
    assert failed == []


def test_an_attention_call_in_flight_survives_the_end_of_another_threads_watch() -> None:
    from transformers import AttentionInterface, BertConfig, BertModel
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    inside, go_on = threading.Event(), threading.Event()

    def slow(*args: object, **kwargs: object) -> object:
        inside.set()
        assert go_on.wait(30)
        return sdpa_attention_forward(*args, **kwargs)  # type: ignore[arg-type]

    AttentionInterface.register("slow", slow)
    try:
        config = BertConfig(
            hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, vocab_size=7
        )
        bert = BertModel._from_config(config, attn_implementation="slow").eval()
        result: list[object] = []

        def run() -> None:
            try:
                result.append(bert(torch.tensor([[1, 2, 3]])).last_hidden_state.shape)
            except BaseException as error:  # noqa: BLE001  # told to the main thread
                result.append(error)

        model = nn.Sequential(Attention())
        thread = threading.Thread(target=run)
        with ch.watch(model):
            model(torch.randn(1, 2, 3, 4))
            thread.start()
            assert inside.wait(30)
        go_on.set()
        thread.join(30)
        assert result == [(1, 3, 8)]
    finally:
        del AttentionInterface._global_mapping["slow"]


@pytest.mark.filterwarnings("ignore:.*global hooks on modules")  # PyTorch says so of every hook while it compiles
def test_compiled_code_runs_while_something_else_is_watched() -> None:
    model, other = nn.Sequential(Attention()), nn.Sequential(Attention())
    compiled = torch.compile(other, backend="eager")
    x = torch.randn(1, 2, 3, 4)
    with ch.watch(model) as capture:
        model(x)
        torch.testing.assert_close(compiled(x), other(x))
    assert list(capture) == ["0"]


@pytest.mark.filterwarnings("ignore:.*global hooks on modules")  # PyTorch says so of every hook while it compiles
def test_compiled_flex_attention_is_seen_and_stays_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch.nn.attention.flex_attention import flex_attention

    ran = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> object:
        ran.append(graph)
        return graph

    compiled = torch.compile(flex_attention, backend=backend)
    module = sys.modules[Attention.__module__]
    monkeypatch.setattr(module, "compiled_flex_attention", compiled, raising=False)

    class Flex(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            output: Tensor = vars(module)["compiled_flex_attention"](x, x, x)
            return output

    model, x = Flex(), torch.randn(1, 2, 5, 8)
    with torch.no_grad(), ch.watch(model) as outer, ch.watch(model) as inner:
        output = model(x)
    assert len(ran) == 1
    assert vars(module)["compiled_flex_attention"] is compiled
    assert torch.equal(output, compiled(x, x, x))
    for capture in (outer, inner):
        assert capture["Flex"].check().ok()
        torch.testing.assert_close(capture["Flex"].dense(), (x @ x.mT / math.sqrt(8)).softmax(-1))


def test_code_that_was_edited_and_loaded_again_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = "from torch.nn.functional import softmax as attend\nfrom torch import nn\nclass M(nn.Module):\n"
    body = "    def forward(self, x):\n        return attend(x, x, x)\n"
    file = tmp_path / "edited_model.py"
    file.write_text(before + "    def forward(self, x):\n        return attend(x, -1)\n")
    module = importlib.import_module("edited_model")
    x = torch.randn(1, 2, 3, 4)
    with pytest.raises(NothingCapturedError), ch.watch(module.M()) as capture:
        module.M()(x)
    file.write_text(before.replace("softmax", "scaled_dot_product_attention") + body + "# edited\n")
    module = importlib.reload(module)
    model = module.M()
    with ch.watch(model) as capture:
        model(x)
    assert list(capture) == ["M"]
    assert module.attend is torch.nn.functional.scaled_dot_product_attention


def test_a_function_kept_as_an_attribute_is_seen_and_put_back() -> None:
    class Kept(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attend = torch.nn.functional.scaled_dot_product_attention

        def forward(self, x: Tensor) -> Tensor:
            return self.attend(x, x, x)

    model = nn.Sequential(Kept(), Attention())
    with ch.watch(model) as capture:
        model(torch.randn(1, 2, 3, 4))
    assert list(capture) == ["0", "1"]
    assert model[0].attend is torch.nn.functional.scaled_dot_product_attention


def test_a_watch_is_entered_once() -> None:
    model = nn.Sequential(Attention())
    once = ch.watch(model)
    with once:
        model(torch.randn(1, 2, 3, 4))
    with pytest.raises(RuntimeError, match="entered once"):
        once.__enter__()


def test_a_map_that_cannot_be_made_does_not_stop_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("made to fail")

    monkeypatch.setattr(recorder, "_align", fail)
    model = nn.Sequential(Attention())
    x = torch.randn(1, 2, 3, 4)
    outputs: list[Tensor] = []

    def watched() -> None:
        with ch.watch(model):
            outputs.append(model(x))

    with pytest.raises(NothingCapturedError, match="attention of 0 ran, but its map could not be made: made to fail"):
        watched()
    assert torch.equal(outputs[0], model(x))


SHAPES = [
    ((4, 5, 8), (2, 4, 7, 8), None),
    ((4, 5, 8), (1, 1, 7, 8), (1, 4, 1, 7)),
    ((3, 4, 5, 8), (1, 1, 7, 8), (3, 1, 5, 7)),
    ((2, 1, 5, 8), (1, 3, 7, 8), (5, 7)),
    ((3, 5, 8), (3, 7, 8), (3, 5, 7)),
    ((5, 8), (7, 8), (5, 7)),
    ((2, 3, 4, 5, 8), (3, 4, 7, 8), (2, 1, 1, 5, 7)),
]


@pytest.mark.parametrize(("queries", "keys", "masked"), SHAPES)
def test_shapes_that_broadcast(queries: tuple[int, ...], keys: tuple[int, ...], masked: tuple[int, ...] | None) -> None:
    class Two(nn.Module):
        def forward(self, q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
            return scaled_dot_product_attention(q, k, k, mask)

    q, k = torch.randn(queries), torch.randn(keys)
    mask = None if masked is None else torch.randn(masked)
    model = Two()
    with torch.no_grad(), ch.watch(model) as capture:
        output = model(q, k, mask)
    scores = q.double() @ k.double().transpose(-1, -2) / math.sqrt(8)
    expected = torch.softmax(scores if mask is None else scores + mask.double(), -1)
    (amap,) = capture.values()
    torch.testing.assert_close(amap.dense().double().reshape(expected.shape), expected, atol=1e-6, rtol=0)
    assert output.shape[:-1] == expected.shape[:-1]
    assert amap.check().ok()


@pytest.mark.parametrize(("queries", "keys", "causal", "window"), [
    (7, 7, True, None), (7, 7, True, 3), (7, 7, False, 3), (1, 9, True, 3), (2, 9, True, 3), (7, 7, False, None),
])  # fmt: skip
def test_flash_kernels_windows(queries: int, keys: int, causal: bool, window: int | None) -> None:
    """As flash-attention has it: sliding_window − 1 keys to either side, to the left alone if causal."""
    q, k = torch.randn(1, 2, queries, 8), torch.randn(1, 2, keys, 8)
    module = nn.Module()
    given = {"attention_mask": None, "is_causal": causal, "sliding_window": window}
    output = torch.zeros(1, queries, 2, 8)
    call = huggingface.call("flash_attention_2", module, q, k, k, output, given, None)
    watching = recorder.Recorder(module, None, values=False, device=None)
    watching.record(module, call)
    (amap,) = watching.capture.values()
    far = torch.arange(queries)[:, None] + keys - queries - torch.arange(keys)
    allowed = torch.ones_like(far, dtype=torch.bool)
    if window is not None:
        allowed &= far.abs() < window
    if causal:
        allowed &= far >= 0
    expected = (q.double() @ k.double().transpose(-1, -2) / math.sqrt(8)).masked_fill(~allowed, -torch.inf).softmax(-1)
    torch.testing.assert_close(amap.dense().double(), expected, atol=1e-6, rtol=0)


def test_keys_that_were_given_are_those_of_the_map() -> None:
    """``static_k`` of multi_head_attention_forward, which no module passes."""
    q = torch.randn(5, 1, 4)
    given = {"num_heads": 2, "bias_k": None, "add_zero_attn": True, "static_k": torch.randn(2, 9, 2)}
    outer = OuterCall()
    outer.projected = (q, q, q)
    call = _mha_call(given | {"attn_mask": None, "key_padding_mask": None}, outer)
    assert call is not None
    assert call.k.shape == (1, 2, 10, 2)
    torch.testing.assert_close(call.k[0, :, :9], given["static_k"])


def test_what_a_score_function_reads_must_not_change() -> None:
    slope = torch.tensor([0.5, 0.25])
    q = torch.randn(1, 2, 5, 8)
    amap = ch.AttentionMap.from_qk(q, q, modify=lambda score, b, h, i, j: score - slope[h] * (i - j))
    amap.dense()
    slope.add_(1)
    with pytest.raises(StaleMapError, match="function reads"):
        amap.dense()
