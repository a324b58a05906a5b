"""Lemmas: from a word and its tag to its dictionary form, letter by letter, by an encoder–decoder."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from clearhead.analysis.statistics import Observed
from clearhead.capture.capture import Capture
from clearhead.capture.tokens import Tokens
from clearhead.capture.watch import watch
from clearhead.errors import InputError
from clearhead.models.fresh import fresh
from clearhead.models.generation import generate
from clearhead.models.heads import Sequence2Sequence
from clearhead.models.load import LoadedModel
from clearhead.training.base import IGNORED, Probe, Settings, Task, padded, write_start
from clearhead.training.conllu import Sentence
from clearhead.training.order import by_length

__all__ = ["DictionaryLemma", "Form", "Lemmas", "lemmatize", "spell"]

_BATCH = 256
_SHOWN, _PROBED = 6, 64
_LONGEST = 48  # letters of a word that are read, and of a lemma that are written
_PAD, _END, _UNKNOWN = "<pad>", "</s>", "<unk>"


class Form(NamedTuple):
    """A word as it stands in a text, and its universal tag."""

    word: str
    tag: str


class DictionaryLemma:
    """The lemma that a word with its tag had most often in training; for others the word itself. A baseline.

    Attributes:
        known: The lemma of each form that there was.

    """

    def __init__(self, sentences: Iterable[Sentence]) -> None:
        counts: dict[Form, Counter[str]] = {}
        for form, lemma in _pairs(sentences):
            counts.setdefault(form, Counter())[lemma] += 1
        self.known = {form: lemmas.most_common(1)[0][0] for form, lemmas in counts.items()}

    def lemmatize(self, forms: Iterable[Form]) -> list[str]:
        """A lemma for each word.

        >>> sentence = Sentence(("saw",), ("VERB",), ("see",))
        >>> DictionaryLemma([sentence]).lemmatize([Form("saw", "VERB"), Form("saw", "NOUN")])
        ['see', 'saw']
        """
        return [self.known.get(form, form.word) for form in forms]


def _pairs(sentences: Iterable[Sentence]) -> Iterable[tuple[Form, str]]:
    """Every word with its lemma, without those whose tag or lemma is not given (``_``)."""
    for sentence in sentences:
        for word, tag, lemma in zip(sentence.words, sentence.tags, sentence.lemmas, strict=True):
            if "_" not in (tag, lemma):
                yield Form(word, tag), lemma


class Lemmas(Task):
    """Lemmas of words, learnt letter by letter by an encoder–decoder (BART's parts): its cross-attention aligns them.

    A word is read as its tag and its letters, ``<VERB>saw``, and what is written is ``see``. Each form is learnt with
    the lemma that it has most often, all forms alike, however often they stand in the text.

    Args:
        train: Sentences to learn from.
        validation: Those that the best checkpoint is chosen by.
        held_out: Others that are not to be learnt from: the test set.

    Attributes:
        left_out: How many training sentences have the words of a sentence in ``validation`` or ``held_out``, and are
            left out.

    Raises:
        InputError: No sentence, or no word with a tag and a lemma.

    """

    name = "lemma"
    unit = "forms"
    best = "accuracy"
    defaults = Settings(steps=2500, batch=128, learning_rate=1e-3, warmup=0.1, evaluate_every=500)

    def __init__(
        self, train: Sequence[Sentence], validation: Sequence[Sentence], *, held_out: Sequence[Sentence] = ()
    ) -> None:
        elsewhere = {sentence.words for sentence in (*validation, *held_out)}
        kept = [sentence for sentence in train if sentence.words not in elsewhere]
        self.left_out = len(train) - len(kept)
        self._dictionary = DictionaryLemma(kept)
        self._train = sorted(self._dictionary.known.items())
        given = {"validation": validation} | ({"test": held_out} if held_out else {})
        self._judged = {name: Counter(_pairs(those)) for name, those in given.items()}
        for what, words in (("training", self._train), *self._judged.items()):
            if not words:
                raise InputError(f"there is no word with a tag and a lemma for {what}")
        self._examples: list[tuple[list[int], list[int]]] = []

    @property
    def examples(self) -> Sequence[Any]:
        """The numbers of the letters of each form and of its lemma."""
        return self._examples

    def order(self, settings: Settings) -> list[int]:
        """Words of about the same length together."""
        lengths = [len(form) for form, _ in self._examples]
        return by_length(lengths, settings.batch, settings.steps * settings.batch, settings.seed)

    def model(self, folder: Path) -> LoadedModel:
        """A new BART over letters."""
        tags = sorted({form.tag for (form, _) in self._train})
        letters = sorted({letter for form, lemma in self._train for letter in form.word + lemma})
        tokenizer = _letters(tags, letters)
        config = {**_SMALL, "vocab_size": tokenizer.get_vocab_size()}
        write_start(folder, config, tokenizer)
        model = fresh(folder)
        self._examples = [
            (_ids(tokenizer, _of_form(form)), _ids(tokenizer, _of_lemma(lemma))) for form, lemma in self._train
        ]
        return model

    def collate(self, examples: Sequence[tuple[list[int], list[int]]]) -> dict[str, Tensor]:
        """The form, the lemma from its start on, and of each of its letters the next."""
        ids, mask = padded([form for form, _ in examples])
        labels, there = padded([lemma for _, lemma in examples])
        target = torch.cat([torch.zeros_like(labels[:, :1]), labels[:, :-1]], 1)
        return {"ids": ids, "mask": mask, "target": target, "labels": labels.where(there, torch.tensor(IGNORED))}

    @property
    def sets(self) -> tuple[str, ...]:
        """Those that there are."""
        return tuple(self._judged)

    def judge(self, model: LoadedModel, of: str = "validation") -> dict[str, float]:
        """The share of words that get their lemma."""
        return measures(self._judged[of], lemmatize(model, self._forms(of)))

    def baselines(self, of: str = "validation") -> dict[str, dict[str, float]]:
        """Of :class:`DictionaryLemma`, and of taking each word for its lemma."""
        forms = self._forms(of)
        known = self._dictionary.lemmatize(forms)
        return {
            "dictionary": measures(self._judged[of], dict(zip(forms, known, strict=True))),
            "the word itself": measures(self._judged[of], {form: form.word for form in forms}),
        }

    def _forms(self, of: str) -> list[Form]:
        return list(dict.fromkeys(form for form, _ in self._judged[of]))

    def probe(self, model: LoadedModel, texts: Sequence[str] | None = None) -> Probe:
        """Forms of the validation set that are not their lemma, and more of them.

        Args:
            model: What learns.
            texts: Each a word, its tag and its lemma: ``saw VERB see``.

        """
        pairs = list(self._judged["validation"])
        given = [pair for pair in pairs if pair[0].word.lower() != pair[1].lower()][:_SHOWN] or pairs[:_SHOWN]
        if texts is not None:
            lines = [line.split() for line in texts]
            odd = next((line for line in lines if len(line) != 3), None)
            if odd is not None or not lines:
                raise InputError(
                    f"what is shown is a word, its tag and its lemma, as in 'saw VERB see'; got {' '.join(odd or ())!r}"
                )
            given = [(Form(word, tag), lemma) for word, tag, lemma in lines]
        some = pairs[:_PROBED]
        return Probe(
            lambda: spell(model, [form for form, _ in given], [lemma for _, lemma in given]),
            lambda: [Observed(spell(model, [form for form, _ in some], [lemma for _, lemma in some]))],
        )

    def describe(self) -> dict[str, Any]:
        """Which words."""
        return {
            name: hashlib.sha256(repr(sorted(pairs)).encode()).hexdigest()[:16]
            for name, pairs in (("train", self._train), *((of, x.items()) for of, x in self._judged.items()))
        }


def measures(wanted: Counter[tuple[Form, str]], found: dict[Form, str]) -> dict[str, float]:
    """The share of words, however often each stands in the text, whose lemma was found."""
    right = sum(count for (form, lemma), count in wanted.items() if found[form] == lemma)
    return {"accuracy": right / wanted.total()}


@torch.no_grad()
def lemmatize(model: LoadedModel, forms: Sequence[Form]) -> dict[Form, str]:
    """The lemma of each form, the likeliest letter every time.

    Args:
        model: What :class:`Lemmas` trains.
        forms: Words and their tags.

    """
    network = model.network
    if not isinstance(network, Sequence2Sequence):
        raise InputError(
            f"{model.name} writes no lemmas: it is a {model.published_class}; clearhead train lemma makes one"
        )
    tokenizer = model.tokenizer
    end = tokenizer.token_to_id(_END)
    where = next(model.parameters()).device
    was_training = model.training
    model.eval()
    rows = {form: _ids(tokenizer, _of_form(form)) for form in forms}
    order = sorted(rows, key=lambda form: len(rows[form]))
    found: dict[Form, str] = {}
    for start in range(0, len(order), _BATCH):
        part = order[start : start + _BATCH]
        ids, mask = padded([rows[form] for form in part])
        ids, mask = ids.to(where), mask.to(where)
        steps = list(generate(network, ids, mask=mask, max_new_tokens=_LONGEST, ends={end}, start=0))
        for form, row in zip(part, torch.stack(steps, 1).tolist(), strict=True):
            letters = row[: row.index(end)] if end in row else row
            found[form] = "".join(tokenizer.id_to_token(n) for n in letters)
    model.train(was_training)
    return found


@torch.no_grad()
def spell(model: LoadedModel, forms: Sequence[Form], lemmas: Sequence[str] | None = None) -> Capture:
    """The attention with which a model writes lemmas: of the form, of the lemma, and from the lemma to the form.

    A row of the cross-attention stands at the letter that was written last, the first one at the start, ``<pad>``: from
    there the model looks for the letter to write next.

    Args:
        model: What :class:`Lemmas` trains.
        forms: Words and their tags.
        lemmas: What it is made to write; by default what it writes by itself.

    """
    written = (
        list(lemmas) if lemmas is not None else [found[form] for found in [lemmatize(model, forms)] for form in forms]
    )
    tokenizer, device = model.tokenizer, next(model.parameters()).device
    read = [_of_form(form) for form in forms]
    own = [[_PAD, *_of_lemma(lemma)[:-1]] for lemma in written]  # the end is written last, and not read
    source, target = _tokens(read), _tokens(own)
    ids, mask = (x.to(device) for x in padded([_ids(tokenizer, pieces) for pieces in read]))
    letters, _ = padded([_ids(tokenizer, pieces) for pieces in own])
    was_training = model.training
    model.eval()
    with watch(model, tokens=target) as capture:
        model.network(ids=ids, mask=mask, target=letters.to(device))
    model.train(was_training)
    capture.source_tokens = source
    capture.provenance |= {"model": model.name}
    return capture


def _of_form(form: Form) -> list[str]:
    """What is read of a word: its tag and its letters, the first ones of a very long word, and an end."""
    return [f"<{form.tag}>", *form.word[: _LONGEST - 1], _END]


def _of_lemma(lemma: str) -> list[str]:
    """What is written."""
    return [*lemma[:_LONGEST], _END]


def _ids(tokenizer: Any, pieces: Sequence[str]) -> list[int]:
    """Their numbers; letters that training never showed are one and the same."""
    unknown = tokenizer.token_to_id(_UNKNOWN)
    found = [tokenizer.token_to_id(piece) for piece in pieces]
    return [unknown if number is None else number for number in found]


def _tokens(rows: Sequence[Sequence[str]]) -> list[Tokens]:
    """Pieces as tokens, filled up on the right; those of more than a letter are special."""
    longest = max(map(len, rows))
    found = []
    for row in rows:
        offsets, text = [], ""
        for piece in row:
            offsets.append((len(text), len(text) + len(piece)) if len(piece) == 1 else (len(text), len(text)))
            text += piece if len(piece) == 1 else ""
        more = longest - len(row)
        pieces = (*row, *[_PAD] * more)
        found.append(
            Tokens(
                text,
                pieces,
                (*offsets, *[(0, 0)] * more),
                tuple(len(piece) > 1 for piece in pieces),
                (False,) * len(row) + (True,) * more,
            )
        )
    return found


_SMALL = {
    "model_type": "bart",
    "architectures": ["BartForConditionalGeneration"],
    "d_model": 128,
    "encoder_layers": 2,
    "encoder_ffn_dim": 512,
    "encoder_attention_heads": 4,
    "decoder_layers": 2,
    "decoder_ffn_dim": 512,
    "decoder_attention_heads": 4,
    "max_position_embeddings": _LONGEST + 2,
    "dropout": 0.0,
    "init_std": 0.09,  # about 1/√d_model, as published sizes have it at 0.02
    "tie_word_embeddings": True,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "decoder_start_token_id": 0,
}


def _letters(tags: Sequence[str], letters: Sequence[str]) -> Any:
    """A tokenizer of letters, and of tags in angle brackets, with an end after each text."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors

    special = [_PAD, _END, _UNKNOWN, *(f"<{tag}>" for tag in tags)]
    vocabulary = {name: number for number, name in enumerate([*special, *letters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=_UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in special])
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {_END}", special_tokens=[(_END, 1)])
    return tokenizer
