"""The tokens of a text, where they stand in it, and the words that they make up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from clearhead.errors import InputError

if TYPE_CHECKING:
    from tokenizers.pre_tokenizers import PreTokenizer

__all__ = ["Tokens", "split_words"]

# A Chinese or Japanese character is a word; else letters with their marks, joiners and digits, held together by an
# apostrophe (' or U+2019), or by a point or comma between digits; else what is shown as one sign (\X: a flag, an emoji
# with its modifiers).
_CJK = r"\p{Han}\p{Hiragana}\p{Katakana}\x{30FC}"
_LETTER = rf"[[\p{{L}}\p{{M}}\p{{N}}_\x{{200C}}\x{{200D}}]&&[^{_CJK}]]"
_WORD = (
    rf"[{_CJK}]\p{{M}}*"
    rf"|{_LETTER}+(?:['\x{{2019}}]{_LETTER}+|(?<=\p{{N}})[.,](?=\p{{N}})\p{{N}}+)*"
    r"|\X"
)


@cache
def _splitter() -> PreTokenizer:
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Split(Regex(_WORD), behavior="isolated")


def split_words(text: str) -> list[tuple[int, int]]:
    """Where each word of ``text`` starts and stops, in characters; white space belongs to none.

    >>> text = "It didn't cost 3.50."
    >>> [text[a:b] for a, b in split_words(text)]
    ['It', "didn't", 'cost', '3.50', '.']
    """
    spans = (span for _, span in _splitter().pre_tokenize_str(text))
    return [(start, stop) for start, stop in spans if text[start:stop].strip()]


@dataclass(frozen=True)
class Tokens:
    """One text of a batch, as the model saw it.

    A token belongs to the word in which its first visible character stands; a special token is a word of its own;
    padding belongs to none.
    """

    text: str
    pieces: tuple[str, ...]
    """As the tokenizer writes them, with its marks (``##``, ``Ġ``, ``▁``)."""
    offsets: tuple[tuple[int, int], ...]
    """Where each token starts and stops in ``text``, in characters; (0, 0) for special tokens."""
    special: tuple[bool, ...]
    padding: tuple[bool, ...]
    word_of: tuple[int, ...] = field(init=False)
    """The word number of each token, −1 for padding."""
    words: tuple[str, ...] = field(init=False)
    word_special: tuple[bool, ...] = field(init=False)

    def __post_init__(self) -> None:
        counts = {len(self.pieces), len(self.offsets), len(self.special), len(self.padding)}
        if len(counts) != 1:
            raise InputError(f"tokens need as many offsets and marks as pieces; got {sorted(counts)}")
        outside = [span for span in self.offsets if min(span) < 0 or max(span) > len(self.text)]
        if outside:
            raise InputError(f"the offsets {outside[0]} lie outside of a text of {len(self.text)} characters")
        try:
            spans = split_words(self.text)
        except UnicodeError as error:
            raise InputError(f"the text is not Unicode: {error}") from None
        at: list[int] = [-1] * (len(self.text) + 1)
        for number, (start, stop) in enumerate(spans):
            at[start:stop] = [number] * (stop - start)
        word_of: list[int] = []
        words: list[str] = []
        special: list[bool] = []
        source: int | None = None  # the number in `spans` of the word being filled
        for piece, (start, stop), is_special, is_padding in zip(
            self.pieces, self.offsets, self.special, self.padding, strict=True
        ):
            if is_padding:
                word_of.append(-1)
                continue
            those = [at[c] for c in range(start, stop) if at[c] >= 0]
            found = those[0] if those else None
            if is_special or found is None:
                # White space that is a token of its own is shown like a word too: it receives attention.
                words.append(piece)
                special.append(is_special)
                source = None
            elif found != source:
                # A token of several words, such as the "<VERB>" of a model that was trained with it, is one of all.
                words.append(self.text[spans[found][0] : spans[those[-1]][1]])
                special.append(False)
                source = those[-1]
            word_of.append(len(words) - 1)
        object.__setattr__(self, "word_of", tuple(word_of))
        object.__setattr__(self, "words", tuple(words))
        object.__setattr__(self, "word_special", tuple(special))

    def __len__(self) -> int:
        return len(self.pieces)

    @classmethod
    def from_encoding(cls, text: str, encoding: Any) -> Tokens:
        """From an encoding of the ``tokenizers`` library: what ``tokenizer(...)[i]`` gives for a fast tokenizer."""
        special = tuple(bool(x) for x in encoding.special_tokens_mask)
        padding = tuple(not x for x in encoding.attention_mask)
        offsets = tuple((int(a), int(b)) for a, b in encoding.offsets)
        return cls(text, tuple(encoding.tokens), offsets, special, padding)

    @classmethod
    def from_ids(cls, tokenizer: Any, ids: Sequence[int]) -> Tokens:
        """From token ids, such as a text that a model wrote, by a ``tokenizers.Tokenizer``.

        A token stands where it adds to the text; those that make up one character together stand at it.

        Args:
            tokenizer: Of the model.
            ids: The ids of one text.

        """
        from tokenizers.decoders import DecodeStream

        special = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
        stream, text, waiting = DecodeStream(skip_special_tokens=True), "", 0
        offsets: list[tuple[int, int]] = []
        for number in ids:
            waiting += 1
            added = "" if number in special else stream.step(tokenizer, number)
            if added is not None:
                offsets += [(len(text), len(text + added))] * waiting
                text, waiting = text + added, 0
        offsets += [(len(text), len(text))] * waiting
        pieces = tuple(tokenizer.id_to_token(number) or str(number) for number in ids)
        marks = tuple(number in special for number in ids)
        return cls(text, pieces, tuple(offsets), marks, (False,) * len(pieces))

    @classmethod
    def from_pieces(cls, pieces: Sequence[str], special: Sequence[bool] | None = None) -> Tokens:
        """From bare pieces, each a word of its own, for models without a tokenizer.

        >>> Tokens.from_pieces(["a", "b"]).words
        ('a', 'b')
        """
        offsets, position = [], 0
        for piece in pieces:
            offsets.append((position, position + len(piece)))
            position += len(piece) + 1
        marks = tuple(special) if special is not None else (False,) * len(pieces)
        return cls(" ".join(pieces), tuple(pieces), tuple(offsets), marks, (False,) * len(pieces))

    def to_json(self) -> dict[str, Any]:
        """What the capture file keeps; the words follow from it."""
        return {
            "text": self.text,
            "pieces": list(self.pieces),
            "offsets": [list(x) for x in self.offsets],
            "special": list(self.special),
            "padding": list(self.padding),
        }

    @classmethod
    def from_json(cls, data: Any) -> Tokens:
        """The inverse of :meth:`to_json`.

        Raises:
            InputError: The data is anything else.

        """
        if type(data) is not dict or type(data.get("text")) is not str:
            raise InputError("tokens in JSON are an object with a text")
        for name, kind in (("pieces", str), ("offsets", list), ("special", bool), ("padding", bool)):
            items = data.get(name)
            if type(items) is not list or any(type(item) is not kind for item in items):
                raise InputError(f"the {name} of tokens in JSON are a list of {kind.__name__}")
        if any([type(x) for x in span] != [int, int] for span in data["offsets"]):
            raise InputError("the offsets of tokens in JSON are pairs of whole numbers")
        offsets = tuple((start, stop) for start, stop in data["offsets"])
        return cls(data["text"], tuple(data["pieces"]), offsets, tuple(data["special"]), tuple(data["padding"]))
