"""New weights for a published architecture: a model to be trained from the beginning."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor, nn

from clearhead.errors import ClearheadError, ModelError, NotBuiltError
from clearhead.layers import MultiHeadAttention
from clearhead.models.files import read_json
from clearhead.models.load import LoadedModel, find_architecture, find_head
from clearhead.models.pretrained.tables import read_config
from clearhead.models.transformer import PatchEmbedding, Stack
from clearhead.positions import Learned, RelativeBias

__all__ = ["fresh"]

_USUAL = 0.02


def fresh(folder: str | Path) -> LoadedModel:
    """A model with the configuration of a folder, and new weights.

    Weights are drawn as the architecture's authors draw them: BERT, RoBERTa, ViT and Llama from a normal distribution
    with the standard deviation ``initializer_range``, BART with ``init_std``, biases 0; GPT-2 too, those into the
    residual stream by 1/√(2·layers) smaller; T5 each by the width of what goes in (Mesh TensorFlow's way, since its
    scores have no 1/√head_dim).

    Args:
        folder: With ``config.json``, and the files that go with the model, such as ``tokenizer.json``.

    Returns:
        The model in ``train()`` mode. PyTorch's random numbers are used: seed them for the same weights again.

    Raises:
        NotBuiltError: The architecture, or a key of its configuration, is not known here.
        ModelError: There is no such file, or it describes no model.

    Example:
        >>> import json, tempfile, torch
        >>> config = {"model_type": "gpt2", "n_layer": 2, "n_embd": 8, "n_head": 2, "vocab_size": 11}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "config.json").write_text(json.dumps(config))
        ...     model = fresh(folder)
        >>> model(torch.tensor([[1, 2, 3]])).shape
        torch.Size([1, 3, 8])

    """
    folder = Path(folder)
    where = folder / "config.json"
    given = read_json(where)
    architecture = find_architecture(given, where)
    config = read_config(architecture, given, str(where))
    head = find_head(architecture, given, where)
    if head is None:
        given["architectures"] = [architecture.bare[0]]
    try:
        network = architecture.build(config)
        if head is not None:
            network = head.build(config, network, not config.tie_word_embeddings)
    except NotBuiltError as error:
        raise NotBuiltError(f"{where}: {error}") from None
    except (ClearheadError, ArithmeticError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"{where} describes no model: {error}") from None
    if architecture.name == "t5":
        _initialize_t5(network)
    else:
        deviation = float(given.get("init_std" if architecture.name == "bart" else "initializer_range", _USUAL))
        _initialize(network, deviation, smaller=architecture.name == "gpt2")
    return LoadedModel(
        str(folder),
        network,
        architecture=architecture,
        head=head,
        config=config,
        given=given,
        folder=folder,
        kept={},
    )


@torch.no_grad()
def _initialize(network: nn.Module, deviation: float, *, smaller: bool) -> None:
    layers = sum(len(module.blocks) for module in network.modules() if isinstance(module, Stack))
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding | nn.Conv2d):
            into_stream = smaller and re.search(r"attention\.output$|feed_forward\.down$", name)
            nn.init.normal_(module.weight, std=deviation / (2 * layers) ** 0.5 if into_stream else deviation)
            if isinstance(bias := getattr(module, "bias", None), Tensor):
                nn.init.zeros_(bias)
        elif isinstance(module, Learned):
            nn.init.normal_(module.table, std=deviation)
        elif isinstance(module, PatchEmbedding):
            nn.init.normal_(module.first, std=deviation)
            nn.init.normal_(module.position, std=deviation)


@torch.no_grad()
def _initialize_t5(network: nn.Module) -> None:
    for name, module in network.named_modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=1.0)
        elif isinstance(module, RelativeBias):
            width = next(x for x in network.modules() if isinstance(x, MultiHeadAttention)).query.in_features
            nn.init.normal_(module.table, std=width**-0.5)
        elif isinstance(module, nn.Linear):
            into = module.in_features
            if name.endswith("attention.query"):
                into *= _head_dim(network, name)
            nn.init.normal_(module.weight, std=into**-0.5)


def _head_dim(network: nn.Module, query: str) -> int:
    attention = network.get_submodule(query.rpartition(".")[0])
    assert isinstance(attention, MultiHeadAttention)
    return int(attention.head_dim)
