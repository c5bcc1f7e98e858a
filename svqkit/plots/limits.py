"""Colour scales that several maps share, so that the same colour is the same number in all of them."""

from collections.abc import Iterable

import numpy as np
from matplotlib.colors import Normalize

from svqkit.errors import SvqkitError

# a few extreme cells would leave all others pale: this share of the values at each end is cut off
_TAIL = 1.0  # percent


def symmetric_scale(fields: Iterable[np.ndarray]) -> Normalize:
    """A scale with zero in the middle that shows nearly all values of ``fields`` (any shapes).

    Raises:
        SvqkitError: no field has a finite value.
    """
    limit = float(np.percentile(np.abs(_finite(fields)), 100 - _TAIL)) or 1.0
    return Normalize(-limit, limit)


def robust_scale(fields: Iterable[np.ndarray]) -> Normalize:
    """A scale that shows nearly all values of ``fields`` (any shapes).

    Raises:
        SvqkitError: no field has a finite value.
    """
    low, high = np.percentile(_finite(fields), [_TAIL, 100 - _TAIL])
    if low == high:
        low, high = low - 0.5, high + 0.5
    return Normalize(float(low), float(high))


def amount_scale(fields: Iterable[np.ndarray]) -> Normalize:
    """A scale from zero up that shows nearly all values of ``fields`` (any shapes), none of which is negative.

    Raises:
        SvqkitError: no field has a finite value.
    """
    values = _finite(fields)
    # where nearly all is right, the few errors there are still get colours
    return Normalize(0, float(np.percentile(values, 100 - _TAIL)) or float(values.max()) or 1.0)


def decimals_for(largest: float) -> int:
    """How many decimals numbers up to ``largest`` need, for three digits of the largest."""
    return max(0, 2 - int(np.floor(np.log10(largest)))) if np.isfinite(largest) and largest > 0 else 2


def arrows(fields: Iterable[np.ndarray], scale: Normalize) -> str:
    """Which ends of the colour bar get an arrow, as matplotlib's ``extend``: those that values lie beyond."""
    values = _finite(fields)
    low, high = bool(values.min() < scale.vmin), bool(values.max() > scale.vmax)
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[low, high]


def _finite(fields: Iterable[np.ndarray]) -> np.ndarray:
    values = np.concatenate([np.empty(0), *(np.asarray(field, dtype=float).ravel() for field in fields)])
    values = values[np.isfinite(values)]
    if values.size == 0:
        raise SvqkitError("There is nothing to draw: every value of the field(s) is missing (NaN).")
    return values
