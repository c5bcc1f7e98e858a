"""When forecasts go wrong: by hour of the day, over the season, by latitude, and in which case most."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from svqkit.errors import SvqkitError
from svqkit.exploring.looking import HOURS, Look
from svqkit.plots.channels import pick_channel

# A test split that touches more months than these is looked at by month, else by day.
MOST_MONTHS_BY_DAY = 2


def by_local_hour(look: Look, channel: int | str | None = None) -> pd.DataFrame:
    """The error by local solar time, over all places and leads: index ``hour`` 0 … 23, columns ``bias`` and ``rmse``.

    At longitude λ (degrees east) it is (UTC + λ / 15) mod 24, rounded to whole hours. Each place counts as much as its
    area. Hours at which no place has a frame are left out. By how much a longitude differs from the others over all
    its hours is taken out first: in a 6-hourly record each local hour is seen at other longitudes, and would show the
    map, not the day.

    Raises:
        SvqkitError: the record has no times, or no places on Earth.
    """
    if look.hours is None:
        raise SvqkitError(f"{look.name} has no hours of the day: its frames have no times or no places on Earth.")
    means = {}
    for name in ("bias", "mse"):
        field = pick_channel(look.hours[name], channel, look.name).transpose("hour", "lat", "lon")
        area = np.cos(np.deg2rad(field["lat"].to_numpy())).clip(min=0)
        rows = np.tensordot(field.to_numpy(), area / area.sum(), axes=(1, 0))  # (hour, lon)
        rows = rows - np.nanmean(rows, axis=0) + np.nanmean(rows)
        local = np.rint(field["hour"].to_numpy()[:, None] + field["lon"].to_numpy() / 15).astype(int) % HOURS
        there = np.isfinite(rows)
        means[name] = pd.Series(rows[there]).groupby(local[there]).mean()
    table = pd.DataFrame({"bias": means["bias"], "rmse": means["mse"].clip(lower=0) ** 0.5})
    return table.rename_axis("hour")


def by_season(look: Look, channel: int | str | None = None) -> pd.DataFrame:
    """The error by month of the forecast time, over all leads; where the test split has few months, by day.

    Index ``month`` (1 … 12, all years together) or ``day`` (dates); columns ``bias``, ``rmse`` and ``frames``.

    Raises:
        SvqkitError: the record has no times.
    """
    if "time" not in look.cases.coords:
        raise SvqkitError(f"{look.name} has no seasons: its frames have no times.")
    times = look.cases["time"].to_numpy().ravel().astype("datetime64[h]")
    months = times.astype("datetime64[M]")
    if len(np.unique(months)) > MOST_MONTHS_BY_DAY:
        name, when = "month", months.astype(int) % 12 + 1
    else:
        name, when = "day", times.astype("datetime64[D]")
    values = {part: pick_channel(look.cases[part], channel, look.name).to_numpy().ravel() for part in ("bias", "mse")}
    means = pd.DataFrame(values).groupby(pd.Series(when, name=name)).agg(["mean", "size"])
    return pd.DataFrame(
        {
            "bias": means[("bias", "mean")],
            "rmse": means[("mse", "mean")] ** 0.5,
            "frames": means[("mse", "size")],
        }
    )


def by_latitude(errors: xr.Dataset, channel: int | str | None = None, leads: Sequence[int] | None = None) -> pd.Series:
    """The RMSE of each row of the grid, over some leads or all; index ``lat``, from south to north."""
    field = pick_channel(errors["rmse"], channel, "The run")
    if "lat" not in field.dims:
        raise SvqkitError("There are no latitudes: the frames have no places on Earth.")
    field = field if leads is None else field.sel(lead=list(leads))
    rows = (np.square(field).mean(("lead", "lon")) ** 0.5).sortby("lat")
    return pd.Series(rows.to_numpy(), pd.Index(rows["lat"].to_numpy(), name="lat"), name="rmse")


def worst_cases(look: Look, count: int = 3, channel: int | str | None = None) -> pd.DataFrame:
    """The test windows with the largest error over all leads, none of which overlaps a worse one.

    Index ``window`` (its number); columns ``rmse``, ``times_median`` (against the median window), and of a record with
    times ``issued``, the time of the last observed frame.
    """
    mse = pick_channel(look.cases["mse"], channel, look.name).mean("lead")
    rmse = mse.to_numpy() ** 0.5
    starts = look.cases["start"].to_numpy()
    apart, chosen = look.cases.sizes["lead"], []
    for place in np.argsort(-rmse, kind="stable"):
        if len(chosen) < count and all(abs(starts[place] - starts[other]) >= apart for other in chosen):
            chosen.append(int(place))
    table = pd.DataFrame(
        {"rmse": rmse[chosen], "times_median": rmse[chosen] / np.median(rmse)},
        pd.Index(look.cases["window"].to_numpy()[chosen], name="window"),
    )
    if "time" in look.cases.coords:
        first = look.cases["time"].to_numpy()[chosen, 0].astype("datetime64[h]")
        step = int(look.cases["lead"][0])
        table["issued"] = pd.to_datetime(first - np.timedelta64(step, "h"))
    return table


def bias_and_scatter(errors: xr.Dataset) -> dict[str, xr.Dataset]:
    """The two parts of the RMSE at every place: RMSE² = bias² + scatter².

    The bias is the mean error of that place and lead, which could be subtracted; the scatter is the standard deviation
    of the error around it. Both as datasets with the one variable ``rmse``, so that they are drawn as an RMSE is.
    """
    bias = np.abs(errors["bias"])
    # the fields are rounded to float32: where nearly all is bias the difference may come out below zero
    scatter = np.sqrt(np.maximum(np.square(errors["rmse"]) - np.square(errors["bias"]), 0))
    return {
        name: xr.Dataset({"rmse": part.assign_attrs(errors["rmse"].attrs)}, attrs=errors.attrs)
        for name, part in {"Bias": bias, "Scatter": scatter}.items()
    }
