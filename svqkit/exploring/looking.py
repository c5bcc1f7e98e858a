"""A close look at a forecaster: its scores, where it errs, and when, in one pass over the test split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import Tensor

from svqkit.data.store import Store
from svqkit.data.windows import Batch
from svqkit.evaluation.fields import error_fields
from svqkit.evaluation.forecasters import Forecaster
from svqkit.evaluation.metrics import latitude_weights
from svqkit.evaluation.testset import TestSet, sample_forecast
from svqkit.exploring.choosing import one_seed
from svqkit.training.runs import Run

HOURS = 24


@dataclass(frozen=True)
class Look:
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


def look(what: Run | str, store: Store) -> Look:
    """Look at a run, or at a baseline by name.

    Raises:
        SvqkitError: the store has no such baseline, or no test window.
    """
    test = _Watched(store)
    name, seed = (what.experiment.name, what.seed) if isinstance(what, Run) else (what, -1)
    result = test.evaluate(test.forecaster(what), name, seed)
    fields = error_fields(result.errors, store)
    return Look(name, seed, result.scores, fields, test.cases(), result.windows, test.hours())


def one_forecast(what: Run | str, store: Store, window: int | None = None) -> xr.Dataset:
    """The forecast of a test window by its number, or of the one in the middle, as ``evaluate`` writes it."""
    test = TestSet(store, "clean")
    if window is not None:
        test.windows.starts = test.windows.starts[[window]]  # the middle of one is that one
    return sample_forecast(test, test.forecaster(what))


def told_apart(looked_at: Sequence[Look]) -> dict[str, Look]:
    """Looks by name: that of the experiment; where two are of one experiment, with their seeds."""
    names = [look.name for look in looked_at]
    if len(set(names)) < len(names):
        names = [look.name if look.seed < 0 else one_seed(look.name, look.seed) for look in looked_at]
    return dict(zip(names, looked_at, strict=True))


class _Watched(TestSet):
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
        hour = torch.from_numpy(_hour(self.store.times[frames])).flatten()
        if name not in self.by_hour:
            self.by_hour[name] = torch.zeros(HOURS, *values.shape[2:], dtype=torch.float64, device=self.device)
        self.by_hour[name].index_add_(0, hour.to(self.device), values.flatten(0, 1))
        if name == "bias":
            self.frames_at += hour.bincount(minlength=HOURS)

    def cases(self) -> xr.Dataset:
        """The errors by window."""
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
        """The errors by hour of the day, where there are any."""
        if not self.has_hours:
            return None
        count = torch.where(self.frames_at > 0, self.frames_at, torch.nan)[:, None, None, None]
        places, axes = self.store.places
        return xr.Dataset(
            {name: (("hour", "channel", *places), (sums.cpu() / count).numpy()) for name, sums in self.by_hour.items()},
            coords={
                "hour": np.arange(HOURS),
                "channel": self.store.channels,
                "unit": ("channel", self.store.units),
                **axes,
            },
        )


def _hour(times: np.ndarray) -> np.ndarray:
    """The hour of the day, 0 … 23, UTC."""
    return times.astype("datetime64[h]").astype(np.int64) % HOURS
