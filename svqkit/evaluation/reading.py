"""Reading back what the evaluate stage wrote."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import pandas as pd
import xarray as xr

from svqkit.errors import SvqkitError
from svqkit.ownfiles import read_netcdf, read_table, read_tree
from svqkit.training.runs import Run

T = TypeVar("T")

SCORES = {"experiment": str, "seed": int, "protocol": str, "channel": str, "metric": str, "lead": int, "value": float}
MEASURES = {"experiment": str, "seed": int, "metric": str, "value": float}
AGAIN = "Run the evaluate stage: `dvc repro`."


def read_scores(folder: str | Path) -> pd.DataFrame:
    """Read the tidy scores: experiment, seed, protocol, channel, metric, lead, value.

    Raises:
        SvqkitError: there are none.
    """
    return _table(folder, "scores.csv", SCORES)


def read_measures(folder: str | Path) -> pd.DataFrame:
    """Read the numbers of the codebooks, tidy like the scores: experiment, seed, protocol, metric, lead, value.

    Raises:
        SvqkitError: there are none.
    """
    return _table(folder, "codebook.csv", MEASURES).assign(protocol="clean", lead=0)


def read_windows(folder: str | Path) -> xr.Dataset:
    """Read the errors of every run and baseline by window, see :func:`svqkit.evaluation.fields.window_errors`.

    Raises:
        SvqkitError: there are none.
    """
    variables = ("mse", "mae", "experiment", "seed", "block", "start")
    return read_netcdf(Path(folder) / "windows.nc", variables, ("kind", "frames_per_window", "data"), AGAIN)


def read_notes(folder: str | Path) -> dict[str, str]:
    """Read per metric, or protocol, that could not be computed the reason.

    Raises:
        SvqkitError: they are not there, or damaged.
    """
    return read_tree(Path(folder) / "notes.json", dict[str, str], AGAIN)


def read_errors(folder: str | Path) -> dict[str, xr.Dataset]:
    """Read the error fields of every run and baseline, by name.

    Raises:
        SvqkitError: there are none.
    """
    return _read_all(Path(folder) / "errors", ("channel", "unit", "lead"))


def read_forecasts(folder: str | Path) -> dict[str, xr.Dataset]:
    """Read the sample forecast of every run and baseline, by name.

    Raises:
        SvqkitError: there are none.
    """
    return _read_all(Path(folder) / "forecasts", ("observed", "truth", "prediction", "channel", "lead"))


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


def rows_of(name: str) -> str:
    """Return the attribute of windows.nc that holds how many rows a table has."""
    return f"rows_of_{Path(name).stem}"


def _table(folder: str | Path, name: str, columns: Mapping[str, type]) -> pd.DataFrame:
    """A table that the evaluate stage wrote, with all of the rows that it wrote; earlier versions didn't count them."""
    path = Path(folder) / name
    table, windows = read_table(path, columns, AGAIN), path.with_name("windows.nc")
    rows = read_netcdf(windows, (), (), AGAIN).attrs.get(rows_of(name), 0) if windows.exists() else 0
    if len(table) < rows:
        raise SvqkitError(f"{path} has {len(table):,} rows, {rows:,} were written: it is cut. {AGAIN}")
    return table


def _read_all(folder: Path, variables: Collection[str]) -> dict[str, xr.Dataset]:
    paths = sorted(folder.glob("*.nc"))
    if not paths:
        raise SvqkitError(f"No files in {folder}. {AGAIN}")
    return {path.stem: read_netcdf(path, variables, ["data"], AGAIN) for path in paths}
