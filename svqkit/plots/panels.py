"""Fields beside each other: maps or pictures in rows and columns, and a bar for each scale of colours.

A grid of the Earth is drawn as a map, pixels as a picture; colours as they are, grey as grey, and any other channel in
the colours of a scale.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from svqkit.errors import SvqkitError
from svqkit.plots.fields import is_colour, is_grey, is_lat_lon, plane_of
from svqkit.plots.mapaxes import View, draw_map, label_degrees, map_projection, on_map, places_on_map
from svqkit.plots.names import plain
from svqkit.plots.style import COLUMN_WIDTH, DIVERGING, ERROR, FULL_WIDTH, MISSING, SEQUENTIAL, broken, heading, use

_TAIL = 1.0  # percent of the values at each end that a scale leaves out: few cells would leave all others pale
_HIGHEST = 8.4  # inches of panels that fit on a page
_TITLE, _BAR, _LINE = 0.32, 0.9, 0.17  # inches above each panel; for the bars below; for a line of the heading
_BESIDE = 0.8  # inches for the bars and names beside rows
_LETTER, _SMALL_LETTER = 0.064, 0.047  # inches, how wide one is on average, at 8 and at 6 points
_NARROW = 1.2  # inches: titles of narrower panels are small
_MOST_DOTS = 96  # in a row
_COLOURS = {"frame": SEQUENTIAL, "amount": SEQUENTIAL, "size": ERROR, "difference": DIVERGING}
_GREY = ScalarMappable(Normalize(0, 1), "gray")

Kind = Literal["frame", "amount", "size", "difference"]


@dataclass(frozen=True, eq=False)
class Scale:
    """What colours mean: values up to the limits of ``colours``, and beyond at the ends that ``extend`` names."""

    kind: Kind
    label: str
    colours: ScalarMappable
    extend: str

    @classmethod
    def of(
        cls,
        kind: Kind,
        fields: Iterable[xr.DataArray],
        label: str,
        shown: Iterable[xr.DataArray] = (),
        least: float = 0.0,
    ) -> "Scale":
        """Return a scale that shows nearly all values of ``fields`` (any shapes).

        Args:
            kind: an "amount" from the lowest to the highest; a "frame", which is the same, but a picture in grey or
                in colour looks as it is; the "size" of an error from 0; or a "difference" with 0 in the middle: blue
                below, red above.
            fields: what the scale is made for.
            label: what is written beside its bar.
            shown: all that is drawn on it, where that is more.
            least: how far a difference goes at least, so that nothing to speak of stays pale.

        Raises:
            SvqkitError: no field has a finite value.
        """
        values = _finite(fields)
        if values.size == 0:
            raise SvqkitError(f"There is nothing to draw: every value is missing (NaN) of {label}.")
        every = _finite(shown) if shown else values
        low, high = np.percentile(values, [_TAIL, 100 - _TAIL])
        if kind == "difference":
            high = max(np.percentile(abs(values), 100 - _TAIL) or abs(values).max(), least) or 1.0
            low = -high
        elif kind == "size":  # where nearly all is right, the few errors there are still get colours
            low, high = 0.0, high or values.max() or 1.0
        elif low == high:
            low, high = low - 0.5, high + 0.5
        beyond = bool(every.min() < low), bool(every.max() > high)
        extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[beyond]
        return cls(kind, label, ScalarMappable(Normalize(low, high), _COLOURS[kind]), extend)


@dataclass(frozen=True, eq=False)
class Panel:
    """One field: (lat, lon), (y, x), or red, green and blue (channel, y, x).

    Attributes:
        field: what is drawn.
        scale: its colours; frames of red, green and blue, or grey, are drawn from 0, dark, to 1 without one.
        title: written above it.
        dots: places (bool, on the field's plane) that get a small black dot.
        cross: the place (row, column) that gets a cross.
    """

    field: xr.DataArray
    scale: Scale
    title: str = ""
    dots: xr.DataArray | None = None
    cross: tuple[int, int] | None = None


def draw_panels(rows: Mapping[str, Sequence[Panel]], title: str, projection: View = "world") -> Figure:
    """Draw panels in rows, whose names stand left of them; a name that begins with a space is not written.

    Every scale has one bar: right of its rows where these are its own, else below its panels.

    Raises:
        SvqkitError: there is no panel, a field has no places, or is not one that is seen from above a pole.
    """
    panels = [panel for row in rows.values() for panel in row]
    if not panels:
        raise SvqkitError("There is nothing to draw: no field was given.")
    columns, (kind, aspect) = max(map(len, rows.values())), _geometry(panels[0].field, projection)
    room = FULL_WIDTH - _BESIDE * (len(rows) > 1)
    width = min(room / columns, COLUMN_WIDTH, (_HIGHEST / len(rows) - _TITLE) / aspect)
    small = width < _NARROW
    letters = int(width / (_SMALL_LETTER if small else _LETTER))
    size = max(columns * width + FULL_WIDTH - room, COLUMN_WIDTH), len(rows) * (width * aspect + _TITLE) + _BAR
    size = size[0], size[1] + _LINE * (len(title) + 20) / (12.5 * size[0])
    with use():
        figure = Figure(figsize=size, layout="compressed")
        grid = figure.subplots(len(rows), columns, squeeze=False, subplot_kw={"projection": kind})
        places: dict[Scale, list[tuple[int, Axes]]] = {}
        for number, (name, row) in enumerate(rows.items()):
            for column, axes in enumerate(grid[number]):
                if column >= len(row):
                    axes.set_visible(False)
                    continue
                panel = row[column]
                _draw(axes, panel, projection, left=column == 0, bottom=number == len(rows) - 1)
                said = "\n".join(part for line in panel.title.split("\n") for part in broken(line, letters))
                axes.set_title(said, **({"size": 6} if small else {}))
                if not _looks_as_it_is(panel):
                    places.setdefault(panel.scale, []).append((number, axes))
            if not name.startswith(" "):
                clear = 30 if _has_degrees(grid[number, 0]) else 5
                _name_row(grid[number, 0], name, clear)
        for scale, found in places.items():
            its_rows = {number for number, _ in found}
            alone = len(found) == sum(len(row) for number, row in enumerate(rows.values()) if number in its_rows)
            beside = alone and len(rows) > 1
            of_rows = [axes for number in its_rows for axes in grid[number] if axes.get_visible()]
            # Below some panels of a row whose others have no bar it takes room from all, or they would not stand level.
            level = not beside and len(places) == 1
            figure.colorbar(
                scale.colours,
                ax=of_rows if level else [axes for _, axes in found],
                anchor=(1.0, 0.5) if len(found) < len(of_rows) else (0.5, 0.5),
                location="right" if beside else "bottom",
                extend=scale.extend,
                label=scale.label,
                fraction=0.06,
                aspect=12 * len(its_rows) if beside else 35,
                shrink=0.9 * len(found) / len(of_rows) if level else 0.9,
                pad=0.02,
            )
        heading(figure, title)
    return figure


def in_rows(panels: Sequence[Panel], columns: int = 0) -> dict[str, Sequence[Panel]]:
    """Return panels in rows without names: ``columns`` in each; when 0, up to two flat ones or four high ones."""
    wide = is_lat_lon(panels[0].field) or panels[0].field.sizes["y"] / panels[0].field.sizes["x"] < 0.75
    columns = columns or (min(len(panels), 2) if wide else min(len(panels), 4))
    return {f" {start}": panels[start : start + columns] for start in range(0, len(panels), columns)}


def area_mean(field: xr.DataArray, of_squares: bool = False) -> float:
    """Return the mean of a field over its area or pixels; with ``of_squares`` the root of the mean square.

    Each place of the Earth counts as much as its area, each pixel the same.
    """
    if of_squares:
        return area_mean(np.square(field)) ** 0.5
    if not is_lat_lon(field):
        return float(field.mean())
    return float(field.weighted(np.cos(np.deg2rad(field["lat"])).clip(min=0)).mean())


def _looks_as_it_is(panel: Panel) -> bool:
    return is_colour(panel.field) or (panel.scale.kind == "frame" and is_grey(panel.field))


def _finite(fields: Iterable[xr.DataArray]) -> np.ndarray:
    values = np.concatenate([np.empty(0), *(np.asarray(field, dtype=float).ravel() for field in fields)])
    return values[np.isfinite(values)]


def three_digits(value: float, sign: str = "") -> str:
    """Return ``"1.50"``, ``"−0.0421"``, ``"1,234"``; with ``sign`` "+" also that of positive numbers."""
    form = f"{sign},.0f" if abs(value) >= 1000 else f"{sign}#.3g"
    return plain(f"{value:{form}}".rstrip("."))


def _geometry(field: xr.DataArray, projection: View) -> tuple[object, float]:
    """The projection of the panels of a field, None for pictures, and how high one is by its width."""
    if is_lat_lon(field):
        return map_projection(on_map(field, projection), projection)
    if projection != "world":
        raise SvqkitError(f"Pictures have no pole to be seen from above: leave out projection {projection!r}.")
    return None, field.sizes["y"] / field.sizes["x"]


def _has_degrees(axes: Axes) -> bool:
    return getattr(axes, "projection", None).__class__.__name__ == "PlateCarree"


def _draw(axes: Axes, panel: Panel, projection: View, left: bool, bottom: bool) -> None:
    field = panel.field
    if is_lat_lon(field):
        draw_map(axes, on_map(field, projection), panel.scale.colours)
        label_degrees(axes, left, bottom)
    elif is_colour(field):
        values = field.transpose("y", "x", "channel").to_numpy()
        opaque = np.isfinite(values).all(axis=-1, keepdims=True)
        axes.imshow(np.concatenate([np.nan_to_num(values).clip(0, 1), opaque], axis=-1))
    else:
        colours = _GREY if _looks_as_it_is(panel) else panel.scale.colours
        axes.imshow(field.transpose("y", "x").to_numpy(), cmap=colours.cmap, norm=colours.norm)
    if not is_lat_lon(field):
        axes.set(xticks=[], yticks=[], facecolor=MISSING)
        axes.spines[:].set(visible=True, linewidth=0.5, edgecolor="#555555")
    if panel.dots is not None:  # of more than 96 columns some are left out, or the dots would cover the colours
        dots = on_map(panel.dots, projection) if is_lat_lon(field) else panel.dots
        every = -(-dots.shape[-1] // _MOST_DOTS)
        dots = dots.transpose(*plane_of(dots))[::every, ::every]
        cells = np.argwhere(dots.to_numpy())
        axes.plot(*_places(axes, dots, cells, every), "o", color="black", markersize=0.9, markeredgewidth=0, zorder=4)
    if panel.cross is not None:
        for width, colour in ((2.2, "white"), (1.0, "black")):
            at = _places(axes, field, np.array([panel.cross]))
            axes.plot(*at, "x", color=colour, markersize=5, markeredgewidth=width, zorder=5)


def _places(axes: Axes, field: xr.DataArray, cells: np.ndarray, every: int = 1) -> np.ndarray:
    """Where cells (n, 2) of a field, row and column, lie on its axes: x and y, (2, n)."""
    if not is_lat_lon(field):
        return cells.T[::-1] * every
    rows, columns = cells.T
    return places_on_map(axes, field["lat"].to_numpy()[rows], field["lon"].to_numpy()[columns]).T


def _name_row(axes: Axes, name: str, clear: float) -> None:
    """Write a name left of a panel, ``clear`` points away from it."""
    at = {"xycoords": "axes fraction", "textcoords": "offset points", "xytext": (-clear, 0)}
    axes.annotate(
        name.replace(" ", "\n", 1) if len(name) > 12 else name,
        (0, 0.5), rotation=90, ha="right", va="center", ma="center", weight="bold", size=7, **at,
    )  # fmt: skip
