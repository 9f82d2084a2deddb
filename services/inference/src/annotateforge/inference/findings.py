"""What a model sees in an image."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Found:
    """One object. Coordinates are pixels of the upright image, x to the right and y down."""

    class_label: str
    class_id: int
    confidence: float
    """0 to 1."""
    box: tuple[float, float, float, float]
    """x_min, y_min, x_max, y_max."""
    outline: npt.NDArray[np.float32] | None
    """Corners (n, 2) in order around it, n at least 3; None for detection, and where a mask is too small for
    one.
    """


@dataclass(frozen=True, slots=True)
class ClassGuess:
    """How probable a class is for the whole image."""

    class_label: str
    class_id: int
    probability: float
    """0 to 1."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a model sees in one image."""

    objects: tuple[Found, ...]
    """The surest first."""
    classes: tuple[ClassGuess, ...]
    """By falling probability, at most five; only from classification."""
    seconds: float
    """What the model took."""
