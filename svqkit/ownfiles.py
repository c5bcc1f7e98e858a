"""Read files that the kit has written itself, strictly: JSON, CSV, Parquet, NetCDF and NPZ.

What is missing, cut, damaged or of another kind is refused in one sentence that names the file; nothing is guessed.
"""

import csv
from collections.abc import Collection, Mapping
from io import StringIO
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from svqkit.errors import SvqkitError, listed, shown
from svqkit.settings.types import checked
from svqkit.userfiles import read_json, read_text, reading

T = TypeVar("T")

# What to do, where a caller knows no better.
AGAIN = "Make it again with `dvc repro`."
MOST_TABLE = 2**30


def read_tree(path: Path, kind: type[T], again: str = AGAIN) -> T:
    """Return what a JSON file holds, as an instance of ``kind``.

    Raises:
        SvqkitError: there is no such file, or what it holds doesn't fit.
    """
    with reading(path, aid=again):
        return checked(kind, read_json(path), str(path))


def read_table(path: Path, columns: Mapping[str, type], again: str = AGAIN) -> pd.DataFrame:
    """Return a CSV table, whose ``columns``, and perhaps others, are of these types; a float may be left out.

    Raises:
        SvqkitError: there is no such file, it lacks a column, or a line is cut or holds something else.
    """
    with reading(path, aid=again):
        text = read_text(path, MOST_TABLE)
        header, *lines = csv.reader(StringIO(text), strict=True)
        if missing := [name for name in columns if name not in header]:
            raise SvqkitError(f"{path} lacks the column(s) {listed(missing)}; it has {listed(header)}. {again}")
        for number, line in enumerate(lines, 2):
            if len(line) != len(header):
                raise SvqkitError(f"{path}, line {number}: expected {len(header)} values, got {shown(line)}. {again}")
        if not text.endswith("\n"):
            raise SvqkitError(f"{path} ends in the middle of a line: it is cut. {again}")
        unset = {name: [""] for name, kind in columns.items() if kind is float}
        return pd.read_csv(StringIO(text), dtype=dict(columns), keep_default_na=False, na_values=unset)


def read_parquet(path: Path, again: str = AGAIN) -> pd.DataFrame:
    """Return a Parquet table.

    Raises:
        SvqkitError: there is no such file, or it is damaged.
    """
    with reading(path, aid=again):
        return pd.read_parquet(path)


def read_netcdf(
    path: Path, variables: Collection[str], attributes: Collection[str] = (), again: str = AGAIN
) -> xr.Dataset:
    """Return a NetCDF file that has these variables and attributes, all of it in memory.

    Raises:
        SvqkitError: there is no such file, or it lacks one of them.
    """
    with reading(path, aid=again):
        dataset = xr.load_dataset(path, engine="netcdf4")
    here = list(map(str, dataset.variables)), list(dataset.attrs)
    for what, wanted, there in zip(("variable", "attribute"), (variables, attributes), here, strict=True):
        if missing := [name for name in wanted if name not in there]:
            raise SvqkitError(f"{path} lacks the {what}(s) {listed(missing)}; it has {listed(there)}. {again}")
    return dataset


def read_arrays(path: Path, again: str = AGAIN) -> dict[str, np.ndarray]:
    """Return the arrays of an NPZ file by name.

    Raises:
        SvqkitError: there is no such file, or it is damaged.
    """
    with reading(path, aid=again), np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
