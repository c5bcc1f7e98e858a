"""One picture: a field without a place on Earth, drawn pixel by pixel with its first row at the top."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.image import AxesImage

from svqkit.plots.style import MISSING


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
