"""What a weather file says of itself, without its values."""

from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np

from svqkit.data.sources.netcdf import refuse_unfit
from svqkit.data.sources.video import by
from svqkit.data.sources.weather import OTHER_NAMES
from svqkit.errors import SvqkitError


@dataclass(frozen=True)
class Header:
    """What a NetCDF file says of itself: its years, hours and cadence, the lengths of its other axes, its title."""

    years: frozenset[int]
    hours: int
    step: str
    grid: str
    levels: int
    title: str


def read_header(path: Path, variable: str) -> Header:
    """The header of a file.

    Raises:
        SvqkitError: it can't be opened, was cut short, or lacks the variable or an axis.
    """
    size = path.stat().st_size
    try:
        refuse_unfit(path, only_axes=True)
        with netCDF4.Dataset(path) as file:
            names = {OTHER_NAMES.get(name, name): name for name in file.variables}
            lacking = [name for name in (variable, "time", "lat", "lon") if name not in names]
            if lacking:
                raise SvqkitError(f"{path} has no {', '.join(lacking)}; it has {', '.join(file.variables)}.")
            time = file.variables[names["time"]]
            if time.size == 0:
                raise SvqkitError(f"{path} holds no frame: its time axis is empty.")
            level = file.variables[names["level"]] if "level" in names else None
            return Header(
                *_times(time),
                grid=by([file.variables[names[name]].size for name in ("lat", "lon")]),
                levels=level.size if level is not None and level.dimensions else 0,
                title=str(getattr(file, "title", "")),
            )
    except SvqkitError:
        raise
    except (OSError, RuntimeError, ValueError, AttributeError) as error:
        raise SvqkitError(f"{path} ({size:,} bytes) can't be opened as NetCDF: {error}. Fetch it again.") from error


def _times(time: netCDF4.Variable) -> tuple[frozenset[int], int, str]:
    """The years of a time axis, its length and its cadence; just a few of its dates are decoded."""
    stored = np.ma.getdata(time[:]).astype(np.float64)
    calendar = getattr(time, "calendar", "standard")
    first, later, last = netCDF4.num2date([stored[0], stored[0] + 1, stored[-1]], time.units, calendar)
    steps = np.diff(stored) * (later - first).total_seconds() / 3600
    least, most = (f"{step:g}" for step in (steps.min(), steps.max())) if len(steps) else ("?", "?")
    step = f"{least} h" if least == most else f"{least} to {most} h"
    return frozenset(range(first.year, last.year + 1)), len(stored), step
