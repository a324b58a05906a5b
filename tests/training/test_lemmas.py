"""Lemmas: what is read and written, the baseline by hand, and a model that learns."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import clearhead as ch
from clearhead.errors import InputError
from clearhead.training.base import IGNORED, Settings
from clearhead.training.conllu import Sentence
from clearhead.training.lemmas import DictionaryLemma, Form, Lemmas, lemmatize, measures
from clearhead.training.run import train

STEMS = [a + b + c for a in "bdklmpst" for b in "aiou" for c in "bdgkmnpt"]


def sentences(stems: list[str]) -> list[Sentence]:
    """Verbs that end in s, whose lemma does not, and nouns that are their own."""
    return [Sentence((f"{x}s", f"{x}s"), ("VERB", "NOUN"), (x, f"{x}s"), n) for n, x in enumerate(stems)]


def test_a_batch_reads_the_form_and_writes_the_lemma(tmp_path: Path) -> None:
    task = Lemmas(sentences(STEMS[:5]), sentences(STEMS[5:7]))
    model = task.model(tmp_path)
    batch = task.collate(task.examples[:3])
    letter = model.tokenizer.id_to_token
    read = [letter(int(n)) for n, is_there in zip(batch["ids"][0], batch["mask"][0], strict=True) if is_there]
    written = [letter(int(n)) for n in batch["labels"][0] if n != IGNORED]
    stem = "".join(read[1:-2])
    assert stem in STEMS[:5]
    assert (read, written) in (
        (["<VERB>", *stem, "s", "</s>"], [*stem, "</s>"]),
        (["<NOUN>", *stem, "s", "</s>"], [*stem, "s", "</s>"]),
    )
    # What is written is read again, one place later.
    assert batch["target"][0, 0] == 0
    assert [letter(int(n)) for n in batch["target"][0, 1 : len(written)]] == written[:-1]


def test_the_baseline_and_the_measure_are_those_worked_out_by_hand() -> None:
    known = [Sentence(("saw", "saw", "saw"), ("VERB", "VERB", "VERB"), ("see", "see", "saw"))]
    forms = [Form("saw", "VERB"), Form("mice", "NOUN")]
    assert DictionaryLemma(known).lemmatize(forms) == ["see", "mice"]
    wanted = Counter({(forms[0], "see"): 3, (forms[1], "mouse"): 1})
    assert measures(wanted, dict(zip(forms, ["see", "mice"], strict=True))) == {"accuracy": 0.75}


def test_it_learns_and_is_read_again(tmp_path: Path) -> None:
    """Words that it has learnt, in other sentences."""
    others = [
        Sentence((f"{x}s", f"{y}s"), ("VERB", "NOUN"), (x, f"{y}s")) for x, y in zip(STEMS[1:40], STEMS, strict=False)
    ]
    task = Lemmas(sentences(STEMS[:40]), others)
    run = train(task, tmp_path / "run", Settings(steps=150, batch=32, learning_rate=2e-3, evaluate_every=75))
    assert run.measures["accuracy"] > 0.9
    model = ch.load(tmp_path / "run" / "model")
    form = Form(f"{STEMS[7]}s", "VERB")
    assert lemmatize(model, [form]) == {form: STEMS[7]}
    assert "".join(token.text for token in model.generate(f"<VERB>{form.word}", max_new_tokens=9)) == STEMS[7]


def test_no_sentence_of_the_other_sets_is_learnt() -> None:
    every = sentences(STEMS[:9])
    assert Lemmas(every, every[:2], held_out=every[4:5]).left_out == 3
    with pytest.raises(InputError, match="no word with a tag and a lemma for training"):
        Lemmas(every, every)
    with pytest.raises(InputError, match="no word with a tag and a lemma for test"):
        Lemmas(every, every[:2], held_out=[Sentence(("a",), ("DET",), ("_",))])


def test_baselines_are_those_worked_out_by_hand() -> None:
    known = sentences(STEMS[:3])
    x, y = STEMS[0], STEMS[1]
    others = [Sentence((f"{x}s", f"{y}s", f"{y}s"), ("VERB", "NOUN", "NOUN"), (x, f"{y}s", f"{y}s"))]
    unknown = [Sentence(("mice", "cats"), ("NOUN", "NOUN"), ("mouse", "cats"))]
    task = Lemmas(known, others, held_out=unknown)
    assert task.sets == ("validation", "test")
    assert task.baselines() == {
        "dictionary": {"accuracy": 1.0},
        "the word itself": {"accuracy": pytest.approx(2 / 3)},
    }
    assert task.baselines("test")["dictionary"] == {"accuracy": 0.5}


def test_only_a_lemmatizer_writes_lemmas() -> None:
    with pytest.raises(InputError, match="writes no lemmas: it is a BertModel"):
        lemmatize(ch.load(), [Form("a", "DET")])


def test_of_several_lemmas_the_most_frequent_is_learnt(tmp_path: Path) -> None:
    known = [
        Sentence(("in", word), ("ADP", "NOUN"), ("into" if n == 3 else "in", word)) for n, word in enumerate(STEMS[:5])
    ]
    task = Lemmas(known, sentences(STEMS[5:7]))
    letter = task.model(tmp_path).tokenizer.id_to_token
    learnt = Counter("".join(letter(n) for n in lemma[:-1]) for _, lemma in task.examples)
    assert learnt == Counter(["in", *STEMS[:5]])
