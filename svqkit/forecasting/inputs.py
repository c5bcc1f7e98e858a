"""What a model is given: frames of the user's own, checked, in the units of its store; and the way back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, from_numpy, strided

from svqkit.data.domain import Domain
from svqkit.data.sources.units import LARGEST, stand_ins
from svqkit.errors import SvqkitError


@dataclass(frozen=True)
class ModelInput:
    """Frames that a model can be given, and the way back to what the user has.

    Attributes:
        frames: (B, T, C, H, W), the T input frames of the model in its own order of channels and places; bytes, or
            float32 in the units of the model's domain.
        restore: a forecast (B, L, C, H, W) float32 in these units → what the user gets.
        notes: what a user should know of how the input was taken.
        last: when the last input frame is, where its time is known.
    """

    frames: np.ndarray
    restore: Callable[[np.ndarray], Any]
    notes: tuple[str, ...] = ()
    last: np.datetime64 | None = None


# Rounding does not leave [0, 1] by more than this.
ROUNDING = 1e-4
# A mean that lies so many standard deviations off is hardly one of the same variable in the same unit.
FAR = 10.0


def to_model(values: np.ndarray, domain: Domain) -> np.ndarray:
    """Convert frames (B, T, C, H, W) to what the domain's store has: bytes stay bytes, all else is float32.

    Values with an original range are scaled from it to [0, 1].

    Raises:
        SvqkitError: a value is not finite, or images don't lie in [0, 1]; each with its place.
    """
    if values.dtype == np.uint8 and domain.scale != 1:
        return values
    if values.dtype.kind not in "fiub":
        raise SvqkitError(f"Frames must be numbers, got an array of {values.dtype}. Convert them.")
    with np.errstate(over="ignore"):  # told of in the next line, with its place
        floats = values.astype(np.float32)
    _refuse(~np.isfinite(floats), values, "that are NaN or infinite", "Fill them first.")
    if domain.kind != "image":
        missing = stand_ins(floats, axis=2) | (np.abs(floats) >= LARGEST)
        _refuse(missing, values, "that stand for missing ones", "Fill them first.")
        return floats
    low, high = domain.bounds or (0.0, 1.0)
    if domain.bounds:
        lower = f"{domain.own_units[0]} can't be lower: fill or cut such values."
        _refuse(floats < low - ROUNDING, values, f"below {low:g}", lower)
    else:
        advice = "Images are bytes from 0 to 255, or floats in [0, 1]: divide them."
        _refuse((floats < -ROUNDING) | (floats > 1 + ROUNDING), values, "outside of [0, 1]", advice)
    return (floats - np.float32(low)) / np.float32(high - low)


def from_model(forecast: np.ndarray, domain: Domain, as_bytes: bool) -> np.ndarray:
    """Convert a forecast (…, C, H, W) back to what its frames came as: bytes, or their original range."""
    if as_bytes:
        return np.rint(np.clip(forecast, 0, 1) * 255).astype(np.uint8)
    if domain.bounds is None:
        return forecast
    low, high = domain.bounds
    return forecast * np.float32(high - low) + np.float32(low)


def far_off(frames: np.ndarray, domain: Domain) -> list[str]:
    """Return a note for each channel whose mean is far from all that the model has seen; none for images.

    ``frames`` are (B, T, C, H, W) in the domain's units. Units that nobody wrote down show up here.
    """
    if domain.kind == "image":
        return []
    means = frames.mean(axis=(0, 1, 3, 4), dtype=np.float64)
    channels = zip(domain.channels, domain.own_units, means, domain.mean, domain.std, strict=True)
    return [
        f"{name} has a mean of {mean:.4g}, the model was trained on {usual:.4g} ± {std:.3g} {unit}".rstrip()
        + ": is it the same variable in the same unit?"
        for name, unit, mean, usual, std in channels
        if abs(mean - usual) > FAR * std
    ]


def _refuse(bad: np.ndarray, values: np.ndarray, what: str, advice: str) -> None:
    if bad.any():
        place = tuple(int(axis[0]) for axis in np.nonzero(bad))
        _, frame, channel, row, column = place
        raise SvqkitError(
            f"The input has {bad.sum():,} value(s) {what}, the first, {values[place]:g}, in frame {frame} of those "
            f"used, channel {channel}, row {row}, column {column} (all from 0). {advice}"
        )


def from_array(x: np.ndarray | Tensor, domain: Domain, axes: str = "") -> ModelInput:
    """Pick the last frames of ``x``; a forecast goes back as the same kind of array, without B where there was none.

    Bytes come back as bytes, all else as float32. With ``axes`` that have no C, as the setting of an array has them,
    frames of one channel may come without its axis: (T, H, W) or (B, T, H, W); the forecast then has none either.

    Raises:
        SvqkitError: another shape, too few frames, or values that don't fit.
    """
    x = x.float() if isinstance(x, Tensor) and x.is_floating_point() else x  # NumPy has no bfloat16
    if isinstance(x, Tensor) and (x.layout != strided or x.is_meta or x.is_quantized):
        raise SvqkitError(f"Frames must be a dense tensor with values, got {x.layout} of {x.dtype} on {x.device}.")
    if np.ma.is_masked(x):
        raise SvqkitError("The input is a masked array with masked values. Fill them first, with x.filled(…).")
    given = x.detach().cpu().numpy() if isinstance(x, Tensor) else np.asarray(x)
    values = given.reshape(frames_shape(given.shape, domain, axes))
    batched = values if values.ndim == 5 else values[None]
    there, span = batched.shape[1], 1 - domain.inputs[0]
    if there < span:
        looks = "" if span == len(domain.inputs) else f" (it looks at {len(domain.inputs)} of them)"
        raise SvqkitError(f"The input has {there} frame(s), the model needs {span}{looks}. Give it more.")
    picked = batched[:, [there - 1 + offset for offset in domain.inputs]]
    as_bytes = values.dtype == np.uint8 and domain.scale != 1

    def restore(forecast: np.ndarray) -> np.ndarray | Tensor:
        own = from_model(forecast, domain, as_bytes)
        own = own if values.ndim == 5 else own[0]
        own = own if values.ndim == given.ndim else own[..., 0, :, :]
        return from_numpy(own).to(x.device) if isinstance(x, Tensor) else own

    return ModelInput(to_model(picked, domain), restore, more_than_used(there, span))


def more_than_used(there: int, used: int) -> tuple[str, ...]:
    """Return the note for an input that is longer than what the model looks at; none for another."""
    return (f"only the last {used} of the {there:,} frames given are used",) if there > used else ()


def frames_shape(shape: tuple[int, ...], domain: Domain, axes: str = "") -> tuple[int, ...]:
    """Return the shape (T, C, H, W) or (B, T, C, H, W) of frames; where ``axes`` have no C, theirs may lack it.

    Raises:
        SvqkitError: it is another shape.
    """
    lacks = axes.endswith("THW") and (len(shape) == 3 or (len(shape) == 4 and shape[1] != 1))
    full = (*shape[:-2], 1, *shape[-2:]) if lacks else shape
    if len(full) not in (4, 5) or full[-3:] != domain.frame_shape or 0 in full:
        channels, height, width = domain.frame_shape
        named = f" ({', '.join(domain.channels[:6])}{', …' if channels > 6 else ''})"
        raise SvqkitError(
            f"Expected frames (T, C, H, W) or (B, T, C, H, W) with C = {channels}{named}, H = {height}, W = {width}; "
            f"got an array of shape {tuple(shape)}. Change its axes, or take those of the model."
        )
    return full
