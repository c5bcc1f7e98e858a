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
    """Read the tidy scores: experiment, seed, protocol, channel, metric, lead, value.

    Raises:
        SvqkitError: there are none.
    """
    return pd.read_csv(_file(folder, "scores.csv", "scores"))


def read_measures(folder: str | Path) -> pd.DataFrame:
    """Read the numbers of the codebooks, tidy like the scores: experiment, seed, protocol, metric, lead, value.

    Raises:
        SvqkitError: there are none.
    """
    return pd.read_csv(_file(folder, "codebook.csv", "measures of codebooks")).assign(protocol="clean", lead=0)


def read_windows(folder: str | Path) -> xr.Dataset:
    """Read the errors of every run and baseline by window, see :func:`svqkit.evaluation.fields.window_errors`.

    Raises:
        SvqkitError: there are none.
    """
    return xr.load_dataset(_file(folder, "windows.nc", "errors by window"), engine="netcdf4")


def read_notes(folder: str | Path) -> dict[str, str]:
    """Read per metric, or protocol, that could not be computed the reason."""
    return read_json(Path(folder) / "notes.json")


def read_errors(folder: str | Path) -> dict[str, xr.Dataset]:
    """Read the error fields of every run and baseline, by name.

    Raises:
        SvqkitError: there are none.
    """
    return _read_all(Path(folder) / "errors")


def read_forecasts(folder: str | Path) -> dict[str, xr.Dataset]:
    """Read the sample forecast of every run and baseline, by name.

    Raises:
        SvqkitError: there are none.
    """
    return _read_all(Path(folder) / "forecasts")


def scores_of_runs(scores: pd.DataFrame, runs: Iterable[Run], baselines: bool = True) -> pd.DataFrame:
    """Return the rows of some runs' experiments, and of the baselines."""
    wanted = {run.experiment.name for run in runs}
    return scores[scores["experiment"].isin(wanted) | (baselines & (scores["seed"] < 0))]


def mean_over_channels(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are means over channels, without the column that says so."""
    return scores[scores["channel"] == "mean"].drop(columns="channel")


def first_seeds(by_run: Mapping[str, T]) -> dict[str, T]:
    """Return one entry per experiment, that of its lowest seed; ``{"a-seed0": …, "a-seed1": …}`` → ``{"a": …}``."""
    lowest: dict[str, tuple[int, T]] = {}
    for name, entry in by_run.items():
        experiment, _, number = name.rpartition("-seed")
        seed = int(number) if experiment and number.isdecimal() else -1
        experiment = experiment or name
        if experiment not in lowest or seed < lowest[experiment][0]:
            lowest[experiment] = seed, entry
    return {experiment: entry for experiment, (_, entry) in lowest.items()}


def of_runs(by_experiment: Mapping[str, T], runs: Iterable[Run]) -> dict[str, T]:
    """Return the entries of some runs' experiments only."""
    wanted = {run.experiment.name for run in runs}
    return {name: entry for name, entry in by_experiment.items() if name in wanted}


def _file(folder: str | Path, name: str, what: str) -> Path:
    """A file that the evaluate stage wrote."""
    path = Path(folder) / name
    if not path.exists():
        raise SvqkitError(f"No {what} at {path}. Run the evaluate stage: `dvc repro`.")
    refuse_special(path)
    return path


def _read_all(folder: Path) -> dict[str, xr.Dataset]:
    if not folder.exists():
        raise SvqkitError(f"No folder {folder}. Run the evaluate stage: `dvc repro`.")
    paths = sorted(folder.glob("*.nc"))
    return {path.stem: xr.load_dataset(_file(folder, path.name, "file"), engine="netcdf4") for path in paths}
