"""Pictures: the class of each, such as a handwritten digit, by a vision Transformer."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from clearhead.analysis.statistics import Observed
from clearhead.capture.look import look
from clearhead.errors import InputError, MissingPackageError
from clearhead.files import write_together
from clearhead.models.fresh import fresh
from clearhead.models.load import LoadedModel
from clearhead.shapes import whole_number
from clearhead.training.base import Probe, Settings, Task
from clearhead.training.order import shuffled

__all__ = ["Digits", "Pictures", "classify", "handwritten_digits", "read_folder"]

_PREPARED = {"do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "resample": 2}
_EVALUATED = 256
_SHOWN, _PROBED = 10, 32
_MOST_PATCHES = 256


class Pictures(NamedTuple):
    """Pictures of one size, and the class of each."""

    pixels: Tensor
    """``(pictures, channels, height, width)``, whole numbers from 0 to 255."""
    classes: tuple[str, ...]
    """The class of each."""


def handwritten_digits() -> tuple[Pictures, Pictures, Pictures]:
    """scikit-learn's 1,797 handwritten digits of 8 × 8 pixels: to learn from, to choose by, and a fifth held out.

    Of the test set of Alpaydin & Kaynak 1998 (UCI, doi:10.24432/C50P49), divided with the classes in proportion.

    Raises:
        MissingPackageError: scikit-learn is not installed.

    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError:
        raise MissingPackageError("the digits come with scikit-learn: pip install 'clearhead[train]'") from None
    data = load_digits()
    pixels = (torch.tensor(data.images) * (255 / 16)).round().to(torch.uint8)[:, None]
    names = [str(digit) for digit in data.target]
    rest, test = train_test_split(range(len(names)), test_size=0.2, random_state=0, stratify=names)
    train, validation = train_test_split(rest, test_size=0.125, random_state=0, stratify=[names[n] for n in rest])

    def part(numbers: list[int]) -> Pictures:
        return Pictures(pixels[numbers], tuple(names[n] for n in numbers))

    return part(train), part(validation), part(test)


def read_folder(path: str | Path) -> tuple[Pictures, Pictures, Pictures]:
    """Pictures in folders, one a class: seven tenths to learn from, one to choose by, and two held out, of each class.

    Which are which is drawn at random, always the same. They have three channels if one of them is stored with colours.

    Args:
        path: A folder with a folder a class, of which the name is its own. Files whose names begin with a dot are not
            read.

    Raises:
        InputError: There are no such folders, a class of fewer than three pictures, a file that is no picture, a
            picture of another size than most, or one with transparent parts.
        MissingPackageError: Pillow is not installed.

    """
    try:
        folders = sorted(x for x in Path(path).iterdir() if x.is_dir() and not x.name.startswith("."))
        files = {x: sorted(f for f in x.iterdir() if f.is_file() and not f.name.startswith(".")) for x in folders}
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    if len(folders) < 2:
        raise InputError(f"{path} has {len(folders)} folders in it, and one for each class of pictures is wanted")
    for folder, those in files.items():
        if len(those) < 3:
            raise InputError(f"{folder} has {len(those)} pictures; at least 3 are wanted, to divide them")
    pictures = {file: _opened(file) for those in files.values() for file in those}
    sizes = Counter(picture.size for picture in pictures.values())
    [(usual, _)] = sizes.most_common(1)
    for file, picture in pictures.items():
        if picture.size != usual:
            raise InputError(
                f"{file} has {picture.width} × {picture.height} pixels, and most have {usual[0]} × {usual[1]}: make "
                "all of one size"
            )
    is_grey = all(picture.mode in _GREY for picture in pictures.values())
    parts: list[list[tuple[Path, str]]] = [[], [], []]
    for number, (folder, those) in enumerate(files.items()):
        order = [those[n] for n in shuffled(len(those), len(those), number)]
        checked, held = max(1, len(those) // 10), max(1, len(those) // 5)
        cuts = (order[checked + held :], order[:checked], order[checked : checked + held])
        for part, own in zip(parts, cuts, strict=True):
            part += [(file, folder.name) for file in own]

    def part_of(rows: list[tuple[Path, str]]) -> Pictures:
        pixels = torch.stack([_pixels(pictures[file], "L" if is_grey else "RGB") for file, _ in rows])
        return Pictures(pixels, tuple(name for _, name in rows))

    train, validation, test = map(part_of, parts)
    return train, validation, test


_GREY = ("1", "L", "LA")
_OPAQUE = 255


def _opened(file: Path) -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise MissingPackageError("pictures need Pillow: pip install 'clearhead[images]'") from None
    try:
        with Image.open(file) as picture:
            picture.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"cannot read a picture from {file}: {getattr(error, 'strerror', None) or error}") from None
    if picture.mode == "F" or picture.mode.startswith("I"):
        raise InputError(f"{file} has numbers of the mode {picture.mode!r}, not 0 to 255; convert it to 'RGB'")
    if picture.has_transparency_data and any(picture.convert("RGBA").getchannel("A").histogram()[:_OPAQUE]):
        raise InputError(f"{file} has transparent parts, whose colour is not seen: lay it on a ground of some colour")
    return picture


def _pixels(picture: Any, mode: str) -> Tensor:
    raw = torch.frombuffer(bytearray(picture.convert(mode).tobytes()), dtype=torch.uint8)
    return raw.view(picture.height, picture.width, -1).permute(2, 0, 1)


class Digits(Task):
    """Classes of pictures, learnt by a vision Transformer (ViT's parts) from pictures moved by up to a pixel.

    Args:
        train: Pictures to learn from.
        validation: Those that the best checkpoint is chosen by.
        test: Others, to judge the model by.
        patch: Height and width of a patch in pixels; by default the least, from 2 on, with which a picture is at most
            256 patches.

    Raises:
        InputError: No picture, other sizes in another set, a class that training does not have, or patches that do not
            fill the pictures.

    """

    name = "digits"
    unit = "pictures, moved copies among them"
    best = "accuracy"
    defaults = Settings(steps=4000, batch=64, learning_rate=1e-3, warmup=0.1, weight_decay=0.05, evaluate_every=400)

    def __init__(
        self, train: Pictures, validation: Pictures, test: Pictures | None = None, *, patch: int | None = None
    ) -> None:
        self._judged = {"validation": validation} | ({} if test is None else {"test": test})
        self.classes = tuple(sorted(set(train.classes)))
        for what, those in (("training", train), *self._judged.items()):
            if not len(those.pixels):
                raise InputError(f"there is no picture for {what}")
            if train.pixels.shape[1:] != those.pixels.shape[1:]:
                raise InputError(
                    f"the pictures to learn from are {_size(train.pixels)}, those for {what} {_size(those.pixels)}"
                )
            unseen = sorted(set(those.classes) - set(self.classes))
            if unseen:
                raise InputError(f"the {what} pictures have {', '.join(unseen)}, which training never shows")
        height, width = train.pixels.shape[2:]
        if patch is None:
            patch = _usual_patch(height, width)
        whole_number("patch", patch)
        if height % patch or width % patch:
            raise InputError(f"patches of {patch} × {patch} pixels do not fill pictures of {height} × {width}")
        self._train, self._patch = train, patch

    @property
    def examples(self) -> Sequence[Any]:
        """Each picture in nine places."""
        number = {name: n for n, name in enumerate(self.classes)}
        return _Moved(_normal(self._train.pixels), [number[name] for name in self._train.classes])

    def order(self, settings: Settings) -> list[int]:
        """Every picture once, in a place at random, then again."""
        wanted = settings.steps * settings.batch
        pictures = shuffled(len(self._train.pixels), wanted, settings.seed)
        generator = torch.Generator().manual_seed(settings.seed + 1)
        places = torch.randint(len(_PLACES), (wanted,), generator=generator).tolist()
        return [picture * len(_PLACES) + place for picture, place in zip(pictures, places, strict=True)]

    def model(self, folder: Path) -> LoadedModel:
        """A new ViT for pictures of this size."""
        folder.mkdir(parents=True, exist_ok=True)
        channels, height, width = self._train.pixels.shape[1:]
        config = {**_SMALL, "num_channels": channels, "patch_size": self._patch}
        config["image_size"] = height if height == width else [height, width]
        config["id2label"] = {str(n): name for n, name in enumerate(self.classes)}
        config["label2id"] = {name: n for n, name in enumerate(self.classes)}
        size = {"height": height, "width": width}
        prepared = {**_PREPARED, "size": size, "image_mean": [0.5] * channels, "image_std": [0.5] * channels}
        prepared["image_processor_type"] = "ViTImageProcessor"
        write_together(
            [
                (folder / "config.json", lambda part: Path(part).write_text(json.dumps(config, indent=2), "utf-8")),
                (
                    folder / "preprocessor_config.json",
                    lambda part: Path(part).write_text(json.dumps(prepared, indent=2), "utf-8"),
                ),
            ]
        )
        return fresh(folder)

    def collate(self, examples: Sequence[tuple[Tensor, int]]) -> dict[str, Tensor]:
        """Pictures and the numbers of their classes."""
        return {
            "pixels": torch.stack([picture for picture, _ in examples]),
            "labels": torch.tensor([number for _, number in examples]),
        }

    @property
    def sets(self) -> tuple[str, ...]:
        """Those that there are."""
        return tuple(self._judged)

    def judge(self, model: LoadedModel, of: str = "validation") -> dict[str, float]:
        """The share of pictures that get their class."""
        return measures(self._judged[of], classify(model, self._judged[of].pixels))

    def baselines(self, of: str = "validation") -> dict[str, dict[str, float]]:
        """The class that most training pictures have, for every picture."""
        [(usual, _)] = Counter(self._train.classes).most_common(1)
        return {"most frequent class": measures(self._judged[of], [usual] * len(self._judged[of].classes))}

    def probe(self, model: LoadedModel, texts: Sequence[str] | None = None) -> Probe:
        """Pictures of the validation set: the first of each class, and more."""
        if texts is not None:
            raise InputError("pictures are learnt here, and no text can be shown to the model")
        validation = self._judged["validation"]
        images = [picture.permute(1, 2, 0).squeeze(-1).numpy() for picture in validation.pixels]
        first = sorted(validation.classes.index(name) for name in set(validation.classes))[:_SHOWN]
        shown, counted = [images[n] for n in first], images[:_PROBED]
        return Probe(lambda: look(images=shown, model=model), lambda: [Observed(look(images=counted, model=model))])

    def describe(self) -> dict[str, Any]:
        """Which pictures."""
        return {
            name: hashlib.sha256(those.pixels.numpy().tobytes() + repr(those.classes).encode()).hexdigest()[:16]
            for name, those in (("train", self._train), *self._judged.items())
        } | {"patch": self._patch}


def measures(wanted: Pictures, found: Sequence[str]) -> dict[str, float]:
    """The share of pictures whose class was found."""
    right = sum(one == other for one, other in zip(wanted.classes, found, strict=True))
    return {"accuracy": right / len(found)}


@torch.no_grad()
def classify(model: LoadedModel, pixels: Tensor) -> list[str]:
    """The likeliest class of each picture.

    Args:
        model: What :class:`Digits` trains.
        pixels: ``(pictures, channels, height, width)``, whole numbers from 0 to 255.

    """
    was_training = model.training
    model.eval()
    where = next(model.parameters()).device
    best = torch.cat([model(_normal(part).to(where)).argmax(-1) for part in pixels.split(_EVALUATED)])
    model.train(was_training)
    names = model.config.id2label
    return [names[str(n)] for n in best.tolist()]


def _usual_patch(height: int, width: int) -> int:
    """The least side of at least 2 that divides both and makes at most 256 patches; else 1, if that makes no more.

    >>> _usual_patch(8, 8), _usual_patch(224, 224), _usual_patch(13, 17)
    (2, 14, 1)
    """
    sides = [side for side in range(2, min(height, width) + 1) if height % side == width % side == 0]
    found = next((side for side in [*sides, 1] if height * width <= _MOST_PATCHES * side**2), None)
    if found is None:
        raise InputError(
            f"no side of a patch divides {height} × {width} pixels into at most {_MOST_PATCHES} patches: give pictures "
            "another size, or name a patch"
        )
    return found


def _normal(pixels: Tensor) -> Tensor:
    return pixels.float() / 127.5 - 1


def _size(pixels: Tensor) -> str:
    return " × ".join(str(side) for side in pixels.shape[1:])


_PLACES = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]


class _Moved(Sequence[tuple[Tensor, int]]):
    """Pictures, moved by a pixel in each direction or not at all; what comes in is black."""

    def __init__(self, pixels: Tensor, numbers: list[int]) -> None:
        self._pixels = torch.nn.functional.pad(pixels, (1, 1, 1, 1), value=-1.0)
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers) * len(_PLACES)

    def __getitem__(self, index: Any) -> Any:
        number, (down, right) = index // len(_PLACES), _PLACES[index % len(_PLACES)]
        height, width = (side - 2 for side in self._pixels.shape[2:])
        moved = self._pixels[number, :, 1 - down : 1 - down + height, 1 - right : 1 - right + width]
        return moved, self._numbers[number]


_SMALL = {
    "model_type": "vit",
    "architectures": ["ViTForImageClassification"],
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 256,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "initializer_range": 0.1,  # about 1/√hidden_size, as published sizes have it at 0.02
}
