"""Reading back what the evaluate stage wrote."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import pandas as pd
import xarray as xr

from svqkit.errors import SvqkitError
from svqkit.training.runs import Run
from svqkit.userfiles import read_json, refuse_special

T = TypeVar("T")


def read_scores(folder: str | Path) -> pd.DataFrame:
    """The tidy scores: experiment, seed, protocol, channel, metric, lead, value."""
    path = Path(folder) / "scores.csv"
    if not path.exists():
        raise SvqkitError(f"No scores at {path}. Run the evaluate stage: `dvc repro`.")
    refuse_special(path)
    return pd.read_csv(path)


def read_measures(folder: str | Path) -> pd.DataFrame:
    """What is known of the codebooks, as a table like the scores: experiment, seed, protocol, metric, lead, value."""
    refuse_special(Path(folder) / "codebook.csv")
    return pd.read_csv(Path(folder) / "codebook.csv").assign(protocol="clean", lead=0)


def read_windows(folder: str | Path) -> xr.Dataset:
    """The errors of every run and baseline in each test window, see :mod:`svqkit.evaluation.window_errors`."""
    path = Path(folder) / "windows.nc"
    if not path.exists():
        raise SvqkitError(f"No errors by window at {path}. Run the evaluate stage: `dvc repro`.")
    return _load(path)


def scores_of_runs(scores: pd.DataFrame, runs: Iterable[Run], baselines: bool = True) -> pd.DataFrame:
    """The rows of some runs' experiments, and of the baselines."""
    wanted = {run.experiment.name for run in runs}
    return scores[scores["experiment"].isin(wanted) | (baselines & (scores["seed"] < 0))]


def mean_over_channels(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows that are means over channels, without the column that says so."""
    return scores[scores["channel"] == "mean"].drop(columns="channel")


def read_errors(folder: str | Path) -> dict[str, xr.Dataset]:
    """The error fields of every run and baseline, by name."""
    return _read_all(Path(folder) / "errors")


def read_forecasts(folder: str | Path) -> dict[str, xr.Dataset]:
    """The sample forecast of every run and baseline, by name."""
    return _read_all(Path(folder) / "forecasts")


def read_notes(folder: str | Path) -> dict[str, str]:
    """Per metric, or protocol, that could not be computed the reason."""
    return read_json(Path(folder) / "notes.json")


def first_seeds(by_run: Mapping[str, T]) -> dict[str, T]:
    """One entry per experiment, that of its lowest seed; ``{"a-seed0": …, "a-seed1": …}`` → ``{"a": …}``."""
    chosen: dict[str, T] = {}
    for name in sorted(by_run, key=_seed_of):
        chosen.setdefault(name.rpartition("-seed")[0] or name, by_run[name])
    order = [name.rpartition("-seed")[0] or name for name in by_run]
    return {name: chosen[name] for name in dict.fromkeys(order)}


def of_runs(by_experiment: Mapping[str, T], runs: Iterable[Run]) -> dict[str, T]:
    """The entries of some runs' experiments only."""
    wanted = {run.experiment.name for run in runs}
    return {name: entry for name, entry in by_experiment.items() if name in wanted}


def _seed_of(name: str) -> int:
    seed = name.rpartition("-seed")[2]
    return int(seed) if seed.isdecimal() else -1


def _read_all(folder: Path) -> dict[str, xr.Dataset]:
    if not folder.exists():
        raise SvqkitError(f"No folder {folder}. Run the evaluate stage: `dvc repro`.")
    return {path.stem: _load(path) for path in sorted(folder.glob("*.nc"))}


def _load(path: Path) -> xr.Dataset:
    refuse_special(path)
    return xr.load_dataset(path, engine="netcdf4")
