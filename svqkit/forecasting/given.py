"""What a forecast starts from, whatever it came as."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Given:
    """Frames that a model can be given, and the way back to what the user has.

    Attributes:
        frames: (B, T, C, H, W), the T input frames of the model in its own order of channels and places; bytes, or
            float32 in the units of the model's domain.
        back: a forecast (B, L, C, H, W) float32 in these units → what the user gets.
        notes: what a user should know of how the input was taken.
        last: when the last input frame is, where its time is known.
    """

    frames: np.ndarray
    back: Callable[[np.ndarray], Any]
    notes: tuple[str, ...] = ()
    last: np.datetime64 | None = None
