"""Reading treebanks, and what is wrong with files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearhead.errors import InputError
from clearhead.training.conllu import read_conllu, read_treebank

GOOD = """# sent_id = 1
# text = I didn't see it.
1\tI\tI\tPRON\tPRP\tCase=Nom\t4\tnsubj\t4:nsubj\t_
2-3\tdidn't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdid\tdo\tAUX\tVBD\t_\t4\taux\t4:aux\t_
3\tn't\tnot\tPART\tRB\t_\t4\tadvmod\t4:advmod\t_
3.1\tghost\tghost\tNOUN\t_\t_\t_\t_\t_\t_
4\tsee\tsee\tVERB\tVB\t_\t0\troot\t0:root\t_
5\tit\tit\tPRON\tPRP\t_\t4\tobj\t4:obj\tSpaceAfter=No
6\t.\t.\tPUNCT\t.\t_\t4\tpunct\t4:punct\t_

# text = _
1\t_\t_\tPUNCT\t_\t_\t0\troot\t_\t_
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "some.conllu"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_words_are_the_syntactic_ones(ends: str, tmp_path: Path) -> None:
    first, second = read_conllu(write(tmp_path, "\ufeff" + GOOD.replace("\n", ends)))
    assert first.words == ("I", "did", "n't", "see", "it", ".")
    assert first.tags == ("PRON", "AUX", "PART", "VERB", "PRON", "PUNCT")
    assert first.lemmas == ("I", "do", "not", "see", "it", ".")
    assert (first.line, second.line) == (1, 12)
    assert second.words == ("_",)


@pytest.mark.parametrize(
    ("line", "becomes", "says"),
    [
        ("4\tsee\tsee\tVERB\tVB\t_\t0\troot\t0:root\t_", "4 see see VERB", "line 8: 1 columns, and CoNLL-U has 10"),
        ("4\tsee\tsee\tVERB\tVB\t_\t0\troot\t0:root\t_", "4\tsee\tsee\tVERB", "line 8: 4 columns"),
        ("4\tsee", "x\tsee", "line 8: .*'x' is not a valid ID"),
        ("VB\t_\t0\troot", "VB\t_\tx\troot", "line 8: .*'head': 'x' is not a valid value[.]$"),
        ("4\tsee", "9\tsee", "line 8: word 9 comes where word 4 is due"),
        ("4\tsee", "4\t", "line 8: there is no word in the second column"),
    ],
)
def test_the_line_that_is_wrong_is_named(line: str, becomes: str, says: str, tmp_path: Path) -> None:
    assert line in GOOD
    with pytest.raises(InputError, match=says):
        read_conllu(write(tmp_path, GOOD.replace(line, becomes)))


def test_two_spaces_end_no_column(tmp_path: Path) -> None:
    [sentence] = read_conllu(write(tmp_path, "1\ta  b\tab\tNOUN\t_\t_\t0\troot\t_\tGloss=x  y\n"))
    assert (sentence.words, sentence.lemmas, sentence.tags) == (("a b",), ("ab",), ("NOUN",))


@pytest.mark.parametrize("text", ["", "\n\n", "# sent_id = 1\n"])
def test_a_file_without_a_sentence_is_said(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no sentence in it"):
        read_conllu(write(tmp_path, text))


def test_what_is_no_text_is_said(tmp_path: Path) -> None:
    path = tmp_path / "some.conllu"
    path.write_bytes(b"1\t\xff\n")
    with pytest.raises(InputError, match="no UTF-8 text: byte 2 is 0xff"):
        read_conllu(path)
    with pytest.raises(InputError, match=r"cannot read .*: No such file"):
        read_conllu(tmp_path / "none.conllu")


def sentence(word: str) -> str:
    return f"1\t{word}\t{word}\tX\t_\t_\t0\troot\t_\t_\n\n"


def test_a_folder_of_a_treebank_is_its_files(tmp_path: Path) -> None:
    for kind in ("train", "dev", "test"):
        (tmp_path / f"xx_some-ud-{kind}.conllu").write_text(sentence(kind), encoding="utf-8")
    (tmp_path / "README.md").write_text("about it", encoding="utf-8")
    assert [part[0].words for part in read_treebank(tmp_path)] == [("train",), ("dev",), ("test",)]
    (tmp_path / "xx_some-ud-test.conllu").unlink()
    assert read_treebank(tmp_path)[2] == []
    (tmp_path / "xx_other-ud-dev.conllu").write_text(sentence("other"), encoding="utf-8")
    with pytest.raises(InputError, match=r"has several \*-dev.conllu: xx_other-ud-dev.conllu, xx_some-ud-dev.conllu"):
        read_treebank(tmp_path)
    (tmp_path / "xx_some-ud-train.conllu").unlink()
    with pytest.raises(InputError, match=r"has no \*-train.conllu: name a folder of a treebank"):
        read_treebank(tmp_path)


def test_a_single_file_is_divided(tmp_path: Path) -> None:
    names = [f"w{n}" for n in range(23)]
    path = write(tmp_path, "".join(map(sentence, names)))
    train, validation, test = ([x.words[0] for x in part] for part in read_treebank(path))
    assert (train, test, validation) == (names[:19], names[19:21], names[21:])
    assert [len(part) for part in read_treebank(write(tmp_path, "".join(map(sentence, "abc"))))] == [1, 1, 1]
    with pytest.raises(InputError, match="has 2 sentences; at least 3 are wanted"):
        read_treebank(write(tmp_path, sentence("a") + sentence("b")))
    with pytest.raises(InputError, match="cannot read"):
        read_treebank(tmp_path / "none")
