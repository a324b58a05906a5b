"""Tags: labels on the right pieces, baselines and measures by hand, and a model that learns and is read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tiny_models
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import TrainerCallback

import clearhead as ch
from clearhead.errors import InputError
from clearhead.training.base import IGNORED, Settings
from clearhead.training.conllu import Sentence, read_treebank
from clearhead.training.run import train
from clearhead.training.samples import TREEBANK
from clearhead.training.tagging import MostFrequentTag, Tagging, encode_words, measures, split_text, tag

NOUNS = ("animal", "street", "dog", "house", "unbelievableness")
VERBS = ("saw", "crossed", "liked", "avoided")


def sentences(count: int, first: int = 0) -> list[Sentence]:
    """The noun verb the noun, with other words each."""
    found = []
    for n in range(first, first + count):
        words = ("the", NOUNS[n % 5], VERBS[n % 4], "the", f"{NOUNS[n % 3]}{n % 7}", ".")
        found.append(Sentence(words, ("DET", "NOUN", "VERB", "DET", "NOUN", "PUNCT"), words, n + 1))
    return found


def test_each_word_has_its_label_on_its_first_piece(tmp_path: Path) -> None:
    task = Tagging(sentences(50), sentences(10, 200))
    model = task.model(tmp_path)
    batch = task.collate(task.examples[:7])
    assert batch["ids"].shape == batch["mask"].shape == batch["labels"].shape
    pieces = model.tokenizer.id_to_token
    for row, (example, _) in enumerate(task.examples[:7]):
        labels = [int(n) for n in batch["labels"][row] if n != IGNORED]
        assert [task.tags[n] for n in labels] == ["DET", "NOUN", "VERB", "DET", "NOUN", "PUNCT"]
        places = (batch["labels"][row] != IGNORED).nonzero()[:, 0].tolist()
        assert places == example.starts
        marked = [pieces(int(n)) for n in batch["ids"][row, places]]
        assert not any(piece.startswith("##") for piece in marked)
        assert not batch["mask"][row, len(example.ids) :].any()
        assert (batch["labels"][row, len(example.ids) :] == IGNORED).all()


def word_pieces() -> Any:
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3, "##a": 4, "b": 5}))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return tokenizer


def test_what_is_too_long_is_cut_between_words() -> None:
    found = encode_words(word_pieces(), ["aa", "b", "aaa", "b", "a"], 7)
    assert [part.ids for part in found] == [[1, 3, 4, 5, 2], [1, 3, 4, 4, 5, 3, 2]]
    assert [part.starts for part in found] == [[1, 3], [1, 4, 5]]


def test_words_without_pieces_and_with_many_have_some() -> None:
    [found] = encode_words(word_pieces(), [" ", "a" * 40], None)
    assert found.ids == [1, 0, 3, *[4] * 15, 2]
    assert found.starts == [1, 2]


def test_splitting_is_that_of_treebanks() -> None:
    assert split_text("They'll say \"it's Bob's, isn't it?\"") == [
        *("They", "'ll", "say", '"', "it", "'s", "Bob", "'s", ",", "is", "n't", "it", "?", '"')
    ]  # fmt: skip


def test_no_sentence_of_the_other_sets_is_learnt() -> None:
    every = sentences(30)
    task = Tagging(every, every[:3], held_out=every[5:7])
    assert task.left_out == 5
    with pytest.raises(InputError, match="no sentence for training, 30 left out"):
        Tagging(every, every)


@pytest.mark.parametrize(
    ("train_set", "validation", "says"),
    [
        ([], sentences(1), "no sentence for training"),
        (sentences(1), [], "no sentence for validation"),
        (sentences(1), [Sentence(("wow",), ("INTJ",), ("wow",))], "have INTJ, which training never shows"),
        ([Sentence(("wow",), ("_",), ("wow",), 12)], sentences(1), "'wow' of the sentence at line 12 has no tag"),
    ],
)
def test_what_cannot_be_learnt_is_said(train_set: Any, validation: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Tagging(train_set, validation)


def test_new_word_pieces_are_the_same_each_time(tmp_path: Path) -> None:
    """Of a text with many pairs of letters that are equally frequent; a run that goes on makes them again."""
    train, validation, test = read_treebank(TREEBANK)
    task = Tagging(train, validation, held_out=test)
    pieces, *others = (task.model(tmp_path).tokenizer for _ in range(3))
    assert [other.to_str() == pieces.to_str() for other in others] == [True, True]
    encoded = pieces.encode("The unbelievable animal")
    assert "[UNK]" not in encoded.tokens
    assert pieces.decode(encoded.ids) == "The unbelievable animal"


def test_a_tagger_with_new_pieces_is_gone_on_with(tmp_path: Path) -> None:
    class Stop(TrainerCallback):
        def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
            if state.global_step == 3:
                raise MemoryError

    train_set, validation, _ = read_treebank(TREEBANK)
    settings = Settings(steps=4, batch=2, learning_rate=1e-3, evaluate_every=2)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(Tagging(train_set, validation[:5]), whole, settings)
    with pytest.raises(MemoryError):
        train(Tagging(train_set, validation[:5]), killed, settings, callbacks=[Stop()])
    train(Tagging(train_set, validation[:5]), killed, settings, resume=True)
    one, other = (load_file(folder / "model" / "model.safetensors") for folder in (whole, killed))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_another_test_set_is_another_run(tmp_path: Path) -> None:
    settings = Settings(steps=2, batch=2, learning_rate=1e-3, evaluate_every=2)
    one, other = (Tagging(sentences(9), sentences(3, 50), held_out=sentences(3, first)) for first in (60, 70))
    train(one, tmp_path / "run", settings)
    with pytest.raises(InputError, match="other data"):
        train(other, tmp_path / "run", settings, resume=True)


def test_measures_and_the_baseline_are_those_worked_out_by_hand() -> None:
    gold = [Sentence(("a", "b", "c", "d"), ("X", "Y", "Y", "Z"), ("a", "b", "c", "d"))]
    found = measures(gold, [["X", "Y", "X", "X"]])
    # F1 of X: 2·1/(3+1), of Y: 2·1/(1+2), of Z: 0.
    assert found == {"accuracy": 0.5, "macro_f1": pytest.approx((0.5 + 2 / 3) / 3)}
    assert MostFrequentTag(gold).tag(["a", "d", "unseen"]) == ["X", "Z", "Y"]


def test_the_baseline_is_judged_on_each_set() -> None:
    known = [Sentence(("a", "b", "b"), ("X", "Y", "Y"), ("a", "b", "b"))]
    test = [Sentence(("a", "c"), ("X", "Z"), ("a", "c"))]  # with a tag that training never shows
    task = Tagging(known, [Sentence(("b",), ("Y",), ("b",))], held_out=test)
    assert task.sets == ("validation", "test")
    assert task.baselines() == {"most frequent tag": {"accuracy": 1.0, "macro_f1": 1.0}}
    assert task.baselines("test")["most frequent tag"]["accuracy"] == 0.5
    assert Tagging(known, [Sentence(("b",), ("Y",), ("b",))]).sets == ("validation",)


def test_a_tagger_learns_and_is_read_again(tmp_path: Path) -> None:
    task = Tagging(sentences(60), sentences(20, 300), held_out=sentences(5, 400))
    run = train(task, tmp_path / "run", Settings(steps=60, batch=8, learning_rate=3e-3, evaluate_every=30))
    assert run.measures["accuracy"] == 1.0
    assert json.loads((tmp_path / "run" / "test.json").read_text(encoding="utf-8")) == run.test
    assert run.test["accuracy"] == 1.0
    model = ch.load(tmp_path / "run" / "model")
    words = [list(sentence.words) for sentence in sentences(2, 400)]
    assert tag(model, [words[0], words[1][:4]]) == [
        ["DET", "NOUN", "VERB", "DET", "NOUN", "PUNCT"],
        ["DET", "NOUN", "VERB", "DET"],
    ]
    with pytest.raises(InputError, match="sentence 2 has no word"):
        tag(model, [["a"], []])


@pytest.mark.parametrize("name", ["bert", "roberta"])
def test_a_published_encoder_is_fine_tuned_from_its_own_weights(name: str, tmp_path: Path) -> None:
    tiny_models.saved(name, tmp_path / "start")
    tokenizer = word_pieces()
    tokenizer.save(str(tmp_path / "start" / "tokenizer.json"))
    task = Tagging(sentences(20), sentences(5, 100), start=str(tmp_path / "start"))
    model = task.model(tmp_path / "made")
    base = ch.load(tmp_path / "start", head=False)
    for part, tensor in base.stack.state_dict().items():
        assert torch.equal(model.stack.state_dict()[part], tensor)
    assert model.published_class.endswith("ForTokenClassification")
    model.save(tmp_path / "saved")
    assert ch.load(tmp_path / "saved").config.id2label == {str(n): tag for n, tag in enumerate(task.tags)}


def test_only_encoders_are_tuned_and_only_taggers_tag(tmp_path: Path) -> None:
    tiny_models.saved("gpt2", tmp_path)
    task = Tagging(sentences(20), sentences(5, 100), start=str(tmp_path))
    with pytest.raises(InputError, match="is gpt2; tags are learnt by BERT and RoBERTa"):
        task.model(tmp_path / "made")
    with pytest.raises(InputError, match="tags no words: it is a BertModel"):
        tag(ch.load(), [["a"]])


def test_words_of_a_byte_level_tokenizer_have_their_space(tmp_path: Path) -> None:
    """As in running text, which is what such a model was trained on."""
    tokenizer = tiny_models.word_model(tmp_path).tokenizer
    [part] = encode_words(tokenizer, ["abe", "cd", "af"], None)
    assert part.ids == tokenizer.encode("abe cd af").ids
    pieces = [tokenizer.id_to_token(n) for n in part.ids]
    assert [pieces[start] for start in part.starts][1:] == ["Ġ", "Ġ"]
