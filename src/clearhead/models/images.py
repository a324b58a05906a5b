"""From a picture to the numbers that a vision model takes, as its ``preprocessor_config.json`` says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from clearhead.errors import InputError, MissingPackageError, ModelError
from clearhead.models.pretrained.tables import Ignored

__all__ = ["Preprocessing"]

_KEYS: Mapping[str, Any] = {
    "do_resize": True,
    "size": {"height": 224, "width": 224},
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "do_convert_rgb": None,
    "image_processor_type": Ignored("what transformers calls it"),
    "feature_extractor_type": Ignored("what transformers called it"),
    "data_format": Ignored("channels come first"),
    "input_data_format": Ignored("it is seen from the picture"),
    "return_tensors": Ignored("they are torch's"),
    "device": Ignored("pictures are read on the CPU"),
    "disable_grouping": Ignored("how transformers computes it"),
}


class Preprocessing:
    """Resize, scale and normalise: ``(pixel · rescale_factor − mean) / std`` for each channel.

    Args:
        given: The content of ``preprocessor_config.json``.
        channels: How many numbers a pixel has in the model.
        size: Height and width that the model takes.
        where: What errors call the file.

    Raises:
        ModelError: A key that is not known, or what it makes is not what the model takes.

    """

    def __init__(self, given: Mapping[str, Any], channels: int, size: tuple[int, int], where: str) -> None:
        unknown = sorted(name for name, value in given.items() if name not in _KEYS and value is not None)
        if unknown:
            raise ModelError(
                f"{where} has {', '.join(map(repr, unknown))}, which is not known here: pictures could come out "
                "otherwise"
            )
        settings = {
            name: default if given.get(name) is None else given[name]
            for name, default in _KEYS.items()
            if not isinstance(default, Ignored)
        }
        side = settings["size"]
        self.size = (side, side) if isinstance(side, int) else (side.get("height"), side.get("width"))
        if settings["do_resize"] and self.size != size:
            raise ModelError(f"{where} makes pictures of {side}, and the model takes {size[0]} × {size[1]}")
        self.size, self.channels = size, channels
        self._resizes, self._resample = bool(settings["do_resize"]), int(settings["resample"])
        self._factor = float(settings["rescale_factor"]) if settings["do_rescale"] else 1.0
        self._mean, self._std = (
            torch.tensor(settings[name] if settings["do_normalize"] else [default] * channels)[:, None, None]
            for name, default in (("image_mean", 0.0), ("image_std", 1.0))
        )

    def __call__(self, image: Any) -> Float[Tensor, "channels height width"]:
        """The numbers of one picture; see :meth:`seen`."""
        picture = self.seen(image)
        raw = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
        pixels = raw.view(*self.size, self.channels).permute(2, 0, 1)
        return (pixels * self._factor - self._mean) / self._std

    def seen(self, image: Any) -> Any:
        """The picture as the model sees it: in its size and colours, a ``PIL.Image``.

        Args:
            image: A file, a ``PIL.Image``, or whole numbers from 0 to 255, ``(height, width)``,
                ``(height, width, channels)`` or ``(channels, height, width)``.

        Raises:
            InputError: Something else, or a file that holds no picture.

        """
        try:
            from PIL import Image
        except ImportError:
            raise MissingPackageError("pictures need Pillow: pip install 'clearhead[images]'") from None
        picture = self._opened(image, Image)
        if picture.mode in ("F", "I") or picture.mode.startswith("I;"):
            raise InputError(
                f"the picture has numbers of the mode {picture.mode!r}, not 0 to 255; scale it and convert it to 'RGB'"
            )
        picture = picture.convert("RGB" if self.channels == 3 else "L")
        if self._resizes and picture.size != self.size[::-1]:
            picture = picture.resize(self.size[::-1], resample=self._resample)
        if picture.size != self.size[::-1]:
            raise InputError(
                f"the model takes pictures of {self.size[0]} × {self.size[1]} pixels; this one is {picture.size[1]} × "
                f"{picture.size[0]}, and the model's configuration says that it is not to be resized"
            )
        return picture

    def _opened(self, image: Any, library: Any) -> Any:
        if isinstance(image, library.Image):
            return image
        if isinstance(image, str | Path):
            try:
                with library.open(image) as file:
                    file.load()
                    return file
            except (OSError, ValueError) as error:
                why = getattr(error, "strerror", None) or error  # without the number of the system's error
                raise InputError(f"cannot read a picture from {image}: {why}") from None
        try:
            array = torch.as_tensor(image)
        except (TypeError, ValueError, RuntimeError):
            array = None
        if array is None or array.dtype != torch.uint8 or array.dim() not in (2, 3) or 0 in array.shape:
            seen = type(image).__name__ if array is None else f"{array.dtype} of the shape {tuple(array.shape)}"
            raise InputError(
                "a picture is a file, a PIL.Image, or uint8 numbers (height, width, channels) or (channels, height, "
                f"width); got {seen}"
            )
        if array.dim() == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3):
            array = array.permute(1, 2, 0)
        if array.dim() == 3 and array.shape[2] not in (1, 3):
            raise InputError(f"a pixel has 1 or 3 numbers; the picture is {tuple(array.shape)}")
        return library.fromarray((array[..., 0] if array.shape[2:] == (1,) else array).cpu().numpy())
