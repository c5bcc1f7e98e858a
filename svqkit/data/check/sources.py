"""What each source's files are compared with, beyond what its plan sees: names, sizes of frames, splits of the paper.

Each function looks at the ``files`` below ``folder``, writes what it finds into the report, and returns the files that
are published, by archive, and the names of those that are there.
"""

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from svqkit.data.check import published
from svqkit.data.check.published import CALTECH_CACHE, CALTECH_VIDEOS, HICKLES, UNKNOWN, Fact
from svqkit.data.check.report import Report, spans
from svqkit.data.sources.frames import VIDEO_SUFFIXES
from svqkit.data.sources.gridded import gridded_in, holds
from svqkit.data.sources.hickle_arrays import find_array
from svqkit.data.sources.images import image_size, size_text
from svqkit.data.sources.kth import BROKEN_OFF, NEVER_PUBLISHED, SEQUENCES, find_recordings
from svqkit.data.sources.seq import Seq
from svqkit.data.sources.taxibj import open_samples
from svqkit.data.sources.taxibj_records import SLOTS, Record, inspect_record
from svqkit.data.sources.video import Video
from svqkit.data.sources.weather import LONG_NAMES, inspect_source
from svqkit.errors import SvqkitError
from svqkit.settings.data import HumanData, KittiCaltechData, KTHData, TaxiBJData, WeatherData

Found = tuple[Mapping[str, Sequence[str]], Collection[str]]


def weather_files(folder: Path, variable: str) -> list[Path]:
    """Return the files of a variable as prepare finds them: in a folder of its own, or beside others."""
    own = folder / LONG_NAMES.get(variable, variable)
    return gridded_in(own) if own.is_dir() else [path for path in gridded_in(folder) if _may_hold(path, variable)]


def _may_hold(path: Path, variable: str) -> bool:
    try:
        return holds(path, variable)
    except SvqkitError:  # told of when it is read
        return path.name.startswith(LONG_NAMES.get(variable, variable))


def inspect_weather(data: WeatherData, folder: Path, files: Sequence[Path], report: Report) -> Found:
    """Compare years, grids and periods."""
    variables: dict[Path, list[str]] = {}
    for name in data.variables:
        for path in weather_files(folder, name):
            if path in files or path.is_dir():
                variables.setdefault(path, []).append(name)
    years = {path: {int(year) for year in re.findall(r"_(\d{4})(?=\D)", path.name)} for path in variables}

    def read_grid(path: Path) -> tuple[int, int]:
        for name in variables[path]:
            piece = inspect_source(path, name, data)
        report.says = report.says or piece.title
        years[path] = set((piece.times.astype("datetime64[Y]").astype(int) + 1970).tolist())
        return len(piece.lat), len(piece.lon)

    report.compare_sizes(published.WEATHER_GRID, {path.name: path for path in variables}, read_grid)
    wanted = published.weather_years(data)
    report.found.append(f"years {spans(set().union(*years.values()) & set(wanted))} of {spans(wanted)}")
    if periods := published.PERIODS.get(report.dataset):
        splits = [range(int(first[:4]), int(last[:4]) + 1) for first, last in (data.train, data.validation, data.test)]
        report.compare(Fact("periods", periods, "OpenSTL, dataset_constant.py"), " / ".join(map(spans, splits)))
    there = {
        published.weather_file(name, year)
        for path, names in variables.items()
        for name in names
        for year in years[path]
    }
    return published.weather_archives(data), there


def inspect_kth(data: KTHData, folder: Path, files: Sequence[Path], report: Report) -> Found:
    """Compare recordings, frames and persons; how many folders of frames there should be is known of persons only."""
    try:
        recordings = find_recordings(folder)
    except SvqkitError:  # the plan tells of it
        recordings = []
    videos = {recording.path.name: recording.path for recording in recordings if not recording.is_folder}
    persons = {recording.person for recording in recordings}
    report.found.append(
        f"{len(videos)} videos, {len(recordings) - len(videos)} folders of frames; persons {spans(persons)}"
    )
    report.compare_sizes(published.KTH_SIZE, videos, _video_size)
    report.notes.append(f"{NEVER_PUBLISHED} is missing in the published set itself")
    # The reference trains on the persons that are here for training or validation.
    split = f"{spans(data.train + data.validation)} / {spans(data.test)}"
    report.compare(published.KTH_PERSONS, split)
    if len(videos) < len(recordings):
        folders = [f"person{person:02}" for person in range(1, 26)]
        return {"PredRNN's folders of frames": folders}, {f"person{person:02}" for person in persons}
    listing = {SEQUENCES} & {path.name for path in files}
    there = {f"{recording.name}_uncomp.avi" for recording in recordings}
    return published.kth_archives(data.actions), there | listing


def _video_size(path: Path) -> tuple[int, int]:
    return Video.open(path, colour=False, whole=not any(name in path.name for name in BROKEN_OFF)).size


def inspect_kitticaltech(data: KittiCaltechData, folder: Path, files: Sequence[Path], report: Report) -> Found:
    """Compare KITTI (HKL files, or folders of frames) and Caltech Pedestrian (videos, or OpenSTL's cache)."""
    names = {path.relative_to(folder).as_posix(): path for path in files}
    videos = {
        f"caltech/{path.parent.name}/{path.stem}.seq": path
        for path in files
        if path.suffix.lower() in VIDEO_SUFFIXES and path.relative_to(folder).parts[1] in CALTECH_VIDEOS
    }
    hickles = {name: names[name] for name in HICKLES if name.startswith("kitti_hkl/X_") and name in names}
    report.compare_sizes(published.KITTI_SIZE, hickles, lambda path: find_array(path).size)
    seqs = {name: path for name, path in videos.items() if path.suffix.lower() == ".seq"}
    report.compare_sizes(published.CALTECH_SIZE, seqs, lambda path: Seq.open(path, colour=True).size)
    archives: dict[str, Sequence[str]] = {}
    if HICKLES[0] in names or not (folder / "kitti").is_dir():
        archives |= {"PredNet's kitti_data.zip": HICKLES}
    else:
        drives = [", ".join(map(_drive_number, recordings)) for recordings in (data.validation, data.unused)]
        report.compare(published.KITTI_HELD_OUT, " / ".join(drives))
    if CALTECH_CACHE[0] in names and not videos:
        archives |= {"OpenSTL": CALTECH_CACHE}
    else:
        archives |= published.caltech_archives()
    return archives, {*names, *videos}


def _drive_number(recording: str) -> str:
    """0005 of city-2011_09_26_drive_0005_sync; a name of another kind as it is."""
    return re.sub(r".*_drive_(\d+)_.*", r"\1", recording)


def inspect_human(data: HumanData, folder: Path, files: Sequence[Path], report: Report) -> Found:
    """Compare persons, and the size of one image: the others are taken to have it too."""
    images = {path.name: path for path in files if path.parent.name == "images"}
    persons = {int(match[1]) for name in images if (match := re.match(r"S(\d+)_", name))}
    report.found.append(f"{len(images):,} images of persons {spans(persons)}")
    report.compare_sizes(published.HUMAN_SIZE, dict([*images.items()][:1]), image_size)
    there = {path.name for path in files} | {f"images/S{person}_*.jpg" for person in persons}
    return published.human_archives(), there


def inspect_taxibj(data: TaxiBJData, folder: Path, files: Sequence[Path], report: Report) -> Found:
    """Compare dataset.npz, or the original HDF5 files, by headers and dates."""
    names = {path.name: path for path in files}
    records = {name: names[name] for name in published.TAXIBJ_RECORDS if name in names}
    if (folder / "dataset.npz").exists():
        if records:
            report.notes.append("dataset.npz is used; the HDF5 files beside it are not")
        train, test = open_samples(folder / "dataset.npz", only_header=True)
        report.compare(published.TAXIBJ_SAMPLE, size_text(train.inputs.shape[1:]))
        report.compare(published.TAXIBJ_SAMPLES, f"{train.count:,}")
        report.compare(Fact("test samples", UNKNOWN, "no count found in public"), f"{test.count:,}")
        counts = train.count, test.count, test.count
        report.compare_windows({}, {"paper": counts}, "of clean only prepare tells, which compares all values")
        report.expect(train.frames + test.frames, 4 * math.prod(train.inputs.shape[2:]))
        return {"OpenSTL": ["dataset.npz"]}, names
    found: dict[str, Record] = {}

    def read_grid(path: Path) -> tuple[int, int]:
        found[path.name] = inspect_record(path)
        return found[path.name].grid

    report.compare_sizes(published.TAXIBJ_GRID, records, read_grid)
    if last := found.get(published.TAXIBJ_RECORDS[-1]):
        report.compare(published.TAXIBJ_SLOTS, f"{last.slots:,}")
    days = sum(len(record.days) for record in found.values())
    report.found.append(f"{days} days with all of their {SLOTS} slots")
    report.notes.append("the published scores are made with dataset.npz, not with these files")
    report.expect(days * SLOTS, 4 * 2 * 32 * 32)
    return {"DeepST, data/TaxiBJ": published.TAXIBJ_RECORDS}, names


# By source: (settings, folder, its files, report to write the findings into).
INSPECTORS: Mapping[str, Callable[..., Found]] = {
    "weather": inspect_weather,
    "kth": inspect_kth,
    "kitticaltech": inspect_kitticaltech,
    "human": inspect_human,
    "taxibj": inspect_taxibj,
}
