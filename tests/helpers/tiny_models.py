"""Small random models of every published architecture, made by transformers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers import decoders as text_decoders
from torch import Tensor

from clearhead.models import LoadedModel, load

_SIZES = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 41}
_TEXT = {**_SIZES, "vocab_size": 53}
_GPT2 = {"n_embd": 24, "n_layer": 2, "n_head": 4, "vocab_size": 53, "n_positions": 67}
_GPT2 |= {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
_T5 = {"d_model": 24, "d_kv": 5, "d_ff": 41, "num_layers": 2, "num_heads": 4}
_T5 |= {"vocab_size": 53, "decoder_start_token_id": 0, "relative_attention_max_distance": 23}
_T5_1_1 = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
_BART = {"d_model": 24, "encoder_layers": 2, "encoder_ffn_dim": 41, "encoder_attention_heads": 4, "vocab_size": 53}
_BART |= {"decoder_layers": 3, "decoder_ffn_dim": 37, "decoder_attention_heads": 3, "max_position_embeddings": 67}
_BART |= {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2}
_IMAGE = {**_SIZES, "image_size": 15, "patch_size": 5}
_LLAMA3 = {"rope_type": "llama3", "rope_theta": 1000.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
_LLAMA3 |= {"original_max_position_embeddings": 16}
_YARN = {"rope_type": "yarn", "rope_theta": 1000.0, "factor": 4.0, "original_max_position_embeddings": 16}


@dataclass(frozen=True)
class Tiny:
    """One configuration of a published class."""

    kind: str
    config: Callable[[], Any]

    def make(self, spread: float = 0.2) -> Any:
        """A random model, biases and norms included, whose matrices spread so far."""
        torch.manual_seed(0)
        model = getattr(transformers, self.kind)(self.config()).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(*((1.0, 0.2) if parameter.dim() == 1 else (0.0, spread)))
        return model


def _tiny(kind: str, config: str, **settings: Any) -> Tiny:
    return Tiny(kind, lambda: getattr(transformers, config)(**settings))


def _bert(kind: str, **settings: Any) -> Tiny:
    return _tiny(f"Bert{kind}", "BertConfig", **_TEXT, max_position_embeddings=67, **settings)


def _roberta(kind: str, **settings: Any) -> Tiny:
    return _tiny(f"Roberta{kind}", "RobertaConfig", **_TEXT, max_position_embeddings=69, **settings)


def _llama(kind: str = "ForCausalLM", **settings: Any) -> Tiny:
    return _tiny(f"Llama{kind}", "LlamaConfig", **_TEXT, max_position_embeddings=67, pad_token_id=0, **settings)


ENCODERS = {
    "bert": _bert("Model"),
    "bert, relu": _bert("Model", hidden_act="relu"),
    "bert, words": _bert("ForMaskedLM"),
    "bert, pretraining": _bert("ForPreTraining"),
    "bert, classes": _bert("ForSequenceClassification", num_labels=3),
    "bert, token classes": _bert("ForTokenClassification", num_labels=5),
    "roberta": _roberta("Model"),
    "roberta, words": _roberta("ForMaskedLM", hidden_act="relu"),  # whose head has gelu all the same
    "roberta, classes": _roberta("ForSequenceClassification", num_labels=3),
    "roberta, token classes": _roberta("ForTokenClassification"),
}
DECODERS = {
    "gpt2": _tiny("GPT2LMHeadModel", "GPT2Config", **_GPT2),
    "gpt2, bare": _tiny("GPT2Model", "GPT2Config", **_GPT2),
    "gpt2, wide": _tiny("GPT2LMHeadModel", "GPT2Config", **_GPT2, n_inner=37, tie_word_embeddings=False),
    "llama": _llama(),
    "llama, bare": _llama("Model"),
    "llama, grouped": _llama(num_key_value_heads=2),
    "llama, one key head": _llama(num_key_value_heads=1, attention_bias=True, mlp_bias=True),
    "llama, wide heads": _llama(num_key_value_heads=2, head_dim=10),
    "llama, tied": _llama(tie_word_embeddings=True),
    "llama, linear": _llama(rope_parameters={"rope_type": "linear", "rope_theta": 1000.0, "factor": 2.0}),
    "llama, dynamic": _llama(rope_parameters={"rope_type": "dynamic", "rope_theta": 1000.0, "factor": 2.0}),
    "llama, yarn": _llama(rope_parameters=_YARN),
    "llama, llama3": _llama(rope_parameters=_LLAMA3),
}
BOTH = {
    "t5": _tiny("T5ForConditionalGeneration", "T5Config", **_T5),
    "t5, 1.1": _tiny(
        "T5ForConditionalGeneration", "T5Config", **_T5, feed_forward_proj="gated-gelu", tie_word_embeddings=False
    ),
    "t5, bare": _tiny("T5Model", "T5Config", **_T5, num_decoder_layers=3),
    "bart": _tiny("BartForConditionalGeneration", "BartConfig", **_BART),
    "bart, bare": _tiny("BartModel", "BartConfig", **_BART, scale_embedding=True, activation_function="relu"),
}
VISION = {
    "vit": _tiny("ViTModel", "ViTConfig", **_IMAGE),
    "vit, classes": _tiny("ViTForImageClassification", "ViTConfig", **_IMAGE, num_labels=3),
    "vit, one channel": _tiny("ViTModel", "ViTConfig", **_IMAGE, num_channels=1, qkv_bias=False),
}
MODELS = {**ENCODERS, **DECODERS, **BOTH, **VISION}


def saved(name: str, folder: Path, spread: float = 0.2) -> Any:
    """The model of that name, written into a folder by transformers."""
    model = MODELS[name].make(spread)
    model.save_pretrained(folder)
    return model


def inputs(name: str, padded: bool) -> tuple[dict[str, Tensor], tuple[Tensor, ...], dict[str, Tensor], Tensor | None]:
    """What transformers is called with, what ours is called with (in order, by name), and which tokens there are."""
    torch.manual_seed(1)
    if name in VISION:
        channels = 1 if "one channel" in name else 3
        pixels = torch.randn(2, channels, 15, 15)
        return {"pixel_values": pixels}, (pixels,), {}, None
    ids = torch.randint(3, 53, (2, 11))
    there = torch.ones(2, 11, dtype=torch.bool)
    theirs, ours = {"input_ids": ids}, {}
    if padded:
        there[1, 7:] = False
        theirs["attention_mask"], ours["mask"] = there.long(), there
    if name not in BOTH:
        return theirs, (ids,), ours, there
    target = torch.randint(3, 53, (2, 7))
    return {**theirs, "decoder_input_ids": target}, (ids, target), ours, None


def word_model(folder: Path, name: str = "gpt2") -> LoadedModel:
    """The tiny model with a byte-level tokenizer of as many tokens."""
    saved(name, folder)
    letters = [*"abcdefghijklmnopqrstuvwxyz", "Ġ", "Ã", "©"]
    pairs = [f"{a}{b}" for a in "abcd" for b in "efghi"]
    vocabulary = {piece: n for n, piece in enumerate(["<pad>", "<s>", "</s>", *letters, *pairs])}
    assert len(vocabulary) <= 53
    tokenizer = Tokenizer(models.BPE(vocabulary, [(a[0], a[1]) for a in pairs]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = text_decoders.ByteLevel()
    tokenizer.add_special_tokens(["<pad>", "<s>", "</s>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    return load(folder)
