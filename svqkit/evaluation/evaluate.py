"""Runs → scores, error fields, a sample forecast and codebook usage, for one dataset."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr

from svqkit.atomic import replacing
from svqkit.data.store import Store
from svqkit.data.windows import Batch, Normaliser, Windows, batches, scoring_batch
from svqkit.errors import SvqkitError, choose
from svqkit.evaluation import forecasters
from svqkit.evaluation.codebook import codebook_usage, measures, write_usage
from svqkit.evaluation.forecasters import Forecaster
from svqkit.evaluation.metrics import GridErrors
from svqkit.evaluation.perceptual import Lpips, alexnet_file, lpips_reason
from svqkit.evaluation.scores import scores_of
from svqkit.evaluation.window_errors import stretches, window_errors
from svqkit.progress import progress
from svqkit.settings.params import Protocol
from svqkit.training.allocation import freed_memory_kept
from svqkit.training.runs import Run

BASELINES: dict[str, Forecaster] = {"persistence": forecasters.persistence, "climatology": forecasters.climatology}
COLUMNS = ["experiment", "seed", "protocol", "channel", "metric", "lead", "value"]


@dataclass(frozen=True)
class Evaluation:
    """What a forecaster did on the test split under one protocol.

    Attributes:
        scores: tidy.
        errors: the error grids behind them.
        windows: "mse" and "mae" of each window, (n,), whose means are the scores.
        absent: per metric that could not be computed the reason.
    """

    scores: pd.DataFrame
    errors: GridErrors
    windows: dict[str, np.ndarray]
    absent: dict[str, str]


class TestSet:
    """The test split of a store under a protocol: frames as the forecasters see them, and the truth.

    Under "paper", as in the reference, weather frames are normalised with the test period's own statistics and brought
    back with the training period's, those of several variables (mv, hmv) with the test period's own again; for all
    forecasters the truth goes the same way. Colours that the reference reads in another order than in training
    (KittiCaltech) are turned for the model, and LPIPS looks at colours in the reference's order.
    """

    __test__ = False  # no test of pytest's

    def __init__(self, store: Store, protocol: Protocol, lpips: Lpips | None = None) -> None:
        self.store, self.protocol, self.lpips = store, protocol, lpips
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.windows = Windows(store, "test", protocol, self.device, hold=False)
        self.entering = Normaliser.of(store, "test" if protocol == "paper" else "train", protocol).to(self.device)
        back_as_it_came = store.kind == "image" or store.multivariate
        self.leaving = self.entering if back_as_it_came else Normaliser.of(store, "train", protocol).to(self.device)

    def is_like(self, other: "TestSet") -> bool:
        """Whether a protocol leaves all as the other has it: images, which nobody normalises, in the same windows."""
        mine, theirs = self.windows, other.windows
        same = [np.array_equal(getattr(mine, part), getattr(theirs, part)) for part in ("starts", "inputs", "targets")]
        return self.store.kind == "image" and all(same) and self.blue_first == other.blue_first

    @property
    def blue_first(self) -> bool:
        """Whether the protocol has the frames' colours in OpenCV's order."""
        return self.store.blue_first("test", self.protocol)

    def of_model(self, run: Run) -> Forecaster:
        """The forecaster of a run's best weights."""
        after = run.experiment.model.quantize_after_translator
        inputs = None if after else self.windows.inputs - self.windows.targets[0]
        return forecasters.of_model(run.model(), self.entering, self.leaving, self.device, inputs)

    def truth(self, frames: torch.Tensor) -> torch.Tensor:
        """Stored frames in physical units, as the protocol scores them."""
        if self.protocol == "paper":
            return self.leaving.inverse(self.entering.forward(frames))
        return self.leaving.physical(frames)

    def as_scored(self, batch: Batch) -> Batch:
        """A batch in physical units."""
        return Batch(self.truth(batch.inputs), self.truth(batch.targets), batch.target_frames)

    def climatology(self, batch: Batch) -> torch.Tensor | None:
        """The climatology of a batch's targets, where the store has one."""
        if not self.store.has_climatology:
            return None
        weeks, slots = (torch.from_numpy(part) for part in self.store.climatology_rows(batch.target_frames))
        return self._climatology[weeks.to(self.device), slots.to(self.device)]

    @cached_property
    def _climatology(self) -> torch.Tensor:
        return torch.from_numpy(self.store.climatology_table).to(self.device)

    def forecast(self, forecaster: Forecaster, batch: Batch, climatology: torch.Tensor | None) -> torch.Tensor:
        """The forecast of a stored batch, (B, L, C, H, W) in physical units; the climatology is that of its targets."""
        seen = self.as_scored(batch) if forecaster is forecasters.persistence else batch
        return forecaster(seen, climatology).to(self.device)

    def evaluate(self, forecaster: Forecaster, name: str, seed: int) -> Evaluation:
        """Score a forecaster on every window, in one pass; memory grows by a few numbers per window."""
        scores = scores_of(self.store, self.device, self.lpips, self.blue_first)
        with progress(len(self.windows), f"{name} seed {seed} {self.protocol}", "window") as bar:
            for stretch in stretches(self.windows, self.protocol):
                for batch in batches(self.windows, stretch, scoring_batch(self.windows)):
                    batch = batch.to(self.device)
                    climatology = self.climatology(batch)
                    prediction = self.forecast(forecaster, batch, climatology)
                    scores.add(prediction, self.truth(batch.targets), climatology)
                    bar.update(len(prediction))
                scores.grids.end_stretch()
        table = scores.table().assign(experiment=name, seed=seed, protocol=self.protocol)[COLUMNS]
        return Evaluation(table, scores.grids, scores.of_windows(), getattr(scores, "absent", {}))


@freed_memory_kept()
def evaluate(runs: list[Run], store: Store, output: str | Path, alexnet: str = "") -> pd.DataFrame:
    """Score runs, persistence and climatology on the test split, and write what the figures are made from.

    Runs that were trained on the windows of protocol "paper" are not scored under "clean" where that has others.

    In the folder ``output``: scores.csv (tidy, both protocols), metrics/<experiment>.json (a summary for
    `dvc metrics show`), errors/<name>.nc (error fields) and forecasts/<name>.nc (one sample forecast) of the baselines
    and of the runs of the study "main", windows.nc (the error of every run in every window), codebook.csv (perplexity,
    sparsity, … of every run with codes, tidy) and codebook.npz (the distributions behind it), notes.json (what could
    not be computed, and why).
    The folder is written whole or not at all.

    Args:
        runs: what is scored.
        store: what it is scored on.
        output: the folder.
        alexnet: a file with AlexNet's weights for LPIPS; empty: torchvision's cache.

    Returns:
        The scores.
    """
    lpips = _lpips(store, alexnet)
    tests, absent = _tests(store, lpips)
    contestants: list[Run | str] = [*_baselines(store), *runs]
    scores: dict[Protocol, list[pd.DataFrame]] = {protocol: [] for protocol in tests}
    who, windows, usage, numbers = [], [], {}, []
    with replacing(output) as draft:
        for one in contestants:
            for protocol, test in tests.items():
                if protocol == "clean" and isinstance(one, Run) and not one.experiment.trained_for("clean"):
                    continue
                if protocol == "paper" and test.is_like(tests["clean"]):
                    scores[protocol].append(scores["clean"][-1].assign(protocol=protocol))
                    continue
                # Made here, so that one model is in memory at a time.
                forecaster = _forecaster(one, test)
                result = test.evaluate(forecaster, *_experiment_and_seed(one))
                scores[protocol].append(result.scores)
                absent |= result.absent
                if protocol == "clean":
                    who.append(_experiment_and_seed(one))
                    windows.append(result.windows)
                    if isinstance(one, str) or "main" in one.experiment.studies:
                        file = f"{one if isinstance(one, str) else one.name}.nc"
                        write_netcdf(error_fields(result.errors, store), draft / "errors" / file)
                        write_netcdf(sample_forecast(test, forecaster), draft / "forecasts" / file)
        write_netcdf(window_errors(who, windows, tests["clean"].windows), draft / "windows.nc")
        for run in runs:
            if run.has_codebook:
                usage[run.name] = codebook_usage(run, store)
                numbers += [(run.experiment.name, run.seed, *item) for item in measures(usage[run.name]).items()]
        write_usage(usage, draft / "codebook.npz")
        codebook = pd.DataFrame(numbers, columns=["experiment", "seed", "metric", "value"])
        codebook.to_csv(draft / "codebook.csv", index=False)
        table = pd.concat([part for parts in scores.values() for part in parts], ignore_index=True)
        table.to_csv(draft / "scores.csv", index=False)
        (draft / "notes.json").write_text(json.dumps(absent, indent=2) + "\n", encoding="utf-8")
        for name, values in summary(table).items():
            file = draft / "metrics" / f"{name}.json"
            file.parent.mkdir(exist_ok=True)
            file.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    return table


def _forecaster(what: Run | str, test: TestSet) -> Forecaster:
    return test.of_model(what) if isinstance(what, Run) else BASELINES[what]


def _experiment_and_seed(what: Run | str) -> tuple[str, int]:
    """What stands in the tables of a run; a baseline, by name, has seed −1."""
    return (what.experiment.name, what.seed) if isinstance(what, Run) else (what, -1)


def _baselines(store: Store) -> dict[str, Forecaster]:
    return {name: one for name, one in BASELINES.items() if store.has_climatology or name != "climatology"}


def _tests(store: Store, lpips: Lpips | None) -> tuple[dict[Protocol, TestSet], dict[str, str]]:
    """The test sets of both protocols; where a record can't be scored under "paper", without that and with the reason.

    It may be too short for that protocol's windows, or hold a channel that is constant in the test period, by whose
    own spread that protocol divides.
    """
    tests = {"clean": TestSet(store, "clean", lpips)}
    try:
        tests["paper"] = TestSet(store, "paper", lpips)
    except SvqkitError as error:
        return tests, {"protocol paper": str(error)}
    return tests, {}


def _lpips(store: Store, alexnet: str) -> Lpips | None:
    """LPIPS where frames suit it and AlexNet's weights are there; else the scores say why not."""
    trunk = alexnet_file(alexnet)
    if store.kind != "image" or lpips_reason(*store.frame_shape, trunk) is not None:
        return None
    return Lpips(trunk, torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def look_closely(what: Run | str, store: Store) -> tuple[xr.Dataset, xr.Dataset]:
    """Error fields and the sample forecast of one run, or of a baseline by name, under protocol clean."""
    test = TestSet(store, "clean")
    if isinstance(what, str):
        choose(_baselines(store), what, "baseline")
    forecaster = _forecaster(what, test)
    result = test.evaluate(forecaster, *_experiment_and_seed(what))
    return error_fields(result.errors, store), sample_forecast(test, forecaster)


def error_fields(errors: GridErrors, store: Store) -> xr.Dataset:
    """Bias, MAE and RMSE per channel, lead and grid point, with coordinates and units.

    Of a lat-lon record also ``mse_blocks`` (block, channel, lat, lon): the mean squared error over leads and the
    windows of each stretch of time, see :func:`svqkit.evaluation.window_errors.stretches`.
    """
    grids = {"bias": errors.mean("bias"), "mae": errors.mean("mae"), "rmse": errors.mean("mse").sqrt()}
    long_names = {
        "bias": "mean error (forecast − truth)",
        "mae": "mean absolute error",
        "rmse": "root mean squared error",
    }
    places, axes = store.places
    unit = _common_unit(store)
    fields = {
        name: (
            ("channel", "lead", *places),
            grid.transpose(0, 1).float().cpu().numpy(),
            {"units": unit, "long_name": long_names[name]},
        )
        for name, grid in grids.items()
    }
    if store.kind == "grid":
        blocks = errors.of_stretches().float().cpu().numpy()
        about = "mean squared error over leads and the windows of a stretch of time"
        fields["mse_blocks"] = (("block", "channel", *places), blocks, {"units": f"({unit})**2", "long_name": about})
    return xr.Dataset(
        fields,
        coords={**_channels(store), "lead": _leads(store, 1 + np.arange(len(grids["bias"]))), **_axes(axes)},
        attrs={
            "windows": errors.count,
            "data": store.title,
            "simulated": int(store.simulated),
            "original_units": str(store.extra.get("original_units", "")),
        },
    )


def sample_forecast(test: TestSet, forecaster: Forecaster) -> xr.Dataset:
    """The forecast from the middle of the test split: what was observed, what came, what was forecast."""
    store = test.store
    batch = test.windows[len(test.windows) // 2].to(test.device)
    prediction, seen = test.forecast(forecaster, batch, test.climatology(batch)), test.as_scored(batch)
    places, axes = store.places
    first = int(batch.target_frames[0, 0])
    attrs = {"units": _common_unit(store), "data": store.title, "clip": store.clip_name(first)}
    if "time" in store.group:
        attrs["start_time"] = str(store.times[first] - np.timedelta64(store.lead_step, "h"))
    return xr.Dataset(
        {
            "observed": (("time_in", "channel", *places), seen.inputs[0].cpu().numpy()),
            "truth": (("lead", "channel", *places), seen.targets[0].cpu().numpy()),
            "prediction": (("lead", "channel", *places), prediction[0].cpu().numpy()),
        },
        coords={
            **_channels(store),
            "time_in": store.lead_step * np.arange(1 - batch.inputs.shape[1], 1),
            "lead": _leads(store, 1 + np.arange(batch.targets.shape[1])),
            **_axes(axes),
        },
        attrs=attrs,
    )


def _channels(store: Store) -> dict:
    return {"channel": store.channels, "unit": ("channel", store.units)}


def _leads(store: Store, steps: np.ndarray) -> tuple:
    return "lead", store.lead_step * steps, {"units": store.lead_units, "long_name": "lead time"}


def _axes(axes: dict[str, np.ndarray]) -> dict:
    units = {"lat": "degrees_north", "lon": "degrees_east"}
    return {name: (name, values, {"units": units[name]}) for name, values in axes.items()}


def _common_unit(store: Store) -> str:
    return ", ".join(dict.fromkeys(unit for unit in store.units if unit))


def write_netcdf(dataset: xr.Dataset, path: Path) -> None:
    """Write beside, then rename; compressed."""
    with replacing(path) as draft:
        dataset.to_netcdf(draft, engine="netcdf4", encoding={name: {"zlib": True} for name in dataset.data_vars})


def summary(scores: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Per experiment the clean scores over all leads, mean over seeds: what `dvc metrics show` prints."""
    whole = scores.query("protocol == 'clean' and lead == 0 and channel == 'mean'")
    table = whole.groupby(["experiment", "metric"], sort=False)["value"].mean().unstack()
    return {
        name: {metric: float(f"{row[metric]:.7g}") for metric in table.columns if np.isfinite(row[metric])}
        for name, row in table.iterrows()
    }
