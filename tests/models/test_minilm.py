"""The pretrained model that a package carries, against transformers."""

from __future__ import annotations

import pytest
import torch
import transformers
from torch import Tensor

import clearhead as ch
from clearhead.errors import InputError
from clearhead.models.files import carried

PAIRS = [
    ("A man is eating food.", "A man eats something."),
    ("The cat sits outside.", "A man is playing guitar."),
    ("The new movie is awesome.", "The new movie is so great."),
    ("A woman watches TV.", "The girl is carrying a baby."),
    ("Two dogs play in the grass.", "Some animals are playing outdoors."),
]


@pytest.fixture(scope="module")
def model() -> ch.LoadedModel:
    return ch.load()


def means(hidden: Tensor, mask: Tensor) -> Tensor:
    """Sentence embeddings: the mean of the tokens' hidden states, of length 1."""
    found = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    return torch.nn.functional.normalize(found)


@torch.no_grad()
def test_sentence_embeddings(model: ch.LoadedModel) -> None:
    folder = carried(ch.DEFAULT_MODEL)
    theirs = transformers.AutoModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    sentences = [sentence for pair in PAIRS for sentence in pair]
    given = tokenizer(sentences, padding=True, return_tensors="pt")
    ids, mask = model.encode(sentences)
    assert torch.equal(ids, given["input_ids"])
    assert torch.equal(mask, given["attention_mask"].bool())
    wanted = means(theirs(**given).last_hidden_state, mask)
    found = means(model(ids, mask=mask), mask)
    assert float((found - wanted).abs().max()) < 1e-5
    similarity = [float(a @ b) for a, b in zip(found[::2], found[1::2], strict=True)]
    table = [float(a @ b) for a, b in zip(wanted[::2], wanted[1::2], strict=True)]
    assert similarity == pytest.approx(table, abs=1e-5)
    alike = [number for number, x in enumerate(similarity) if x > 0.5]
    assert alike == [0, 2, 4]


def test_texts_become_ids(model: ch.LoadedModel) -> None:
    ids, mask = model.encode(["a cat", "a"], side="left")
    assert ids.tolist() == [[101, 1037, 4937, 102], [0, 101, 1037, 102]]
    assert mask.tolist() == [[True] * 4, [False, True, True, True]]
    with pytest.raises(InputError, match=r"the text has 602 tokens, and .* takes 512 in all"):
        model.encode("word " * 600)
    with pytest.raises(InputError, match="the text is empty"):
        model.encode([])
    with pytest.raises(InputError, match="takes no pictures: it is a BertModel"):
        model.pixels("cat.png")
