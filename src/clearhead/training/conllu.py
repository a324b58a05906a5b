"""Sentences of a treebank, from files in the CoNLL-U format."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from clearhead.errors import InputError, MissingPackageError

__all__ = ["Sentence", "read_conllu", "read_treebank"]

_COLUMNS = 10


@dataclass(frozen=True)
class Sentence:
    """The syntactic words of a sentence: *didn't* is two, *did* and *n't*."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    """Universal part-of-speech tags (doi:10.1162/coli_a_00402); ``_`` where the file has none."""
    lemmas: tuple[str, ...]
    """Dictionary forms; ``_`` where the file has none."""
    line: int = 0
    """Where it begins in its file, counted from 1."""


def read_conllu(path: str | Path) -> list[Sentence]:
    r"""The sentences of a file.

    Multiword tokens (``3-4``) and empty nodes (``5.1``) are left out: their words are there by themselves.

    Args:
        path: A ``.conllu`` file, in UTF-8.

    Raises:
        InputError: The file cannot be read, has no sentence, or a line that is not CoNLL-U; the message names the line.
        MissingPackageError: ``conllu`` is not installed.

    Example:
        >>> import tempfile
        >>> line = "{}\t{}\t{}\t{}\t_\t_\t_\t_\t_\t_\n".format
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "two.conllu"
        ...     _ = path.write_text(line(1, "I", "I", "PRON") + line(2, "saw", "see", "VERB"), encoding="utf-8")
        ...     [sentence] = read_conllu(path)
        >>> sentence.lemmas
        ('I', 'see')

    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}") from None
    found = [_sentence(lines, path) for lines in _blocks(text)]
    found = [sentence for sentence in found if sentence.words]
    if not found:
        raise InputError(f"{path} has no sentence in it: lines of {_COLUMNS} columns, with an empty line after each")
    return found


def read_treebank(path: str | Path) -> tuple[list[Sentence], list[Sentence], list[Sentence]]:
    """The sentences to learn from, those to choose by, and those that are held out, of a treebank.

    Args:
        path: A folder with one file each of ``*-train.conllu``, ``*-dev.conllu`` and, if there is a test set,
            ``*-test.conllu``, as treebanks of Universal Dependencies have them; or a single file, of which the last
            tenth is to choose by, and the tenth before it held out.

    Raises:
        InputError: Such a file is missing, there are several of a kind, it is no CoNLL-U, or a single file has fewer
            than three sentences.

    Example:
        >>> from clearhead.training.samples import TREEBANK
        >>> train, validation, test = read_treebank(TREEBANK)
        >>> len(train), len(validation), len(test)
        (400, 60, 60)

    """
    path = Path(path)
    if not path.is_dir():
        every = read_conllu(path)
        part = max(1, len(every) // 10)
        if len(every) < 3:
            raise InputError(f"{path} has {len(every)} sentences; at least 3 are wanted, to divide them")
        return every[: -2 * part], every[-part:], every[-2 * part : -part]
    files = {kind: sorted(path.glob(f"*-{kind}.conllu")) for kind in ("train", "dev", "test")}
    for kind, found in files.items():
        if len(found) > 1:
            raise InputError(f"{path} has several *-{kind}.conllu: {', '.join(x.name for x in found)}; name one file")
        if not found and kind != "test":
            raise InputError(f"{path} has no *-{kind}.conllu: name a folder of a treebank, or one .conllu file")
    train, validation, test = ([x for file in found for x in read_conllu(file)] for found in files.values())
    return train, validation, test


def _blocks(text: str) -> Iterator[list[tuple[int, str]]]:
    """The numbered lines of each sentence."""
    lines = enumerate(text.split("\n"), 1)
    for is_empty, those in groupby(((n, line.rstrip("\r")) for n, line in lines), key=lambda x: not x[1].strip()):
        if not is_empty:
            yield list(those)


def _sentence(lines: Sequence[tuple[int, str]], path: str | Path) -> Sentence:
    try:
        import conllu
    except ImportError:
        raise MissingPackageError("reading treebanks needs conllu: pip install 'clearhead[train]'") from None
    first = lines[0][0]
    # To conllu two spaces would be the end of a column.
    lines = [(number, re.sub(" {2,}", " ", line)) for number, line in lines if not line.startswith("#")]
    for number, line in lines:
        columns = line.count("\t") + 1
        if columns != _COLUMNS:
            raise InputError(f"{path}, line {number}: {columns} columns, and CoNLL-U has {_COLUMNS}, with tabs between")
    try:
        tokens = [token for part in conllu.parse("\n".join(line for _, line in lines)) for token in part]
    except (conllu.exceptions.ParseException, ValueError, IndexError):
        for number, line in lines:  # again, to see which it was
            try:
                conllu.parse(line)
            except (conllu.exceptions.ParseException, ValueError, IndexError) as error:
                said = str(error).replace(" for parse_int_value", "")  # a name that readers of treebanks do not know
                raise InputError(f"{path}, line {number}: {said}") from None
        raise
    words: list[tuple[str, str, str]] = []
    for (number, _), token in zip(lines, tokens, strict=True):
        if not isinstance(token["id"], int):
            continue
        if token["id"] != len(words) + 1:
            raise InputError(f"{path}, line {number}: word {token['id']} comes where word {len(words) + 1} is due")
        if not token["form"]:
            raise InputError(f"{path}, line {number}: there is no word in the second column")
        words.append((token["form"], token["upos"] or "_", token["lemma"] or "_"))
    forms, tags, lemmas = zip(*words, strict=True) if words else ((), (), ())
    return Sentence(forms, tags, lemmas, first)
