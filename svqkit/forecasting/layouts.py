"""Layouts in which others score forecasts: of one forecast, instead of its input's form, and of a whole test split."""

from pathlib import Path

import numpy as np
import xarray as xr

from svqkit.atomic import replacing
from svqkit.data.sources.gridded import HOUR, LONG_NAMES, as_field
from svqkit.data.sources.units import UNIT_WORDS, convert, converts
from svqkit.data.store import Store
from svqkit.data.windows import batches, scoring_batch
from svqkit.errors import SvqkitError
from svqkit.evaluation.testset import TestSet
from svqkit.progress import progress
from svqkit.training.runs import Run

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
    laid = xr.Dataset(fields, attrs=made.attrs).rename(time="prediction_timedelta")
    unit = str(laid["level"].attrs.get("units", "")) if "level" in laid.dims else "none"
    in_hpa = converts(unit, "hPa")
    if in_hpa:
        laid = laid.assign_coords(level=convert(laid["level"].values, unit, "hPa"))
    leads = laid["prediction_timedelta"].values - issued
    return _finished(laid.assign_coords(prediction_timedelta=leads).expand_dims(time=[issued]), in_hpa)


LAYOUTS = {"weatherbench2": weatherbench2}


def write_test_forecasts(contestant: Run | str, store: Store, path: str | Path) -> Path:
    """Forecast every window of the test split, and write that as a Zarr store (format 2) in WeatherBench 2's layout.

    The forecasts are those that are scored under protocol "clean". They are written batch by batch, so that memory does
    not grow with the record; the store appears whole or not at all. For the layout see
    :func:`weatherbench2`; ``time`` has as many entries as the split has windows.

    Args:
        contestant: a run, "persistence" or "climatology".
        store: what is forecast, a lat-lon record.
        path: such as ``svq.zarr``; folders are made as needed.

    Returns:
        The path.

    Raises:
        SvqkitError: the record is none on a grid, the run was trained on windows of protocol "paper" that have gaps, or
            the disk is full.
    """
    path, name = Path(path), contestant.name if isinstance(contestant, Run) else contestant
    if store.kind != "grid":
        raise SvqkitError(
            f"{path}: only forecasts of lat-lon records are written for others to score; {store.path} is none."
        )
    if isinstance(contestant, Run) and not contestant.experiment.trained_for("clean"):
        raise SvqkitError(
            f"{name} was trained on windows with gaps (protocol paper); others score forecasts in even steps. Choose a "
            "run of protocol clean."
        )
    test = TestSet(store, "clean")
    forecaster, every = test.forecaster(contestant), np.arange(len(test.windows))
    with replacing(path) as draft, progress(len(every), f"{path.name}", "window") as bar:
        for batch in batches(test.windows, every, scoring_batch(test.windows)):
            batch = batch.to(test.device)
            forecasts = test.forecast(forecaster, batch, test.climatology(batch)).cpu().numpy()
            issued = store.times[batch.target_frames[:, 0]] - store.lead_step * HOUR
            laid = of_windows(forecasts, issued.astype("datetime64[ns]"), store).assign_attrs(forecast_by=name)
            chunks = {"encoding": {name: {"chunks": field.shape} for name, field in laid.data_vars.items()}}
            laid.to_zarr(draft, zarr_format=2, **({"append_dim": "time"} if draft.exists() else chunks))
            bar.update(len(forecasts))
    return path


def of_windows(forecasts: np.ndarray, issued: np.ndarray, store: Store) -> xr.Dataset:
    """Lay out forecasts of a store's windows in the same way, with its units and levels.

    Args:
        forecasts: (B, L, C, H, W) in physical units, one frame every ``store.lead_step`` hours.
        issued: (B,) the times of the last input frames.
        store: of a lat-lon record.
    """
    leads = store.lead_step * np.arange(1, forecasts.shape[1] + 1) * HOUR
    coords = {"time": issued, "prediction_timedelta": leads, "channel": store.channels, **store.spatial_coords[1]}
    channels, data, fields = xr.DataArray(forecasts, coords), store.settings["data"], {}
    for variable in data["variables"]:
        levels = [level for level in data["levels"] if f"{variable}_{level}" in store.channels]
        names = [f"{variable}_{level}" for level in levels] or [variable]
        field = channels.sel(channel=names).assign_attrs(units=store.units[store.channels.index(names[0])])
        field = field.rename(channel="level").assign_coords(level=levels) if levels else field.squeeze("channel", True)
        fields[LONG_NAMES.get(variable, variable)] = field
    return _finished(xr.Dataset(fields, attrs={"title": store.title}), in_hpa=True)


def _finished(laid: xr.Dataset, in_hpa: bool) -> xr.Dataset:
    """Name, order and describe the axes of forecasts (time, prediction_timedelta, (level,) lat, lon)."""
    laid = laid.rename(lat="latitude", lon="longitude").assign_attrs(Conventions="CF-1.11")
    laid = laid.assign_coords(longitude=laid["longitude"].values % 360).sortby(["latitude", "longitude"])
    for name in {*AXES} & {*laid.dims}:
        laid[name].attrs = AXES[name] if name != "level" or in_hpa else {}
        laid[name].encoding = {"_FillValue": None}  # CF: a coordinate has no missing values
    laid["time"].encoding |= {"units": "hours since 1970-01-01"}
    for array in laid.data_vars.values():
        if "units" in array.attrs:  # as UDUNITS writes them: a cover "(0 - 1)" is "1"
            array.attrs["units"] = UNIT_WORDS.get(array.attrs["units"].lower(), array.attrs["units"])
    return laid.transpose("time", "prediction_timedelta", ..., "latitude", "longitude")
