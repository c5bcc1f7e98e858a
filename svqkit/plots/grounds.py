"""What a field lies on: a grid of the Earth, which is drawn as a map, or pixels, which are drawn as a picture.

Figures that show fields ask here, and so need not know which of the two they have.
"""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize

from svqkit.errors import SvqkitError
from svqkit.plots import imageaxes, mapaxes
from svqkit.plots.imageaxes import Pixels
from svqkit.plots.mapaxes import Grid, grid_of

_EARTH, _PICTURE = ("lat", "lon"), ("y", "x")
_FLAT = 0.75  # height by width


def ground_of(field: xr.DataArray | xr.Dataset) -> Grid | Pixels:
    """The grid of a field (…, lat, lon), or the pixels of a field (…, y, x).

    Raises:
        SvqkitError: the field has neither, or a coordinate of the grid is missing or wrong.
    """
    if plane_of(field) == _EARTH:
        return grid_of(field)
    return Pixels(field.sizes["y"], field.sizes["x"])


def plane_of(field: xr.DataArray | xr.Dataset) -> tuple[str, str]:
    """The two dimensions that a field is drawn over: ``("lat", "lon")`` or ``("y", "x")``.

    Raises:
        SvqkitError: the field has neither.
    """
    for plane in (_EARTH, _PICTURE):
        if set(plane) <= set(field.dims):
            return plane
    raise SvqkitError(
        "A field needs the dimensions lat and lon (degrees; drawn as a map) or y and x (pixels; drawn as a "
        f"picture); it has {', '.join(map(str, field.dims)) or 'none'}. Rename its dimensions."
    )


def on_earth(field: xr.DataArray | xr.Dataset) -> bool:
    """Whether a field is drawn as a map."""
    return plane_of(field) == _EARTH


def is_flat(field: xr.DataArray | xr.Dataset) -> bool:
    """Whether maps or pictures of a field are so low that they read best below one another."""
    return ground_of(field).aspect < _FLAT


def same_ground(a: xr.DataArray, b: xr.DataArray) -> bool:
    """Whether two fields lie on the same places, so that one may be subtracted from the other."""
    # pixels have no coordinates: xarray numbers them
    return plane_of(a) == plane_of(b) and all(np.array_equal(a[dim], b[dim]) for dim in plane_of(a))


def draw_field(axes: Axes, field: xr.DataArray, colours: str | Colormap, scale: Normalize) -> None:
    """Colour a field (lat, lon) or (y, x) on axes that were made for its ground; places without data are grey."""
    draw = mapaxes.draw_field if on_earth(field) else imageaxes.draw_image
    draw(axes, field, colours, scale)


def area_mean(field: xr.DataArray, of_squares: bool = False) -> float:
    """Mean of a field over its ground; with ``of_squares`` the root of the mean square.

    Each place of the Earth counts as much as its area, each pixel the same.
    """
    if of_squares:
        return area_mean(np.square(field)) ** 0.5
    if not on_earth(field):
        return float(field.mean())
    return float(field.weighted(np.cos(np.deg2rad(field["lat"])).clip(min=0)).mean())
