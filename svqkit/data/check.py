"""Look at a folder of raw files: which of the published datasets are there, what they lack, whether they are whole.

Only names and headers are read. What a source says against its files (its ``plan``) is a finding like any other; so
are files that are missing, by the names under which they are published. TaxiBJ alone is not planned, because its
plan reads every value.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import h5py
import netCDF4
import numpy as np

from svqkit.config import Data, Params, Protocol
from svqkit.data import published
from svqkit.data.plan import Plan
from svqkit.data.published import FACTS, Counts, Fact, spans
from svqkit.data.sources import plan as look
from svqkit.data.sources.arrayfiles import NpzMember
from svqkit.data.sources.hickle_arrays import find_array
from svqkit.data.sources.human import LISTS
from svqkit.data.sources.kth import BROKEN_OFF, SEQUENCES
from svqkit.data.sources.seq import read_header
from svqkit.data.sources.video import by, image_size, inspect_video
from svqkit.data.sources.weather import LONG_NAMES, OTHER_NAMES
from svqkit.datasets import KTH_ACTIONS, SPLITS, HumanData, KittiCaltechData, KTHData, TaxiBJData, WeatherData
from svqkit.errors import SvqkitError

SHOWN = 3  # of many names so many are shown
UNKNOWN = "not known"
_RECORDING = re.compile(r"(person\d\d_[a-z]+_d\d)(?:_uncomp)?(?:\.avi)?", re.IGNORECASE)


@dataclass(frozen=True)
class Check:
    """One comparison with what is published; ``fits`` is None where nothing can be said.

    ``files`` are those that don't fit.
    """

    what: str
    expected: str
    found: str
    fits: bool | None
    source: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Missing:
    """Files that are missing, in one line, and all their names."""

    line: str
    names: tuple[str, ...]


@dataclass
class Report:
    """What is known of one dataset.

    Attributes:
        place: its folder; None when there is none.
        found, damaged, notes: lines for a reader.
        says: what the files say of themselves.
        refusal: why the source can't make a store of them; "" when it can, or was not asked.
        frames: that the store will have, or would have of the whole dataset; None when not known.
        frame_bytes: of one of them.
        when_whole: ``frames`` are those of the whole dataset, since the files that are there make no store.
    """

    dataset: str
    place: Path | None = None
    found: list[str] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    says: str = ""
    refusal: str = ""
    frames: int | None = None
    frame_bytes: int = 0
    when_whole: bool = False

    @property
    def complete(self) -> bool:
        """Whether it is there, whole, as published, and can be made into a store."""
        wrong = self.missing or self.damaged or self.refusal or any(check.fits is False for check in self.checks)
        return self.place is not None and not wrong

    @property
    def store_bytes(self) -> int | None:
        """What its store takes on the disk; None when not known."""
        return None if self.frames is None else self.frames * self.frame_bytes


def check(root: Path, params: Params, names: Sequence[str] = ()) -> list[Report]:
    """A report of each dataset called ``names``, or of all that are published.

    Raises:
        SvqkitError: there is no folder ``root``, or a name is not one of a published dataset.
    """
    if not root.is_dir():
        raise SvqkitError(f"There is no folder {root.absolute()}. Name the one that holds weather, kth and so on.")
    known = {name: data for name, data in params.datasets.items() if data.source in LOOKS}
    for name in names:
        params.dataset(name)
        if name not in known:
            raise SvqkitError(
                f"{name} is not one of the published datasets, which alone are known: {', '.join(known)}."
            )
    begun = _begun(root, known)
    return [_report(name, known[name], root, name in begun or name in names) for name in names or known]


def _report(name: str, data: Data, root: Path, begun: bool) -> Report:
    report = Report(name)
    place = published.place_of(root, data)
    if place is None or not (begun or data.source != "weather"):
        report.notes.append(_absent(data, place))
        return report
    data = replace(data, root=str(place))
    try:
        LOOKS[data.source](data, place, report)
    except (SvqkitError, OSError) as error:
        report.damaged.append(str(error))
    if report.place is None:
        report.notes.append(_absent(data, place))
        return report
    report.says = report.says or _readme(place)
    return report


# --- where a dataset lies ----------------------------------------------------------------------------------------


def _begun(root: Path, known: Mapping[str, Data]) -> set[str]:
    """The weather datasets that somebody began to fetch: those with a variable that no whole other one explains."""
    there = {}
    for name, data in known.items():
        if isinstance(data, WeatherData) and (place := published.place_of(root, data)):
            there[name] = {one for one in data.variables if _weather_files(place, one)}
    whole = {name for name in there if there[name] == set(known[name].variables)}
    explained = set().union(*(there[name] for name in whole))
    return whole | {name for name, variables in there.items() if variables - explained}


def _absent(data: Data, place: Path | None) -> str:
    if place is None or not isinstance(data, WeatherData):
        return "its files are not in this folder"
    lacking = [LONG_NAMES.get(one, one) for one in data.variables if not _weather_files(place, one)]
    return f"{len(lacking)} of its {len(data.variables)} variables have no file in {place}: {some_of(lacking)}"


def _readme(place: Path) -> str:
    """What a README.txt beside simulated files says of them."""
    try:
        first = (place / "README.txt").read_text(encoding="utf-8").split("\n\n")[0].replace("\n", " ")
    except (OSError, UnicodeDecodeError):
        return ""
    return first.split(". ")[0].rstrip(".") if "simulated" in first.lower() else ""


# --- what every dataset has in common ----------------------------------------------------------------------------


def _plan(data: Data, report: Report) -> Plan | None:
    """The plan of a dataset, or None and the source's refusal in the report."""
    try:
        made = look(data)
    except (SvqkitError, OSError) as error:
        report.refusal = str(error)
        return None
    report.says = made.title
    report.notes += made.notes
    report.frames = made.frames
    report.frame_bytes = np.dtype(made.dtype).itemsize * int(np.prod(made.frame_shape))
    return made


def _windows(report: Report, made: Plan | None, expected: Mapping[Protocol, Counts] | None, source: str) -> None:
    """How many windows each protocol has, beside how many it should have."""
    for protocol in ("clean", "paper"):
        should = _counts(expected[protocol]) if expected else UNKNOWN
        starts = made.windows[protocol].starts if made else None
        found = _counts({split: len(starts[split]) for split in SPLITS}) if starts else "no plan"
        fits = should == found if made and expected else None
        report.checks.append(Check(f"windows, {protocol}", should, found, fits, source))


def _counts(counts: Counts) -> str:
    return " / ".join(f"{counts[split]:,}" for split in SPLITS)


def _compare(what: str, expected: str, values: Mapping[str, str], source: str) -> list[Check]:
    """One value per file, all of which should be ``expected``; nothing when there is no file."""
    if not values:
        return []
    others = {name: value for name, value in values.items() if value != expected}
    tally = Counter(others.values()).most_common()
    found = f"{tally[0][0]} in {tally[0][1]} of {len(values)}" if others else expected
    found += ", others in the rest" if len(tally) > 1 else ""
    return [Check(what, expected, found, not others, source, tuple(others))]


def _number(what: str, fact: Fact, found: int) -> Check:
    """One number beside the published one."""
    return Check(what, f"{fact.numbers[0]:,}", f"{found:,}", found == fact.numbers[0], fact.source)


def some_of(names: Sequence[str]) -> str:
    """The first of many names, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _size(paths: Iterable[Path]) -> str:
    """ "9 files, 5.4 MB" """
    sizes = [path.stat().st_size for path in paths]
    return f"{len(sizes):,} file{'s' if len(sizes) != 1 else ''}, {in_bytes(sum(sizes))}"


def in_bytes(count: int) -> str:
    """A number of bytes in the unit that fits it."""
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} B"


# --- weather ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Header:
    """What a NetCDF file says of itself: its years, hours and cadence, the lengths of its other axes, its title."""

    years: frozenset[int]
    hours: int
    step: str
    grid: str
    levels: int
    title: str


def _look_at_weather(data: WeatherData, place: Path, report: Report) -> None:
    report.place = place
    years = published.weather_years(data)
    headers: dict[str, dict[Path, Header]] = {variable: {} for variable in data.variables}
    there: dict[str, set[int]] = {variable: set() for variable in data.variables}
    files = []
    for variable in data.variables:
        for path in _weather_files(place, variable):
            named = re.search(r"_(\d{4})\D", path.name)
            has = {int(named[1])} if named else set()
            if has.isdisjoint(years) and named:
                continue
            try:
                headers[variable][path] = header = _header(path, variable)
                has = header.years
            except (SvqkitError, OSError) as error:
                report.damaged.append(str(error))
            there[variable] |= has & set(years)
            files.append(path)
    _years(data, years, there, files, report)
    _axes(headers, report)
    periods = (data.train, data.validation, data.test)
    came = " / ".join(spans(range(int(first[:4]), int(last[:4]) + 1)) for first, last in periods)
    if expected := published.PERIODS.get(report.dataset):
        should = " / ".join(expected)
        report.checks.append(Check("periods", should, came, should == came, published.PERIODS_SOURCE))
    made = _plan(data, report)
    _windows(report, made, published.weather_windows(data), "computed from periods and definition")
    if made is None:
        titles = (header.title for files in headers.values() for header in files.values() if header.title)
        report.says = next(titles, "")
        levels = [any(header.levels for header in headers[one].values()) for one in data.variables]
        channels = sum(len(data.levels) if has else 1 for has in levels)
        report.frames, report.when_whole = sum(published.weather_frames(data).values()), True
        report.frame_bytes = 4 * channels * int(np.prod(FACTS["weather grid"].numbers))


def _weather_files(place: Path, variable: str) -> list[Path]:
    name = LONG_NAMES.get(variable, variable)
    return sorted((place / name).glob("*.nc")) or sorted(place.glob(f"{name}_[0-9]*.nc"))


def _years(
    data: WeatherData, years: Sequence[int], there: Mapping[str, set[int]], files: Sequence[Path], report: Report
) -> None:
    """Which years of which variables are there, and which files are missing."""
    report.found.append(f"{_size(files)} of the years {spans(years)}")
    for has, variables in _alike({one: tuple(sorted(there[one])) for one in data.variables}):
        report.found.append(f"{_variables(variables)}: {spans(has) or 'none of these years'}")
    for lacks, variables in _alike({one: tuple(sorted(set(years) - there[one])) for one in data.variables}):
        if lacks:
            names = tuple(published.weather_file(one, year) for one in variables for year in lacks)
            also = f", the same of {spans(lacks[1:])}" if len(lacks) > 1 else ""
            of = f"; also of {_variables(variables[1:])}" if len(variables) > 1 else ""
            archive = published.weather_archive(variables[0])
            report.missing.append(Missing(f"{names[0]}{also} (from {archive}){of}", names))


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
    every = {path: header for files in headers.values() for path, header in files.items()}
    grids = {path.name: header.grid for path, header in every.items()}
    report.checks += _compare("grid", by(FACTS["weather grid"].numbers), grids, FACTS["weather grid"].source)
    steps = {path.name: header.step for path, header in every.items()}
    report.checks += _compare("one frame every", "1 h", steps, FACTS["weather step"].source)
    whole, hours = "8,760, leap 8,784", {}
    for variable, files in headers.items():
        for path, header in files.items():
            should = sum(published.hours_of(variable, year).numbers[0] for year in header.years)
            hours[path.name] = whole if header.hours == should else f"{header.hours:,}"
    report.checks += _compare("hours a year", whole, hours, FACTS["weather hours"].source)
    levels = {path.name: str(header.levels) for path, header in every.items() if header.levels}
    report.checks += _compare("levels", str(FACTS["weather levels"].numbers[0]), levels, FACTS["weather levels"].source)


def _header(path: Path, variable: str) -> Header:
    """The header of a file.

    Raises:
        SvqkitError: it can't be opened, was cut short, or lacks the variable or an axis.
    """
    size = path.stat().st_size
    try:
        with netCDF4.Dataset(path) as file:
            names = {OTHER_NAMES.get(name, name): name for name in file.variables}
            lacking = [name for name in (variable, "time", "lat", "lon") if name not in names]
            if lacking:
                raise SvqkitError(f"{path} has no {', '.join(lacking)}; it has {', '.join(file.variables)}.")
            # A classic file that was cut short opens all the same.
            needed = sum(one.size * one.dtype.itemsize for one in file.variables.values() if one.dtype is not str)
            if file.data_model.startswith("NETCDF3") and size < needed:
                raise SvqkitError(
                    f"{path} is truncated: {size:,} bytes, its variables need {needed:,}. Fetch it again."
                )
            time = file.variables[names["time"]]
            if time.size == 0:
                raise SvqkitError(f"{path} holds no frame: its time axis is empty.")
            level = file.variables[names["level"]] if "level" in names else None
            return Header(
                *_times(time),
                grid=by([file.variables[names[name]].size for name in ("lat", "lon")]),
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


# --- KTH ----------------------------------------------------------------------------------------------------------


def _look_at_kth(data: KTHData, place: Path, report: Report) -> None:
    there = dict(_recordings(place))
    listing = next((path for path in (place / SEQUENCES, place / "kth" / SEQUENCES) if path.is_file()), None)
    if not there and listing is None:
        return
    report.place = place
    videos = [path for path in there.values() if path.is_file()]
    every = published.kth_recordings(range(1, 26), data.actions)
    persons = sorted({int(name[6:8]) for name in there})
    folders = len(there) - len(videos)
    if videos:
        report.found.append(f"{_size(videos)} (AVI)")
    if folders:
        report.found.append(f"{folders} folders of frames, as OpenSTL has them")
    report.found.append(f"persons {spans(persons) or 'none'}; {SEQUENCES}: {'there' if listing else 'not there'}")
    lacking = [name for name in every if name not in there]
    _missing_recordings(lacking, persons, bool(folders), report)
    if videos and listing is None:
        line = f"{SEQUENCES}, of the videos' own page: without it frames without a person are used as well"
        report.missing.append(Missing(line, (SEQUENCES,)))
    sizes = {}
    for path in videos:
        try:
            sizes[path.name] = by(inspect_video(path, whole=not any(name in path.name for name in BROKEN_OFF)).size)
        except SvqkitError as error:
            report.damaged.append(str(error))
    # Whether the folders of frames are as many as the videos is not known.
    whole = not lacking or (None if folders else False)
    source = FACTS["kth videos"].source
    report.checks.append(Check("recordings", f"{len(every)}", f"{len(every) - len(lacking)}", whole, source))
    report.checks += _compare("frame size", by(FACTS["kth size"].numbers), sizes, FACTS["kth size"].source)
    _persons(data, report)
    made = _plan(data, report)
    fact = FACTS["kth published windows"]
    others = "here are such folders" if folders else "from the videos they can't be had"
    report.notes.append(
        f"published: {fact.numbers[0]:,} and {fact.numbers[1]:,} windows ({fact.source}), of PredRNN's frames; {others}"
    )
    if folders:
        _windows(report, made, None, "no count of these frames is known to be right")
    else:
        _windows(report, made, published.kth_windows(data), "computed from 00sequences.txt")
    if made is None and (frames := published.KTH_FRAMES.get(data.frames_out)) and not folders:
        report.frames, report.when_whole = frames, True
        report.frame_bytes = (3 if data.colour else 1) * data.size[0] * data.size[1]


def _recordings(place: Path) -> Iterator[tuple[str, Path]]:
    """Name and path of every recording, in the places where :mod:`svqkit.data.sources.kth` looks."""
    for base in (place, place / "kth"):
        folders = [base, *(entry for entry in sorted(base.glob("*")) if entry.name.lower() in KTH_ACTIONS)]
        for path in (path for folder in folders for path in sorted(folder.glob("person*"))):
            if name := _RECORDING.fullmatch(path.name):
                yield name[1].lower(), path


def _missing_recordings(lacking: Sequence[str], persons: Sequence[int], folders: bool, report: Report) -> None:
    """Persons of whom nothing is there, and the videos that are missing, by the archives that hold them."""
    if absent := [one for one in range(1, 26) if one not in persons]:
        report.missing.append(Missing(f"persons {spans(absent)} altogether", ()))
    archives: dict[str, list[str]] = {}
    for name in lacking:
        archives.setdefault(published.kth_archive(name), []).append(f"{name}_uncomp.avi")
    if folders and lacking:
        report.notes.append(f"of these recordings there is no folder: {some_of(lacking)}")
        archives = {}
    for archive, names in archives.items():
        report.missing.append(Missing(f"{some_of(names)} (from {archive})", tuple(names)))
    report.notes.append(f"{published.NEVER_PUBLISHED} is missing in the published set itself")


def _persons(data: KTHData, report: Report) -> None:
    """The reference trains on the persons that are here for training or validation."""
    expected, found = "1-16 / 17-25", f"{spans(sorted(data.train + data.validation))} / {spans(sorted(data.test))}"
    source = "OpenSTL, dataloader_kth.py (training / test)"
    report.checks.append(Check("persons", expected, found, expected == found, source))


# --- KittiCaltech -------------------------------------------------------------------------------------------------


def _look_at_kitticaltech(data: KittiCaltechData, place: Path, report: Report) -> None:
    report.place = place
    _look_at_kitti(data, place, report)
    _look_at_caltech(place, report)
    made = _plan(data, report)
    _windows(report, made, None, "no count of these files is published")
    train, test = FACTS["kitticaltech published windows"].numbers
    report.notes.append(f"published: {train:,} and {test:,} ({FACTS['kitticaltech published windows'].source})")


def _held_out(data: KittiCaltechData) -> str:
    """The drives for validation, and those that are left out."""
    names = [", ".join(one.split("_")[-2] for one in some) for some in (data.validation, data.unused)]
    return f"{names[0]} / {names[1]}"


def _look_at_kitti(data: KittiCaltechData, place: Path, report: Report) -> None:
    folder, frames = place / "kitti_hkl", place / "kitti"
    hickles = [folder / name for name in published.HICKLES]
    if frames.is_dir() and not hickles[0].exists():
        images = [path for path in frames.rglob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg")]
        report.found.append(f"kitti: {_size(images)}")
        usual = KittiCaltechData(root=data.root)
        names, came = [_held_out(one) for one in (usual, data)]
        report.checks.append(Check("held out", names, came, names == came, "PredNet, process_kitti.py"))
        return
    report.found.append(f"kitti_hkl: {_size([path for path in hickles if path.exists()])}")
    lacking = [f"kitti_hkl/{path.name}" for path in hickles if not path.exists()]
    if lacking:
        report.missing.append(Missing(f"{', '.join(lacking)} (from PredNet's kitti_data.zip)", tuple(lacking)))
    sizes = {}
    for path in (hickles[0], hickles[2]):
        if path.exists():
            try:
                array = find_array(path)
            except SvqkitError as error:
                report.damaged.append(str(error))
                continue
            sizes[path.name] = by(array.shape[1:3])
            report.found.append(f"{path.name}: {array.shape[0]:,} frames")
    report.checks += _compare("frames of KITTI", by(FACTS["kitti size"].numbers), sizes, FACTS["kitti size"].source)


def _look_at_caltech(place: Path, report: Report) -> None:
    folder, every = place / "caltech", published.caltech_videos()
    cache = [folder / name for name in ("data_cache.npy", "indices_cache.npy")]
    if cache[0].exists() and not any((folder / name).exists() for name in published.CALTECH_SETS):
        report.found.append(f"caltech: {_size([path for path in cache if path.exists()])}, OpenSTL's cache")
        if not cache[1].exists():
            report.missing.append(Missing("caltech/indices_cache.npy (from OpenSTL)", ("caltech/indices_cache.npy",)))
        return
    videos = {name: folder / name for name in every if (folder / name).exists()}
    others = {
        f"{path.parent.name}/{path.stem}.seq": path
        for name in published.CALTECH_SETS
        for path in sorted((folder / name).rglob("*"))
        if path.suffix.lower() in (".seq", ".avi", ".mp4")
    }
    there = {**others, **videos}
    report.found.append(f"caltech: {_size(there.values())} of {len(every)} videos of sets 06 to 10")
    lacking = [name for name in every if name not in there]
    for name in published.CALTECH_SETS:
        if of_set := [f"caltech/{one}" for one in lacking if one.startswith(name)]:
            report.missing.append(Missing(f"{some_of(of_set)} (from {name} of data_and_labels.zip)", tuple(of_set)))
    sizes = {}
    for name, path in videos.items():
        try:
            header = read_header(path)
            sizes[name] = by((header.height, header.width))
        except SvqkitError as error:
            report.damaged.append(str(error))
    fact = FACTS["caltech videos"]
    report.checks.append(Check("videos of Caltech", f"{sum(fact.numbers)}", f"{len(there)}", not lacking, fact.source))
    report.checks += _compare(
        "frames of Caltech", by(FACTS["caltech size"].numbers), sizes, FACTS["caltech size"].source
    )


# --- Human3.6M ----------------------------------------------------------------------------------------------------


def _look_at_human(data: HumanData, place: Path, report: Report) -> None:
    report.place = place
    count = total = 0
    persons: set[int] = set()
    first = None
    if (place / "images").is_dir():
        with os.scandir(place / "images") as entries:
            for entry in entries:
                if person := re.match(r"S(\d+)_", entry.name):
                    persons.add(int(person[1]))
                    count, total, first = count + 1, total + entry.stat().st_size, first or Path(entry.path)
    report.found.append(f"{count:,} images, {in_bytes(total)}; persons {spans(sorted(persons)) or 'none'}")
    for name, fact in zip(LISTS, FACTS["human sequences"].numbers, strict=True):
        path = place / name
        if path.is_file():
            lines = sum(1 for line in path.read_bytes().splitlines() if line.strip())
            source = FACTS["human sequences"].source
            report.checks.append(Check(name, f"{fact:,}", f"{lines:,}", lines == fact, source))
        else:
            report.missing.append(Missing(f"{name} (OpenSTL's tools/prepare_data/meta/human/{name})", (name,)))
    lacking = [one for one in FACTS["human persons"].numbers if one not in persons]
    if lacking:
        archives = ", ".join(f"S{one}.tar" for one in lacking)
        report.missing.append(Missing(f"images of persons {spans(lacking)} (from {archives})", ()))
    if first:
        _size_of_image(first, report)
    made = _plan(data, report)
    frames = FACTS["human frames"]
    if made:
        report.checks.append(_number("frames of the lists", frames, made.frames))
    else:
        report.frames, report.when_whole = frames.numbers[0], True
        report.frame_bytes = 3 * data.size[0] * data.size[1]
    _windows(report, made, published.human_windows(data), FACTS["human sequences"].source)


def _size_of_image(path: Path, report: Report) -> None:
    fact = FACTS["human size"]
    try:
        size = by(image_size(path))
    except SvqkitError as error:
        report.damaged.append(str(error))
        return
    # Images of another size are resized when they are read, as the reference does.
    report.checks.append(Check("image size", by(fact.numbers), size, size == by(fact.numbers) or None, fact.source))


# --- TaxiBJ -------------------------------------------------------------------------------------------------------


def _look_at_taxibj(data: TaxiBJData, place: Path, report: Report) -> None:
    report.place = place
    records = [place / name for name in published.TAXIBJ_RECORDS if (place / name).exists()]
    if (place / "dataset.npz").exists():
        _look_at_samples(place / "dataset.npz", report)
        if records:
            report.notes.append("dataset.npz is used; the HDF5 files beside it are not")
    else:
        _look_at_records(place, records, report)


def _look_at_samples(path: Path, report: Report) -> None:
    report.found.append(f"dataset.npz: {_size([path])}")
    lacking = [key for key in published.TAXIBJ_KEYS if key not in NpzMember.keys(path)]
    if lacking:
        report.missing.append(Missing(f"the arrays {', '.join(lacking)} of dataset.npz", tuple(lacking)))
        return
    shapes = {key: NpzMember.open(path, key).shape for key in published.TAXIBJ_KEYS}
    samples = {key: by(shape[1:]) for key, shape in shapes.items()}
    fact = FACTS["taxibj sample"]
    report.checks += _compare("sample", by(fact.numbers), samples, fact.source)
    if any(len(shape) != len(shapes["X_train"]) or len(shape) < 2 for shape in shapes.values()):
        return
    train, test = shapes["X_train"][0], shapes["X_test"][0]
    report.checks.append(_number("training samples", FACTS["taxibj training samples"], train))
    report.checks.append(Check("test samples", UNKNOWN, f"{test:,}", None, "no count found in public"))
    for key, count in (("Y_train", train), ("Y_test", test)):
        if shapes[key][0] != count:
            report.damaged.append(f"{path}: {key} has {shapes[key][0]:,} samples, X{key[1:]} has {count:,}.")
    paper = {"train": train, "validation": test, "test": test}
    source = "the samples; of clean only prepare tells, which compares all values"
    report.checks.append(Check("windows, paper", UNKNOWN, _counts(paper), None, source))
    report.frames = (train + test) * (shapes["X_train"][1] + shapes["Y_train"][1])
    report.frame_bytes = 4 * int(np.prod(shapes["X_train"][2:]))


def _look_at_records(place: Path, records: Sequence[Path], report: Report) -> None:
    report.found.append(f"the original files: {_size(records)}")
    lacking = tuple(name for name in published.TAXIBJ_RECORDS if not (place / name).exists())
    if lacking:
        report.missing.append(Missing(f"{', '.join(lacking)} (DeepST, data/TaxiBJ)", lacking))
    grids, days, slots = {}, 0, {}
    for path in records:
        try:
            with h5py.File(path, "r") as file:
                grids[path.name] = by(file["data"].shape[1:])
                slots[path.name] = file["data"].shape[0]
                per_day = Counter(stamp[:8] for stamp in file["date"][()].tolist())
        except (OSError, KeyError, AttributeError, TypeError) as error:
            report.damaged.append(f"{path} can't be read as one of TaxiBJ's files ({error}). Fetch it again.")
            continue
        days += sum(count == 48 for count in per_day.values())
    report.checks += _compare("values", by(FACTS["taxibj sample"].numbers[1:]), grids, "DeepST, data/TaxiBJ/README.md")
    if published.TAXIBJ_RECORDS[-1] in slots:
        last = slots[published.TAXIBJ_RECORDS[-1]]
        report.checks.append(_number("slots of BJ16", FACTS["taxibj slots of 2016"], last))
    report.found.append(f"{days} days with all of their 48 slots")
    report.notes.append("the published scores are made with dataset.npz, not with these files")
    report.frames, report.frame_bytes = days * 48, 4 * int(np.prod(FACTS["taxibj sample"].numbers[1:]))


LOOKS: Mapping[str, Callable[..., None]] = {
    "weather": _look_at_weather,
    "kth": _look_at_kth,
    "kitticaltech": _look_at_kitticaltech,
    "human": _look_at_human,
    "taxibj": _look_at_taxibj,
}
