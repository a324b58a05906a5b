"""Sentences of a treebank, from files in the CoNLL-U format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from clearhead.errors import InputError, MissingPackageError

__all__ = ["Sentence", "read_conllu"]

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
    lines = [(number, line) for number, line in lines if not line.startswith("#")]
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
                raise InputError(f"{path}, line {number}: {error}") from None
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
