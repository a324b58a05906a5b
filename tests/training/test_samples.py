"""The samples in the package: whole, divided without overlap, and with their licence."""

from __future__ import annotations

from clearhead.training.conllu import read_treebank
from clearhead.training.samples import TEXT, TREEBANK
from clearhead.training.tagging import Tagging


def test_the_sample_of_a_treebank_is_read() -> None:
    parts = read_treebank(TREEBANK)
    assert [len(part) for part in parts] == [400, 60, 60]
    words = [{sentence.words for sentence in part} for part in parts]
    assert [len(part) for part in words] == [400, 60, 60]
    assert len(words[0] | words[1] | words[2]) == 520
    train, validation, test = parts
    task = Tagging(train, validation, held_out=test)
    assert len(task.tags) == 17
    assert task.left_out == 0
    assert {tag for sentence in test for tag in sentence.tags} <= set(task.tags)


def test_the_sample_of_a_text_is_whole_paragraphs() -> None:
    text = TEXT.read_text(encoding="utf-8")
    assert 55_000 < len(text) < 60_000
    assert text.startswith("First Citizen:\n")
    assert text.endswith("heartily!\n")


def test_they_come_with_their_licence() -> None:
    said = " ".join((TREEBANK / "README.md").read_text(encoding="utf-8").split())
    for wanted in ("Attribution-ShareAlike 4.0", "LICENSE.txt", "Changes made", "Stanford", "public domain"):
        assert wanted in said
    assert (TREEBANK / "LICENSE.txt").read_text(encoding="utf-8").startswith("Attribution-ShareAlike 4.0 International")
