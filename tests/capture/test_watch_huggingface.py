"""Maps of Hugging Face models against the weights that their eager implementation gives out."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

import clearhead as ch
from clearhead.maps.stored import StoredMap

pytestmark = [
    # It is: compiling it takes a minute, and the same code runs without.
    pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile:UserWarning"),
    # What transformers asks of PyTorch when it builds a block mask.
    pytest.mark.filterwarnings("ignore:_compile flag on create_block_mask:DeprecationWarning"),
]

BATCH, LAYERS, HEADS, WORDS, TARGETS = 2, 2, 3, 7, 5
ABSENT = 2  # padding tokens of the second text
SPECIAL = {"vocab_size": 31, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
IMPLEMENTATIONS = ("eager", "sdpa", "flex_attention")


# What may attend to what, written down apart from any model.


def present(tokens: int, padding: str) -> Tensor:
    """Which tokens of each text there are."""
    result = torch.ones(BATCH, tokens, dtype=torch.bool)
    if padding == "right":
        result[1, tokens - ABSENT :] = False
    elif padding == "left":
        result[1, :ABSENT] = False
    return result


def everything(keys: Tensor, queries: int) -> Tensor:
    return keys[:, None, None, :].expand(-1, -1, queries, -1)


def causal(keys: Tensor, window: int | None = None) -> Tensor:
    back = torch.arange(keys.shape[1])[:, None] - torch.arange(keys.shape[1])
    near = (back >= 0) & (back < (keys.shape[1] if window is None else window))
    return keys[:, None, None, :] & near


def spread(model: Any) -> Any:
    """The model with weights so large that its heads attend to something: a fresh one looks everywhere alike."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.3)
    return model.eval()


@dataclass(frozen=True)
class Family:
    """One architecture, tiny and random."""

    model: str
    """The class in transformers; its configuration is named like it."""
    config: dict[str, Any]
    paths: tuple[str, ...]
    """The attention modules in order of execution, ``{}`` standing for the layer."""
    kind: str = "encoder"
    """encoder, decoder, both, or image."""
    windows: tuple[int | None, ...] = (None,) * LAYERS
    implementations: tuple[str, ...] = IMPLEMENTATIONS
    special: dict[str, Any] = field(default_factory=lambda: SPECIAL)

    def build(self, implementation: str) -> Any:
        import transformers

        config = getattr(transformers, self.model.removesuffix("Model") + "Config")(**self.special, **self.config)
        return spread(getattr(transformers, self.model)._from_config(config, attn_implementation=implementation))

    def inputs(self, padding: str) -> dict[str, Tensor]:
        torch.manual_seed(1)
        if self.kind == "image":
            return {"pixel_values": torch.randn(BATCH, 3, 6, 9)}
        if self.kind == "audio":
            given = {"input_features": torch.randn(BATCH, 11, 2 * WORDS)}
        else:
            given = {
                "input_ids": torch.randint(3, 31, (BATCH, WORDS)),
                "attention_mask": present(WORDS, padding).long(),
            }
        if self.kind in ("both", "audio"):
            given["decoder_input_ids"] = torch.randint(3, 31, (BATCH, TARGETS))
            given["decoder_attention_mask"] = present(TARGETS, padding).long()
        return given

    def layers(self, outputs: Any, padding: str) -> list[tuple[str, Tensor, Tensor, Tensor | None]]:
        """(path, weights, who may attend to whom, rows to compare) of every attention in order of execution.

        What a decoder makes of a token that may attend to nothing differs between implementations, and with it what
        that token looks at in the encoder: those rows are not compared.
        """
        words = present(WORDS, "none" if self.kind in ("image", "audio") else padding)
        found = []
        if self.kind in ("both", "audio"):
            encoder, own, cross = self.paths
            targets = present(TARGETS, padding)
            for n, weights in enumerate(outputs.encoder_attentions):
                found += [(encoder.format(n), weights, everything(words, WORDS), None)]
            for n in range(LAYERS):
                found.append((own.format(n), outputs.decoder_attentions[n], causal(targets), None))
                found.append((cross.format(n), outputs.cross_attentions[n], everything(words, TARGETS), targets))
            return found
        for n, (weights, window) in enumerate(zip(outputs.attentions, self.windows, strict=True)):
            allowed = causal(words, window) if self.kind == "decoder" else everything(words, WORDS)
            found.append((self.paths[0].format(n), weights, allowed, None))
        return found


_BERT = {
    "hidden_size": 15,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": 11,
    "max_position_embeddings": 29,
}
_GROUPED = {  # 6 heads on 3 key heads; rotary positions need an even head_dim
    "hidden_size": 18,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 6,
    "num_key_value_heads": 3,
    "head_dim": 10,
    "intermediate_size": 11,
    "max_position_embeddings": 29,
}
_TWO_STACKS = {
    "d_model": 30,
    "encoder_layers": LAYERS,
    "decoder_layers": LAYERS,
    "encoder_attention_heads": 3,
    "decoder_attention_heads": 5,
    "encoder_ffn_dim": 11,
    "decoder_ffn_dim": 13,
    "decoder_start_token_id": 1,
}
FAMILIES = {
    "bert": Family("BertModel", _BERT, ("encoder.layer.{}.attention.self",)),
    "roberta": Family("RobertaModel", _BERT, ("encoder.layer.{}.attention.self",)),
    "distilbert": Family(
        "DistilBertModel",
        {"dim": 15, "n_layers": LAYERS, "n_heads": HEADS, "hidden_dim": 11, "max_position_embeddings": 29},
        ("transformer.layer.{}.attention",),
    ),
    "gpt2": Family(
        "GPT2Model",
        {"n_embd": 15, "n_layer": LAYERS, "n_head": HEADS, "n_positions": 29},
        ("h.{}.attn",),
        "decoder",
        implementations=("eager", "sdpa"),  # it has no flex_attention
    ),
    "llama": Family("LlamaModel", _GROUPED, ("layers.{}.self_attn",), "decoder"),
    "mistral": Family(
        "MistralModel", {**_GROUPED, "sliding_window": 3}, ("layers.{}.self_attn",), "decoder", windows=(3, 3)
    ),
    "gemma2": Family(
        "Gemma2Model",
        {**_GROUPED, "sliding_window": 3, "attn_logit_softcapping": 0.5, "query_pre_attn_scalar": 1},
        ("layers.{}.self_attn",),
        "decoder",
        windows=(3, None),
        implementations=("eager", "flex_attention"),  # scaled_dot_product_attention knows no soft-cap
    ),
    "gpt_oss": Family(
        "GptOssModel",
        {
            **_GROUPED,
            "hidden_size": 24,
            "head_dim": 8,
            "intermediate_size": 16,
            "num_local_experts": 3,
            "num_experts_per_tok": 2,
            "sliding_window": 3,
            "layer_types": ["sliding_attention", "full_attention"],
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        },
        ("layers.{}.self_attn",),
        "decoder",
        windows=(3, None),
        implementations=("eager",),  # sinks: no other implementation runs on the CPU
    ),
    "t5": Family(
        "T5Model",
        {"d_model": 11, "d_kv": 5, "d_ff": 13, "num_layers": LAYERS, "num_heads": HEADS},
        (
            "encoder.block.{}.layer.0.SelfAttention",
            "decoder.block.{}.layer.0.SelfAttention",
            "decoder.block.{}.layer.1.EncDecAttention",
        ),
        "both",
        implementations=("eager", "sdpa"),  # flex_attention reads its position bias past the end of the batch
    ),
    "bart": Family(
        "BartModel",
        {**_TWO_STACKS, "max_position_embeddings": 29},
        ("encoder.layers.{}.self_attn", "decoder.layers.{}.self_attn", "decoder.layers.{}.encoder_attn"),
        "both",
    ),
    "whisper": Family(
        "WhisperModel",
        {**_TWO_STACKS, "num_mel_bins": 11, "max_source_positions": WORDS, "max_target_positions": 23},
        ("encoder.layers.{}.self_attn", "decoder.layers.{}.self_attn", "decoder.layers.{}.encoder_attn"),
        "audio",
    ),
    "vit": Family(
        "ViTModel",
        {
            "image_size": (6, 9),
            "patch_size": 3,  # 2 · 3 patches and the class token
            "hidden_size": 15,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "intermediate_size": 11,
        },
        ("layers.{}.attention",),
        "image",
        special={},
    ),
}
CASES = [
    pytest.param(name, implementation, padding, id=f"{name}-{implementation}-{padding}")
    for name, family in FAMILIES.items()
    for implementation in family.implementations
    for padding in (("none",) if family.kind == "image" else ("none", "left", "right"))
]


@pytest.fixture(autouse=True, scope="module")
def _uncompiled() -> Iterator[None]:
    """flex_attention is compiled by transformers, which takes a minute; the same code runs without that."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's compiler warns of other parts of PyTorch when it is imported
        importlib.import_module("torch._inductor.compile_fx")
    with torch.compiler.set_stance("force_eager"):
        yield


@pytest.fixture
def quiet() -> Iterator[None]:
    """Without transformers' remarks on the standard error output."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    yield
    logging.set_verbosity(level)


@pytest.mark.parametrize(("name", "implementation", "padding"), CASES)
def test_maps_are_those_of_eager(
    name: str,
    implementation: str,
    padding: str,
    maps_agree: Callable[..., None],
    same_bits: Callable[..., None],
    quiet: None,
) -> None:
    family = FAMILIES[name]
    eager, model = family.build("eager"), family.build(implementation)
    model.load_state_dict(eager.state_dict())
    inputs = family.inputs(padding)
    with torch.no_grad():
        expected = family.layers(eager(**inputs, output_attentions=True), padding)
        plain = model(**inputs)
        with ch.watch(model) as capture:
            watched = model(**inputs)
    same_bits(dict(plain), dict(watched))
    paths, weights, allowed, compared = zip(*expected, strict=True)
    assert list(capture) == list(paths)
    assert [layer.number for layer in capture.layers] == list(range(len(expected)))
    maps_agree(capture.values(), weights, allowed, compared)


def test_the_softcap_matters(quiet: None) -> None:
    """The Gemma 2 above has scores far beyond its cap, so that a map without it would be another."""
    family = FAMILIES["gemma2"]
    model, inputs = family.build("eager"), family.inputs("none")
    with torch.no_grad(), ch.watch(model) as capture:
        model(**inputs)
    amap = capture["layers.1.self_attn"]
    scores = amap.q @ amap.k.repeat_interleave(2, 1).transpose(-1, -2) * amap.rule.scale  # type: ignore[attr-defined]
    assert scores.abs().max() > 2 * 0.5


def test_sinks_take_weight(quiet: None) -> None:
    family = FAMILIES["gpt_oss"]
    model, inputs = family.build("eager"), family.inputs("none")
    with torch.no_grad(), ch.watch(model) as capture:
        model(**inputs)
    assert capture["layers.0.self_attn"].dense().sum(-1).min() < 0.9


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_a_shared_layer_keeps_every_call(
    implementation: str, maps_agree: Callable[..., None], same_bits: Callable[..., None], quiet: None
) -> None:
    family = Family("AlbertModel", {**_BERT, "num_hidden_layers": 3, "embedding_size": 7}, ())
    eager, model = family.build("eager"), family.build(implementation)
    model.load_state_dict(eager.state_dict())
    inputs = family.inputs("right")
    with torch.no_grad():
        expected = eager(**inputs, output_attentions=True).attentions
        plain = model(**inputs)
        with ch.watch(model) as capture:
            watched = model(**inputs)
    same_bits(dict(plain), dict(watched))
    path = "encoder.albert_layer_groups.0.albert_layers.0.attention"
    assert list(capture) == [path, f"{path}@1", f"{path}@2"]
    assert capture.paths == [path]
    maps_agree(capture.calls(path), expected, [everything(present(WORDS, "right"), WORDS)] * 3)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_two_towers(implementation: str, maps_agree: Callable[..., None], quiet: None) -> None:
    tower = {k: v for k, v in _BERT.items() if k != "max_position_embeddings"}
    family = Family(
        "CLIPModel",
        {
            "text_config": {**tower, **SPECIAL, "max_position_embeddings": 29},
            "vision_config": {**tower, "num_attention_heads": 5, "image_size": 6, "patch_size": 3},
            "projection_dim": 13,
        },
        (),
        special={},
    )
    eager, model = family.build("eager"), family.build(implementation)
    model.load_state_dict(eager.state_dict())
    inputs = {**family.inputs("right"), "pixel_values": torch.randn(BATCH, 3, 6, 6)}
    with torch.no_grad():
        outputs = eager(**inputs, output_attentions=True)
        with ch.watch(model) as capture:
            model(**inputs)
    seen = [f"{tower}_model.encoder.layers.{n}.self_attn" for tower in ("vision", "text") for n in range(LAYERS)]
    assert list(capture) == seen
    allowed = [None] * LAYERS + [causal(present(WORDS, "right"))] * LAYERS
    expected = [*outputs.vision_model_output.attentions, *outputs.text_model_output.attentions]
    maps_agree(capture.values(), expected, allowed)


# Generation.

STEPS = 3
GENERATORS = {
    "gpt2": ("GPT2LMHeadModel", "transformer."),
    "mistral": ("MistralForCausalLM", "model."),
    "t5": ("T5ForConditionalGeneration", ""),
    "bart": ("BartForConditionalGeneration", "model."),
}


def generator(name: str, implementation: str) -> Any:
    """The family's model with a language model's head."""
    import transformers

    family = FAMILIES[name]
    config = getattr(transformers, family.model.removesuffix("Model") + "Config")(
        **{**SPECIAL, "decoder_start_token_id": 1, **family.config}
    )
    return spread(getattr(transformers, GENERATORS[name][0])._from_config(config, attn_implementation=implementation))


def generated(outputs: Any, family: Family, words: Tensor) -> dict[str, list[tuple[Tensor, Tensor | None]]]:
    """The weights of every call of every module, as ``generate`` gives them out, and who may attend to whom."""
    found: dict[str, list[tuple[Tensor, Tensor | None]]] = {}
    if family.kind == "decoder":
        for made, step in enumerate(outputs.attentions):
            every = torch.cat([words, words.new_ones(BATCH, made)], 1)
            for n, weights in enumerate(step):
                queries, keys = weights.shape[2:]  # the cache of a window keeps no more keys than it needs
                allowed = causal(every, family.windows[n])[:, :, -queries:, -keys:]
                found.setdefault(family.paths[0].format(n), []).append((weights, allowed))
        return found
    encoder, own, cross = family.paths
    for n, weights in enumerate(outputs.encoder_attentions):
        found[encoder.format(n)] = [(weights, everything(words, WORDS))]
    for step in outputs.decoder_attentions:
        for n, weights in enumerate(step):
            found.setdefault(own.format(n), []).append((weights, None))
    for step in outputs.cross_attentions:
        for n, weights in enumerate(step):
            found.setdefault(cross.format(n), []).append((weights, everything(words, 1)))
    return found


@pytest.mark.parametrize(
    ("name", "implementation", "cache", "padding"),
    [
        pytest.param(name, implementation, cache, padding, id=f"{name}-{implementation}-{cache}-{padding}")
        for name in GENERATORS
        for implementation in FAMILIES[name].implementations
        # transformers cannot run flex_attention on a static cache here: it takes its block mask for a tensor.
        for cache in (("dynamic",) if implementation == "flex_attention" else ("dynamic", "static"))
        for padding in (("none", "left") if (name, cache) == ("mistral", "static") else ("left",))
    ],
)
def test_generation(
    name: str, implementation: str, cache: str, padding: str, maps_agree: Callable[..., None], quiet: None
) -> None:
    eager, model = generator(name, "eager"), generator(name, implementation)
    model.load_state_dict(eager.state_dict())
    torch.manual_seed(1)
    ids, words = torch.randint(3, 31, (BATCH, WORDS)), present(WORDS, padding)
    options: dict[str, Any] = {
        "attention_mask": words.long(),
        "max_new_tokens": STEPS,
        "min_new_tokens": STEPS,
        "do_sample": False,
        "num_beams": 1,
        "return_dict_in_generate": True,
    }
    expected = eager.generate(ids, output_attentions=True, **options)
    options["cache_implementation"] = cache
    plain = model.generate(ids, **options)
    with ch.watch(model) as capture:
        watched = model.generate(ids, **options)
    assert torch.equal(plain.sequences, watched.sequences)
    assert torch.equal(expected.sequences, watched.sequences)
    model.generate(ids.flip(0, 1), **options)  # may write into the same cache, which must not show in the maps
    calls = generated(expected, FAMILIES[name], words)
    assert sorted(capture.paths) == sorted(GENERATORS[name][1] + path for path in calls)
    for path, steps in calls.items():
        maps = capture.calls(GENERATORS[name][1] + path)
        weights, allowed = zip(*steps, strict=True)
        maps_agree(maps, weights, allowed)
        if len(maps) > 1:  # a decoding step is kept as its weights
            assert isinstance(maps[-1], StoredMap)


# The real thing.


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_minilm(implementation: str, maps_agree: Callable[..., None], same_bits: Callable[..., None]) -> None:
    pretrained = ch.load_pretrained(ch.DEFAULT_MODEL)
    texts = ["The animal didn't cross the street because it was too tired.", "A short one."]
    inputs = pretrained.tokenizer(texts, padding=True, return_tensors="pt")
    model = pretrained.model
    with torch.no_grad():
        model.set_attn_implementation("eager")
        expected = model(**inputs, output_attentions=True).attentions
        model.set_attn_implementation(implementation)
        plain = model(**inputs)
        with ch.watch(model) as capture:
            watched = model(**inputs)
    same_bits(dict(plain), dict(watched))
    assert list(capture) == [f"encoder.layer.{n}.attention.self" for n in range(6)]
    keys = inputs["attention_mask"].bool()
    assert not keys.all()
    maps_agree(capture.values(), expected, [everything(keys, keys.shape[1])] * 6)
    assert capture.provenance["attention"] == implementation


# What is put back, and what is left alone.


def test_a_registered_attention_function_is_seen(
    maps_agree: Callable[..., None], reference: Callable[..., Tensor], quiet: None
) -> None:
    from transformers import AttentionInterface

    def own(module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any, **kwargs: Any) -> Any:
        weights = (query @ key.transpose(-1, -2) * kwargs["scaling"]).softmax(-1)
        return (weights @ value).transpose(1, 2).contiguous(), weights

    AttentionInterface.register("of_the_test", own)
    try:
        model = FAMILIES["bert"].build("of_the_test")
        with torch.no_grad(), ch.watch(model) as capture:
            model(input_ids=torch.randint(3, 31, (BATCH, WORDS)))
    finally:
        del AttentionInterface._global_mapping["of_the_test"]
    maps = list(capture.values())
    maps_agree(maps, [reference(amap.q, amap.k) for amap in maps])  # type: ignore[attr-defined]


def test_the_interface_is_put_back(quiet: None) -> None:
    from transformers.modeling_utils import AttentionInterface

    before, registered = AttentionInterface.get_interface, dict(AttentionInterface._global_mapping)
    model = FAMILIES["bert"].build("sdpa")
    with ch.watch(model):
        assert AttentionInterface.get_interface is not before
        model(**FAMILIES["bert"].inputs("none"))
    assert AttentionInterface.get_interface is before
    assert AttentionInterface._global_mapping == registered


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_layers_not_asked_for_are_counted(implementation: str, quiet: None) -> None:
    family = FAMILIES["bart"] if implementation != "eager" else FAMILIES["t5"]
    model, inputs = family.build(implementation), family.inputs("none")
    with torch.no_grad(), ch.watch(model, layers=[1, 3]) as capture:
        model(**inputs)
    assert list(capture) == [family.paths[0].format(1), family.paths[2].format(0)]
    assert [layer.number for layer in capture.layers] == [1, 3]


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_training_with_dropout(implementation: str, same_bits: Callable[..., None], quiet: None) -> None:
    family = FAMILIES["bert"]
    model, inputs = family.build(implementation).train(), family.inputs("right")
    gradients = []
    for watched in (False, True):
        torch.manual_seed(3)
        model.zero_grad()
        if watched:
            with ch.watch(model) as capture:
                output = model(**inputs).last_hidden_state
        else:
            output = model(**inputs).last_hidden_state
        output.sum().backward()
        gradients.append([output, *(p.grad for p in model.parameters() if p.grad is not None)])
    same_bits(*gradients)
    assert all(amap.check().output is None for amap in capture.values())
    assert all(amap.check().ok() for amap in capture.values())
