"""Published architectures compute what transformers computes, and are written so that it reads them."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import BOTH, DECODERS, ENCODERS, MODELS, VISION, inputs, saved
from torch import Tensor

import clearhead as ch
from clearhead.errors import InputError, ModelError, ShapeError
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
    """Equal as far as ``there`` says that there are tokens; of the largest number where that is above 1."""
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
        own_states: list[Tensor] = []
        found = ours(*own, **options, states=states, target_states=own_states)
        hidden, there = wanted.encoder_hidden_states, options.get("mask")
        assert_same(found, output(wanted))
        assert len(own_states) == len(wanted.decoder_hidden_states)
        for mine, state in zip(own_states, wanted.decoder_hidden_states, strict=True):
            assert_same(mine, state)
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
        for is_archive in (True, False):  # before PyTorch 1.6 it was none
            torch.save(tensors, tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=is_archive)
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
        ("bert", "hidden_size", "24", "hidden_size = '24', and a whole number is wanted"),
        ("gpt2", "resid_pdrop", 1.5, "describes no model: dropout probability"),
        ("gpt2", "n_head", 5, "config.json describes no model: .*24.*5"),
        ("gpt2", "architectures", "GPT2LMHeadModel", "a list of names is wanted"),
        ("gpt2", "eos_token_id", "x", "eos_token_id = 'x', and a whole number is wanted"),
        ("gpt2", "tie_word_embeddings", "no", "tie_word_embeddings = 'no', and true or false is wanted"),
        ("bert, words", "tie_word_embeddings", False, "another matrix than the embedding"),
        ("llama", "rope_parameters", [1], "an object with rope_type and its settings is wanted"),
        ("llama", "rope_scaling", {"rope_type": "linear", "factor": 4.0}, "rope_parameters and rope_scaling say"),
        ("llama", "rope_interleaved", True, "neighbouring dimensions"),
        ("t5", "dense_act_fn", "gelu", "feed_forward_proj is 'relu', and dense_act_fn is 'gelu'"),
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


def test_a_weight_that_is_missing_is_not_made_up(tmp_path: Path) -> None:
    for name in ("gpt2, wide", "llama"):
        saved(name, tmp_path)
        reweigh(tmp_path, lambda tensors: tensors.pop("lm_head.weight"))
        with pytest.raises(ModelError, match=r"lacks lm_head\.weight; with random numbers"):
            load(tmp_path)
    saved("gpt2", tmp_path)
    reweigh(tmp_path, lambda tensors: tensors.pop("transformer.h.0.attn.c_attn.bias"))
    with pytest.raises(ModelError, match=r"lacks transformer\.h\.0\.attn\.c_attn\.bias; with"):  # once
        load(tmp_path)


TWICE = [
    ("gpt2", "lm_head.weight", "transformer.wte.weight"),
    ("llama, tied", "lm_head.weight", "model.embed_tokens.weight"),
    ("t5", "lm_head.weight", "shared.weight"),
    ("t5", "encoder.embed_tokens.weight", "shared.weight"),
    ("bert, words", "cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"),
    ("bert, words", "cls.predictions.decoder.bias", "cls.predictions.bias"),
    ("roberta, words", "lm_head.decoder.weight", "roberta.embeddings.word_embeddings.weight"),
]


@pytest.mark.parametrize(("name", "again", "first"), TWICE)
@torch.no_grad()
def test_a_weight_that_is_there_twice(name: str, again: str, first: str, tmp_path: Path) -> None:
    """Equal, it is one weight; another one is a head of its own, as in transformers, or refused."""
    kind = type(saved(name, tmp_path))
    given, own, _, _ = inputs(name, padded=False)
    names = load(tmp_path).state_dict().keys()
    reweigh(tmp_path, lambda tensors: tensors.update({again: tensors[first].clone()}))
    assert load(tmp_path).state_dict().keys() == names
    reweigh(tmp_path, lambda tensors: tensors[again].mul_(-0.7))
    if again != "lm_head.weight":
        with pytest.raises(ModelError, match=r"not equal to shared\.weight|another matrix than the embedding"):
            load(tmp_path)
        return
    ours = load(tmp_path)
    assert len(ours.state_dict()) == len(names) + 1
    wanted = output(kind.from_pretrained(tmp_path).eval()(**given))
    assert_same(ours(*own), wanted)
    ours.save(tmp_path / "again")
    assert_same(output(kind.from_pretrained(tmp_path / "again").eval()(**given)), wanted)


@torch.no_grad()
def test_t5_1_1_as_it_was_published(tmp_path: Path) -> None:
    """With a head of its own and without scaling, both of which newer versions of transformers say otherwise."""
    kind = type(saved("t5, 1.1", tmp_path))
    edit(tmp_path, tie_word_embeddings=False, scale_decoder_outputs=None, dense_act_fn=None, is_gated_act=None)
    reweigh(tmp_path, lambda tensors: tensors.update({"lm_head.weight": torch.randn(53, 24)}))
    given, own, _, _ = inputs("t5", padded=False)
    wanted = output(kind.from_pretrained(tmp_path).eval()(**given))
    assert_same(load(tmp_path)(*own), wanted)


@torch.no_grad()
def test_roberta_does_not_count_padding(tmp_path: Path) -> None:
    theirs = saved("roberta", tmp_path)
    ours = load(tmp_path)
    ids = inputs("roberta", padded=False)[1][0]
    there = torch.arange(11) >= torch.tensor([[0], [4]])
    in_front, inside = ids.masked_fill(~there, 1), ids.clone()
    inside[:, 5] = 1
    wanted = theirs(in_front, attention_mask=there.long()).last_hidden_state
    assert_same(ours(in_front, mask=there), wanted, there)
    assert_same(ours(in_front, mask=there)[1:, 4:], ours(ids[1:, 4:]))
    assert_same(ours(inside), theirs(inside).last_hidden_state)


@torch.no_grad()
def test_dynamic_scaling_is_for_longer_texts(tmp_path: Path) -> None:
    theirs = saved("llama, dynamic", tmp_path)
    ours = load(tmp_path)
    assert ours.limit == 134
    ids = torch.randint(3, 53, (1, 101), generator=torch.Generator().manual_seed(3))
    assert_same(ours(ids), theirs(ids).logits)


def test_the_configuration_says_what_the_weights_are(tmp_path: Path) -> None:
    import transformers

    for name in ("bert", "gpt2"):
        saved(name, tmp_path)
        load(tmp_path, dtype=torch.bfloat16).save(tmp_path / "half")
        tensors = load_file(tmp_path / "half" / "model.safetensors")
        assert {x.dtype for x in tensors.values()} == {torch.bfloat16}
        assert transformers.AutoModel.from_pretrained(tmp_path / "half").dtype == torch.bfloat16
        load(tmp_path / "half", dtype=torch.float32).save(tmp_path / "whole")
        assert transformers.AutoModel.from_pretrained(tmp_path / "whole").dtype == torch.float32


@torch.no_grad()
def test_a_model_is_pickled_by_its_folder_and_weights(tmp_path: Path) -> None:
    saved("t5", tmp_path)
    ours = load(tmp_path)
    for x in ours.parameters():
        x.mul_(1.5)
    own = inputs("t5", padded=False)[1]
    again = pickle.loads(pickle.dumps(ours.train()))  # noqa: S301  # our own
    assert again.training
    assert torch.equal(again.eval()(*own), ours.eval()(*own))


@torch.no_grad()
def test_a_copy_is_of_what_the_model_is_now(tmp_path: Path) -> None:
    saved("gpt2, wide", tmp_path)
    ours = load(tmp_path)
    ours.network.head = torch.nn.Linear(24, 7)
    again = copy.deepcopy(ours)
    own = inputs("gpt2", padded=False)[1]
    assert torch.equal(again(*own), ours(*own))
    again.network.head.weight.mul_(2.0)
    assert not torch.equal(again(*own), ours(*own))


def test_words_of_transformers_are_translated(tmp_path: Path) -> None:
    saved("bert", tmp_path)
    with pytest.raises(InputError, match="attention_mask of transformers is here: mask, booleans"):
        load(tmp_path)(torch.ones(1, 3, dtype=torch.long), attention_mask=None)


def test_what_cannot_be_loaded_so(tmp_path: Path, as_for_users: None) -> None:
    saved("bert", tmp_path)
    with pytest.raises(InputError, match="dtype is 'bfloat16'; weights are of a floating point dtype"):
        load(tmp_path, dtype="bfloat16")
    with pytest.raises(InputError, match=r"cannot move .* to the device 'gpuu'"):
        load(tmp_path, device="gpuu")
    with pytest.raises(ModelError, match="is a file: give a model's folder"):
        load(tmp_path / "config.json")
    with pytest.raises(ModelError, match="is no name"):
        load("")
    reweigh(tmp_path, lambda tensors: tensors.update({"pooler.dense.bias": torch.ones(24)}))
    reweigh(
        tmp_path,
        lambda tensors: tensors.update(
            {"embeddings.LayerNorm.bias": tensors["embeddings.LayerNorm.bias"].to(torch.int8)}
        ),
    )
    with pytest.raises(ModelError, match=r"LayerNorm\.bias of .* is torch\.int8; quantized weights"):
        load(tmp_path)
    (tmp_path / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(ModelError, match="a pointer of git-lfs"):
        load(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    index = {"weight_map": {"a": "../model.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match=r"names '../model\.safetensors', which is not in its folder"):
        load(tmp_path)


def test_what_a_model_cannot_be_called_with(tmp_path: Path, as_for_users: None) -> None:
    saved("bert", tmp_path)
    ours = load(tmp_path)
    for wrong, said in (
        ("hello", "a model takes token ids, whole numbers .batch, tokens.; got str"),
        (torch.ones(1, 3), "got torch.float32"),
        (torch.ones(3, dtype=torch.long), r"token ids are .batch, tokens., got .3,.; of one text they are ids.None"),
        (torch.full((1, 3), 53), "there is no token 53: the model knows the ids 0 … 52"),
        (torch.full((1, 3), -1), "there is no token -1"),
    ):
        with pytest.raises((InputError, ShapeError), match=said):
            ours(wrong)
    ids = torch.ones(1, 3, dtype=torch.long)
    with pytest.raises(ShapeError, match="the mask speaks of 5 tokens, and there are 3"):
        ours(ids, mask=torch.ones(1, 5, dtype=torch.bool))


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
