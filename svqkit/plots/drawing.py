"""Drawing one field on what it lies on: a grid of the Earth, which is a map, or pixels, which are a picture.

Figures that show fields ask here, and so need not know which of the two they have. Colours are drawn as they are, grey
as grey, and any other channel in the colours of a scale.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.image import AxesImage

from svqkit.plots import mapaxes
from svqkit.plots.fields import is_colour, is_grey, is_lat_lon, plane_of
from svqkit.plots.mapaxes import Grid, grid_of
from svqkit.plots.style import MISSING, SEQUENTIAL

_FLAT = 0.75  # height by width

_BLACK_TO_WHITE = Normalize(0, 1)


@dataclass(frozen=True)
class Pixels:
    """A picture of ``height`` × ``width`` pixels, which are square."""

    height: int
    width: int

    projection = None  # plain axes
    margin = 4.0  # points left of a picture that nothing may be written in
    whole = "frame"  # what all pixels together are

    @property
    def aspect(self) -> float:
        """How high a picture is for each unit of width."""
        return self.height / self.width

    def label_edges(self, axes: Axes, left: bool, bottom: bool) -> None:
        """Leave the edges blank: numbers of pixels tell a reader nothing."""
        axes.set(xticks=[], yticks=[])


def draw_image(axes: Axes, field: xr.DataArray, colours: str | Colormap, scale: Normalize) -> AxesImage:
    """Colour the pixels of ``field`` (y, x); those without data (NaN) are grey."""
    return _draw(axes, field.transpose("y", "x").to_numpy(), cmap=colours, norm=scale)


def draw_colours(axes: Axes, picture: xr.DataArray) -> AxesImage:
    """Draw a colour picture (channel, y, x) of red, green and blue; values beyond 0 to 1 are clipped."""
    values = picture.transpose("y", "x", "channel").to_numpy()
    opaque = np.isfinite(values).all(axis=-1, keepdims=True)
    return _draw(axes, np.concatenate([np.nan_to_num(values).clip(0, 1), opaque], axis=-1))


def _draw(axes: Axes, values: np.ndarray, **colours: object) -> AxesImage:
    image = axes.imshow(values, origin="upper", aspect="equal", **colours)
    axes.set_facecolor(MISSING)
    axes.spines[:].set(visible=True, linewidth=0.5, edgecolor="#555555")
    return image


def geometry_of(field: xr.DataArray | xr.Dataset) -> Grid | Pixels:
    """Return the grid of a field (…, lat, lon), or the pixels of a field (…, y, x).

    Raises:
        SvqkitError: the field has neither, or a coordinate of the grid is missing or wrong.
    """
    if is_lat_lon(field):
        return grid_of(field)
    return Pixels(field.sizes["y"], field.sizes["x"])


def is_flat(field: xr.DataArray | xr.Dataset) -> bool:
    """Return whether maps or pictures of a field are so low that they read best below one another."""
    return geometry_of(field).aspect < _FLAT


def same_geometry(a: xr.DataArray, b: xr.DataArray) -> bool:
    """Return whether two fields lie on the same places, so that one may be subtracted from the other."""
    # pixels have no coordinates: xarray numbers them
    return plane_of(a) == plane_of(b) and all(np.array_equal(a[dim], b[dim]) for dim in plane_of(a))


def draw_field(axes: Axes, field: xr.DataArray, colours: str | Colormap, scale: Normalize) -> None:
    """Colour a field (lat, lon) or (y, x) on axes that were made for its ground; places without data are grey."""
    draw = mapaxes.draw_field if is_lat_lon(field) else draw_image
    draw(axes, field, colours, scale)


def area_mean(field: xr.DataArray, of_squares: bool = False) -> float:
    """Return the mean of a field over its area or pixels; with ``of_squares`` the root of the mean square.

    Each place of the Earth counts as much as its area, each pixel the same.
    """
    if of_squares:
        return area_mean(np.square(field)) ** 0.5
    if not is_lat_lon(field):
        return float(field.mean())
    return float(field.weighted(np.cos(np.deg2rad(field["lat"])).clip(min=0)).mean())


def draw_picture(axes: Axes, frame: xr.DataArray, scale: Normalize) -> None:
    """Draw one frame: (channel, y, x) of red, green and blue, or one channel (y, x) or (lat, lon).

    Colours and grey go from 0, dark, to 1, whatever the ``scale`` is; it is for all other channels.
    """
    if is_colour(frame):
        draw_colours(axes, frame)
    elif is_grey(frame):
        draw_field(axes, frame, "gray", _BLACK_TO_WHITE)
    else:
        draw_field(axes, frame, SEQUENTIAL, scale)


def needs_bar(frame: xr.DataArray) -> bool:
    """Return whether a reader needs a colour bar to read ``frame``: not where it looks as the world does."""
    return not (is_colour(frame) or is_grey(frame))


def one_value(field: xr.DataArray) -> xr.DataArray:
    """Return one value for each place, (…, y, x): the mean over the channels where there are several."""
    return field.mean("channel") if "channel" in field.dims else field
