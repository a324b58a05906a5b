"""New weights: drawn as transformers draws those of the same architecture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import clearhead as ch
from clearhead.errors import ModelError, NotBuiltError
from clearhead.models.fresh import fresh

WIDE: dict[str, dict[str, Any]] = {
    "bert": {
        "architectures": ["BertForTokenClassification"],
        "vocab_size": 499,
        "hidden_size": 96,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 301,
        "max_position_embeddings": 67,
        "num_labels": 5,
    },
    "gpt2": {
        "architectures": ["GPT2LMHeadModel"],
        "vocab_size": 499,
        "n_embd": 96,
        "n_layer": 3,
        "n_head": 4,
        "n_positions": 67,
    },
    "t5": {
        "architectures": ["T5ForConditionalGeneration"],
        "vocab_size": 499,
        "d_model": 96,
        "d_kv": 31,
        "d_ff": 301,
        "num_layers": 2,
        "num_heads": 3,
        "feed_forward_proj": "relu",
    },
    "bart": {
        "architectures": ["BartForConditionalGeneration"],
        "vocab_size": 499,
        "d_model": 96,
        "encoder_layers": 2,
        "encoder_attention_heads": 4,
        "encoder_ffn_dim": 301,
        "decoder_layers": 2,
        "decoder_attention_heads": 4,
        "decoder_ffn_dim": 301,
        "max_position_embeddings": 67,
        "init_std": 0.05,
    },
    "vit": {
        "architectures": ["ViTForImageClassification"],
        "hidden_size": 96,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 301,
        "image_size": 28,
        "patch_size": 7,
        "num_channels": 3,
    },
}


def config(name: str, folder: Path, **changes: Any) -> Path:
    (folder / "config.json").write_text(json.dumps({"model_type": name, **WIDE[name], **changes}), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", WIDE)
def test_weights_are_spread_as_those_of_transformers(name: str, tmp_path: Path) -> None:
    model = fresh(config(name, tmp_path))
    assert model.training
    kind = getattr(transformers, WIDE[name]["architectures"][0])
    theirs = kind(kind.config_class.from_pretrained(tmp_path))
    wanted = {part: tensor.detach() for part, tensor in theirs.named_parameters()}
    model.save(tmp_path / "saved")
    ours = {part: tensor.detach() for part, tensor in kind.from_pretrained(tmp_path / "saved").named_parameters()}
    assert set(ours) == set(wanted)
    for part, tensor in ours.items():
        other = wanted[part]
        assert tensor.shape == other.shape
        if tensor.numel() < 1000:  # of norms and biases: the same numbers
            spread = float(other.std(correction=0))
            assert float(tensor.std(correction=0)) == pytest.approx(spread, rel=0.4, abs=1e-6), part
            assert float(tensor.mean()) == pytest.approx(float(other.mean()), abs=0.3 * spread + 1e-6), part
        else:
            assert float(tensor.std()) == pytest.approx(float(other.std()), rel=0.08), part
            assert abs(float(tensor.mean())) < 0.1 * float(other.std()), part


def test_a_seed_gives_the_same_weights(tmp_path: Path) -> None:
    folder = config("gpt2", tmp_path)
    found = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        found.append(fresh(folder).network.decoder.embedding.tokens.weight)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_it_computes_what_it_computes_when_it_is_loaded(tmp_path: Path) -> None:
    model = fresh(config("bert", tmp_path)).eval()
    model.save(tmp_path / "saved")
    ids = torch.tensor([[5, 7, 11]])
    assert torch.equal(model(ids), ch.load(tmp_path / "saved")(ids))


def test_what_is_no_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json"):
        fresh(tmp_path)
    with pytest.raises(ModelError, match="describes no model"):
        fresh(config("bert", tmp_path, num_attention_heads=7))
    with pytest.raises(NotBuiltError, match="model_type 'mamba'"):
        fresh(config("bert", tmp_path, model_type="mamba"))
