"""Where and when a forecaster errs, in one pass over the test split: by place, hour, season, latitude, and case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import Tensor

from svqkit.data.store import Store
from svqkit.data.windows import Batch
from svqkit.errors import SvqkitError
from svqkit.evaluation.fields import error_fields
from svqkit.evaluation.forecasters import Forecaster
from svqkit.evaluation.metrics import latitude_weights
from svqkit.evaluation.testset import TestSet, sample_forecast
from svqkit.exploring.choosing import one_seed
from svqkit.plots.fields import pick_channel
from svqkit.training.runs import Run

HOURS = 24

# A test split that touches more months than these is looked at by month, else by day.
MOST_MONTHS_BY_DAY = 2


@dataclass(frozen=True)
class Diagnostics:
    """What a run, or a baseline, did on the test split under protocol clean.

    Attributes:
        name: the experiment's, or the baseline's.
        seed: -1 of a baseline.
        scores: tidy, as ``evaluate`` writes them, without LPIPS.
        errors: error fields, as ``evaluate`` writes them.
        cases: mean over a frame, each place weighted by its area, of the error (``bias``) and of its square (``mse``),
            (window, lead, channel); coordinates ``window``, its number in the split, ``start``, its first frame, and
            of a record with times ``time``, (window, lead), the time that is forecast.
        windows: "mse" and "mae" of each window, (n,), whose means are the scores: what runs are compared by.
        hours: of a lat-lon record with times, ``bias`` and ``mse`` (hour, channel, lat, lon): the mean error and its
            mean square at each hour of the day (UTC), over all leads; NaN at hours that no frame has. Else None.
    """

    name: str
    seed: int
    scores: pd.DataFrame
    errors: xr.Dataset
    cases: xr.Dataset
    windows: Mapping[str, np.ndarray]
    hours: xr.Dataset | None


def diagnose(what: Run | str, store: Store) -> Diagnostics:
    """Diagnose a run, or a baseline by its name.

    Raises:
        SvqkitError: the store has no such baseline, or no test window.
    """
    test = _RecordingTestSet(store)
    name, seed = (what.experiment.name, what.seed) if isinstance(what, Run) else (what, -1)
    result = test.evaluate(test.forecaster(what), name, seed)
    fields = error_fields(result.errors, store)
    return Diagnostics(name, seed, result.scores, fields, test.cases(), result.windows, test.hours())


def one_forecast(what: Run | str, store: Store, window: int | None = None) -> xr.Dataset:
    """Return the forecast of a test window by its number, or of the one in the middle, as ``evaluate`` writes it."""
    test = TestSet(store, "clean")
    if window is not None:
        test.windows.starts = test.windows.starts[[window]]  # the middle of one is that one
    return sample_forecast(test, test.forecaster(what))


def by_label(models: Sequence[Diagnostics]) -> dict[str, Diagnostics]:
    """Return diagnostics by a label: the experiment's name; where two are of one experiment, with their seeds."""
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        names = [model.name if model.seed < 0 else one_seed(model.name, model.seed) for model in models]
    return dict(zip(names, models, strict=True))


class _RecordingTestSet(TestSet):
    """A test set that notes the error of every forecast that it is asked for, by window and by hour of the day."""

    __test__ = False

    def __init__(self, store: Store) -> None:
        super().__init__(store, "clean")
        self.is_lat_lon = store.kind == "grid"
        lat = torch.from_numpy(store.lat) if self.is_lat_lon else torch.zeros(store.frame_shape[1])
        self.area = latitude_weights(lat).to(self.device)[:, None]
        self.starts: list[np.ndarray] = []  # of the windows, in the order in which they are forecast
        self.by_window: dict[str, list[Tensor]] = {"bias": [], "mse": []}
        self.has_hours = self.is_lat_lon and "time" in store.group
        self.by_hour: dict[str, Tensor] = {}
        self.frames_at = torch.zeros(HOURS, dtype=torch.float64)

    def forecast(self, forecaster: Forecaster, batch: Batch, climatology: Tensor | None) -> Tensor:
        prediction = super().forecast(forecaster, batch, climatology)
        self.starts.append(batch.target_frames[:, 0] - self.windows.targets[0])
        error = prediction.double() - self.truth(batch.targets.to(self.device)).double()
        for name, values in {"bias": error, "mse": error.square()}.items():
            self.by_window[name].append((values * self.area).mean((-2, -1)).cpu())
            if self.has_hours:
                self._add_hours(name, values, batch.target_frames)
        return prediction

    def _add_hours(self, name: str, values: Tensor, frames: np.ndarray) -> None:
        times = self.store.times[frames].astype("datetime64[h]").astype(np.int64)
        hour = torch.from_numpy(times % HOURS).flatten()  # of the day, 0 … 23, UTC
        if name not in self.by_hour:
            self.by_hour[name] = torch.zeros(HOURS, *values.shape[2:], dtype=torch.float64, device=self.device)
        self.by_hour[name].index_add_(0, hour.to(self.device), values.flatten(0, 1))
        if name == "bias":
            self.frames_at += hour.bincount(minlength=HOURS)

    def cases(self) -> xr.Dataset:
        """Return the errors by window."""
        store, steps = self.store, np.arange(1, len(self.windows.targets) + 1)
        starts = np.concatenate(self.starts)
        number = np.argsort(self.windows.starts)[np.searchsorted(np.sort(self.windows.starts), starts)]
        times = {}
        if "time" in store.group:
            times = {"time": (("window", "lead"), store.times[starts[:, None] + self.windows.targets])}
        leads = {"lead": ("lead", store.lead_step * steps, {"units": store.lead_units})}
        return xr.Dataset(
            {name: (("window", "lead", "channel"), torch.cat(parts).numpy()) for name, parts in self.by_window.items()},
            coords={
                "window": number,
                "start": ("window", starts),
                **leads,
                **times,
                "channel": store.channels,
                "unit": ("channel", store.units),
            },
        ).sortby("window")

    def hours(self) -> xr.Dataset | None:
        """Return the errors by hour of the day, where there are any."""
        if not self.has_hours:
            return None
        count = torch.where(self.frames_at > 0, self.frames_at, torch.nan)[:, None, None, None]
        places, axes = self.store.spatial_coords
        return xr.Dataset(
            {name: (("hour", "channel", *places), (sums.cpu() / count).numpy()) for name, sums in self.by_hour.items()},
            coords={
                "hour": np.arange(HOURS),
                "channel": self.store.channels,
                "unit": ("channel", self.store.units),
                **axes,
            },
        )


def by_local_hour(diagnostics: Diagnostics, channel: int | str | None = None) -> pd.DataFrame:
    """Return the error by local solar time, over all places and leads: index ``hour``, columns ``bias`` and ``rmse``.

    At longitude λ (degrees east) it is (UTC + λ / 15) mod 24, rounded to whole hours. Each place counts as much as its
    area. Hours at which no place has a frame are left out. By how much a longitude differs from the others over all
    its hours is taken out first: in a 6-hourly record each local hour is seen at other longitudes, and would show the
    map, not the day.

    Raises:
        SvqkitError: the record has no times, or no places on Earth.
    """
    if diagnostics.hours is None:
        raise SvqkitError(
            f"{diagnostics.name} has no hours of the day: its frames have no times or no places on Earth."
        )
    means = {}
    for name in ("bias", "mse"):
        field = pick_channel(diagnostics.hours[name], channel, diagnostics.name).transpose("hour", "lat", "lon")
        area = np.cos(np.deg2rad(field["lat"].to_numpy())).clip(min=0)
        rows = np.tensordot(field.to_numpy(), area / area.sum(), axes=(1, 0))  # (hour, lon)
        rows = rows - np.nanmean(rows, axis=0) + np.nanmean(rows)
        local = np.rint(field["hour"].to_numpy()[:, None] + field["lon"].to_numpy() / 15).astype(int) % HOURS
        there = np.isfinite(rows)
        means[name] = pd.Series(rows[there]).groupby(local[there]).mean()
    table = pd.DataFrame({"bias": means["bias"], "rmse": means["mse"].clip(lower=0) ** 0.5})
    return table.rename_axis("hour")


def by_season(diagnostics: Diagnostics, channel: int | str | None = None) -> pd.DataFrame:
    """Return the error by month of the forecast time, over all leads; where the test split has few months, by day.

    Index ``month`` (1 … 12, all years together) or ``day`` (dates); columns ``bias``, ``rmse`` and ``frames``.

    Raises:
        SvqkitError: the record has no times.
    """
    if "time" not in diagnostics.cases.coords:
        raise SvqkitError(f"{diagnostics.name} has no seasons: its frames have no times.")
    times = diagnostics.cases["time"].to_numpy().ravel().astype("datetime64[h]")
    months = times.astype("datetime64[M]")
    if len(np.unique(months)) > MOST_MONTHS_BY_DAY:
        name, when = "month", months.astype(int) % 12 + 1
    else:
        name, when = "day", times.astype("datetime64[D]")
    values = {
        part: pick_channel(diagnostics.cases[part], channel, diagnostics.name).to_numpy().ravel()
        for part in ("bias", "mse")
    }
    means = pd.DataFrame(values).groupby(pd.Series(when, name=name)).agg(["mean", "size"])
    return pd.DataFrame(
        {
            "bias": means[("bias", "mean")],
            "rmse": means[("mse", "mean")] ** 0.5,
            "frames": means[("mse", "size")],
        }
    )


def by_latitude(errors: xr.Dataset, channel: int | str | None = None) -> pd.Series:
    """Return the RMSE of each row of the grid, over all leads; index ``lat``, from south to north.

    Raises:
        SvqkitError: the frames have no latitudes.
    """
    field = pick_channel(errors["rmse"], channel, "The run")
    if "lat" not in field.dims:
        raise SvqkitError("There are no latitudes: the frames have no places on Earth.")
    rows = (np.square(field).mean(("lead", "lon")) ** 0.5).sortby("lat")
    return pd.Series(rows.to_numpy(), pd.Index(rows["lat"].to_numpy(), name="lat"), name="rmse")


def worst_cases(diagnostics: Diagnostics, count: int = 3, channel: int | str | None = None) -> pd.DataFrame:
    """Return the test windows with the largest error over all leads, none of which overlaps a worse one.

    Index ``window`` (its number); columns ``rmse``, ``times_median`` (against the median window), and of a record with
    times ``issued``, the time of the last observed frame.
    """
    mse = pick_channel(diagnostics.cases["mse"], channel, diagnostics.name).mean("lead")
    rmse = mse.to_numpy() ** 0.5
    starts = diagnostics.cases["start"].to_numpy()
    apart, chosen = diagnostics.cases.sizes["lead"], []
    for index in np.argsort(-rmse, kind="stable"):
        if len(chosen) < count and all(abs(starts[index] - starts[other]) >= apart for other in chosen):
            chosen.append(int(index))
    table = pd.DataFrame(
        {"rmse": rmse[chosen], "times_median": rmse[chosen] / np.median(rmse)},
        pd.Index(diagnostics.cases["window"].to_numpy()[chosen], name="window"),
    )
    if "time" in diagnostics.cases.coords:
        first = diagnostics.cases["time"].to_numpy()[chosen, 0].astype("datetime64[h]")
        step = int(diagnostics.cases["lead"][0])
        table["issued"] = pd.to_datetime(first - np.timedelta64(step, "h"))
    return table


def bias_and_scatter(errors: xr.Dataset) -> dict[str, xr.Dataset]:
    """Return the two parts of the RMSE at every place: RMSE² = bias² + scatter².

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
