"""Words of a text, and which token belongs to which."""

import json

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from clearhead.capture.tokens import Tokens, split_words
from clearhead.errors import InputError


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The animal didn't cross.", ["The", "animal", "didn't", "cross", "."]),
        ("don’t rock'n'roll", ["don’t", "rock'n'roll"]),
        ("'quoted' dogs' `code`", ["'", "quoted", "'", "dogs", "'", "`", "code", "`"]),
        ("3.50 or 1,000.5, v1.2.", ["3.50", "or", "1,000.5", ",", "v1.2", "."]),
        ("no.5 5.x 1.,2", ["no", ".", "5", "5", ".", "x", "1", ".", ",", "2"]),
        ("well-known snake_case", ["well", "-", "known", "snake_case"]),
        ("wait... what?!", ["wait", ".", ".", ".", "what", "?", "!"]),
        ("猫が好き。", ["猫", "が", "好", "き", "。"]),
        ("abc漢字def ラーメン", ["abc", "漢", "字", "def", "ラ", "ー", "メ", "ン"]),
        ("か\u3099き", ["か\u3099", "き"]),
        ("हिन्दी में क्षत्रिय", ["हिन्दी", "में", "क्षत्रिय"]),
        ("cafe\u0301 x\u0308y", ["cafe\u0301", "x\u0308y"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("한국어 слово", ["한국어", "слово"]),
        ("hi👋🏽👩‍🚀🇩🇪🇫🇷❤️!", ["hi", "👋🏽", "👩‍🚀", "🇩🇪", "🇫🇷", "❤️", "!"]),
        ("a\r\n\tb\u00a0c", ["a", "b", "c"]),
        ("", []),
        (" \n\t", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert [text[start:stop] for start, stop in split_words(text)] == words


def test_only_two_signs_are_apostrophes() -> None:
    for sign in "'\u2019":
        assert len(split_words(f"don{sign}t")) == 1
    for sign in "`´\u2018\u201b\u02ee{}x2019\\":  # a sign that is a letter joins anyway
        if not sign.isalnum():
            assert len(split_words(f"don{sign}t")) == 3, sign


def encode(tokenizer: Tokenizer, text: str) -> Tokens:
    return Tokens.from_encoding(text, tokenizer.encode(text))


def word_piece() -> Tokenizer:
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##happy", "cats", "didn", "'", "t", "sit", "3", ".", "50"]
    tokenizer = Tokenizer(models.WordPiece({w: n for n, w in enumerate(vocabulary)}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def test_word_piece_with_special_tokens_and_padding() -> None:
    tokenizer = word_piece()
    tokenizer.enable_padding(length=12)
    tokens = encode(tokenizer, "Unhappy cats didn't sit.")
    assert tokens.pieces[:9] == ("[CLS]", "un", "##happy", "cats", "didn", "'", "t", "sit", ".")
    assert tokens.words == ("[CLS]", "Unhappy", "cats", "didn't", "sit", ".", "[SEP]")
    assert tokens.word_of == (0, 1, 1, 2, 3, 3, 3, 4, 5, 6, -1, -1)
    assert tokens.word_special == (True, False, False, False, False, False, True)
    assert tokens.special == (True, *[False] * 8, True, True, True)
    assert tokens.padding == (*[False] * 10, True, True)
    assert tokens.offsets[:5] == ((0, 0), (0, 2), (2, 7), (8, 12), (13, 17))
    assert len(tokens) == 12


def test_an_unknown_word_keeps_its_text() -> None:
    tokens = encode(word_piece(), "cats 🐈 3.50")
    assert tokens.pieces == ("[CLS]", "cats", "[UNK]", "3", ".", "50", "[SEP]")
    assert tokens.words == ("[CLS]", "cats", "🐈", "3.50", "[SEP]")
    assert tokens.word_special == (True, False, False, False, True)


def test_padding_on_the_left() -> None:
    tokenizer = word_piece()
    tokenizer.enable_padding(length=5, direction="left")
    tokens = encode(tokenizer, "cats")
    assert tokens.word_of == (-1, -1, 0, 1, 2)
    assert tokens.words == ("[CLS]", "cats", "[SEP]")


@pytest.mark.parametrize("trimmed", [True, False])
def test_byte_level_pieces_carry_the_space_before_them(trimmed: bool) -> None:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("Ġ", "c"), ("Ġc", "a"), ("Ġca", "t"), ("c", "a"), ("Ġ", "s"), ("Ġ", "o")]
    vocabulary = {w: n for n, w in enumerate([*alphabet, "Ġc", "Ġca", "Ġcat", "ca", "Ġs", "Ġo"])}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=trimmed)
    tokenizer.decoder = decoders.ByteLevel()
    text = "a cat sat  on!猫👍🏽"
    tokens = encode(tokenizer, text)
    assert tokens.pieces[:5] == ("a", "Ġcat", "Ġs", "a", "t")
    assert tokens.offsets[1] == ((2, 5) if trimmed else (1, 5))
    # The first of two spaces is a token of its own, and shown; bytes of one sign are one word.
    assert tokens.words == ("a", "cat", "sat", "Ġ", "on", "!", "猫", "👍🏽")
    assert tokens.word_of[:5] == (0, 1, 2, 2, 2)
    assert tokens.word_of[5:] == (3, 4, 4, 5, *[6] * 3, *[7] * 8)
    assert not any(tokens.word_special)


def test_pieces_with_a_mark_for_the_space() -> None:
    vocabulary = [("<unk>", 0.0), ("▁un", -1.0), ("happy", -1.0), ("▁cat", -1.0), ("s", -1.0), (".", -1.0), ("▁", -2.0)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokens = encode(tokenizer, "unhappy cats.")
    assert tokens.pieces == ("▁un", "happy", "▁cat", "s", ".")
    assert tokens.words == ("unhappy", "cats", ".")
    assert tokens.word_of == (0, 0, 1, 1, 2)


def test_a_token_that_spans_words_is_one_of_all() -> None:
    tokens = Tokens("of the cat", ("of the", " cat"), ((0, 6), (6, 10)), (False, False), (False, False))
    assert tokens.words == ("of the", "cat")
    tokens = Tokens("<VERB>saw", ("<VERB>", "s", "aw"), ((0, 6), (6, 7), (7, 9)), (False,) * 3, (False,) * 3)
    assert tokens.words == ("<VERB>", "saw")
    assert tokens.word_of == (0, 1, 1)


def test_the_same_word_twice_is_two_words() -> None:
    assert Tokens.from_pieces(["cat", "cat"]).word_of == (0, 1)


def test_a_special_token_in_the_middle_of_a_word_parts_it() -> None:
    tokens = Tokens("unhappy", ("un", "[MASK]", "happy"), ((0, 2), (0, 0), (2, 7)), (False, True, False), (False,) * 3)
    assert tokens.word_of == (0, 1, 2)
    assert tokens.words == ("unhappy", "[MASK]", "unhappy")


@pytest.mark.parametrize("text", ["be a bad cat", "café, 猫 and 👩‍🚀"])
def test_ids_stand_where_their_text_is(text: str) -> None:
    letters = pre_tokenizers.ByteLevel.alphabet()
    vocabulary = {piece: number for number, piece in enumerate(["</s>", *sorted(letters), "ca"])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [("c", "a")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["</s>"])
    encoding = tokenizer.encode(text)
    found = Tokens.from_ids(tokenizer, [*encoding.ids, 0])
    assert found.text == text
    assert found.pieces == (*encoding.tokens, "</s>")
    assert found.offsets == (*encoding.offsets, (len(text), len(text)))
    assert found.special == (*[False] * len(encoding.ids), True)
    assert found.words[-1] == "</s>"
    assert text.startswith(Tokens.from_ids(tokenizer, encoding.ids[:4]).text)  # without half of a character


def test_bare_pieces_are_words_of_their_own() -> None:
    tokens = Tokens.from_pieces(["<s>", "a b", "c"], special=[True, False, False])
    assert tokens.text == "<s> a b c"
    assert tokens.special == (True, False, False)
    assert tokens.word_of == (0, 1, 2)
    assert tokens.offsets == ((0, 3), (4, 7), (8, 9))


def test_no_tokens() -> None:
    tokens = Tokens("", (), (), (), ())
    assert (len(tokens), tokens.words, tokens.word_of) == (0, (), ())


def test_json_and_back() -> None:
    tokens = encode(word_piece(), "Unhappy cats 🐈 didn't sit.")
    data = json.loads(json.dumps(tokens.to_json()))
    assert Tokens.from_json(data) == tokens
    assert Tokens.from_json(data).words == tokens.words


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("text", 5, "object with a text"),
        ("text", "", "outside of a text of 0 characters"),
        ("text", "un\ud800xxxx", "not Unicode"),
        ("pieces", ["a", 1], "pieces .* list of str"),
        ("pieces", "ab", "pieces .* list of str"),
        ("pieces", ["a"], "as many offsets and marks as pieces"),
        ("offsets", [[0, 1], [1]], "pairs of whole numbers"),
        ("offsets", [[0, 1], [True, 1]], "pairs of whole numbers"),
        ("offsets", [[0, 1], 1], "offsets .* list of list"),
        ("offsets", [[0, 1], [-1, 1]], "outside of a text of 2 characters"),
        ("offsets", [[0, 1], [1, 10**12]], "outside of a text of 2 characters"),
        ("special", [0, 1], "special .* list of bool"),
        ("padding", None, "padding .* list of bool"),
    ],
)
def test_other_json_is_refused(key: str, value: object, said: str) -> None:
    data = Tokens("ab", ("a", "b"), ((0, 1), (1, 2)), (False, False), (False, False)).to_json()
    with pytest.raises(InputError, match=said):
        Tokens.from_json({**data, key: value})
    del data[key]
    with pytest.raises(InputError, match=key):
        Tokens.from_json(data)
    with pytest.raises(InputError, match="object with a text"):
        Tokens.from_json([data])


def test_marks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="as many offsets and marks as pieces"):
        Tokens("a", ("a",), ((0, 1),), (False, False), (False,))
