"""Figures of several panels: places on the page, names of rows, labels of edges, shared scales and colour bars."""

from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from svqkit.errors import SvqkitError
from svqkit.plots.drawing import geometry_of, is_flat
from svqkit.plots.fields import is_lat_lon, plane_of
from svqkit.plots.mapaxes import View, grid_of, places_on_map
from svqkit.plots.style import COLUMN_WIDTH, FULL_WIDTH, new_figure

# a few extreme cells would leave all others pale: this share of the values at each end is cut off
_TAIL = 1.0  # percent

_MOST_COLUMNS = 4

# inches that a figure needs beside its panels
_TITLE = 0.3  # above each panel
_HEADING = 0.5
_BAR = 0.6
_HIGHEST = 9.0  # what fits on a page
_LETTER = 0.062  # how wide one is, on average, in a title or a label
_SHRINK = 0.85  # how long a bar is, as a share of its panels
_NAME_SIZE, _SMALLEST = 8.0, 5.0  # points, of a row's name
_MOST_DOTS = 96  # in a row
_DOT = 0.9  # points
_TRIMS = 3  # after that many steps nothing to speak of is left to take off


def symmetric_scale(fields: Iterable[np.ndarray]) -> Normalize:
    """Return a scale with zero in the middle that shows nearly all values of ``fields`` (any shapes).

    Raises:
        SvqkitError: no field has a finite value.
    """
    limit = float(np.percentile(np.abs(_finite(fields)), 100 - _TAIL)) or 1.0
    return Normalize(-limit, limit)


def robust_scale(fields: Iterable[np.ndarray]) -> Normalize:
    """Return a scale that shows nearly all values of ``fields`` (any shapes).

    Raises:
        SvqkitError: no field has a finite value.
    """
    low, high = np.percentile(_finite(fields), [_TAIL, 100 - _TAIL])
    if low == high:
        low, high = low - 0.5, high + 0.5
    return Normalize(float(low), float(high))


def amount_scale(fields: Iterable[np.ndarray]) -> Normalize:
    """Return a scale from zero up that shows nearly all values of ``fields`` (any shapes), none of which is negative.

    Raises:
        SvqkitError: no field has a finite value.
    """
    values = _finite(fields)
    # where nearly all is right, the few errors there are still get colours
    return Normalize(0, float(np.percentile(values, 100 - _TAIL)) or float(values.max()) or 1.0)


def decimals_for(largest: float) -> int:
    """Return how many decimals numbers up to ``largest`` need, for three digits of the largest."""
    return max(0, 2 - int(np.floor(np.log10(largest)))) if np.isfinite(largest) and largest > 0 else 2


def arrows(fields: Iterable[np.ndarray], scale: Normalize) -> str:
    """Return which ends of the colour bar get an arrow, as matplotlib's ``extend``: those that values lie beyond."""
    values = _finite(fields)
    low, high = bool(values.min() < scale.vmin), bool(values.max() > scale.vmax)
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[low, high]


def _finite(fields: Iterable[np.ndarray]) -> np.ndarray:
    values = np.concatenate([np.empty(0), *(np.asarray(field, dtype=float).ravel() for field in fields)])
    values = values[np.isfinite(values)]
    if values.size == 0:
        raise SvqkitError("There is nothing to draw: every value of the field(s) is missing (NaN).")
    return values


def small_multiples(
    count: int, row_height: float, x_label: str, y_label: str, share_y: bool = True
) -> tuple[Figure, list[Axes]]:
    """Make a figure as wide as a page with ``count`` plots, at most four in a row.

    The x-axis is labelled below the lowest plot of each column, the y-axis left of each row.

    Args:
        count: how many, at least 1.
        row_height: of one row with its titles, inches.
        x_label, y_label: of all plots.
        share_y: whether all plots have the same limits of the y-axis, as they have of the x-axis.
    """
    rows = -(-count // _MOST_COLUMNS)
    columns = -(-count // rows)
    figure = new_figure(FULL_WIDTH, 0.8 + row_height * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=share_y)
    for axes in grid.flat[count:]:
        axes.set_visible(False)
    for column in range(columns):
        lowest = grid[(count - 1 - column) // columns, column]
        lowest.set_xlabel(x_label)
        lowest.tick_params(labelbottom=True)
    for row in grid:
        row[0].set_ylabel(y_label)
    return figure, list(grid.flat[:count])


def field_panels(
    field: xr.DataArray | xr.Dataset,
    rows: int,
    columns: int,
    width: float,
    row_names: Sequence[str] = (),
    projection: View = "world",
) -> tuple[Figure, np.ndarray]:
    """Make a figure with panels (rows, columns) that suit the geometry of ``field``: maps or pictures.

    Args:
        field: coordinates ``lat`` and ``lon``, degrees; or dimensions ``y`` and ``x``, pixels.
        rows, columns: how many panels.
        width: of the figure at most, inches; less where so many rows as wide as that would not fit on a page. Its
            height is enough for the panels: ``trim`` takes off what is left over.
        row_names: names to write left of the rows, if any.
        projection: how maps look at the Earth: "world", or "north" or "south" from above a pole.

    Raises:
        SvqkitError: the field has no geometry, or not one that is seen from above a pole.
    """
    geometry = geometry_of(field) if projection == "world" else grid_of(field, projection)
    highest = (_HIGHEST - _HEADING - _BAR) / rows - _TITLE  # of one panel
    width = max(min(width, highest / geometry.aspect * columns), min(width, COLUMN_WIDTH))
    panel_height = width / columns * geometry.aspect + _TITLE
    figure = new_figure(width, min(_HEADING + rows * panel_height + _BAR, _HIGHEST))
    figure.get_layout_engine().set(w_pad=0.04, h_pad=0.04, wspace=0.01, hspace=0.01)

    axes = figure.subplots(rows, columns, squeeze=False, subplot_kw={"projection": geometry.projection})
    for row, column in np.ndindex(rows, columns):
        # in its corner, each panel's title and name stand outside its place and are given room
        axes[row, column].set_anchor("NW")
        geometry.label_edges(axes[row, column], left=column == 0, bottom=row == rows - 1)
    for ax, name in zip(axes[:, 0], row_names, strict=bool(row_names)):
        _name_row(ax, name, geometry.margin, room=panel_height)
    return figure, axes


def one_panel_each(field: xr.DataArray, panels: int, projection: View = "world") -> tuple[Figure, np.ndarray]:
    """Make flat panels below one another, in two columns when they are many; high ones, as of poles, side by side."""
    if projection != "world" or not is_flat(field):
        columns = min(panels, 4)
        width = COLUMN_WIDTH if panels == 1 else FULL_WIDTH
        return field_panels(field, -(-panels // columns), columns, width, projection=projection)
    if panels <= 3:
        return field_panels(field, panels, 1, COLUMN_WIDTH)
    return field_panels(field, -(-panels // 2), 2, FULL_WIDTH)


def title_panel(axes: Axes, what: str, number: str, units: str) -> None:
    """Write what a panel shows, and a number with its units, above it, on one line or two.

    Where the panel is too narrow for the units they are left out: the colour bar says them.
    """
    with_its_units = f"{number} {units}".strip()
    ways = (f"{what}:  {with_its_units}", f"{what}:\n{with_its_units}", f"{what}:\n{number}")
    axes.set_title(next((way for way in ways if fits(way, axes)), ways[-1]))


def fits(title: str, axes: Axes) -> bool:
    """Return whether the lines of a title are no longer than its panel has room for."""
    room = axes.figure.get_figwidth() / axes.get_gridspec().ncols
    return max(map(len, title.split("\n"))) * _LETTER < room


def draw_dots(axes: Axes, where: xr.DataArray) -> None:
    """Draw a small black dot at each place of a field (lat, lon) or (y, x), already drawn on ``axes``, that is true.

    Of more than 96 columns some are left out, and of the rows as many, or the dots would cover the colours.
    """
    plane = plane_of(where)
    every = -(-where.sizes[plane[1]] // _MOST_DOTS)
    rows, columns = np.nonzero(where.transpose(*plane).to_numpy()[::every, ::every])
    if is_lat_lon(where):
        points = places_on_map(axes, where["lat"].to_numpy()[::every][rows], where["lon"].to_numpy()[::every][columns])
    else:
        points = np.column_stack([columns, rows]) * every
    axes.plot(*points.T, "o", color="black", markersize=_DOT, markeredgewidth=0, zorder=4)


def mark_place(axes: Axes, field: xr.DataArray, cell: tuple[int, int]) -> None:
    """Draw a cross at one place (row, column) of a field (lat, lon) or (y, x), already drawn on ``axes``."""
    row, column = cell
    at = np.array([[column, row]])
    if is_lat_lon(field):
        at = places_on_map(axes, field["lat"].to_numpy()[[row]], field["lon"].to_numpy()[[column]])
    for width, colour in ((2.2, "white"), (1.0, "black")):
        axes.plot(*at.T, "x", color=colour, markersize=5, markeredgewidth=width, zorder=5)


def colour_bar(
    axes: Iterable[Axes],
    scale: Normalize,
    colours: str,
    fields: Iterable[np.ndarray],
    label: str,
    location: str = "bottom",
    aspect: float = 45,
) -> None:
    """Draw one colour bar for the panels ``axes``, with an arrow at each end that values of ``fields`` lie beyond.

    It is ``aspect`` times as long as it is thick. A label that is longer than an upright bar has its units on a line
    of their own.
    """
    panels = list(axes)
    if location == "right":
        label = _as_high_as(panels, label)
    panels[0].figure.colorbar(
        ScalarMappable(scale, colours),
        ax=panels,
        location=location,
        extend=arrows(fields, scale),
        label=label,
        fraction=0.05,
        aspect=aspect,
        shrink=_SHRINK,
        pad=0.02,
        panchor=False,  # the panels stay in their corners
    )


def _as_high_as(panels: list[Axes], label: str) -> str:
    """``label``, with its units on a line of their own if it is longer than the rows of ``panels`` are high."""
    rows = {panel.get_subplotspec().rowspan.start for panel in panels}
    figure = panels[0].figure
    height = (figure.get_figheight() - _HEADING) * len(rows) / panels[0].get_gridspec().nrows - _TITLE
    return label if len(label) * _LETTER < height * _SHRINK else label.replace(" [", "\n[")


def trim(figure: Figure, axes: np.ndarray) -> None:
    """Take off the height that the panels (rows, columns) of a finished figure leave empty.

    How wide the panels are, and so how high, is known only once names and degrees have found their places.
    """
    corner = axes[0, 0]
    for _ in range(_TRIMS):
        figure.get_layout_engine().execute(figure)
        corner.apply_aspect()
        spare = corner.get_position(original=True).height - corner.get_position().height  # of the figure's height
        # not all at once: bars and gaps shrink with the figure, and the panels would be left too little
        figure.set_figheight(figure.get_figheight() * (1 - 0.7 * axes.shape[0] * max(spare, 0)))


def _name_row(axes: Axes, name: str, clear: float, room: float) -> None:
    """Write a name left of a panel, ``clear`` points away from it, so that it fits in ``room`` inches."""
    fits = room / (len(name) * 1.15 * _LETTER)  # bold letters are wider
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
        size=max(_SMALLEST, _NAME_SIZE * min(fits, 1)),
    )
