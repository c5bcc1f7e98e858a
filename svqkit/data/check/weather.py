"""WeatherBench: which years of which variables are there, on which grid, in which steps."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np

from svqkit.data.check import published
from svqkit.data.check.locate import weather_files
from svqkit.data.check.published import (
    FACTS,
    weather_archive,
    weather_file,
    weather_frames,
    weather_windows,
    weather_years,
)
from svqkit.data.check.report import Check, Missing, Report, compare_files, compare_windows, try_plan
from svqkit.data.check.text import SHOWN, size_of, spans
from svqkit.data.sources.hdf5 import refuse_unfit
from svqkit.data.sources.video import size_text
from svqkit.data.sources.weather import LONG_NAMES, OTHER_NAMES
from svqkit.errors import SvqkitError
from svqkit.settings.data import WeatherData


@dataclass(frozen=True)
class Header:
    """What a NetCDF file says of itself: its years, hours and cadence, the lengths of its other axes, its title."""

    years: frozenset[int]
    hours: int
    step: str
    grid: str
    levels: int
    title: str


def inspect(data: WeatherData, folder: Path, report: Report) -> None:
    """Look at the files of all variables in ``folder``, and write what is found into ``report``."""
    report.folder = folder
    years = weather_years(data)
    headers: dict[str, dict[Path, Header]] = {variable: {} for variable in data.variables}
    there: dict[str, set[int]] = {variable: set() for variable in data.variables}
    files = []
    for variable in data.variables:
        for path in weather_files(folder, variable):
            named = re.search(r"_(\d{4})\D", path.name)
            has = {int(named[1])} if named else set()
            if has.isdisjoint(years) and named:
                continue
            try:
                headers[variable][path] = header = read_header(path, variable)
                has = header.years
            except (SvqkitError, OSError) as error:
                report.damaged.append(str(error))
            there[variable] |= has & set(years)
            files.append(path)
    report.found.append(f"{size_of(files)} of the years {spans(years)}")
    _years(years, there, report)
    _axes(headers, report)
    _periods(data, report)
    made = try_plan(data, report)
    report.checks += compare_windows(made, weather_windows(data), "computed from periods and definition")
    if made is None:
        _expect_whole(data, headers, report)


def _years(years: Sequence[int], there: Mapping[str, set[int]], report: Report) -> None:
    """Which years of which variables are there, and which files are missing."""
    for has, variables in _alike({variable: tuple(sorted(years)) for variable, years in there.items()}):
        report.found.append(f"{_variables(variables)}: {spans(has) or 'none of these years'}")
    for lacks, variables in _alike({variable: tuple(sorted(set(years) - there[variable])) for variable in there}):
        if lacks:
            names = tuple(weather_file(variable, year) for variable in variables for year in lacks)
            also = f", the same of {spans(lacks[1:])}" if len(lacks) > 1 else ""
            of = f"; also of {_variables(variables[1:])}" if len(variables) > 1 else ""
            report.missing.append(Missing(f"{names[0]}{also} (from {weather_archive(variables[0])}){of}", names))


def _alike(values: Mapping[str, tuple[int, ...]]) -> list[tuple[tuple[int, ...], list[str]]]:
    """Names that have the same value, together."""
    groups: dict[tuple[int, ...], list[str]] = {}
    for name, value in values.items():
        groups.setdefault(value, []).append(name)
    return list(groups.items())


def _variables(names: Sequence[str]) -> str:
    return ", ".join(LONG_NAMES.get(name, name) for name in names) if len(names) < SHOWN else f"{len(names)} variables"


def _axes(headers: Mapping[str, Mapping[Path, Header]], report: Report) -> None:
    """Grid, cadence, hours and levels of every file, beside the published ones."""
    every = {path.name: header for files in headers.values() for path, header in files.items()}
    whole, hours = "8,760, leap 8,784", {}
    for variable, files in headers.items():
        for path, header in files.items():
            should = sum(published.hours_of(variable, year).numbers[0] for year in header.years)
            hours[path.name] = whole if header.hours == should else f"{header.hours:,}"
    grid, step, levels = (FACTS[f"weather {what}"] for what in ("grid", "step", "levels"))
    grids = {name: header.grid for name, header in every.items()}
    steps = {name: header.step for name, header in every.items()}
    on_levels = {name: str(header.levels) for name, header in every.items() if header.levels}
    report.checks += [
        *compare_files("grid", size_text(grid.numbers), grids, grid.source),
        *compare_files("one frame every", "1 h", steps, step.source),
        *compare_files("hours a year", whole, hours, FACTS["weather hours"].source),
        *compare_files("levels", str(levels.numbers[0]), on_levels, levels.source),
    ]


def _periods(data: WeatherData, report: Report) -> None:
    """The years of each split beside the paper's."""
    if expected := published.PERIODS.get(report.dataset):
        should = " / ".join(expected)
        periods = (data.train, data.validation, data.test)
        came = " / ".join(spans(range(int(first[:4]), int(last[:4]) + 1)) for first, last in periods)
        report.checks.append(Check("periods", should, came, should == came, published.PERIODS_SOURCE))


def _expect_whole(data: WeatherData, headers: Mapping[str, Mapping[Path, Header]], report: Report) -> None:
    """What the files say and what the store will need, when they make none yet."""
    report.says = next((header.title for files in headers.values() for header in files.values() if header.title), "")
    on_levels = [any(header.levels for header in headers[variable].values()) for variable in data.variables]
    channels = sum(len(data.levels) if has else 1 for has in on_levels)
    frame = channels * int(np.prod(FACTS["weather grid"].numbers))
    report.expect_whole(sum(weather_frames(data).values()), 4 * frame)


def read_header(path: Path, variable: str) -> Header:
    """Read the header of a file.

    Raises:
        SvqkitError: it can't be opened, was cut short, or lacks the variable or an axis.
    """
    size = path.stat().st_size
    try:
        refuse_unfit(path, only_axes=True)
        with netCDF4.Dataset(path) as file:
            names = {OTHER_NAMES.get(name, name): name for name in file.variables}
            lacking = [name for name in (variable, "time", "lat", "lon") if name not in names]
            if lacking:
                raise SvqkitError(f"{path} has no {', '.join(lacking)}; it has {', '.join(file.variables)}.")
            time = file.variables[names["time"]]
            if time.size == 0:
                raise SvqkitError(f"{path} holds no frame: its time axis is empty.")
            level = file.variables[names["level"]] if "level" in names else None
            return Header(
                *_times(time),
                grid=size_text([file.variables[names[name]].size for name in ("lat", "lon")]),
                levels=level.size if level is not None and level.dimensions else 0,
                title=str(getattr(file, "title", "")),
            )
    except SvqkitError:
        raise
    except (OSError, RuntimeError, ValueError, AttributeError) as error:
        raise SvqkitError(f"{path} ({size:,} bytes) can't be opened as NetCDF: {error}. Fetch it again.") from error


def _times(time: netCDF4.Variable) -> tuple[frozenset[int], int, str]:
    """The years of a time axis, its length and its cadence; just a few of its dates are decoded."""
    stored = np.ma.getdata(time[:]).astype(np.float64)
    calendar = getattr(time, "calendar", "standard")
    first, later, last = netCDF4.num2date([stored[0], stored[0] + 1, stored[-1]], time.units, calendar)
    steps = np.diff(stored) * (later - first).total_seconds() / 3600
    least, most = (f"{step:g}" for step in (steps.min(), steps.max())) if len(steps) else ("?", "?")
    step = f"{least} h" if least == most else f"{least} to {most} h"
    return frozenset(range(first.year, last.year + 1)), len(stored), step
