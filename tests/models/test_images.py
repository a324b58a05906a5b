"""Pictures are prepared as transformers prepares them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from tiny_models import saved

from clearhead.errors import InputError, ModelError
from clearhead.models import load

SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "bicubic": {"resample": 3, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.6, 0.7]},
    "not normalised": {"do_normalize": False},
    "not scaled": {"do_rescale": False, "do_normalize": False},
}


def picture(height: int = 37, width: int = 29) -> Image.Image:
    numbers = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(numbers)


def made(folder: Path, **settings: Any) -> Any:
    """The processor of transformers, and its file."""
    saved("vit, classes", folder)
    processor = transformers.ViTImageProcessorPil(size={"height": 15, "width": 15}, **settings)
    processor.save_pretrained(folder)
    return processor


@pytest.mark.parametrize("name", SETTINGS)
def test_it_is_what_transformers_makes(name: str, tmp_path: Path) -> None:
    processor = made(tmp_path, **SETTINGS[name])
    wanted = processor(picture(), return_tensors="pt")["pixel_values"]
    model = load(tmp_path)
    found = model.pixels(picture())
    torch.testing.assert_close(found, wanted.float(), rtol=0, atol=1e-5)
    assert model(found).shape == (1, 3)


def test_every_form_of_a_picture(tmp_path: Path) -> None:
    made(tmp_path)
    model = load(tmp_path)
    image = picture()
    image.save(tmp_path / "picture.png")
    numbers = np.array(image)
    forms = [
        image,
        tmp_path / "picture.png",
        str(tmp_path / "picture.png"),
        numbers,
        torch.tensor(numbers).permute(2, 0, 1),
    ]
    found = model.pixels(forms)
    assert found.shape == (5, 3, 15, 15)
    assert all(torch.equal(x, found[0]) for x in found)
    grey = np.array(image.convert("L"))
    assert torch.equal(model.pixels(grey)[0], model.pixels(grey[..., None])[0])


def test_what_is_no_picture(tmp_path: Path) -> None:
    made(tmp_path)
    model = load(tmp_path)
    (tmp_path / "text.png").write_text("no picture")
    for wrong, said in (
        (tmp_path / "text.png", "cannot read a picture from"),
        (tmp_path / "nothing.png", r"cannot read a picture from .*nothing\.png: No such file or directory$"),
        (np.zeros((4, 4, 3), dtype=np.float32), "uint8 numbers .*; got torch.float32"),
        (np.zeros((4, 4, 5), dtype=np.uint8), "a pixel has 1 or 3 numbers"),
        (np.zeros((2, 4, 4, 3), dtype=np.uint8), r"of the shape \(2, 4, 4, 3\)"),
        (np.zeros((0, 5, 3), dtype=np.uint8), r"of the shape \(0, 5, 3\)"),
        (Image.fromarray(np.zeros((4, 4), dtype=np.float32)), "numbers of the mode 'F', not 0 to 255"),
        (Image.fromarray(np.zeros((4, 4), dtype=np.uint16)), "numbers of the mode 'I;16'"),
        (None, "got NoneType"),
        ([], "there is no picture"),
    ):
        with pytest.raises(InputError, match=said):
            model.pixels(wrong)


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    saved("vit", tmp_path)
    with pytest.raises(ModelError, match=r"has no preprocessor_config\.json"):
        load(tmp_path).pixels(picture())
    path = tmp_path / "preprocessor_config.json"
    for given, said in (
        ({"size": {"height": 15, "width": 15}, "do_center_crop": True}, "'do_center_crop', which is not known here"),
        ({"size": 224}, "makes pictures of 224, and the model takes 15 × 15"),
    ):
        path.write_text(json.dumps(given))
        with pytest.raises(ModelError, match=said):
            load(tmp_path).pixels(picture())
    path.write_text(json.dumps({"do_resize": False}))
    with pytest.raises(InputError, match="the model takes pictures of 15 × 15 pixels; this one is 37 × 29"):
        load(tmp_path).pixels(picture())
