"""Coastlines from a file in this package: maps need no network and look the same everywhere."""

import json
from functools import cache
from importlib import resources

import cartopy.crs as ccrs
from cartopy.mpl.geoaxes import GeoAxes
from shapely.geometry import MultiLineString


@cache
def coastlines() -> MultiLineString:
    """The outlines of all land at 1:110 million, as lines of (longitude, latitude) in degrees, -180 to 180.

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
