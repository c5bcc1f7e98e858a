"""Values of frames: as a user has them → as a model's store has them, and back."""

import numpy as np

from svqkit.data.domain import Domain
from svqkit.errors import SvqkitError

# Rounding does not leave [0, 1] by more than this.
ROUNDING = 1e-4
# A mean that lies so many standard deviations off is hardly one of the same variable in the same unit.
FAR = 10.0


def enter(values: np.ndarray, domain: Domain) -> np.ndarray:
    """Frames (…, C, H, W) as the domain's store has them: bytes stay bytes, all else is float32.

    Values with an original range are scaled from it to [0, 1].

    Raises:
        SvqkitError: a value is not finite, or images don't lie in [0, 1]; each with its place.
    """
    if values.dtype == np.uint8 and domain.scale != 1:
        return values
    if values.dtype.kind not in "fiu":
        raise SvqkitError(f"Frames must be numbers, got an array of {values.dtype}.")
    refuse_nan(values)
    floats = values.astype(np.float32)
    if domain.kind != "image":
        return floats
    if domain.bounds is None:
        _refuse_outside(floats, 0.0, 1.0, "images are bytes from 0 to 255, or floats in [0, 1]: divide them")
        return floats
    low, high = domain.bounds
    _refuse_outside(floats, low, np.inf, f"{domain.own_units[0]} can't be lower: fill or cut such values")
    return (floats - np.float32(low)) / np.float32(high - low)


def leave(forecast: np.ndarray, domain: Domain, as_bytes: bool) -> np.ndarray:
    """A forecast (…, C, H, W) in the domain's units → as its frames came: bytes, or their original range."""
    if as_bytes:
        return np.rint(np.clip(forecast, 0, 1) * 255).astype(np.uint8)
    if domain.bounds is None:
        return forecast
    low, high = domain.bounds
    return forecast * np.float32(high - low) + np.float32(low)


def far_off(frames: np.ndarray, domain: Domain) -> list[str]:
    """A note for each channel whose mean is far from all that the model has seen; none for images.

    ``frames`` are (B, T, C, H, W) in the domain's units. Units that nobody wrote down show up here.
    """
    if domain.kind == "image":
        return []
    means = frames.mean(axis=(0, 1, 3, 4), dtype=np.float64)
    each = zip(domain.channels, domain.own_units, means, domain.mean, domain.std, strict=True)
    return [
        f"{name} has a mean of {mean:.4g}, the model was trained on {usual:.4g} ± {std:.3g} {unit}".rstrip()
        + ": is it the same variable in the same unit?"
        for name, unit, mean, usual, std in each
        if abs(mean - usual) > FAR * std
    ]


def refuse_nan(values: np.ndarray, what: str = "The input") -> None:
    """Refuse what is not finite in frames (…, C, H, W).

    Raises:
        SvqkitError: with the number of such values and the place of the first.
    """
    bad = ~np.isfinite(values)
    if bad.any():
        raise SvqkitError(
            f"{what} has {bad.sum():,} value(s) that are NaN or infinite among the frames that are used, the first at "
            f"{_place(bad)}. Fill them first."
        )


def _refuse_outside(values: np.ndarray, low: float, high: float, rule: str) -> None:
    bad = (values < low - ROUNDING) | (values > high + ROUNDING)
    if bad.any():
        first = values[tuple(axis[0] for axis in np.nonzero(bad))]
        raise SvqkitError(f"The input has {bad.sum():,} value(s) such as {first:g} at {_place(bad)}; {rule}.")


def _place(bad: np.ndarray) -> str:
    *before, channel, row, column = (int(axis[0]) for axis in np.nonzero(bad))
    frame = f"frame {before[-1]} of those used, " if before else ""
    return f"{frame}channel {channel}, row {row}, column {column} (all from 0)"
