"""Maps side by side: their places on the page, names of rows, degrees along the edges, shared colour bars."""

from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr
from cartopy.mpl.geoaxes import GeoAxes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from svqkit.figures.limits import arrows
from svqkit.figures.mapaxes import grid_of, label_degrees
from svqkit.figures.style import new_figure

# inches that a figure needs beside its maps
_TITLE = 0.3  # above each map
_HEADING = 0.5
_BAR = 0.6
_HIGHEST = 9.0  # what fits on a page
_TRIMS = 3  # after that many steps nothing to speak of is left to take off


def map_panels(
    field: xr.DataArray, rows: int, columns: int, width: float, row_names: Sequence[str] = ()
) -> tuple[Figure, np.ndarray]:
    """A figure with maps (rows, columns) that suit the grid of ``field``.

    Args:
        field: coordinates ``lat`` and ``lon``, degrees.
        rows, columns: how many maps.
        width: of the figure, inches. Its height is enough for the maps: ``trim`` takes off what is left over.
        row_names: names to write left of the rows, if any.
    """
    grid = grid_of(field)
    one = width / columns * grid.aspect + _TITLE
    figure = new_figure(width, min(_HEADING + rows * one + _BAR, _HIGHEST))
    figure.get_layout_engine().set(w_pad=0.04, h_pad=0.04, wspace=0.01, hspace=0.01)

    axes = figure.subplots(rows, columns, squeeze=False, subplot_kw={"projection": grid.projection})
    for row, column in np.ndindex(rows, columns):
        # in its corner, each map's title and name stand outside its place and are given room
        axes[row, column].set_anchor("NW")
        label_degrees(axes[row, column], grid, left=column == 0, bottom=row == rows - 1)
    for place, name in zip(axes[:, 0], row_names, strict=bool(row_names)):
        _name_row(place, name, clear=4 if grid.world else 28)
    return figure, axes


def colour_bar(
    axes: Iterable[GeoAxes],
    scale: Normalize,
    colours: str,
    fields: Iterable[np.ndarray],
    label: str,
    location: str = "bottom",
    aspect: float = 45,
) -> None:
    """One bar for the maps ``axes``, with an arrow at each end that values of ``fields`` lie beyond.

    It is ``aspect`` times as long as it is thick.
    """
    maps = list(axes)
    maps[0].figure.colorbar(
        ScalarMappable(scale, colours),
        ax=maps,
        location=location,
        extend=arrows(fields, scale),
        label=label,
        fraction=0.05,
        aspect=aspect,
        shrink=0.85,
        pad=0.02,
        panchor=False,  # the maps stay in their corners
    )


def trim(figure: Figure, axes: np.ndarray) -> None:
    """Take off the height that the maps (rows, columns) of a finished figure leave empty.

    How wide the maps are, and so how high, is known only once names and degrees have found their places.
    """
    one = axes[0, 0]
    for _ in range(_TRIMS):
        figure.get_layout_engine().execute(figure)
        one.apply_aspect()
        spare = one.get_position(original=True).height - one.get_position().height  # of the figure's height
        # not all at once: bars and gaps shrink with the figure, and the maps would be left too little
        figure.set_figheight(figure.get_figheight() * (1 - 0.7 * axes.shape[0] * max(spare, 0)))


def _name_row(axes: GeoAxes, name: str, clear: float) -> None:
    """Write a name left of a map, ``clear`` points away from it."""
    axes.annotate(
        name,
        xy=(0, 0.5),
        xycoords="axes fraction",
        xytext=(-clear, 0),
        textcoords="offset points",
        rotation=90,
        ha="right",
        va="center",
        weight="bold",
    )
