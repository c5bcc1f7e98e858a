"""How frames look: colours as they are, grey as grey, and any other channel in the colours of a scale."""

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from svqkit.plots.channels import is_colour, is_grey
from svqkit.plots.grounds import draw_field
from svqkit.plots.imageaxes import draw_colours
from svqkit.plots.style import SEQUENTIAL

_BLACK_TO_WHITE = Normalize(0, 1)


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
    """Whether a reader needs a colour bar to read ``frame``: not where it looks as the world does."""
    return not (is_colour(frame) or is_grey(frame))


def one_value(field: xr.DataArray) -> xr.DataArray:
    """One value for each place, (…, y, x): the mean over the channels where there are several."""
    return field.mean("channel") if "channel" in field.dims else field
