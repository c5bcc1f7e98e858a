"""A forecast to look at: its numbers frame by frame, pictures beside the last frames seen, where to write it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from svqkit import plots
from svqkit.forecasting.forecast import Forecast
from svqkit.plots.fields import is_colour
from svqkit.plots.leads import ahead, short_units, spread
from svqkit.plots.names import with_units
from svqkit.training.runs import Run

# Of more channels a reader sees the first ones; all are in the file.
MOST_CHANNELS = 4
SEEN, FORECAST = 3, 5


def summary(made: Forecast) -> pd.DataFrame:
    """Return a row per forecast frame: its time, and mean, lowest and highest value of the first four channels."""
    frames = _shown(made.frames.isel(time=made.frames["time"].values > 0))
    rows = {}
    for frame in frames:
        offset = int(frame["time"])
        lead = ahead(offset, short_units(str(frames["time"].attrs["units"])))
        rows[lead] = {"time (UTC)": _words(made.last + np.timedelta64(offset, "h"))} if _in_hours(made) else {}
        for channel in frame:
            name = with_units(str(channel["channel"].item()), str(channel["unit"].item()))
            values = {"mean": channel.mean(), "min": channel.min(), "max": channel.max()}
            rows[lead] |= {f"{name} {what}": float(f"{float(value):.5g}") for what, value in values.items()}
    return pd.DataFrame(rows).T


def pictures(run: Run, made: Forecast) -> list[Figure]:
    """Draw, for each channel of the first four or in colour, the last frames seen and those forecast, on one scale."""
    frames = made.frames
    seen, coming = np.flatnonzero(frames["time"].values <= 0), np.flatnonzero(frames["time"].values > 0)
    # The very last frames seen, since what comes next shows beside them; the forecast from its first to its last.
    chosen = [*seen[-SEEN:], *coming[spread(len(coming), FORECAST)]]
    shown = _shown(frames).isel(time=chosen)
    name = plots.display_name(run.experiment.name)
    issued = f" issued {_words(made.last)} UTC" if _in_hours(made) else ""
    simulated = " (model trained on simulated data)" if run.domain.simulated else ""
    title = f"the last frames seen, then the forecast of {name}{issued}{simulated}"
    if is_colour(shown):
        return [plots.clip_strip(shown, title[0].upper() + title[1:])]
    names = map(str, shown["channel"].values)
    return [plots.clip_strip(shown, f"{plots.field_name(channel)}: {title}", channel) for channel in names]


def default_path(run: Run, result: Any, folder: str | Path = "scratch/forecasts") -> Path:
    """Return where a forecast goes by default: ``<folder>/<run>.nc``, ``.mp4`` for pictures, ``.npy`` for the rest."""
    if isinstance(result, xr.Dataset | xr.DataArray):
        return Path(folder) / f"{run.name}.nc"
    is_video = run.domain.kind == "image" and len(result.shape) == 4 and result.shape[1] in (1, 3)
    return Path(folder) / f"{run.name}{'.mp4' if is_video else '.npy'}"


def _shown(frames: xr.DataArray) -> xr.DataArray:
    return frames.isel(channel=slice(MOST_CHANNELS))


def _in_hours(made: Forecast) -> bool:
    return made.last is not None and made.frames["time"].attrs["units"] == "hours"


def _words(time: np.datetime64) -> str:
    return f"{pd.Timestamp(time):%Y-%m-%d %H:%M}"
