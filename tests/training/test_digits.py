"""Pictures: the division of the digits, the places they are moved to, and a model that learns and is read again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

import clearhead as ch
from clearhead.errors import InputError
from clearhead.training.base import Settings
from clearhead.training.digits import Digits, Pictures, classify, handwritten_digits
from clearhead.training.run import train


def bars(count: int, seed: int) -> Pictures:
    """Lines that lie or stand somewhere in 6 × 8 pixels."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.zeros(count, 1, 6, 8, dtype=torch.uint8)
    names = []
    for n in range(count):
        at = int(torch.randint(1, 5, (), generator=generator))
        if n % 2:
            pixels[n, 0, at] = 255
        else:
            pixels[n, 0, :, at] = 255
        names.append("lying" if n % 2 else "standing")
    return Pictures(pixels, tuple(names))


def test_the_digits_are_divided_without_overlap() -> None:
    parts = handwritten_digits()
    assert [len(part.classes) for part in parts] == [1257, 180, 360]
    pictures = [{bytes(x.numpy().tobytes()) for x in part.pixels} for part in parts]
    assert not (pictures[0] | pictures[1]) & pictures[2]
    for part in parts:
        counts = Counter(part.classes)
        assert len(counts) == 10
        assert max(counts.values()) < 1.2 * min(counts.values())
        assert part.pixels.max() == 255


def test_pictures_are_moved_by_up_to_a_pixel() -> None:
    pixels = torch.randint(0, 256, (2, 1, 6, 8), dtype=torch.uint8)
    task = Digits(Pictures(pixels, ("a", "b")), Pictures(pixels, ("a", "b")))
    assert len(task.examples) == 18
    usual, number = task.examples[9 + 4]
    assert number == 1
    torch.testing.assert_close(usual, pixels[1].float() / 127.5 - 1)
    moved, _ = task.examples[9 + 8]  # down and to the right
    assert torch.equal(moved[:, 1:, 1:], usual[:, :-1, :-1])
    assert (moved[:, 0] == -1).all()
    assert (moved[:, :, 0] == -1).all()


def test_it_learns_and_is_read_again(tmp_path: Path) -> None:
    task = Digits(bars(64, 0), bars(32, 1))
    run = train(task, tmp_path / "run", Settings(steps=80, batch=16, learning_rate=3e-3, evaluate_every=40))
    assert run.measures["accuracy"] > 0.9
    model = ch.load(tmp_path / "run" / "model")
    other = bars(20, 2)
    found = classify(model, other.pixels)
    assert sum(one == two for one, two in zip(found, other.classes, strict=True)) >= 18
    # A picture that is opened as any model's is.
    torch.testing.assert_close(model.pixels(other.pixels[0]), other.pixels[:1].float() / 127.5 - 1)


@pytest.mark.parametrize(
    ("train_set", "validation", "says"),
    [
        (bars(0, 0), bars(4, 0), "no picture for training"),
        (bars(4, 0), bars(0, 0), "no picture for validation"),
        (bars(4, 0), Pictures(torch.zeros(1, 1, 8, 8, dtype=torch.uint8), ("lying",)), "are 1 × 6 × 8, those to check"),
        (bars(4, 0), bars(4, 0)._replace(classes=("round",) * 4), "have round, which training never shows"),
    ],
)
def test_what_cannot_be_learnt_is_said(train_set: Pictures, validation: Pictures, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Digits(train_set, validation)
    with pytest.raises(InputError, match="patches of 4 × 4 pixels do not fill pictures of 6 × 8"):
        Digits(bars(4, 0), bars(4, 0), patch=4)
