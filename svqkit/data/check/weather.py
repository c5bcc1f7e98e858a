"""WeatherBench: which years of which variables are there, on which grid, in which steps."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from svqkit.data.check import comparing, published
from svqkit.data.check.filenames import weather_archive, weather_file
from svqkit.data.check.findings import Check, Missing, Report
from svqkit.data.check.places import weather_files
from svqkit.data.check.published import FACTS
from svqkit.data.check.weather_counts import weather_frames, weather_windows, weather_years
from svqkit.data.check.weather_header import Header, read_header
from svqkit.data.check.wording import SHOWN, size_of, spans
from svqkit.data.sources.video import by
from svqkit.data.sources.weather import LONG_NAMES
from svqkit.errors import SvqkitError
from svqkit.settings.data import WeatherData


def look(data: WeatherData, place: Path, report: Report) -> None:
    """Look at the files of all variables in ``place``, and write what is found into ``report``."""
    report.place = place
    years = weather_years(data)
    headers: dict[str, dict[Path, Header]] = {variable: {} for variable in data.variables}
    there: dict[str, set[int]] = {variable: set() for variable in data.variables}
    files = []
    for variable in data.variables:
        for path in weather_files(place, variable):
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
    made = comparing.try_plan(data, report)
    report.checks += comparing.windows(made, weather_windows(data), "computed from periods and definition")
    if made is None:
        _expect_whole(data, headers, report)


def _years(years: Sequence[int], there: Mapping[str, set[int]], report: Report) -> None:
    """Which years of which variables are there, and which files are missing."""
    for has, variables in _alike({one: tuple(sorted(there[one])) for one in there}):
        report.found.append(f"{_variables(variables)}: {spans(has) or 'none of these years'}")
    for lacks, variables in _alike({one: tuple(sorted(set(years) - there[one])) for one in there}):
        if lacks:
            names = tuple(weather_file(one, year) for one in variables for year in lacks)
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
    return ", ".join(LONG_NAMES.get(one, one) for one in names) if len(names) < SHOWN else f"{len(names)} variables"


def _axes(headers: Mapping[str, Mapping[Path, Header]], report: Report) -> None:
    """Grid, cadence, hours and levels of every file, beside the published ones."""
    every = {path.name: header for files in headers.values() for path, header in files.items()}
    whole, hours = "8,760, leap 8,784", {}
    for variable, files in headers.items():
        for path, header in files.items():
            should = sum(published.hours_of(variable, year).numbers[0] for year in header.years)
            hours[path.name] = whole if header.hours == should else f"{header.hours:,}"
    grid, step, levels = (FACTS[f"weather {what}"] for what in ("grid", "step", "levels"))
    on_levels = {name: str(header.levels) for name, header in every.items() if header.levels}
    report.checks += [
        *comparing.compare("grid", by(grid.numbers), {name: one.grid for name, one in every.items()}, grid.source),
        *comparing.compare("one frame every", "1 h", {name: one.step for name, one in every.items()}, step.source),
        *comparing.compare("hours a year", whole, hours, FACTS["weather hours"].source),
        *comparing.compare("levels", str(levels.numbers[0]), on_levels, levels.source),
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
    report.says = next((one.title for files in headers.values() for one in files.values() if one.title), "")
    on_levels = [any(header.levels for header in headers[one].values()) for one in data.variables]
    channels = sum(len(data.levels) if has else 1 for has in on_levels)
    frame = channels * int(np.prod(FACTS["weather grid"].numbers))
    report.expect_whole(sum(weather_frames(data).values()), 4 * frame)
