"""Which tokens stand at the sides of maps, and pictures."""

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

import clearhead as ch
from clearhead.capture.sides import Side
from clearhead.errors import CaptureFormatError, InputError


def words(count: int) -> list[ch.Tokens]:
    return [ch.Tokens.from_pieces([f"w{n}" for n in range(count)])]


def made(*layers: tuple[str, int, int, int], **texts: Any) -> ch.Capture:
    """A capture of maps (path, call, queries, keys)."""

    def layer(path: str, call: int, queries: int, keys: int) -> ch.Layer:
        amap = ch.AttentionMap.from_weights(torch.ones(1, 1, queries, keys))
        return ch.Layer(path, call, 0, (0,), amap.shape, lambda: amap)

    return ch.Capture([layer(*x) for x in layers], **texts)


def found(capture: ch.Capture) -> list[Any]:
    return [tuple(side and (side.of, side.first) for side in capture.sides(layer)) for layer in capture.layers]


BOTH = (("tokens", 0), ("tokens", 0))


def test_self_attention() -> None:
    assert found(made(("a", 0, 5, 5), tokens=words(5))) == [BOTH]
    assert found(made(("a", 0, 5, 5))) == [(None, None)]
    assert found(made(("a", 0, 3, 3), tokens=words(5))) == [(None, None)]  # pooled, or another text


def test_steps_have_the_first_tokens() -> None:
    capture = made(("a", 0, 3, 3), ("a", 1, 1, 4), ("a", 2, 1, 5), tokens=words(6))
    assert found(capture) == [BOTH, (("tokens", 3), ("tokens", 0)), (("tokens", 4), ("tokens", 0))]
    assert found(made(("a", 0, 5, 5), tokens=words(6))) == [BOTH]  # joined: the last token was written, not read


def test_encoder_and_decoder() -> None:
    capture = made(
        ("encoder.block.0.layer.0.SelfAttention", 0, 7, 7),
        ("decoder.block.0.layer.0.SelfAttention", 0, 2, 2),
        ("decoder.block.0.layer.1.EncDecAttention", 0, 2, 7),
        ("decoder.block.0.layer.0.SelfAttention", 1, 1, 3),
        ("decoder.block.0.layer.1.EncDecAttention", 1, 1, 7),
        tokens=words(4),
        source_tokens=words(7),
    )
    source = ("source_tokens", 0)
    assert found(capture) == [
        (source, source),
        BOTH,
        (("tokens", 0), source),
        (("tokens", 2), ("tokens", 0)),
        (("tokens", 2), source),
    ]
    assert capture.sides(capture.layers[2])[1] == Side("source_tokens", 0)


def vision(folder: Path) -> Image.Image:
    saved("vit, classes", folder)
    transformers.ViTImageProcessorPil(size={"height": 15, "width": 15}).save_pretrained(folder)
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (37, 29, 3), dtype=np.uint8))


def test_look_at_pictures(tmp_path: Path) -> None:
    picture = vision(tmp_path)
    capture = ch.look(images=[picture, picture], model=str(tmp_path))
    assert capture.pictures is not None
    assert len(capture.pictures) == 2
    shown = capture.pictures[0]
    assert shown.first == 1
    assert capture.layers[0].shape[2] == 1 + shown.grid[0] * shown.grid[1]
    assert capture.labels()[:2] == ["[CLS]", "0,0"] == capture.words().labels()[:2]
    assert capture.special()[:2] == [True, False]
    capture.save(tmp_path / "run.safetensors")
    assert ch.open(tmp_path / "run.safetensors").pictures == capture.pictures
    numbers = ch.look(images=np.array(picture), model=ch.load(str(tmp_path)))
    torch.testing.assert_close(numbers.layers[0].map[0], capture.layers[0].map[0])


def test_look_at_a_picture_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from clearhead.cli.app import main

    vision(tmp_path).save(tmp_path / "cat.png")
    main(["look", "--image", f"{tmp_path}/cat.png", "--model", str(tmp_path), "--html", f"{tmp_path}/cat.html"])
    assert "0,0" in capsys.readouterr().out
    assert "data-host" in (tmp_path / "cat.html").read_text(encoding="utf-8")
    for wrong in (["a text", "--image", f"{tmp_path}/cat.png"], ["--image", f"{tmp_path}/cat.png"]):
        with pytest.raises(SystemExit) as ended:
            main(["look", *wrong])
        assert ended.value.code == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_wrong_calls(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="either a text or images"):
        ch.look()
    with pytest.raises(InputError, match="either a text or images"):
        ch.look("a", images="b.png")
    with pytest.raises(InputError, match="takes no pictures"):
        ch.look(images="b.png")
    vision(tmp_path)
    with pytest.raises(InputError, match="no picture"):
        ch.look(images=[], model=str(tmp_path))
    with pytest.raises(InputError, match=r"cannot read a picture from .*config\.json"):
        ch.look(images=tmp_path / "config.json", model=str(tmp_path))
    with pytest.raises(InputError, match="PNG"):
        ch.Picture(b"GIF89a", (1, 1), 0)


@pytest.mark.parametrize(
    "wrong", [3, [3], [{"png": "", "grid": [1, 1], "first": 0}], [{"png": "!", "grid": [1, 1], "first": 0}]]
)
def test_damaged_pictures_are_refused(wrong: Any, tmp_path: Path) -> None:
    from clearhead.capture import format as capture_format

    capture = made(("a", 0, 2, 2), tokens=words(2))
    original = json.dumps

    def dumps(header: Any, **options: Any) -> str:
        return original(header | {"pictures": wrong} if "layers" in header else header, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(capture_format.json, "dumps", dumps)
        capture.save(tmp_path / "x.safetensors")
    with pytest.raises(CaptureFormatError):
        ch.open(tmp_path / "x.safetensors")
