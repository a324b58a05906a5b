"""Pictures: the division of the digits, the places they are moved to, and a model that learns and is read again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from PIL import Image

import clearhead as ch
from clearhead.errors import InputError
from clearhead.training.base import Settings
from clearhead.training.digits import Digits, Pictures, classify, handwritten_digits, read_folder
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
        (
            bars(4, 0),
            Pictures(torch.zeros(1, 1, 8, 8, dtype=torch.uint8), ("lying",)),
            "are 1 × 6 × 8, those for validation 1 × 8 × 8",
        ),
        (bars(4, 0), bars(4, 0)._replace(classes=("round",) * 4), "have round, which training never shows"),
    ],
)
def test_what_cannot_be_learnt_is_said(train_set: Pictures, validation: Pictures, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Digits(train_set, validation)
    with pytest.raises(InputError, match="patches of 4 × 4 pixels do not fill pictures of 6 × 8"):
        Digits(bars(4, 0), bars(4, 0), patch=4)


def pictures(folder: Path, count: int, mode: str = "L", size: tuple[int, int] = (5, 7)) -> None:
    """Of two classes; each has numbers of its own."""
    for number, name in enumerate(("cat", "dog")):
        (folder / name).mkdir()
        for n in range(count):
            Image.new(mode, size, 100 * number + n if mode == "L" else (n, 50, number)).save(folder / name / f"{n}.png")


def test_a_folder_is_divided_by_class_always_alike(tmp_path: Path) -> None:
    pictures(tmp_path, 23)
    (tmp_path / "cat" / ".hidden").write_text("nothing")
    parts = read_folder(tmp_path)
    assert [Counter(part.classes) for part in parts] == [{"cat": n, "dog": n} for n in (17, 2, 4)]
    assert parts[0].pixels.shape == (34, 1, 7, 5)
    numbers = [[int(x[0, 0, 0]) for x in part.pixels] for part in parts]
    assert sorted(n for own in numbers for n in own) == [*range(23), *range(100, 123)]
    assert all(
        (n >= 100) == (name == "dog")
        for own, x in zip(numbers, parts, strict=True)
        for n, name in zip(own, x.classes, strict=True)
    )
    assert all(torch.equal(one.pixels, other.pixels) for one, other in zip(parts, read_folder(tmp_path), strict=True))


def test_one_coloured_picture_makes_all_coloured(tmp_path: Path) -> None:
    pictures(tmp_path, 3)
    Image.new("RGB", (5, 7), (1, 2, 3)).save(tmp_path / "dog" / "x.png")
    parts = read_folder(tmp_path)
    every = torch.cat([part.pixels for part in parts])
    assert every.shape == (7, 3, 7, 5)
    assert [1, 2, 3] in every[:, :, 0, 0].tolist()
    assert [102, 102, 102] in every[:, :, 0, 0].tolist()


def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*none: No such file"):
        read_folder(tmp_path / "none")
    with pytest.raises(InputError, match="has 0 folders in it"):
        read_folder(tmp_path)
    pictures(tmp_path, 2)
    with pytest.raises(InputError, match="cat has 2 pictures; at least 3"):
        read_folder(tmp_path)
    for name in ("cat", "dog"):
        Image.new("L", (5, 7)).save(tmp_path / name / "2.png")
    odd = tmp_path / "dog" / "3.png"
    Image.new("L", (11, 13)).save(odd)
    with pytest.raises(InputError, match=r"dog/3.png has 11 × 13 pixels, and most have 5 × 7: make all of one size"):
        read_folder(tmp_path)
    Image.new("I;16", (5, 7)).save(odd)
    with pytest.raises(InputError, match=r"3.png has numbers of the mode 'I"):
        read_folder(tmp_path)
    Image.new("RGBA", (5, 7), (0, 0, 0, 254)).save(odd)
    with pytest.raises(InputError, match=r"3.png has transparent parts"):
        read_folder(tmp_path)
    Image.new("RGBA", (5, 7), (0, 0, 0, 255)).save(odd)  # opaque
    assert len(read_folder(tmp_path)[0].pixels)
    odd.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"cannot read a picture from .*3.png"):
        read_folder(tmp_path)


@pytest.mark.parametrize(("size", "patch"), [((8, 8), 2), ((28, 28), 2), ((224, 224), 14), ((6, 9), 3), ((7, 11), 1)])
def test_patches_are_few_enough(size: tuple[int, int], patch: int) -> None:
    some = Pictures(torch.zeros(1, 1, *size, dtype=torch.uint8), ("a",))
    assert Digits(some, some).describe()["patch"] == patch


@pytest.mark.parametrize("size", [(97, 101), (224, 225), (34, 334)])
def test_pictures_that_cannot_be_cut_into_few_patches_are_said(size: tuple[int, int]) -> None:
    some = Pictures(torch.zeros(1, 1, *size, dtype=torch.uint8), ("a",))
    with pytest.raises(InputError, match=rf"divides {size[0]} × {size[1]} pixels into at most 256 patches"):
        Digits(some, some)


def test_the_baseline_and_the_test_set_are_those_worked_out_by_hand() -> None:
    known = bars(5, 0)  # three standing, two lying
    task = Digits(known, bars(4, 1), bars(3, 2))
    assert task.sets == ("validation", "test")
    assert task.baselines() == {"most frequent class": {"accuracy": 0.5}}
    assert task.baselines("test") == {"most frequent class": {"accuracy": pytest.approx(2 / 3)}}
    assert Digits(known, known).sets == ("validation",)
