"""Plain arrays, (T, C, H, W) or (B, T, C, H, W), of NumPy or PyTorch, as the start of a forecast."""

import numpy as np
from torch import Tensor, from_numpy

from svqkit.data.domain import Domain
from svqkit.errors import SvqkitError
from svqkit.forecasting.given import Given
from svqkit.forecasting.values import enter, leave


def from_array(x: np.ndarray | Tensor, domain: Domain) -> Given:
    """The last frames of ``x``; a forecast goes back as the same kind of array, without B where there was none.

    Bytes come back as bytes, all else as float32.

    Raises:
        SvqkitError: another shape, too few frames, or values that don't fit.
    """
    values = x.detach().cpu().numpy() if isinstance(x, Tensor) else np.asarray(x)
    _check_shape(values.shape, domain)
    batched = values if values.ndim == 5 else values[None]
    picked, notes = last_frames(batched, domain)
    as_bytes = values.dtype == np.uint8 and domain.scale != 1

    def back(forecast: np.ndarray) -> np.ndarray | Tensor:
        own = leave(forecast, domain, as_bytes)
        own = own if values.ndim == 5 else own[0]
        return from_numpy(own).to(x.device) if isinstance(x, Tensor) else own

    return Given(enter(picked, domain), back, notes)


def last_frames(batched: np.ndarray, domain: Domain) -> tuple[np.ndarray, tuple[str, ...]]:
    """The input frames of the window that ends with the last of (B, T, …), and a note when there are more.

    Raises:
        SvqkitError: there are too few.
    """
    there, span = batched.shape[1], 1 - domain.inputs[0]
    if there < span:
        raise SvqkitError(
            f"The input has {there} frame(s), the model needs {span}"
            + ("" if span == len(domain.inputs) else f" (it looks at {len(domain.inputs)} of them)")
            + ". Give it more."
        )
    places = [there - 1 + offset for offset in domain.inputs]
    return batched[:, places], (more_than_used(there, span),) if there > span else ()


def more_than_used(there: int, used: int) -> str:
    """The note for an input that is longer than what the model looks at."""
    return f"only the last {used} of the {there:,} frames given are used"


def _check_shape(shape: tuple[int, ...], domain: Domain) -> None:
    if len(shape) not in (4, 5) or shape[-3:] != domain.frame_shape or 0 in shape:
        channels, height, width = domain.frame_shape
        named = f" ({', '.join(domain.channels[:6])}{', …' if channels > 6 else ''})"
        raise SvqkitError(
            f"Expected frames (T, C, H, W) or (B, T, C, H, W) with C = {channels}{named}, H = {height}, W = {width}; "
            f"got an array of shape {tuple(shape)}."
        )
