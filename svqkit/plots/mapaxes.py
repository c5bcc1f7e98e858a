"""One map: which projection suits a grid, and a field drawn on it without a gap where longitudes wrap; coastlines.

Coastlines are read from a file in this package, so that maps need no network and look the same everywhere.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal, get_args

import cartopy.crs as ccrs
import numpy as np
import xarray as xr
from cartopy.mpl.geoaxes import GeoAxes
from cartopy.mpl.ticker import LatitudeFormatter, LongitudeFormatter
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap, Normalize
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator
from shapely.geometry import MultiLineString

from svqkit.errors import SvqkitError
from svqkit.plots.style import MISSING

# How the Earth is looked at: all of it (or the region that the grid covers), or one pole from above.
View = Literal["world", "north", "south"]
POLAR_FROM = 30.0  # degrees of latitude, north or south: the edge of a polar view

# cells are cut into pieces no larger than this, so that their edges follow the curved edge of a world map
_LARGEST_PIECE = 3.0  # degrees
# the two sides of the date line are one place: just inside it, each side keeps its own end of the map
_DATE_LINE = 180 - 1e-6


@dataclass(frozen=True)
class Grid:
    """Where the cells of a regular grid lie.

    Attributes:
        lon: cell centres (columns,), ascending without a jump, degrees; may exceed 180.
        lat: cell centres (rows,), ascending, degrees.
        columns: the order (columns,) that sorts the field's own longitudes into ``lon``.
        rows: the order (rows,) that sorts the field's own latitudes into ``lat``.
        world: whether the cells go all the way round.
        view: how they are looked at; only such that go round can be seen from above a pole.
    """

    lon: np.ndarray
    lat: np.ndarray
    columns: np.ndarray
    rows: np.ndarray
    world: bool
    view: View = "world"

    whole = "area"  # what all cells together are

    @property
    def polar(self) -> bool:
        """Whether a pole is in the middle."""
        return self.view != "world"

    @property
    def margin(self) -> float:
        """Points left of a map that nothing may be written in: a region's degrees stand there."""
        return 4.0 if self.world else 28.0

    @property
    def centre(self) -> float:
        """The longitude in the middle of the map, degrees; 0 for the world."""
        return 0.0 if self.world else float((self.lon[0] + self.lon[-1]) / 2)

    @property
    def projection(self) -> ccrs.Projection:
        """Robinson for the world, stereographic around a pole, equal degrees for a region."""
        if self.polar:
            return ccrs.NorthPolarStereo() if self.view == "north" else ccrs.SouthPolarStereo()
        return ccrs.Robinson() if self.world else ccrs.PlateCarree(central_longitude=self.centre)

    @property
    def aspect(self) -> float:
        """How high the map is for each unit of width."""
        if self.polar:
            return 1.0
        if self.world:
            return 0.507  # Robinson's map of the whole Earth
        return float(np.ptp(_edges(self.lat)) / np.ptp(_edges(self.lon)) * self.stretch)

    @property
    def stretch(self) -> float:
        """How long a degree of latitude is in degrees of longitude, in the middle of a region."""
        return float(1 / max(np.cos(np.deg2rad(self.lat.mean())), 0.2))

    def label_edges(self, axes: GeoAxes, left: bool, bottom: bool) -> None:
        """Write degrees along the left and bottom edge of a region's map; a world map needs none."""
        if self.world:
            return
        axes.tick_params(length=2, labelsize=6)
        if left:
            axes.set_yticks(_ticks(_edges(self.lat)), crs=ccrs.PlateCarree())
            axes.yaxis.set_major_formatter(LatitudeFormatter())
        if bottom:
            axes.set_xticks(_ticks(_edges(self.lon)), crs=ccrs.PlateCarree())
            axes.xaxis.set_major_formatter(LongitudeFormatter())


def grid_of(field: xr.DataArray | xr.Dataset, view: View = "world") -> Grid:
    """Return the grid of a field with coordinates ``lat`` and ``lon`` in degrees, in any order and from 0 or -180.

    Raises:
        SvqkitError: a coordinate is missing, has fewer than two values, or repeats one; there is no such view, or a
            pole is to be seen of cells that do not go round.
    """
    if view not in get_args(View):
        raise SvqkitError(f"Unknown projection {view!r}. Valid: {', '.join(get_args(View))}.")
    for name in ("lat", "lon"):
        if name not in field.coords or field[name].ndim != 1 or field[name].size < 2:
            raise SvqkitError(f"A map needs the coordinate {name!r} in degrees with two values or more.")
    lon = np.asarray(field["lon"], dtype=float) % 360
    lat = np.asarray(field["lat"], dtype=float)

    columns = np.argsort(lon, kind="stable")
    # a grid that gives 0 and 360 both holds the same column twice: one is enough
    columns = columns[np.r_[True, np.diff(lon[columns]) > 1e-6]]
    rows = np.argsort(lat)
    if columns.size < 2 or (np.diff(lat[rows]) <= 0).any() or not np.isfinite([*lon, *lat]).all():
        raise SvqkitError("A map's latitudes and longitudes must be numbers of degrees, each given once.")

    # start east of the widest gap: outside a region, or anywhere when the cells go round
    ascending = lon[columns]
    gaps = np.diff(np.r_[ascending, ascending[0] + 360])
    start = (int(gaps.argmax()) + 1) % ascending.size
    world = bool(gaps.max() < 1.5 * np.median(gaps))
    ascending = np.r_[ascending[start:], ascending[:start] + 360]
    if not world and ascending.mean() > 180:
        ascending = ascending - 360
    if view != "world" and not world:
        raise SvqkitError(
            f"A view from above a pole (projection {view!r}) needs cells that go all the way round; these cover "
            f"{ascending[0]:g} to {ascending[-1]:g} degrees east. Draw a region with projection 'world'."
        )
    return Grid(ascending, lat[rows], np.roll(columns, -start), rows, world, view)


def seen(field: xr.DataArray, view: View) -> xr.DataArray:
    """Return the rows of a field (…, lat, lon) that a view shows: all, or those within a polar view.

    Raises:
        SvqkitError: there is no such view of the field's grid, or no row is beyond that edge.
    """
    grid = grid_of(field, view)
    if not grid.polar:
        return field
    edges = _edges(grid.lat)
    shown = edges[1:] > POLAR_FROM if view == "north" else edges[:-1] < -POLAR_FROM
    if not shown.any():
        raise SvqkitError(
            f"No row of the field lies {polar_words(view)}: there is nothing to see from above that pole."
        )
    return field.isel(lat=np.sort(grid.rows[shown]))


def polar_words(view: View) -> str:
    """Return ``"north of 30° N"``."""
    return f"{view} of {POLAR_FROM:g}° {'N' if view == 'north' else 'S'}"


def draw_field(axes: GeoAxes, field: xr.DataArray, colours: str | Colormap, scale: Normalize) -> QuadMesh:
    """Colour the cells of ``field`` (lat, lon) on a map with its grid's projection, and coastlines over it.

    Cells without data (NaN) are grey. World maps are closed: a cell on the edge of the map is drawn on both
    sides of it.
    """
    grid = grid_of(field, _view_of(axes))
    values = field.transpose("lat", "lon").to_numpy()[grid.rows][:, grid.columns]
    lon, lat = _edges(grid.lon), np.clip(_edges(grid.lat), -90, 90)
    if grid.polar:
        lon[-1] = lon[0] + 360  # the last cell ends where the first begins
    elif grid.world:
        lon, values = _cut_at_date_line(lon, values)
    lon, values = _refined(lon, values, axis=1)
    lat, values = _refined(lat, values, axis=0)

    projection = axes.projection
    if not grid.polar:  # longitudes stay on their own side of the map's edge when they are projected
        lon = np.clip(lon, grid.centre - _DATE_LINE, grid.centre + _DATE_LINE)
    corners = projection.transform_points(ccrs.PlateCarree(), *np.meshgrid(lon, lat))
    # one picture inside a PDF: drawn as single shapes, many viewers show hairlines between the cells
    mesh = axes.pcolormesh(
        corners[..., 0], corners[..., 1], values, cmap=colours, norm=scale, rasterized=True, zorder=1
    )
    axes.set_facecolor(MISSING)
    axes.spines["geo"].set(linewidth=0.5, edgecolor="#555555")
    if grid.polar:
        _cut_to_circle(axes)
    elif grid.world:
        axes.set_global()
    else:
        axes.set_xlim(corners[..., 0].min(), corners[..., 0].max())
        axes.set_ylim(lat.min(), lat.max())
        axes.set_aspect(grid.stretch)
    inches = _inches(axes)
    # on a small map of the world, lines of the usual width would fill in the islands of the north
    add_coastlines(axes, width=float(np.clip(inches / 5, 0.35, 0.5)) if grid.world else 0.5)
    return mesh


def places_on_map(axes: GeoAxes, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Return where places (n,) in degrees lie in the axes' own coordinates, (n, 2)."""
    return axes.projection.transform_points(ccrs.PlateCarree(), lon, lat)[:, :2]


def _view_of(axes: GeoAxes) -> View:
    """The view that axes were made for."""
    if not isinstance(axes.projection, ccrs.Stereographic):
        return "world"
    return "north" if isinstance(axes.projection, ccrs.NorthPolarStereo) else "south"


def _inches(axes: GeoAxes) -> float:
    """How wide a map is, about: figures are laid out later."""
    return axes.get_position().width * axes.figure.get_figwidth()


def _cut_to_circle(axes: GeoAxes) -> None:
    """Cut a polar map to a circle, with thin lines of latitude and longitude inside it."""
    sign = 1 if _view_of(axes) == "north" else -1
    degrees, ring = ccrs.PlateCarree(), np.linspace(-180, 180, 181)

    def radius(lat: float) -> float:
        return float(np.hypot(*axes.projection.transform_point(0, sign * lat, degrees)))

    edge = radius(POLAR_FROM)
    axes.set_xlim(-edge, edge)
    axes.set_ylim(-edge, edge)
    turns = np.deg2rad(ring)
    axes.set_boundary(Path(0.5 + 0.5 * np.column_stack([np.cos(turns), np.sin(turns)])), transform=axes.transAxes)
    thin = {"color": "#555555", "linewidth": 0.3, "linestyle": (0, (4, 3)), "zorder": 2.5}
    axes.plot(radius(60) * np.cos(turns), radius(60) * np.sin(turns), **thin)
    if _inches(axes) > 2:
        axes.text(0, radius(60), f"60° {'N' if sign > 0 else 'S'}", size=5, ha="center", va="bottom", zorder=4)
    for meridian in (0, 90, 180, 270):
        ends = axes.projection.transform_points(degrees, np.full(2, meridian), sign * np.array([POLAR_FROM, 89.9]))
        axes.plot(ends[:, 0], ends[:, 1], **thin)


def _ticks(edges: np.ndarray) -> np.ndarray:
    ticks = MaxNLocator(nbins=3, steps=[1, 2, 3, 5, 10]).tick_values(edges[0], edges[-1])
    return ticks[(ticks >= edges[0]) & (ticks <= edges[-1])]


def _edges(centres: np.ndarray) -> np.ndarray:
    """Cell edges (n + 1,) half-way between the centres (n,), and as far out again at the ends."""
    between = (centres[1:] + centres[:-1]) / 2
    return np.r_[2 * centres[0] - between[0], between, 2 * centres[-1] - between[-1]]


def _cut_at_date_line(edges: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges (n + 2,) from -180 to 180 and values (rows, n + 1), of cells (rows, n) that go round.

    The cell that the date line cuts is there twice: its east part comes first, its west part last.
    """
    edges = edges - 360 * np.floor((edges[0] + 180) / 360)
    edges[-1] = edges[0] + 360  # the last cell ends where the first begins
    cut = int(np.searchsorted(edges, 180))
    return (
        np.r_[-180.0, edges[cut:] - 360, edges[1:cut], 180.0],
        np.concatenate([values[:, cut - 1 :], values[:, :cut]], axis=1),
    )


def _refined(edges: np.ndarray, values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Each cell cut into the same number of equal pieces along ``axis``, each piece with the cell's value."""
    pieces = int(np.ceil(np.diff(edges).max() / _LARGEST_PIECE))
    share = np.arange(pieces) / pieces
    finer = (edges[:-1, None] + np.diff(edges)[:, None] * share).ravel()
    return np.r_[finer, edges[-1]], np.repeat(values, pieces, axis=axis)


@cache
def coastlines() -> MultiLineString:
    """Return the outlines of all land at 1:110 million, as lines of (longitude, latitude) in degrees, -180 to 180.

    No line crosses the date line: those that would are cut there, so that no map has a line across it.
    """
    text = resources.files("svqkit.plots").joinpath("coastline_110m.json").read_text(encoding="utf-8")
    return MultiLineString(json.loads(text)["lines"])


def add_coastlines(axes: GeoAxes, width: float = 0.5) -> None:
    """Draw the coastlines on a map of any projection, with lines ``width`` points wide.

    Each stretch is projected by cartopy, which also cuts it at the edge of the map. The lines are dark with a
    pale rim, so that they can be seen on dark and on pale colours.
    """
    rim = {"edgecolor": "#ffffff99", "linewidth": 2.5 * width, "rasterized": True}  # keeps PDFs small
    for line in (rim, {"edgecolor": "#202020", "linewidth": width}):
        # the same object each time, so that cartopy projects it once for all maps of a figure
        axes.add_geometries([coastlines()], crs=ccrs.PlateCarree(), facecolor="none", zorder=3, **line)
