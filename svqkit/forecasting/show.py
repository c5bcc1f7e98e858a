"""A forecast to look at: pictures beside the last frames seen."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from svqkit import plots
from svqkit.forecasting.forecast import Forecast
from svqkit.plots.fields import is_colour
from svqkit.plots.leads import spread
from svqkit.training.runs import Run

# Of more channels a reader sees the first ones; all are in the file.
MOST_CHANNELS = 4
SEEN, FORECAST = 3, 5


def pictures(run: Run, made: Forecast) -> list[Figure]:
    """Draw, for each channel of the first four or in colour, the last frames seen and those forecast, on one scale."""
    frames = made.frames
    seen, coming = np.flatnonzero(frames["time"].values <= 0), np.flatnonzero(frames["time"].values > 0)
    # The very last frames seen, since what comes next shows beside them; the forecast from its first to its last.
    chosen = [*seen[-SEEN:], *coming[spread(len(coming), FORECAST)]]
    shown = frames.isel(channel=slice(MOST_CHANNELS), time=chosen)
    name = plots.display_name(run.experiment.name)
    issued = f" issued {pd.Timestamp(made.last):%Y-%m-%d %H:%M} UTC" if "valid" in frames.coords else ""
    simulated = " (model trained on simulated data)" if run.domain.simulated else ""
    title = f"the last frames seen, then the forecast of {name}{issued}{simulated}"
    if is_colour(shown):
        return [plots.clip_strip(shown, title[0].upper() + title[1:])]
    names = map(str, shown["channel"].values)
    return [plots.clip_strip(shown, f"{plots.field_name(channel)}: {title}", channel) for channel in names]
