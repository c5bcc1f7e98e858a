"""One map: which projection suits a grid, a field drawn on it up to the edges of its cells, and coastlines.

Coastlines are read from a file in this package, so that maps need no network and look the same everywhere.
"""

import json
from functools import cache
from importlib import resources
from typing import Literal, get_args

import cartopy.crs as ccrs
import numpy as np
import xarray as xr
from cartopy.mpl.geoaxes import GeoAxes
from matplotlib.cm import ScalarMappable
from matplotlib.path import Path
from shapely.geometry import MultiLineString

from svqkit.errors import SvqkitError
from svqkit.plots.style import MISSING

# How the Earth is looked at: all of it (or the region that the grid covers), or one pole from above.
View = Literal["world", "north", "south"]
POLAR_FROM = 30.0  # degrees of latitude, north or south: the edge of a polar view

_DEGREES = ccrs.PlateCarree()


def on_map(field: xr.DataArray, view: View = "world") -> xr.DataArray:
    """Return a field (…, lat, lon) from south to north and from west to east, without a jump where longitudes wrap.

    A region begins east of the widest gap between its longitudes, whichever way they are counted. Of a polar view only
    the rows are left that it shows.

    Raises:
        SvqkitError: a coordinate is missing, has fewer than two values or repeats one; there is no such view, or no row
            of the grid is in it, or a pole is to be seen of cells that do not go round.
    """
    if view not in get_args(View):
        raise SvqkitError(f"Unknown projection {view!r}. Valid: {', '.join(get_args(View))}.")
    for name in ("lat", "lon"):
        if name not in field.coords or field[name].ndim != 1 or field[name].size < 2:
            raise SvqkitError(f"A map needs the coordinate {name!r} in degrees with two values or more.")
    field = field.assign_coords(lon=field["lon"].astype(float) % 360, lat=field["lat"].astype(float))
    field = field.drop_duplicates("lon").sortby(["lat", "lon"])
    lat, lon = field["lat"].to_numpy(), field["lon"].to_numpy()
    if lon.size < 2 or not (np.diff(lat) > 0).all() or not np.isfinite([*lat, *lon]).all():
        raise SvqkitError("A map's latitudes and longitudes must be numbers of degrees, each given once.")
    start = (int(np.diff(lon, append=lon[0] + 360).argmax()) + 1) % lon.size
    field = field.roll(lon=-start, roll_coords=True)
    lon = np.unwrap(field["lon"].to_numpy(), period=360)
    field = field.assign_coords(lon=lon - 360 * (lon.mean() > 180))
    if view == "world":
        return field
    if not goes_round(field):
        raise SvqkitError(
            f"A view from above a pole (projection {view!r}) needs cells that go all the way round; these cover "
            f"{lon[0]:g} to {lon[-1]:g} degrees east. Draw a region with projection 'world'."
        )
    seen = edges(lat)[1:] > POLAR_FROM if view == "north" else edges(lat)[:-1] < -POLAR_FROM
    if not seen.any():
        raise SvqkitError(f"No row of the field lies {polar_words(view)}: there is nothing to see above that pole.")
    return field.isel(lat=seen)


def goes_round(field: xr.DataArray | xr.Dataset) -> bool:
    """Return whether the cells of a field, as :func:`on_map` gives it, go all the way round the Earth."""
    lon = field["lon"].to_numpy()
    return bool(lon[0] + 360 - lon[-1] < 1.5 * np.median(np.diff(lon)))


def polar_words(view: View) -> str:
    """Return ``"north of 30° N"``."""
    return f"{view} of {POLAR_FROM:g}° {'N' if view == 'north' else 'S'}"


def edges(centres: np.ndarray) -> np.ndarray:
    """Return cell edges (n + 1,) half-way between the centres (n,), and as far out again at the ends."""
    between = (centres[1:] + centres[:-1]) / 2
    return np.r_[2 * centres[0] - between[0], between, 2 * centres[-1] - between[-1]]


def map_projection(field: xr.DataArray, view: View) -> tuple[ccrs.Projection, float]:
    """Return the projection for a field, as :func:`on_map` gives it, and the height of its map by its width.

    Robinson for the world, stereographic around a pole, equal degrees for a region, stretched as in its middle.
    """
    if view != "world":
        return (ccrs.NorthPolarStereo() if view == "north" else ccrs.SouthPolarStereo()), 1.0
    if goes_round(field):
        return ccrs.Robinson(), 0.507
    lat, lon = edges(field["lat"].to_numpy()), edges(field["lon"].to_numpy())
    return ccrs.PlateCarree((lon[0] + lon[-1]) / 2), float(np.ptp(lat) / np.ptp(lon) * _stretch(lat))


def draw_map(axes: GeoAxes, field: xr.DataArray, colours: ScalarMappable) -> None:
    """Colour the cells of a field (lat, lon), as :func:`on_map` gives it, on axes of its projection; NaN is grey."""
    field = field.transpose("lat", "lon")
    lat, lon, values = edges(field["lat"].to_numpy()).clip(-90, 90), edges(field["lon"].to_numpy()), field.to_numpy()
    if isinstance(axes.projection, ccrs.Robinson):
        lat, lon, values = _up_to_date_line(lat, lon, values)
    # One picture inside a PDF: drawn as single shapes, many viewers show hairlines between the cells.
    style = {"cmap": colours.cmap, "norm": colours.norm, "rasterized": True, "zorder": 1}
    axes.pcolormesh(lon, lat, values, transform=_DEGREES, **style)
    axes.set_facecolor(MISSING)
    axes.spines["geo"].set(linewidth=0.5, edgecolor="#555555")
    if isinstance(axes.projection, ccrs.Stereographic):
        _cut_to_circle(axes)
    elif goes_round(field):
        axes.set_global()
    else:
        middle = (lon[0] + lon[-1]) / 2
        axes.set(xlim=(lon[0] - middle, lon[-1] - middle), ylim=(lat[0], lat[-1]), aspect=_stretch(lat))
    add_coastlines(axes)


def label_degrees(axes: GeoAxes, left: bool, bottom: bool) -> None:
    """Write degrees along the left and bottom edge of a region's map; a map of the world or a pole needs none."""
    if isinstance(axes.projection, ccrs.PlateCarree):
        sides = {side: kind for side, kind, wanted in (("left", "y", left), ("bottom", "x", bottom)) if wanted}
        lines = axes.gridlines(draw_labels=sides or False, linewidth=0)
        lines.xlabel_style = lines.ylabel_style = {"size": 6}


def places_on_map(axes: GeoAxes, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Return where places (n,) in degrees lie in the axes' own coordinates, (n, 2)."""
    return axes.projection.transform_points(_DEGREES, lon, lat)[:, :2]


@cache
def coastlines() -> MultiLineString:
    """Return the outlines of all land at 1:110 million, as lines of (longitude, latitude) in degrees, -180 to 180.

    No line crosses the date line: those that would are cut there, so that no map has a line across it.
    """
    text = resources.files("svqkit.plots").joinpath("coastline_110m.json").read_text(encoding="utf-8")
    return MultiLineString(json.loads(text)["lines"])


def add_coastlines(axes: GeoAxes, width: float = 0.4) -> None:
    """Draw the coastlines on a map of any projection, ``width`` points wide: dark with a pale rim, seen on any colour.

    The geometry is the same object each time, so that cartopy projects it once for all maps of a figure.
    """
    for colour, points in (("#ffffff99", 2.5 * width), ("#202020", width)):
        style = {"facecolor": "none", "edgecolor": colour, "linewidth": points, "rasterized": True, "zorder": 3}
        axes.add_geometries([coastlines()], crs=_DEGREES, **style)


def _up_to_date_line(lat: np.ndarray, lon: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, ...]:
    """Edges of cells that go all the way round, longitudes from -180 to 180, and their values.

    The cell across 180° stands at both ends: one that the map's edge cuts would be drawn as a polygon of its own, which
    takes cartopy longer than all others. Rows stand several times, so that their straight ends follow the round edge.
    """
    cut = -180.0 if lon[0] < -180 else 180.0
    after = int(np.searchsorted(lon, cut))
    turned = np.r_[cut, lon[after:-1], lon[:after] + 360, cut + 360] - (cut + 180)
    values = np.concatenate([values[:, after - 1 :], values[:, :after]], axis=1)
    times = int(np.ceil(np.diff(lat).max() / 2))
    finer = np.interp(np.arange(len(values) * times + 1) / times, np.arange(len(lat)), lat)
    return finer, turned, values.repeat(times, axis=0)


def _stretch(lat: np.ndarray) -> float:
    """How long a degree of latitude is in degrees of longitude, in the middle of a region."""
    return float(1 / max(np.cos(np.deg2rad(lat.mean())), 0.2))


def _cut_to_circle(axes: GeoAxes) -> None:
    """Cut a polar map to a circle, with thin lines every 30° of latitude and 90° of longitude."""
    north = isinstance(axes.projection, ccrs.NorthPolarStereo)
    axes.set_extent([-180, 180, *((POLAR_FROM, 90) if north else (-90, -POLAR_FROM))], _DEGREES)
    turns = np.linspace(0, 2 * np.pi, 181)
    axes.set_boundary(Path(0.5 + 0.5 * np.column_stack([np.cos(turns), np.sin(turns)])), transform=axes.transAxes)
    axes.gridlines(xlocs=[-180, -90, 0, 90], ylocs=[-60, 60], color="#555555", linewidth=0.3, linestyle="--", zorder=2)
