"""Inspect a whole folder of raw files, every published dataset in turn: where it lies, and what is found of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from svqkit.data.bundled import README, BundledFile, bundled_files, is_left_over
from svqkit.data.check.published import OTHER_WINDOWS, UNKNOWN, Fact, weather_years, whole
from svqkit.data.check.report import Report, size_of, some_of
from svqkit.data.check.sources import INSPECTORS, weather_files
from svqkit.data.plan import Plan, declares_simulated
from svqkit.data.sources import first_sentence, plan
from svqkit.data.sources.gridded import SUFFIXES
from svqkit.data.sources.images import ImageFiles
from svqkit.data.sources.kth import SEQUENCES
from svqkit.data.sources.weather import LONG_NAMES
from svqkit.errors import SvqkitError, choose
from svqkit.settings.data import SPLITS, WeatherData
from svqkit.settings.params import Data, Params

# One of these in a folder tells that it is a dataset's.
SIGNS = {
    "weather": (*LONG_NAMES.values(), *(f"*{suffix}" for suffix in SUFFIXES), "*.zarr"),
    "kth": ("person*_*_d*", "*ing/person*_*_d*", "kth/person*_*_d*", "kth/*ing/person*_*_d*", SEQUENCES),
    "kitticaltech": ("kitti_hkl", "kitti", "caltech"),
    "human": ("train.txt", "test.txt", "images/S*_*.jpg"),
    "taxibj": ("dataset.npz", "BJ1?_*.h5"),
}
# What others call the folder of a source: OpenSTL's loader, and WeatherBench's own tree.
_FOLDERS = {"weather": ("weather", "weather_5_625deg", "5.625deg")}


def check(root: Path, params: Params, names: Sequence[str] = (), used: Params | None = None) -> list[Report]:
    """Return a report of each dataset called ``names``, or of all that are published.

    Args:
        root: the folder of raw files.
        params: what the files are compared with: profile paper.
        names: some datasets.
        used: the profile in use, for which the bundled sample is to be enough; without it ``params``.

    Raises:
        SvqkitError: there is no folder ``root``, or a name is not one of a published dataset.
    """
    if not root.is_dir():
        raise SvqkitError(
            f"There is no folder {root.absolute()}: `make data` fetches the bundled sample into data; "
            "for files of your own name the folder that holds weather, kth and so on."
        )
    used = used or params
    known = {name: data for name, data in params.datasets.items() if data.source in INSPECTORS}
    wanted = {name: choose(known, name, "published dataset") for name in names} or known
    # All weather lies in one folder: which of its datasets are meant is told by the variables that are there.
    meant = _begun_weather(root, known) | set(names)
    return [_report(name, data, root, name in meant, used) for name, data in wanted.items()]


def _report(name: str, data: Data, root: Path, meant: bool, used: Params) -> Report:
    report = Report(name)
    folder = _folder_of(root, data)
    if folder is None or (data.source == "weather" and not meant):
        report.notes.append(_absence(data, folder))
        return report
    report.folder = folder
    try:
        _inspect(replace(data, root=str(folder)), folder, report)
    except (SvqkitError, OSError) as error:
        report.damaged.append(str(error))
    readme = first_sentence(folder / README)
    report.says = report.says or (readme if declares_simulated(readme) else "")
    _inspect_sample(replace(used.dataset(name), root=str(folder)), used.profile, folder, report)
    return report


def _inspect(data: Data, folder: Path, report: Report) -> None:
    """Compare the files in ``folder``, and what can be made of them, with what is published."""
    files = _files(data, folder)
    report.found.append(size_of(files))
    archives, there = INSPECTORS[data.source](data, folder, files, report)
    report.compare_files(archives, there)
    if data.source == "taxibj":  # whose plan reads every value
        return
    made, known = _try_plan(data, report), whole(data)
    if made and data.source == "kth" and any(isinstance(part.source, ImageFiles) for part in made.parts):
        known = None  # of its folders of frames no count is known to be right
    windows = {
        protocol: tuple(len(windowing.starts[split]) for split in SPLITS)
        for protocol, windowing in (made.windows.items() if made else ())
    }
    if known is None:
        report.compare_windows({}, windows, "no count of these files is published")
    else:
        report.compare(Fact("frames", f"{known.frames:,}", known.source), f"{made.frames:,}" if made else UNKNOWN)
        report.compare_windows(known.windows, windows, known.source)
        if made is None:
            report.expect(known.frames, known.frame_bytes, when_whole=True)
    if data.source in OTHER_WINDOWS:
        report.notes.append(f"published: {OTHER_WINDOWS[data.source]}")


def _try_plan(data: Data, report: Report) -> Plan | None:
    """Plan a dataset and report its frames; return None, and report the source's refusal, when it can't be planned."""
    try:
        made = plan(data)
    except (SvqkitError, OSError) as error:
        report.refusal = str(error)
        return None
    report.says = made.title
    report.notes += made.notes
    report.expect(made.frames, np.dtype(made.dtype).itemsize * int(np.prod(made.frame_shape)))
    return made


def _folder_of(root: Path, data: Data) -> Path | None:
    """A dataset's folder below ``root``: the one its settings name, another usual one, or ``root`` itself."""
    names = dict.fromkeys([Path(data.root).name, *_FOLDERS.get(data.source, (data.source,))])
    for folder in (*(root / name for name in names if name), root):
        if folder.is_dir() and any(next(folder.glob(sign), None) for sign in SIGNS[data.source]):
            return folder
    return None


def _begun_weather(root: Path, known: Mapping[str, Data]) -> set[str]:
    """The weather datasets begun to be fetched: those with a variable that no whole other one explains."""
    there = {}
    for name, data in known.items():
        if isinstance(data, WeatherData) and (folder := _folder_of(root, data)):
            there[name] = {variable for variable in data.variables if weather_files(folder, variable)}
    complete = {name for name in there if there[name] == set(known[name].variables)}
    explained = set().union(*(there[name] for name in complete))
    return complete | {name for name, variables in there.items() if variables - explained}


def _absence(data: Data, folder: Path | None) -> str:
    """What to say of a dataset that is not there, or that nobody began to fetch."""
    if folder is None or not isinstance(data, WeatherData):
        return "its files are not in this folder"
    lacking = [LONG_NAMES.get(name, name) for name in data.variables if not weather_files(folder, name)]
    return f"{len(lacking)} of its {len(data.variables)} variables have no file in {folder}: {some_of(lacking)}"


def _files(data: Data, folder: Path) -> list[Path]:
    """The files of a dataset that its settings read, those of the sample or others."""
    if isinstance(data, WeatherData):
        found = {path for variable in data.variables for path in weather_files(folder, variable)}
    else:
        found = {path for sign in SIGNS[data.source] for path in folder.glob(sign)}
    inside = (file for path in found for file in (path.rglob("*") if path.is_dir() else [path]))
    return sorted(file for file in inside if file.is_file() and file.name[0] != "." and _is_read(data, file.name))


def _is_read(data: Data, name: str) -> bool:
    """Whether the settings read the file: of weather, those of the years of their periods."""
    year = re.search(r"_(\d{4})\D", name)
    return not isinstance(data, WeatherData) or year is None or int(year[1]) in weather_years(data)


def _inspect_sample(data: Data, profile: str, folder: Path, report: Report) -> None:
    """Say whether all files in ``folder``, or some, are those of the bundled sample, told by their bytes.

    ``data`` are the settings of ``profile``, the one in use: only files that they read are looked at. The sample is
    never enough for profile "paper".
    """
    every = _sample_files(data, folder)
    same = [path for path, file in every.items() if file.is_at(path)]
    if not same:
        readme = folder / README
        if is_left_over(readme, data.source):
            report.notes.append(f"{readme} is still the bundled sample's, and calls these files simulated: remove it")
        return
    if others := sorted(set(_files(data, folder)) - set(same)):
        report.damaged.append(
            f"{len(same)} files are still those of the bundled sample ({_named(same, folder)}), {len(others)} are not "
            f"({_named(others, folder)}): remove the sample's, or bring it back whole with `dvc checkout data.dvc`"
        )
        return
    report.sample, report.sample_size = profile, size_of(same)
    if lacking := [path for path in every if path not in same]:
        report.lacks.append(
            f"{len(lacking)} of its files are missing ({_named(lacking, folder)}): `dvc checkout data.dvc`"
        )
    planned = Report(report.dataset, folder)
    _try_plan(data, planned)
    report.frames, report.frame_bytes, report.when_whole = planned.frames, planned.frame_bytes, False
    if profile == "paper":
        report.lacks.append("profile paper needs the published files")
    elif planned.refusal:
        report.lacks.append(planned.refusal)


def _sample_files(data: Data, folder: Path) -> dict[Path, BundledFile]:
    """The sample's files that the settings read, without its README, where they would lie in ``folder``."""
    of_source = (file for file in bundled_files() if file.is_of(data.source))
    files = {folder / PurePosixPath(file.path).relative_to(data.source): file for file in of_source}
    if isinstance(data, WeatherData):
        folders = [LONG_NAMES.get(name, name) for name in data.variables]
        files = {path: file for path, file in files.items() if path.parent.name in folders}
    return {path: file for path, file in files.items() if path.name != README and _is_read(data, path.name)}


def _named(paths: Sequence[Path], folder: Path) -> str:
    return some_of([path.relative_to(folder).as_posix() for path in paths])
