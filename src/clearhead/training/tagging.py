"""Part-of-speech tagging: a tag for each word of a sentence, by an encoder."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clearhead.analysis.statistics import Observed
from clearhead.capture.look import look
from clearhead.capture.tokens import Tokens, split_words
from clearhead.errors import InputError
from clearhead.models.fresh import fresh
from clearhead.models.load import LoadedModel, load
from clearhead.training.base import IGNORED, Probe, Settings, Task, padded, write_start
from clearhead.training.conllu import Sentence
from clearhead.training.order import by_length

__all__ = ["MostFrequentTag", "Tagging", "measures", "split_text", "tag"]

_CLITIC = re.compile(r"(?i)(?<=[a-z])(n't|n’t|['’](?:s|re|ve|ll|d|m)|(?<=^can)not)$")
_WHOLE = re.compile(
    r"(?:https?://|www\.)\S*[\w/]|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"  # addresses
    r"|\b(?:[A-Za-z]\.){2,}|\b(?:Mr|Mrs|Ms|Dr|vs|etc|Inc|Jr)\."  # abbreviations
)
_BATCH = 32
_EXAMPLES = ("The animal didn't cross the street because it was too tired.", "I saw a saw.")
_SHOWN, _PROBED, _LONGEST_PROBE = 4, 32, 30  # sentences, and words of one
_MOST_PIECES = 16  # of a word


def split_text(text: str) -> list[str]:
    """The syntactic words of an English text, about as its treebanks have them: *didn't* is *did* and *n't*.

    >>> split_text("It didn't cost $3.50.")
    ['It', 'did', "n't", 'cost', '$', '3.50', '.']
    >>> split_text("Dr. No left the U.S. again.")
    ['Dr.', 'No', 'left', 'the', 'U.S.', 'again', '.']
    >>> split_text("I cannot open (https://example.org/a?b=1).")
    ['I', 'can', 'not', 'open', '(', 'https://example.org/a?b=1', ')', '.']
    """
    words: list[str] = []
    place = 0
    for known in [*_WHOLE.finditer(text), None]:
        part = text[place : len(text) if known is None else known.start()]
        for start, stop in split_words(part):
            word = part[start:stop]
            end = _CLITIC.search(word)
            words += [word[: end.start()], word[end.start() :]] if end else [word]
        if known is not None:
            words.append(known[0])
            place = known.end()
    return words


class MostFrequentTag:
    """The tag that each word had most often in training; for other words the most frequent tag of all. A baseline."""

    def __init__(self, sentences: Iterable[Sentence]) -> None:
        counts: dict[str, Counter[str]] = {}
        for sentence in sentences:
            for word, tag in zip(sentence.words, sentence.tags, strict=True):
                counts.setdefault(word, Counter())[tag] += 1
        self._tags = {word: tags.most_common(1)[0][0] for word, tags in counts.items()}
        self._usual = sum(counts.values(), Counter[str]()).most_common(1)[0][0]

    def tag(self, words: Sequence[str]) -> list[str]:
        """A tag for each word.

        >>> MostFrequentTag([Sentence(("a", "saw"), ("DET", "NOUN"), ("a", "saw"))]).tag(["saw", "x"])
        ['NOUN', 'DET']
        """
        return [self._tags.get(word, self._usual) for word in words]


@dataclass(frozen=True)
class Encoded:
    """The pieces of a sentence, and at which piece each word begins."""

    ids: list[int]
    starts: list[int]


def encode_words(tokenizer: Any, words: Sequence[str], limit: int | None) -> list[Encoded]:
    """The pieces of a sentence's words: of one that is longer than the model takes several parts, cut between words.

    A word of which the tokenizer makes no piece gets its unknown token, so that every word has a piece; of one with
    many pieces, such as an address of the web, the first ones are read.
    """
    unknown = tokenizer.token_to_id(getattr(tokenizer.model, "unk_token", None) or "[UNK]")
    before, after = _special(tokenizer)
    room = (limit or 2**31) - len(before) - len(after)
    parts: list[list[list[int]]] = [[]]
    size = 0
    # Pieces of byte-level tokenizers hold the space before a word, and were learnt so.
    spaced = tokenizer.encode(" a", add_special_tokens=False).ids != tokenizer.encode("a", add_special_tokens=False).ids
    given = [f" {word}" if spaced and number else word for number, word in enumerate(words)]
    for encoding in tokenizer.encode_batch(given, add_special_tokens=False):
        pieces = encoding.ids[:_MOST_PIECES] or [unknown]
        if size + len(pieces) > room:
            parts.append([])
            size = 0
        parts[-1].append(pieces)
        size += len(pieces)
    found = []
    for part in parts:
        ids, starts = list(before), []
        for pieces in part:
            starts.append(len(ids))
            ids += pieces
        found.append(Encoded(ids + after, starts))
    return found


def _special(tokenizer: Any) -> tuple[list[int], list[int]]:
    """What the tokenizer puts before and after a text."""
    ids = tokenizer.encode("a").ids
    own = tokenizer.encode("a", add_special_tokens=False).ids
    start = next(n for n in range(len(ids)) if ids[n : n + len(own)] == own)
    return ids[:start], ids[start + len(own) :]


def batches(encoded: Sequence[Encoded], size: int, padding: int) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """The ids of some sentences of about the same length, which tokens there are, and which sentences they are."""
    order = sorted(range(len(encoded)), key=lambda n: len(encoded[n].ids))
    for start in range(0, len(order), size):
        numbers = order[start : start + size]
        rows = [encoded[n].ids for n in numbers]
        yield numbers, *padded(rows, padding)


@torch.no_grad()
def tag(model: LoadedModel, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
    """The tag of each word: that of its first piece.

    Args:
        model: A token classifier, such as :class:`Tagging` trains.
        sentences: Their words.

    Raises:
        InputError: The model classifies no tokens, or there is no word.

    """
    names = model.config.id2label
    if model.published_class.find("ForTokenClassification") < 0 or not names:
        raise InputError(f"{model.name} tags no words: it is a {model.published_class}; clearhead train tag makes one")
    labels = [names[str(n)] if str(n) in names else names[n] for n in range(len(names))]
    parts, of = [], []
    for number, words in enumerate(sentences):
        if not words:
            raise InputError(f"sentence {number + 1} has no word")
        for part in encode_words(model.tokenizer, words, model.limit):
            parts.append(part)
            of.append(number)
    found: list[list[str]] = [[] for _ in parts]
    where = next(model.parameters()).device
    was_training = model.training
    model.eval()
    for numbers, ids, mask in batches(parts, _BATCH, model.config.pad_token_id or 0):
        best = model(ids.to(where), mask=None if bool(mask.all()) else mask.to(where)).argmax(-1)
        for row, number in enumerate(numbers):
            found[number] = [labels[n] for n in best[row, parts[number].starts].tolist()]
    model.train(was_training)
    tags: list[list[str]] = [[] for _ in sentences]
    for number, own in zip(of, found, strict=True):
        tags[number] += own
    return tags


class Tagging(Task):
    """Tags of words, learnt from sentences by an encoder.

    A word's tag is read off its first piece. Training sentences whose words are those of a sentence in ``validation``
    or ``held_out`` are left out.

    Args:
        train: Sentences to learn from.
        validation: Those that the best checkpoint is chosen by.
        held_out: Others that are not to be learnt from: the test set.
        start: A published encoder to fine-tune, as :func:`clearhead.load` takes it; None trains a small BERT with a
            vocabulary of its own from the beginning.

    Attributes:
        tags: All tags, sorted.
        left_out: How many training sentences are left out.

    Raises:
        InputError: No sentence, a word without a tag, or a tag in ``validation`` that training does not have.

    """

    name = "tag"
    unit = "sentences"
    best = "accuracy"
    defaults = Settings(steps=600, batch=32, learning_rate=3e-4)  # of fine-tuning

    def __init__(
        self,
        train: Sequence[Sentence],
        validation: Sequence[Sentence],
        *,
        held_out: Sequence[Sentence] = (),
        start: str | None = None,
    ) -> None:
        elsewhere = {sentence.words for sentence in (*validation, *held_out)}
        self._train = [sentence for sentence in train if sentence.words not in elsewhere]
        self._start = start
        self._judged = {"validation": list(validation)} | ({"test": list(held_out)} if held_out else {})
        if start is None:
            self.defaults = _NEW
        self.left_out = len(train) - len(self._train)
        if not self._train or not validation:
            what = "training" if not self._train else "validation"
            raise InputError(
                f"there is no sentence for {what}"
                + (f", {self.left_out} left out, which the other sets have, too" if self.left_out else "")
            )
        for sentence in (*self._train, *validation, *held_out):
            if "_" in sentence.tags:
                word = sentence.words[sentence.tags.index("_")]
                raise InputError(f"the word {word!r} of the sentence at line {sentence.line} has no tag")
        self.tags = tuple(sorted({tag for sentence in self._train for tag in sentence.tags}))
        unseen = sorted({tag for sentence in validation for tag in sentence.tags} - set(self.tags))
        if unseen:
            raise InputError(
                f"the validation sentences have {', '.join(unseen)}, which training never shows: move a sentence with "
                "it to those for training, or leave it out"
            )
        self._examples: list[Encoded] = []
        self._labels: list[list[int]] = []

    @property
    def examples(self) -> Sequence[Any]:
        """The pieces of each sentence, and the numbers of its words' tags."""
        return list(zip(self._examples, self._labels, strict=True))

    def order(self, settings: Settings) -> list[int]:
        """Sentences of about the same length together."""
        lengths = [len(example.ids) for example in self._examples]
        return by_length(lengths, settings.batch, settings.steps * settings.batch, settings.seed)

    def model(self, folder: Path) -> LoadedModel:
        """A token classifier: BERT's, of the model to start from or new."""
        base = None if self._start is None else load(self._start, head=False)
        if base is None:
            config = dict(_SMALL)
            tokenizer = _new_tokenizer(self._train)
            config["vocab_size"] = tokenizer.get_vocab_size()
        else:
            if base.architecture not in ("bert", "roberta"):
                raise InputError(f"{self._start} is {base.architecture}; tags are learnt by BERT and RoBERTa")
            config = base.published_config()
            tokenizer = base.tokenizer
        kind = "Roberta" if config["model_type"] == "roberta" else "Bert"
        config["architectures"] = [f"{kind}ForTokenClassification"]
        config["id2label"] = {str(n): tag for n, tag in enumerate(self.tags)}
        config["label2id"] = {tag: n for n, tag in enumerate(self.tags)}
        write_start(folder, config, tokenizer)
        model = fresh(folder)
        if base is not None:
            model.stack.load_state_dict(base.stack.state_dict())
        self._padding = model.config.pad_token_id or 0
        self._encode(model)
        return model

    def _encode(self, model: LoadedModel) -> None:
        number = {tag: n for n, tag in enumerate(self.tags)}
        self._examples, self._labels = [], []
        for sentence in self._train:
            rest = [number[tag] for tag in sentence.tags]
            for part in encode_words(model.tokenizer, sentence.words, model.limit):
                self._examples.append(part)
                self._labels.append(rest[: len(part.starts)])
                rest = rest[len(part.starts) :]

    def collate(self, examples: Sequence[tuple[Encoded, list[int]]]) -> dict[str, Tensor]:
        """Ids, which of them there are, and the tag at each word's first piece."""
        ids, mask = padded([example.ids for example, _ in examples], self._padding)
        labels = torch.full(ids.shape, IGNORED)
        for row, (example, tags) in enumerate(examples):
            labels[row, example.starts] = torch.tensor(tags)
        return {"ids": ids, "mask": mask, "labels": labels}

    @property
    def sets(self) -> tuple[str, ...]:
        """Those that there are."""
        return tuple(self._judged)

    def judge(self, model: LoadedModel, of: str = "validation") -> dict[str, float]:
        """See :func:`measures`."""
        return measures(self._judged[of], tag(model, [sentence.words for sentence in self._judged[of]]))

    def baselines(self, of: str = "validation") -> dict[str, dict[str, float]]:
        """Of :class:`MostFrequentTag`."""
        usual = MostFrequentTag(self._train)
        return {"most frequent tag": measures(self._judged[of], [usual.tag(x.words) for x in self._judged[of]])}

    def probe(self, model: LoadedModel, texts: Sequence[str] | None = None) -> Probe:
        """Two sentences of the texts that this library is built on, and some of the validation set, with their tags."""
        validation = self._judged["validation"]
        some = ([x for x in validation if len(x.words) <= _LONGEST_PROBE] or validation)[:_PROBED]
        given = [*_EXAMPLES, *(" ".join(sentence.words) for sentence in some[:_SHOWN])] if texts is None else texts

        def counted() -> Iterator[Observed]:
            for start in range(0, len(some), _BATCH):
                part = sorted(some, key=lambda sentence: len(sentence.words))[start : start + _BATCH]
                capture = look([" ".join(sentence.words) for sentence in part], model, truncate=True)
                pairs = zip(part, capture.tokens or (), strict=True)
                yield Observed(capture, [_tags_of(sentence, tokens) for sentence, tokens in pairs])

        return Probe(lambda: look(given, model, truncate=True), counted)

    def describe(self) -> dict[str, Any]:
        """Which sentences, and what it starts from."""
        return {
            **{name: fingerprint(those) for name, those in (("train", self._train), *self._judged.items())},
            "start": self._start,
        }


def measures(sentences: Sequence[Sentence], tags: Sequence[Sequence[str]]) -> dict[str, float]:
    """The share of words that have the right tag, and the mean of the tags' F1 scores.

    Args:
        sentences: With the right tags.
        tags: Those that were found.

    """
    from sklearn.metrics import accuracy_score, f1_score

    wanted = [tag for sentence in sentences for tag in sentence.tags]
    found = [tag for own in tags for tag in own]
    macro = f1_score(wanted, found, average="macro", zero_division=0.0)
    return {"accuracy": float(accuracy_score(wanted, found)), "macro_f1": float(macro)}


def _tags_of(sentence: Sentence, tokens: Tokens) -> list[str | None]:
    """The tag of the word to which each token belongs, where the words stand with a space between."""
    at: list[str | None] = []
    for word, tag in zip(sentence.words, sentence.tags, strict=True):
        at += [tag] * len(word) + [None]
    return [
        None if special else next((at[place] for place in range(start, stop) if at[place] is not None), None)
        for (start, stop), special in zip(tokens.offsets, tokens.special, strict=True)
    ]


def fingerprint(sentences: Sequence[Sentence]) -> str:
    """A hash of sentences."""
    digest = hashlib.sha256()
    for sentence in sentences:
        digest.update(repr((sentence.words, sentence.tags)).encode())
    return digest.hexdigest()[:16]


_NEW = Settings(steps=2500, batch=32, learning_rate=1.5e-3, warmup=0.1, evaluate_every=500)
_SMALL = {
    "model_type": "bert",
    "hidden_size": 192,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "intermediate_size": 768,
    "max_position_embeddings": 256,
    "type_vocab_size": 1,
    "pad_token_id": 0,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "initializer_range": 0.07,  # about 1/√hidden_size, as published sizes have it at 0.02
}
_VOCABULARY = 12000


def _new_tokenizer(sentences: Sequence[Sentence]) -> Any:
    """Word pieces of the words of some sentences."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    normalizer, cut = normalizers.NFC(), pre_tokenizers.BertPreTokenizer()
    words = [word for sentence in sentences for word in sentence.words]
    # Pairs that are equally frequent are merged in the order of their letters' numbers. Those that a trainer gives by
    # itself are others each time, and so would the pieces be: here they are given.
    parts = (cut.pre_tokenize_str(normalizer.normalize_str(word)) for word in set(words))
    letters = sorted({letter for found in parts for part, _ in found for letter in part})
    numbered = [*special, *letters, *(f"##{letter}" for letter in letters)]
    learning = Tokenizer(models.BPE())
    learning.normalizer, learning.pre_tokenizer = normalizer, cut
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY, special_tokens=numbered, continuing_subword_prefix="##", show_progress=False
    )
    learning.train_from_iterator(words, trainer)

    tokenizer = Tokenizer(models.WordPiece(learning.get_vocab()))
    tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.decoder = normalizer, cut, decoders.WordPiece()
    tokenizer.add_special_tokens(special)
    ends = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return tokenizer
