"""Published architectures compute what transformers computes, and are written so that it reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import BOTH, DECODERS, ENCODERS, MODELS, VISION, inputs, saved
from torch import Tensor

import clearhead as ch
from clearhead.errors import ModelError
from clearhead.models import LoadedModel, load
from clearhead.models.pretrained import ARCHITECTURES

CLOSE = 1e-5


def output(found: Any) -> Tensor:
    """The tensor that matters of what transformers gives."""
    for name in ("logits", "prediction_logits", "last_hidden_state"):
        if name in found:
            return found[name]
    raise AssertionError(found.keys())


def assert_same(found: Tensor, wanted: Tensor, there: Tensor | None = None) -> None:
    """Equal as far as ``there`` says that there are tokens."""
    assert found.shape == wanted.shape
    difference = (found - wanted).abs()
    if there is not None and difference.dim() == 3:
        difference = difference[there]
    worst = float(difference.max() / wanted.abs().max().clamp(min=1.0))
    assert worst <= CLOSE, f"off by {worst:.2g}"


@pytest.fixture(params=MODELS)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def both(name: str, tmp_path: Path) -> tuple[Any, LoadedModel]:
    theirs = saved(name, tmp_path)
    return theirs, load(tmp_path)


@pytest.mark.parametrize("padded", [False, True])
@torch.no_grad()
def test_it_computes_the_same(both: tuple[Any, LoadedModel], name: str, padded: bool) -> None:
    theirs, ours = both
    given, own, options, there = inputs(name, padded)
    wanted = theirs(**given, output_hidden_states=True)
    states: list[Tensor] = []
    if name in BOTH:
        found = ours(*own, **options)
        ours.stack.encoder(own[0], **options, states=states)
        hidden, there = wanted.encoder_hidden_states, options.get("mask")
        assert_same(found, output(wanted))
    else:
        found = ours(*own, **options, states=states)
        hidden = wanted.hidden_states
        assert_same(found, output(wanted), there)
    assert len(states) == len(hidden)
    # transformers' last hidden state has the last norm where a model has a head, and not always where it is bare.
    for mine, state in list(zip(states, hidden, strict=True))[: None if name not in VISION else -1]:
        assert_same(mine, state, there)


@torch.no_grad()
def test_maps_are_the_attentions(name: str, tmp_path: Path) -> None:
    model = saved(name, tmp_path)
    theirs = type(model).from_pretrained(tmp_path, attn_implementation="eager").eval()
    ours = load(tmp_path)
    given, own, options, there = inputs(name, padded=name not in VISION)
    wanted = theirs(**given, output_attentions=True)
    with ch.watch(ours) as capture:
        ours(*own, **options)
    if name in BOTH:
        layers = [*wanted.encoder_attentions]
        for one, cross in zip(wanted.decoder_attentions, wanted.cross_attentions, strict=True):
            layers += [one, cross]
    else:
        layers = list(wanted.attentions)
    assert len(capture) == len(layers)
    for layer, weights in zip(capture.layers, layers, strict=True):
        rows = there if there is not None and weights.shape[2] == there.shape[1] and name not in BOTH else None
        difference = (layer.map.dense() - weights).abs()
        if rows is not None:
            difference = difference.transpose(1, 2)[rows]
        assert difference.max() <= CLOSE


@torch.no_grad()
def test_it_is_written_so_that_transformers_reads_it(both: tuple[Any, LoadedModel], name: str, tmp_path: Path) -> None:
    theirs, ours = both
    folder = tmp_path / "again"
    ours.save(folder)
    back, found = type(theirs).from_pretrained(folder, output_loading_info=True)
    assert not any(found[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    given = inputs(name, padded=True)[0]
    assert torch.equal(output(back.eval()(**given)), output(theirs(**given)))
    written, first = (load_file(x / "model.safetensors") for x in (folder, tmp_path))
    assert written.keys() == first.keys()
    assert all(torch.equal(written[key], first[key]) for key in first)
    assert json.loads((folder / "config.json").read_text()) == json.loads((tmp_path / "config.json").read_text())


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama, grouped", "roberta", "t5"])
@torch.no_grad()
def test_what_was_trained_is_written(name: str, tmp_path: Path) -> None:
    kind = type(saved(name, tmp_path))
    ours = load(tmp_path)
    for parameter in ours.parameters():
        parameter.mul_(1.25)
    assert load(tmp_path).state_dict().keys() == ours.state_dict().keys()
    ours.save(tmp_path / "trained")
    given, own, options, there = inputs(name, padded=True)
    wanted = output(kind.from_pretrained(tmp_path / "trained").eval()(**given))
    assert_same(ours(*own, **options), wanted, there)
    # The file it came from is as it was: what is mapped is not written.
    assert not torch.equal(load(tmp_path)(*own, **options), ours(*own, **options))


@pytest.mark.parametrize("name", [*ENCODERS, *DECODERS, *BOTH])
@torch.no_grad()
def test_a_text_by_itself_is_the_text_in_a_padded_batch(name: str, tmp_path: Path) -> None:
    saved(name, tmp_path)
    ours = load(tmp_path)
    _, own, options, there = inputs(name, padded=True)
    whole = ours(*own, **options)
    count = int(options["mask"][1].sum())
    alone = ours(own[0][1:, :count], *(x[1:] for x in own[1:]))
    assert_same(whole[1:, :count] if there is not None and whole.dim() == 3 else whole[1:], alone)


@pytest.mark.parametrize("name", [name for name in DECODERS if "bare" not in name])
@torch.no_grad()
def test_padding_in_front(name: str, tmp_path: Path) -> None:
    saved(name, tmp_path)
    ours = load(tmp_path)
    ids = torch.randint(3, 53, (2, 11))
    there = torch.arange(11) >= torch.tensor([[0], [4]])
    assert_same(ours(ids, mask=there)[1:, 4:], ours(ids[1:, 4:]))


def test_every_architecture_is_tested() -> None:
    kinds = {tiny.kind for tiny in MODELS.values()}
    for architecture in ARCHITECTURES:
        assert kinds >= {*architecture.bare, *architecture.heads}


def test_the_comparison_notices() -> None:
    x = torch.ones(2, 3, 5)
    assert_same(x, x + 1e-6)
    with pytest.raises(AssertionError, match="off by"):
        assert_same(x, x + 1e-4)
    there = torch.ones(2, 3, dtype=torch.bool)
    wrong = x.clone()
    wrong[1, 2] += 1
    with pytest.raises(AssertionError, match="off by"):
        assert_same(wrong, x, there)
    there[1, 2] = False
    assert_same(wrong, x, there)


# Files.


def edit(folder: Path, **changes: Any) -> None:
    """Other configuration keys; None takes one out."""
    path = folder / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


def reweigh(folder: Path, change: Any) -> None:
    """Other weights."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize("pickled", [False, True])
@torch.no_grad()
def test_shards_and_pickled_weights(pickled: bool, tmp_path: Path) -> None:
    theirs = saved("gpt2", tmp_path)
    ids = inputs("gpt2", padded=False)[1]
    wanted = load(tmp_path)(*ids)
    tensors = load_file(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    if pickled:
        torch.save(tensors, tmp_path / "pytorch_model.bin")
        assert torch.equal(load(tmp_path)(*ids), wanted)
        (tmp_path / "pytorch_model.bin").unlink()
    theirs.save_pretrained(tmp_path, max_shard_size="5KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    assert torch.equal(load(tmp_path)(*ids), wanted)
    next(tmp_path.glob("model-00002*")).unlink()
    with pytest.raises(ModelError, match=r"lacks model-00002.* of .* shards; download the model again"):
        load(tmp_path)


def test_weights_are_mapped_and_take_no_memory(tmp_path: Path) -> None:
    saved("bert", tmp_path)
    ours = load(tmp_path)
    assert all(not parameter.is_meta for parameter in ours.parameters())
    lines = Path("/proc/self/maps").read_text()
    assert str(tmp_path / "model.safetensors") in lines


def test_older_names_and_names_without_a_prefix(tmp_path: Path) -> None:
    saved("bert, words", tmp_path)
    _, own, _, _ = inputs("bert, words", padded=False)
    wanted = load(tmp_path)(*own)

    def older(tensors: dict[str, Tensor]) -> None:
        for key in [key for key in tensors if "LayerNorm" in key]:
            tensors[key.replace("weight", "gamma").replace("bias", "beta")] = tensors.pop(key)

    reweigh(tmp_path, older)
    assert torch.equal(load(tmp_path)(*own), wanted)
    saved("gpt2", tmp_path)
    wanted = load(tmp_path)(*own)

    def bare(tensors: dict[str, Tensor]) -> None:
        for key in list(tensors):
            tensors[key.removeprefix("transformer.")] = tensors.pop(key)
        tensors["h.0.attn.bias"] = torch.ones(1, 1, 67, 67).tril()

    reweigh(tmp_path, bare)
    assert torch.equal(load(tmp_path)(*own), wanted)


@pytest.mark.parametrize(
    "name", ["bert, words", "bert, pretraining", "gpt2", "llama", "t5", "vit, classes", "roberta, classes"]
)
@torch.no_grad()
def test_without_its_head(name: str, tmp_path: Path) -> None:
    theirs = saved(name, tmp_path)
    ours = load(tmp_path, head=False)
    given, own, _, _ = inputs(name, padded=False)
    assert ours.stack is ours.network
    body = getattr(theirs, theirs.base_model_prefix) if name != "t5" else theirs
    wanted = body(**given)
    wanted = (
        wanted.last_hidden_state
        if name != "t5"
        else theirs.decoder(
            given["decoder_input_ids"], encoder_hidden_states=wanted.encoder_last_hidden_state
        ).last_hidden_state
    )
    assert_same(ours(*own), wanted)
    ours.save(tmp_path / "bare")
    if name != "t5":
        _, said = type(body).from_pretrained(tmp_path / "bare", output_loading_info=True)
        assert not said["unexpected_keys"]
    assert load(tmp_path / "bare").network.state_dict().keys() == ours.network.state_dict().keys()


# What can be wrong.


def test_an_unknown_architecture(tmp_path: Path) -> None:
    saved("bert", tmp_path)
    edit(tmp_path, model_type="mamba")
    with pytest.raises(ModelError, match="'mamba', which is not built here; there are bert, roberta, gpt2, t5"):
        load(tmp_path)
    edit(tmp_path, model_type="bert", architectures=["BertForQuestionAnswering"])
    with pytest.raises(ModelError, match=r"says BertForQuestionAnswering.*BertForMaskedLM.*head=False"):
        load(tmp_path)
    load(tmp_path, head=False)


@pytest.mark.parametrize(
    ("name", "key", "value", "said"),
    [
        ("bert", "layer_norm_epsilon", 1e-5, "'layer_norm_epsilon', which bert is not known to have"),
        ("bert", "position_embedding_type", "relative_key", "positions in the scores.*only 'absolute' is"),
        ("bert", "hidden_act", "mish", "no activation 'mish'"),
        ("bert", "hidden_size", "24", "hidden_size = '24', and a number is wanted"),
        ("gpt2", "scale_attn_by_inverse_layer_idx", True, "scores divided by the layer's number"),
        (
            "llama",
            "rope_parameters",
            {"rope_type": "longrope", "factor": 2.0},
            "scaling 'longrope' is not known",
        ),
        ("llama", "rope_parameters", {"rope_type": "linear", "factr": 2.0}, "rotary scaling 'linear' has 'factr'"),
        ("llama", "rope_parameters", {"rope_type": "linear"}, "rotary scaling 'linear' lacks a setting"),
    ],
)
def test_a_key_that_is_not_understood(name: str, key: str, value: Any, said: str, tmp_path: Path) -> None:
    saved(name, tmp_path)
    edit(tmp_path, **{key: value})
    with pytest.raises(ModelError, match=said):
        load(tmp_path)


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    saved("bert", tmp_path)
    reweigh(tmp_path, lambda tensors: tensors.update({"encoder.layer.0.extra.weight": torch.ones(2)}))
    with pytest.raises(ModelError, match=r"has encoder\.layer\.0\.extra\.weight, which nothing here uses"):
        load(tmp_path)
    saved("bert", tmp_path)
    reweigh(tmp_path, lambda tensors: tensors.pop("encoder.layer.1.output.dense.bias"))
    with pytest.raises(ModelError, match=r"lacks encoder\.layer\.1\.output\.dense\.bias; with random numbers"):
        load(tmp_path)
    saved("bert", tmp_path)
    edit(tmp_path, intermediate_size=43)
    with pytest.raises(ModelError, match=r"intermediate\.dense\.(weight|bias) of .*41.*, and its .* makes it .*43"):
        load(tmp_path)
    saved("llama", tmp_path)
    edit(tmp_path, attention_bias=True)
    with pytest.raises(ModelError, match=r"lacks model\.layers\.0\.self_attn\.q_proj\.bias"):
        load(tmp_path)


def test_files_that_are_not_whole(tmp_path: Path) -> None:
    saved("bert", tmp_path)
    weights = tmp_path / "model.safetensors"
    whole = weights.read_bytes()
    for part in (whole[:-5], whole[: len(whole) // 2], whole[:100], b""):
        weights.write_bytes(part)
        with pytest.raises(ModelError, match="is truncated or altered"):
            load(tmp_path)
    weights.unlink()
    with pytest.raises(ModelError, match="holds no weights"):
        load(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK\x03\x04 half of a file")
    with pytest.raises(ModelError, match="is truncated or altered"):
        load(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match="cannot read"):
        load(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(ModelError, match=r"there is no config\.json in it"):
        load(tmp_path)


class Code:
    """What no file of weights should hold."""


def test_a_pickle_that_holds_code_is_not_run(tmp_path: Path) -> None:
    saved("bert", tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save({"weight": Code()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="holds more than weights, and is not loaded"):
        load(tmp_path)


def test_no_such_model() -> None:
    with pytest.raises(ModelError, match="cannot load 'nobody/nothing': it is neither a folder nor in the local hub"):
        load("nobody/nothing")


@pytest.mark.parametrize("missing", ["model.safetensors", "config.json"])
def test_a_half_downloaded_model_is_not_used(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    saved("bert", tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(tmp_path))
    assert load("somebody/something").name == "somebody/something"
    (tmp_path / missing).unlink()
    with pytest.raises(ModelError, match="neither a folder nor in the local hub cache"):
        load("somebody/something")
