"""Layouts in which others score forecasts: on request a forecast comes in one of these instead of its input's form."""

import numpy as np
import xarray as xr

from svqkit.data.sources.gridded import LONG_NAMES, as_field
from svqkit.data.sources.units import convert, converts
from svqkit.errors import SvqkitError

# What stands on the axes, by the CF conventions (1.11).
AXES = {
    "time": {"standard_name": "forecast_reference_time", "long_name": "time of the last frame seen"},
    "prediction_timedelta": {"standard_name": "forecast_period"},
    "level": {"standard_name": "air_pressure", "units": "hPa", "positive": "down"},
    "latitude": {"standard_name": "latitude", "units": "degrees_north"},
    "longitude": {"standard_name": "longitude", "units": "degrees_east"},
}


def weatherbench2(forecast: xr.Dataset | xr.DataArray, issued: np.datetime64 | None) -> xr.Dataset:
    """Lay out a forecast (time, (level,) lat, lon), in whatever order and by whatever names, as WeatherBench 2 does.

    Args:
        forecast: at the times that it is valid at; with the dimension channel each channel becomes a variable.
        issued: when the last input frame is.

    Returns:
        Variables (time, prediction_timedelta, (level,) latitude, longitude) with their own attributes, named like
        those of WeatherBench 2 where they are known, else as they are. ``time`` is when the forecast was issued, a
        single one. Latitudes rise, longitudes lie in [0, 360), levels are in hPa where their unit is known.

    Raises:
        SvqkitError: frames without times on a grid have no such layout.

    Source: github.com/google-research/weatherbench2, docs/source/data-guide.ipynb and weatherbench2/schema.py.
    """
    if issued is None:
        raise SvqkitError("The layout weatherbench2 is one of grids with times; leave it out for clips and arrays.")
    made = forecast if isinstance(forecast, xr.Dataset) else forecast.to_dataset(name=forecast.name or "forecast")
    if "channel" in made.dims:
        made = next(iter(made.data_vars.values())).to_dataset("channel")
    fields = {
        LONG_NAMES.get(str(name), name): as_field(array, "The forecast") for name, array in made.data_vars.items()
    }
    laid = xr.Dataset(fields, attrs={**made.attrs, "Conventions": "CF-1.11"})
    laid = laid.rename({"time": "prediction_timedelta", "lat": "latitude", "lon": "longitude"})
    unit = str(laid["level"].attrs.get("units", "")) if "level" in laid.dims else "none"
    if converts(unit, "hPa"):
        laid = laid.assign_coords(level=convert(laid["level"].values, unit, "hPa"))
    laid = laid.assign_coords(
        prediction_timedelta=laid["prediction_timedelta"].values - issued, longitude=laid["longitude"].values % 360
    )
    laid = laid.sortby(["latitude", "longitude"]).expand_dims(time=[issued])
    for name in {*AXES} & {*laid.dims}:
        laid[name].attrs = AXES[name] if name != "level" or converts(unit, "hPa") else {}
    return laid.transpose("time", "prediction_timedelta", ..., "latitude", "longitude")


LAYOUTS = {"weatherbench2": weatherbench2}
