"""Runs → scores, error fields, a sample forecast and codebook usage, for one dataset."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import torch
import xarray as xr

from svqkit.atomic import replacing
from svqkit.choices import choose
from svqkit.config import Data, Protocol
from svqkit.data.store import Store
from svqkit.data.windows import Batch, Normaliser, Windows, batches
from svqkit.evaluation import forecasters
from svqkit.evaluation.codebook import codebook_usage, write_usage
from svqkit.evaluation.forecasters import Forecaster
from svqkit.evaluation.metrics import METRICS, AnomalyCorrelation, GridErrors, latitude_weights
from svqkit.progress import progress
from svqkit.runs import Run

PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
BASELINES: dict[str, Forecaster] = {"persistence": forecasters.persistence, "climatology": forecasters.climatology}
BATCH = 16


@dataclass(frozen=True)
class Evaluation:
    """What a forecaster did on the test split under one protocol: tidy scores, and the error grids behind them."""

    scores: pd.DataFrame
    errors: GridErrors


class TestSet:
    """The test split of a store under a protocol: frames as the forecasters see them, and the truth.

    Under "paper" frames are normalised with the test period's own statistics and brought back with the training
    period's, as the reference does; for all forecasters the truth goes the same way.
    """

    __test__ = False  # no test of pytest's

    def __init__(self, store: Store, data: Data, protocol: Protocol) -> None:
        self.store, self.data, self.protocol = store, data, protocol
        self.windows = Windows(store, "test", data, protocol)
        self.leaving = Normaliser.of(store, "train", protocol)
        self.entering = Normaliser.of(store, "test", protocol) if protocol == "paper" else self.leaving
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def of_model(self, run: Run) -> Forecaster:
        """The forecaster of a run's best weights."""
        return forecasters.of_model(run.model(), self.entering, self.leaving, self.device)

    def truth(self, frames: torch.Tensor) -> torch.Tensor:
        """Physical frames as the protocol scores them."""
        return self.leaving.inverse(self.entering.forward(frames)) if self.protocol == "paper" else frames

    def evaluate(self, forecaster: Forecaster, name: str, seed: int) -> Evaluation:
        """Score a forecaster on every window, in one pass of constant memory."""
        weights = latitude_weights(torch.from_numpy(self.store.lat)).to(self.device)
        errors, correlation = GridErrors(), AnomalyCorrelation(weights)
        with progress(len(self.windows), f"{name} seed {seed} {self.protocol}", "window") as bar:
            for batch in batches(self.windows, np.arange(len(self.windows)), BATCH):
                climatology = torch.from_numpy(self.store.climatology(batch.target_frames))
                scored = self._as_scored(batch)
                prediction = forecaster(scored if forecaster is forecasters.persistence else batch, climatology)
                prediction, truth, climatology = (
                    part.to(self.device) for part in (prediction, scored.targets, climatology)
                )
                errors.add(prediction, truth)
                correlation.add(prediction, truth, climatology)
                bar.update(len(prediction))
        hours = self.data.hours_per_frame
        scores = tidy(errors, correlation, weights, self.store.channels, hours)
        return Evaluation(scores.assign(experiment=name, seed=seed, protocol=self.protocol)[COLUMNS], errors)

    def _as_scored(self, batch: Batch) -> Batch:
        return Batch(self.truth(batch.inputs), self.truth(batch.targets), batch.target_frames)


def evaluate(runs: list[Run], store: Store, data: Data, output: str | Path) -> pd.DataFrame:
    """Score runs, persistence and climatology on the test split, and write what the figures are made from.

    In the folder ``output``: scores.csv (tidy, both protocols), metrics/<experiment>.json (a summary for
    `dvc metrics show`), errors/<name>.nc (error fields), forecasts/<name>.nc (one sample forecast), codebook.npz
    (codebook usage).
    The folder is written whole or not at all.

    Returns:
        The scores.
    """
    tests = {protocol: TestSet(store, data, protocol) for protocol in PROTOCOLS}
    scores, usage = [], {}
    with replacing(output) as draft:
        for protocol, test in tests.items():
            contestants = [(name, name, -1, forecaster) for name, forecaster in BASELINES.items()]
            contestants += [(run.name, run.experiment.name, run.seed, test.of_model(run)) for run in runs]
            for file, name, seed, forecaster in contestants:
                result = test.evaluate(forecaster, name, seed)
                scores.append(result.scores)
                if protocol == "clean":
                    fields = error_fields(result.errors, store, data.hours_per_frame)
                    write_netcdf(fields, draft / "errors" / f"{file}.nc")
                    write_netcdf(sample_forecast(test, forecaster), draft / "forecasts" / f"{file}.nc")
        for run in runs:
            if run.has_codebook:
                usage[run.name] = codebook_usage(run, store)
        write_usage(usage, draft / "codebook.npz")
        table = pd.concat(scores, ignore_index=True)
        table.to_csv(draft / "scores.csv", index=False)
        for name, values in summary(table).items():
            file = draft / "metrics" / f"{name}.json"
            file.parent.mkdir(exist_ok=True)
            file.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    return table


def look_closely(what: Run | str, store: Store, data: Data) -> tuple[xr.Dataset, xr.Dataset]:
    """Error fields and the sample forecast of one run, or of a baseline by name, under protocol clean."""
    test = TestSet(store, data, "clean")
    forecaster = test.of_model(what) if isinstance(what, Run) else choose(BASELINES, what, "baseline")
    name = what.experiment.name if isinstance(what, Run) else what
    result = test.evaluate(forecaster, name, what.seed if isinstance(what, Run) else -1)
    fields = error_fields(result.errors, store, data.hours_per_frame)
    return fields, sample_forecast(test, forecaster).isel(channel=0)


COLUMNS = ["experiment", "seed", "protocol", "channel", "metric", "lead", "value"]


def tidy(
    errors: GridErrors, correlation: AnomalyCorrelation, weights: torch.Tensor, channels: list[str], hours: int
) -> pd.DataFrame:
    """One row per channel (and "mean" over channels), metric and lead in hours (0: over all leads)."""
    values = {
        name: (metric.per_lead(errors, weights), metric.over_leads(errors, weights)) for name, metric in METRICS.items()
    }
    values["acc"] = correlation.value(), correlation.over_leads()
    rows = []
    for metric, (per_lead, over_leads) in values.items():
        table = torch.cat([over_leads[None], per_lead]).cpu()
        for step, line in enumerate(table):
            named = dict(zip(channels, line.tolist(), strict=True)) | {"mean": float(line.mean())}
            rows += [{"channel": c, "metric": metric, "lead": step * hours, "value": v} for c, v in named.items()]
    return pd.DataFrame(rows)


def error_fields(errors: GridErrors, store: Store, hours: int) -> xr.Dataset:
    """Bias, MAE and RMSE per channel, lead and grid point, with coordinates and units."""
    grids = {"bias": errors.mean("bias"), "mae": errors.mean("mae"), "rmse": errors.mean("mse").sqrt()}
    long_names = {
        "bias": "mean error (forecast − truth)",
        "mae": "mean absolute error",
        "rmse": "root mean squared error",
    }
    dims = ("channel", "lead", "lat", "lon")
    unit = ", ".join(dict.fromkeys(store.units))
    leads = hours * np.arange(1, len(grids["bias"]) + 1)
    return xr.Dataset(
        {
            name: (dims, grid.transpose(0, 1).float().cpu().numpy(), {"units": unit, "long_name": long_names[name]})
            for name, grid in grids.items()
        },
        coords={
            "channel": store.channels,
            "lead": ("lead", leads, {"units": "hours", "long_name": "lead time"}),
            "lat": ("lat", store.lat, {"units": "degrees_north"}),
            "lon": ("lon", store.lon, {"units": "degrees_east"}),
        },
        attrs={"windows": errors.count, "data": store.title},
    )


def sample_forecast(test: TestSet, forecaster: Forecaster) -> xr.Dataset:
    """The forecast from the middle of the test split: what was observed, what came, what was forecast."""
    window = len(test.windows) // 2
    batch = test.windows[window]
    climatology = torch.from_numpy(test.store.climatology(batch.target_frames))
    prediction = forecaster(batch, climatology).cpu()
    hours, store = test.data.hours_per_frame, test.store
    start = store.times[batch.target_frames[0, 0]] - np.timedelta64(hours, "h")
    return xr.Dataset(
        {
            "observed": (("time_in", "channel", "lat", "lon"), batch.inputs[0].numpy()),
            "truth": (("lead", "channel", "lat", "lon"), batch.targets[0].numpy()),
            "prediction": (("lead", "channel", "lat", "lon"), prediction[0].numpy()),
        },
        coords={
            "channel": store.channels,
            "time_in": hours * np.arange(1 - batch.inputs.shape[1], 1),
            "lead": hours * np.arange(1, batch.targets.shape[1] + 1),
            "lat": store.lat,
            "lon": store.lon,
        },
        attrs={"start_time": str(start), "units": ", ".join(dict.fromkeys(store.units))},
    )


def write_netcdf(dataset: xr.Dataset, path: Path) -> None:
    """Write beside, then rename; compressed."""
    with replacing(path) as draft:
        dataset.to_netcdf(draft, engine="netcdf4", encoding={name: {"zlib": True} for name in dataset.data_vars})


def summary(scores: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Per experiment the clean scores over all leads, mean over seeds: what `dvc metrics show` prints."""
    whole = scores.query("protocol == 'clean' and lead == 0 and channel == 'mean'")
    table = whole.groupby(["experiment", "metric"], sort=False)["value"].mean().unstack()
    return {
        name: {metric: round(float(row[metric]), 6) for metric in table.columns if np.isfinite(row[metric])}
        for name, row in table.iterrows()
    }
