"""Inspect a whole folder of raw files, every published dataset in turn: where it lies, and what is found of it."""

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np

from svqkit.data.bundled import README, BundledFile, files_of, is_left_over
from svqkit.data.check import published
from svqkit.data.check.published import CALTECH_CACHE, CALTECH_VIDEOS, FACTS, HICKLES, UNKNOWN, Counts, Fact
from svqkit.data.check.report import Report, size_of, some_of
from svqkit.data.plan import Plan, declares_simulated
from svqkit.data.sources import first_sentence, plan
from svqkit.data.sources.frames import size_text
from svqkit.data.sources.gridded import LONG_NAMES, SUFFIXES, sources_in
from svqkit.data.sources.hickle_arrays import find_array
from svqkit.data.sources.images import ImageFiles, image_size
from svqkit.data.sources.kth import BROKEN_OFF, SEQUENCES, find_recordings
from svqkit.data.sources.taxibj import inspect_record, open_samples
from svqkit.data.sources.video import VIDEO_SUFFIXES, Video, open_video
from svqkit.data.sources.weather import find_sources, inspect_source
from svqkit.errors import SvqkitError, choose
from svqkit.settings.data import SPLITS, HumanData, KittiCaltechData, KTHData, TaxiBJData, WeatherData
from svqkit.settings.params import Data, Params, Protocol

# One of these in a folder tells that it is a dataset's.
SIGNS = {
    "weather": (*LONG_NAMES.values(), *(f"*{suffix}" for suffix in SUFFIXES), "*.zarr"),
    "kth": ("person*_*_d*", "*ing/person*_*_d*", "kth/person*_*_d*", "kth/*ing/person*_*_d*", SEQUENCES),
    "kitticaltech": ("kitti_hkl", "kitti", "caltech"),
    "human": ("train.txt", "test.txt", "images/S*_*.jpg"),
    "taxibj": ("dataset.npz", "BJ1?_*.h5"),
}
# What others call the folder of a source: OpenSTL's loader, and WeatherBench's own tree.
FOLDERS = {"weather": ("weather", "weather_5_625deg", "5.625deg")}
# The files that are published, by archive, and the names of those that are there.
Found = tuple[Mapping[str, Sequence[str]], Collection[str]]


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
    known = {name: data for name, data in params.datasets.items() if data.source in INSPECTORS}
    wanted = {name: choose(known, name, "published dataset") for name in names} or known
    return [_report(name, data, root, name in names, used or params) for name, data in wanted.items()]


def _report(name: str, data: Data, root: Path, named: bool, used: Params) -> Report:
    report = Report(name)
    if (folder := _folder_of(root, data)) is None:
        report.notes.append("its files are not in this folder")
        return report
    if isinstance(data, WeatherData) and not named:  # all weather lies in one folder
        lacking = [LONG_NAMES.get(each, each) for each in data.variables if not _weather_files(folder, each)]
        if lacking:
            count = f"{len(lacking)} of its {len(data.variables)} variables"
            report.notes.append(f"{count} have no file in {folder}: {some_of(lacking)}")
            return report
    report.folder = folder
    data = replace(data, root=str(folder))
    files = _files(data)
    report.found = size_of(files)
    readme = ""
    try:
        readme = first_sentence(folder / README)
        report.compare_files(*INSPECTORS[data.source](data, files, report))
    except (SvqkitError, OSError) as error:
        report.damaged.append(str(error))
    if data.source != "taxibj":  # whose plan reads every value
        _compare_plan(data, report)
    report.says = report.says or (readme if declares_simulated(readme) else "")
    _look_for_sample(replace(used.dataset(name), root=str(folder)), used.profile, report)
    return report


def _compare_plan(data: Data, report: Report) -> None:
    """Compare what can be made of the files with what can be made of all that are published."""
    made, known = _try_plan(data, report), published.whole(data)
    parts = made.parts if made else ()
    if data.source == "kth" and any(isinstance(getattr(part, "source", None), ImageFiles) for part in parts):
        known = None  # of its folders of frames no count is known to be right
    if known:
        report.compare(Fact("frames", f"{known.frames:,}", known.source), f"{made.frames:,}" if made else UNKNOWN)
        if made is None:
            report.frames, report.frame_bytes = known.frames, known.frame_bytes
    source = known.source if known else "no count of these files is published"
    for protocol in get_args(Protocol):
        expected = known.windows.get(protocol, ()) if known else ()
        found = [len(made.windows[protocol].starts[split]) for split in SPLITS] if made else ()
        report.compare(Fact(f"windows, {protocol}", _in_splits(expected), source), _in_splits(found))
    if data.source in published.OTHER_WINDOWS:
        report.notes.append(f"published: {published.OTHER_WINDOWS[data.source]}")


def _in_splits(counts: Counts) -> str:
    """The counts of training, validation and test as "9,034 / 1,424 / 6,007"."""
    return " / ".join(f"{count:,}" for count in counts) or UNKNOWN


def _try_plan(data: Data, report: Report) -> Plan | None:
    """Plan a dataset and report its frames; return None, and report the source's refusal, when it can't be planned."""
    try:
        made = plan(data)
    except SvqkitError as error:
        report.refusal = str(error)
        return None
    report.says = made.title
    report.notes += made.notes
    report.frames, report.frame_bytes = made.frames, np.dtype(made.dtype).itemsize * math.prod(made.frame_shape)
    return made


def _folder_of(root: Path, data: Data) -> Path | None:
    """A dataset's folder below ``root``: the one its settings name, another usual one, or ``root`` itself."""
    names = dict.fromkeys([Path(data.root).name, *FOLDERS.get(data.source, (data.source,))])
    for folder in (*(root / name for name in names if name), root):
        if folder.is_dir() and any(next(folder.glob(sign), None) for sign in SIGNS[data.source]):
            return folder
    return None


def _files(data: Data) -> list[Path]:
    """The files of a dataset that its settings read, those of the sample or others."""
    folder = Path(data.root)
    if isinstance(data, WeatherData):
        found = {path for variable in data.variables for path in _weather_files(folder, variable)}
    else:
        found = {path for sign in SIGNS[data.source] for path in folder.glob(sign)}
    inside = (file for path in found for file in (path.rglob("*") if path.is_dir() else [path]))
    return sorted(file for file in inside if file.is_file() and file.name[0] != "." and _is_read(data, file.name))


def _is_read(data: Data, name: str) -> bool:
    """Whether the settings read the file: of weather, those of the years of their periods."""
    years = _years_in(name)
    return not isinstance(data, WeatherData) or not years or bool(years & {*published.weather_years(data)})


def _years_in(name: str) -> set[int]:
    return {int(year) for year in re.findall(r"_(\d{4})(?=\D)", name)}


# By source: what to look at beyond what its plan sees -----------------------------------------------------------------


def _weather_files(folder: Path, variable: str) -> list[Path]:
    """The files of a variable as prepare finds them."""
    try:
        return [Path(str(source)) for source in find_sources(folder, variable)]
    except SvqkitError:  # there is none, or one is damaged: then by their names, and the plan tells of it
        return [path for path in sources_in(folder) if path.name.startswith(LONG_NAMES.get(variable, variable))]


def _inspect_weather(data: WeatherData, files: Sequence[Path], report: Report) -> Found:
    there: set[str] = set()

    def read_grid(path: Path) -> tuple[int, int]:
        for name in variables[path]:
            there.update(published.weather_file(name, year) for year in _years_in(path.name))
            piece = inspect_source(path, name, data)
            report.says = report.says or piece.title
            years = np.unique(piece.times.astype("datetime64[Y]").astype(int) + 1970)
            there.update(published.weather_file(name, year) for year in years)
        return len(piece.lat), len(piece.lon)

    variables: dict[Path, list[str]] = {}
    for name in data.variables:
        for path in _weather_files(Path(data.root), name):
            if path in files or path.is_dir():
                variables.setdefault(path, []).append(name)
    report.compare_sizes(FACTS["grid"], {path.relative_to(data.root).as_posix(): path for path in variables}, read_grid)
    return published.weather_archives(data), there


def _inspect_kth(data: KTHData, files: Sequence[Path], report: Report) -> Found:
    """How many folders of frames there should be is known of persons only."""
    archives = published.kth_archives(data.actions)
    try:
        recordings = find_recordings(Path(data.root))
    except SvqkitError:  # the plan tells of it
        return archives, {path.name for path in files}
    videos = {recording.path.name: recording.path for recording in recordings if not recording.is_folder}

    def size(path: Path) -> tuple[int, int]:
        return Video.open(path, colour=False, whole=not any(name in path.name for name in BROKEN_OFF)).size

    report.compare_sizes(FACTS["video"], videos, size)
    if len(videos) < len(recordings):
        there = {f"person{recording.person:02}" for recording in recordings}
        return {"PredRNN's folders of frames": [f"person{person:02}" for person in range(1, 26)]}, there
    report.notes.append(f"{published.NEVER_PUBLISHED} is missing in the published set itself")
    return archives, {f"{recording.name}_uncomp.avi" for recording in recordings} | {path.name for path in files}


def _inspect_kitticaltech(data: KittiCaltechData, files: Sequence[Path], report: Report) -> Found:
    """KITTI comes in HKL files or folders of frames, Caltech Pedestrian in videos or OpenSTL's cache."""
    folder = Path(data.root)
    names = {path.relative_to(folder).as_posix(): path for path in files}
    videos = {
        f"caltech/{path.parent.name}/{path.stem}.seq": path
        for path in files
        if path.suffix.lower() in VIDEO_SUFFIXES and path.relative_to(folder).parts[1] in CALTECH_VIDEOS
    }
    hickles = {name: path for name, path in names.items() if name in HICKLES and "/X_" in name}
    report.compare_sizes(FACTS["KITTI"], hickles, lambda path: find_array(path).size)
    report.compare_sizes(FACTS["Caltech"], videos, lambda path: open_video(path, colour=True).size)
    archives: dict[str, Sequence[str]] = {}
    if HICKLES[0] in names or not (folder / "kitti").is_dir():
        archives |= {"PredNet's kitti_data.zip": HICKLES}
    cached = CALTECH_CACHE[0] in names and not videos
    return archives | ({"OpenSTL": CALTECH_CACHE} if cached else published.caltech_archives()), {*names, *videos}


def _inspect_human(data: HumanData, files: Sequence[Path], report: Report) -> Found:
    """One image stands for the size of all."""
    images = {path.name: path for path in files if path.parent.name == "images"}
    report.compare_sizes(FACTS["image"], dict([*images.items()][:1]), image_size)
    persons = {f"images/{name.partition('_')[0]}_*.jpg" for name in images}
    return published.human_archives(), persons | {path.name for path in files}


def _inspect_taxibj(data: TaxiBJData, files: Sequence[Path], report: Report) -> Found:
    """dataset.npz, or the original HDF5 files, by headers and dates."""
    names = {path.name: path for path in files}
    records = {name: names[name] for name in published.TAXIBJ_RECORDS if name in names}
    if "dataset.npz" in names:
        if records:
            report.notes.append("dataset.npz is used; the HDF5 files beside it are not")
        train, test = open_samples(names["dataset.npz"])
        report.compare(FACTS["sample"], size_text(train.inputs.shape[1:]))
        report.compare(FACTS["training samples"], f"{train.count:,}")
        report.compare(FACTS["test samples"], f"{test.count:,}")
        report.frames, report.frame_bytes = train.frames + test.frames, 4 * math.prod(train.inputs.shape[2:])
        return {"OpenSTL": ["dataset.npz"]}, names
    inspected = []

    def grid(path: Path) -> tuple[int, int]:
        inspected.append(inspect_record(path))
        return inspected[-1].grid

    report.compare_sizes(FACTS["taxis"], records, grid)
    days = sum(len(record.days) for record in inspected)
    report.notes.append(f"{days} days have all of their slots")
    report.notes.append("the published scores are made with dataset.npz, not with these files")
    report.frames = sum(record.frames for record in inspected)
    report.frame_bytes = 4 * 2 * math.prod(inspected[0].grid) if inspected else 0
    return {"DeepST, data/TaxiBJ": published.TAXIBJ_RECORDS}, names


# Each is given settings whose root is the dataset's folder, its files, and the report to write the findings into.
INSPECTORS: Mapping[str, Callable[..., Found]] = {
    "weather": _inspect_weather,
    "kth": _inspect_kth,
    "kitticaltech": _inspect_kitticaltech,
    "human": _inspect_human,
    "taxibj": _inspect_taxibj,
}


# The bundled sample ---------------------------------------------------------------------------------------------------


def _look_for_sample(data: Data, profile: str, report: Report) -> None:
    """Say whether all files of a dataset, or some, are those of the bundled sample, told by their bytes.

    ``data`` are the settings of ``profile``, the one in use: only files that they read are looked at. The sample is
    never enough for profile "paper".
    """
    folder = Path(data.root)
    every = _sample_files(data)
    same = [path for path, file in every.items() if file.is_at(path)]
    if not same:
        readme = folder / README
        if is_left_over(readme, data.source):
            report.notes.append(f"{readme} is still the bundled sample's, and calls these files simulated: remove it")
        return
    if others := sorted(set(_files(data)) - set(same)):
        report.damaged.append(
            f"{len(same)} files are still those of the bundled sample ({_named(same, folder)}), {len(others)} are not "
            f"({_named(others, folder)}): remove the sample's, or bring it back whole with `dvc checkout data.dvc`"
        )
        return
    report.sample, report.found = profile, size_of(same)
    if lacking := [path for path in every if path not in same]:
        report.lacks.append(
            f"{len(lacking)} of its files are missing ({_named(lacking, folder)}): `dvc checkout data.dvc`"
        )
    planned = Report(report.dataset, folder)
    _try_plan(data, planned)
    report.frames, report.frame_bytes = planned.frames, planned.frame_bytes
    if profile == "paper":
        report.lacks.append("profile paper needs the published files")
    elif planned.refusal:
        report.lacks.append(planned.refusal)


def _sample_files(data: Data) -> dict[Path, BundledFile]:
    """The sample's files that the settings read, without its README, where they would lie in the dataset's folder."""
    files = {Path(data.root, path): file for path, file in files_of(data.source).items()}
    if isinstance(data, WeatherData):
        folders = [LONG_NAMES.get(name, name) for name in data.variables]
        files = {path: file for path, file in files.items() if path.parent.name in folders}
    return {path: file for path, file in files.items() if path.name != README and _is_read(data, path.name)}


def _named(paths: Sequence[Path], folder: Path) -> str:
    return some_of([path.relative_to(folder).as_posix() for path in paths])
