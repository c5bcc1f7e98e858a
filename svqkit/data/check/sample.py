"""Whether the files of a dataset are those of the bundled sample: told by their bytes, wherever they lie."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from svqkit.data.bundled import README, BundledFile, bundled_files, is_left_over
from svqkit.data.check.locate import SIGNS, weather_files
from svqkit.data.check.published import weather_years
from svqkit.data.check.report import Report, try_plan
from svqkit.data.check.text import size_of, some_of
from svqkit.data.sources.weather import LONG_NAMES
from svqkit.settings.data import WeatherData
from svqkit.settings.params import Data


def inspect(data: Data, profile: str, report: Report) -> None:
    """Say in ``report`` whether all files in its folder, or some, are those of the bundled sample.

    ``data`` are the settings of ``profile``, the one in use, with the report's folder as their root: only files that
    they read are looked at. The sample is never enough for profile "paper".
    """
    folder = report.folder
    every = {folder / PurePosixPath(file.path).relative_to(data.source): file for file in _of_sample(data)}
    same = [path for path, file in every.items() if file.is_at(path)]
    others = sorted(set(_data_files(data, folder)) - set(same)) if same else []
    if not same:
        readme = folder / README
        if is_left_over(readme, data.source):
            report.notes.append(f"{readme} is still the bundled sample's, and calls these files simulated: remove it")
    elif others:
        report.damaged.append(
            f"{len(same)} files are still those of the bundled sample ({_named(same, folder)}), {len(others)} are not "
            f"({_named(others, folder)}): remove the sample's, or bring it back whole with `dvc checkout data.dvc`"
        )
    else:
        report.sample = profile
        report.sample_size = size_of(same)
        if lacking := [path for path in every if path not in same]:
            report.lacks.append(
                f"{len(lacking)} of its files are missing ({_named(lacking, folder)}): `dvc checkout data.dvc`"
            )
        planned = Report(report.dataset, folder)
        try_plan(data, planned)
        report.frames, report.frame_bytes, report.when_whole = planned.frames, planned.frame_bytes, False
        if profile == "paper":
            report.lacks.append("profile paper needs the published files")
        elif planned.refusal:
            report.lacks.append(planned.refusal)


def _of_sample(data: Data) -> Iterator[BundledFile]:
    """The sample's files of a dataset, without its README."""
    folders = [LONG_NAMES.get(name, name) for name in data.variables] if isinstance(data, WeatherData) else None
    for file in bundled_files():
        source, folder, *_ = *file.path.split("/"), ""
        wanted = source == data.source and (folders is None or folder in folders)
        if wanted and folder != README and _is_read(data, Path(file.path).name):
            yield file


def _data_files(data: Data, folder: Path) -> Iterator[Path]:
    """The files of a dataset, those of the sample or others."""
    if isinstance(data, WeatherData):
        found = [path for variable in data.variables for path in weather_files(folder, variable)]
    else:
        found = [path for sign in SIGNS[data.source] for path in folder.glob(sign)]
    inside = (file for path in found for file in (path.rglob("*") if path.is_dir() else [path]))
    return (file for file in inside if file.is_file() and not file.name.startswith(".") and _is_read(data, file.name))


def _is_read(data: Data, name: str) -> bool:
    """Whether the settings read the file: of weather, those of the years of their periods."""
    year = re.search(r"_(\d{4})\D", name)
    return not isinstance(data, WeatherData) or year is None or int(year[1]) in weather_years(data)


def _named(paths: list[Path], folder: Path) -> str:
    return some_of([path.relative_to(folder).as_posix() for path in paths])
