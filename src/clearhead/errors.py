"""Every error that a user can cause: what was seen, what was wanted, what to do.

All derive from :class:`ClearheadError`, so that the command line can turn any of them into one line and exit code 2.
"""

__all__ = [
    "CaptureFormatError",
    "ClearheadError",
    "InputError",
    "LargeMapError",
    "MissingPackageError",
    "ModelError",
    "NotBuiltError",
    "NotFiniteError",
    "NothingCapturedError",
    "ShapeError",
    "StaleMapError",
    "UnknownLayerError",
    "UnknownWordError",
]


class ClearheadError(Exception):
    """The base of all errors of this package."""


class ShapeError(ClearheadError, ValueError):
    """Tensors whose shapes do not fit together."""


class LargeMapError(ClearheadError, ValueError):
    """More weights were asked for at once than a careful program would want in memory."""


class StaleMapError(ClearheadError, RuntimeError):
    """A tensor that a map holds was changed in place after the map was made."""


class NothingCapturedError(ClearheadError, RuntimeError):
    """A watched model ran without any attention that could be seen, or did not run."""


class UnknownLayerError(ClearheadError, KeyError):
    """A layer or head name that the model or capture does not have."""

    def __str__(self) -> str:
        """The message itself; KeyError would print its repr."""
        return str(self.args[0]) if self.args else ""


class UnknownWordError(ClearheadError, ValueError):
    """A word that the text does not contain."""


class InputError(ClearheadError, ValueError):
    """A text or an option that cannot be used as given."""


class ModelError(ClearheadError, RuntimeError):
    """A model or tokenizer that cannot be found or loaded."""


class NotBuiltError(ModelError):
    """An architecture, or a key of a configuration, that is not known here; ``transformers`` may know it."""


class MissingPackageError(ClearheadError, ImportError):
    """An optional package that is not installed."""


class NotFiniteError(ClearheadError, ArithmeticError):
    """Attention that is NaN, which most often means NaN among the model's weights."""


class CaptureFormatError(ClearheadError, ValueError):
    """A file that is not a whole, unaltered capture of a version that this release reads."""
