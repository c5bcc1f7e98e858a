"""A user's grid against the grid that a model was trained on: the same places, perhaps in another order."""

import numpy as np

from svqkit.errors import SvqkitError

# Degrees by which two coordinates of the same place may differ: those of float32 do by about 3e-5.
NEAR = 1e-3


def order_of(name: str, theirs: np.ndarray, ours: np.ndarray, around: float | None = None) -> np.ndarray:
    """Indices such that ``theirs[indices]`` are the places ``ours``.

    ``around`` 360 takes longitudes that differ by whole turns as the same.

    Raises:
        SvqkitError: the axes are not of the same places.
    """
    theirs, ours = np.asarray(theirs, float), np.asarray(ours, float)
    if theirs.shape == ours.shape:
        apart = theirs[None] - ours[:, None]
        if around:
            apart = (apart + around / 2) % around - around / 2
        indices = np.abs(apart).argmin(axis=1)
        if len(set(indices.tolist())) == len(ours) and np.abs(apart).min(axis=1).max() < NEAR:
            return indices
    raise SvqkitError(
        f"The input lies on another grid than the model was trained on: {name} {_show(theirs)}, the model's "
        f"{_show(ours)}. Interpolate it to that grid, or cut it, e.g. with xarray's interp or sel."
    )


def _show(axis: np.ndarray) -> str:
    if axis.ndim != 1 or len(axis) == 0:
        return f"of shape {axis.shape}"
    return f"has {len(axis)} places from {axis[0]:g} to {axis[-1]:g}"
