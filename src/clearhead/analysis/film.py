"""A film: the heads of a model at several steps of its training, as a recorder left them in a folder."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearhead.capture.capture import Capture
from clearhead.capture.format import open_capture
from clearhead.errors import InputError, MissingPackageError

if TYPE_CHECKING:
    import polars

__all__ = ["STATISTICS", "TAGS", "Film", "frame_path", "need_polars", "open_film"]

STATISTICS, TAGS = "heads.parquet", "tags.parquet"


def need_polars() -> Any:
    """The module polars.

    Raises:
        MissingPackageError: It is not installed.

    """
    try:
        import polars
    except ImportError:
        raise MissingPackageError("tables need polars: pip install 'clearhead[train]'") from None
    return polars


def frame_path(folder: Path, step: int, kind: str) -> Path:
    """Where what was recorded at a step is."""
    return folder / f"{step:06}.{kind}"


@dataclass(frozen=True)
class Film:
    """The heads of a model at several steps of its training.

    Attributes:
        folder: Where the recorder left it.
        steps: Those that were recorded.

    """

    folder: Path
    steps: tuple[int, ...]

    def at(self, step: int) -> Capture:
        """The capture of a step.

        Raises:
            InputError: That step was not recorded.

        """
        if step not in self.steps:
            raise InputError(f"step {step} was not recorded; there are {', '.join(map(str, self.steps))}")
        return open_capture(frame_path(self.folder, step, "safetensors"))

    def capture(self) -> Capture:
        """All steps as one capture: ``L3H1`` is a head at the first of them, ``L3H1@2`` at the third.

        The page and the widget show it with a slider. Nothing is read before it is looked at.

        Raises:
            InputError: Steps have other texts or layers than the first.

        """
        frames = [self.at(step) for step in self.steps]
        first = frames[0]
        for step, frame in zip(self.steps, frames, strict=True):
            if (frame.tokens, frame.source_tokens, list(frame)) != (first.tokens, first.source_tokens, list(first)):
                raise InputError(f"step {step} of {self.folder} shows other texts or layers than step {self.steps[0]}")
        layers = [replace(layer, call=call) for call, frame in enumerate(frames) for layer in frame.layers]
        provenance = {**first.provenance, "training_steps": list(self.steps)}
        provenance.pop("training_step", None)
        return replace(first, layers=layers, provenance=provenance)

    def statistics(self) -> polars.DataFrame:
        """One row for each step and head, with the fields of :class:`~clearhead.analysis.statistics.HeadStatistics`."""
        return self._table(STATISTICS)

    def tags(self) -> polars.DataFrame | None:
        """One row for each step, head, tag and tag; None where tokens had no tags.

        The columns are the fields of :class:`~clearhead.analysis.statistics.TagAttention`.
        """
        return self._table(TAGS) if frame_path(self.folder, self.steps[0], TAGS).is_file() else None

    def _table(self, kind: str) -> polars.DataFrame:
        library = need_polars()
        try:
            table: polars.DataFrame = library.concat(
                [library.read_parquet(frame_path(self.folder, step, kind)) for step in self.steps]
            )
        except (OSError, library.exceptions.PolarsError) as error:
            raise InputError(f"{self.folder} holds a damaged table: {error}") from None
        return table


def open_film(folder: str | Path) -> Film:
    """The film in a folder that a :class:`~clearhead.training.Recorder` filled, or in that of a run.

    Raises:
        InputError: There is none.

    """
    folder = Path(folder)
    places = [folder / "film", folder]
    for place in places:
        found = [re.fullmatch(r"(\d{6,})\.safetensors", path.name) for path in place.glob("*.safetensors")]
        steps = sorted(int(match[1]) for match in found if match)
        if steps:
            return Film(place, tuple(steps))
    raise InputError(
        f"{folder} has no film: clearhead train records one, and so does clearhead.training.recorder.Recorder in a "
        "training of your own"
    )
