"""Weather records: which files hold a variable, and which of their frames form the periods and windows.

``<root>/<long name>/*`` is WeatherBench's layout; any other variable lies in a folder of its own name; or all variables
lie together in ``<root>/*``; or ``root`` is one file or Zarr store. How files are read is told in
:mod:`svqkit.data.sources.gridded`. Every file's time axis and grid are checked before any of its data are read; files
without a frame in any period are left alone.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from svqkit.data.plan import Clip, Part, Plan, Windowing, every_window
from svqkit.data.sources.gridded import (
    HOUR,
    LONG_NAMES,
    Piece,
    Source,
    files_of,
    find_levels,
    gridded_in,
    holds,
    inspect,
    is_store,
    is_url,
    join,
    notes_of,
    read,
    refuse_other_grid,
    shown_time,
)
from svqkit.errors import SvqkitError, hint, listed
from svqkit.settings.data import SPLITS, Split, WeatherData

PART_BYTES = 2**26
# The netCDF library is not made for threads: two that open files at the same time crash the process.
_ONE_READS = threading.Lock()


@dataclass(frozen=True)
class Record:
    """What the files of all variables hold together, checked but not read yet.

    Attributes:
        pieces: per variable its pieces in the order of time.
        levels: wanted of each variable that has levels.
        times: (N,) datetime64, every frame of every wanted period.
        lat, lon: degrees north, degrees east.
        channels: name of each channel, such as "t2m" or "t_850".
        units: unit of each channel, that of the variable's first file.
        title: what the first file says of itself, if it does.
        simulated: whether the title or the source of any file begins with that word.
        variables: the variable of each channel.
        last_raw: the last time of each period that the files hold, whether it is a frame or not.
        notes: what a reader should know of the files.
    """

    pieces: dict[str, list[Piece]]
    levels: tuple[int, ...]
    times: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    channels: tuple[str, ...]
    units: tuple[str, ...]
    title: str
    simulated: bool
    variables: tuple[str, ...]
    last_raw: dict[Split, np.datetime64]
    notes: tuple[str, ...]

    def parts(self, frames: int) -> list["Block"]:
        """Cut the record into blocks of at most ``frames`` frames, in order of time."""
        return [Block(self, self.times[start : start + frames]) for start in range(0, len(self.times), frames)]


@dataclass(frozen=True)
class Block:
    """The frames of a record at ``times``, which follow each other there."""

    record: Record
    times: np.ndarray

    @property
    def frames(self) -> int:
        """How many."""
        return len(self.times)

    def read(self) -> Iterator[np.ndarray]:
        """Yield all at once, (n, channel, lat, lon) in float32.

        Raises:
            SvqkitError: a file can't be read to its end, or holds a value that is not a finite number.
        """
        record = self.record
        units = dict(zip(record.variables, record.units, strict=True))
        with _ONE_READS:
            parts = [read(pieces, self.times, record.levels, units[name]) for name, pieces in record.pieces.items()]
        yield np.concatenate(parts, axis=1)


def plan(data: WeatherData) -> Plan:
    """Plan the store of a weather record.

    Raises:
        SvqkitError: as :func:`open_record`.
    """
    record = open_record(data)
    shape = len(record.channels), len(record.lat), len(record.lon)
    parts: list[Part] = [*record.parts(max(1, PART_BYTES // (4 * int(np.prod(shape)))))]
    return Plan(
        parts=parts,
        frame_shape=shape,
        dtype="float32",
        kind="grid",
        channels=record.channels,
        units=record.units,
        windows={"clean": _clean(record, data), "paper": _paper(record, data)},
        files=tuple(sorted({path for pieces in record.pieces.values() for p in pieces for path in files_of(p.source)})),
        title=record.title,
        simulated=record.simulated,
        axes={"time": record.times.astype("datetime64[h]"), "lat": record.lat, "lon": record.lon},
        lead_step=data.hours_per_frame,
        lead_units="hours",
        groups=_groups(record),
        notes=record.notes,
    )


def _clean(record: Record, data: WeatherData) -> Windowing:
    """Every run of consecutive frames that lies in a period."""
    clips = {split: clips_of(record.times, getattr(data, split), data.hours_per_frame) for split in SPLITS}
    length = data.frames_in + data.frames_out
    return Windowing(
        inputs=tuple(range(data.frames_in)),
        targets=tuple(range(data.frames_in, length)),
        starts={split: every_window(clips[split], length) for split in SPLITS},
        clips=clips,
    )


def _paper(record: Record, data: WeatherData) -> Windowing:
    """As the reference's loader: the last raw time step of a period is dropped, then one more window at the end."""
    clips = {split: clips_of(record.times, getattr(data, split), data.hours_per_frame) for split in SPLITS}
    for split, owned in clips.items():
        start, stop = owned.pop()
        owned.append((start, stop - 1 if record.times[stop - 1] == record.last_raw[split] else stop))
    if data.paper_offsets:
        offsets = np.array([*data.paper_offsets.inputs, *data.paper_offsets.targets])
        offsets = offsets - offsets[0]
    else:
        offsets = np.arange(data.frames_in + data.frames_out)
    starts = {split: every_window(owned, int(offsets[-1]) + 1)[:-1] for split, owned in clips.items()}
    inputs, targets = offsets[: data.frames_in].tolist(), offsets[data.frames_in :].tolist()
    return Windowing(tuple(inputs), tuple(targets), starts, clips)


def _groups(record: Record) -> tuple[str, ...]:
    """The variable of each channel when all have equally many levels: published scores of WeatherBench-M are means
    per variable first. With unequal numbers (WeatherBench-HMV) every channel counts for itself, as published. The two
    components of one wind (u10, v10) are no two variables: published scores are over both at once."""
    if {name[:1] for name in record.variables} == {"u", "v"} and len({name[1:] for name in record.variables}) == 1:
        return ()
    counts = {record.variables.count(name) for name in record.variables}
    return record.variables if len(counts) == 1 else record.channels


def clips_of(times: np.ndarray, period: tuple[str, str], hours: int) -> list[Clip]:
    """Return the clips [start, stop) of the frames inside a period, cut wherever a step is longer than ``hours``."""
    (indices,) = np.nonzero(in_period(times, period))
    steps = np.diff(times[indices].astype("datetime64[h]").astype(np.int64))
    cuts = np.flatnonzero((steps != hours) | (np.diff(indices) != 1)) + 1
    return [(int(part[0]), int(part[-1]) + 1) for part in np.split(indices, cuts) if len(part)]


def open_record(data: WeatherData) -> Record:
    """Find and check the files of every variable of ``data``, for all of its periods.

    Raises:
        SvqkitError: a missing or unreadable file, an absent variable or level, grids or units that differ, files that
            overlap, duplicate or unordered times, a wrong cadence, a hole (unless ``gaps: split``), a period
            without a frame; each names the file and the place.
    """
    pieces: dict[str, list[Piece]] = {}
    times: dict[str, np.ndarray] = {}
    channels, units, owners, notes, simulated = [], [], [], [], False
    for variable in data.variables:
        every = [inspect_source(source, variable, data) for source in find_sources(data.root, variable)]
        used = [piece for piece in every if _in_any_period(piece.times, data).any()] or every
        for others in pieces.values():
            refuse_other_grid(used[0], others[0])
        pieces[variable] = join(used)
        times[variable] = _wanted(pieces[variable], data)
        levels = data.levels if used[0].levels is not None else ()
        channels += [f"{variable}_{level}" for level in levels] or [variable]
        owners += [variable] * max(1, len(levels))
        # Files that give no unit are taken to have that of the others.
        units += [next((piece.units for piece in used if piece.units), "")] * max(1, len(levels))
        notes += notes_of(used)
        simulated = simulated or any(piece.simulated for piece in used)
    raw = np.concatenate([piece.times for piece in pieces[variable]])
    first = pieces[data.variables[0]][0]
    return Record(
        pieces=pieces,
        levels=data.levels,
        times=_same_times(times),
        lat=first.lat,
        lon=first.lon,
        channels=tuple(channels),
        units=tuple(units),
        title=used[0].title,
        simulated=simulated,
        variables=tuple(owners),
        last_raw={split: raw[in_period(raw, getattr(data, split))].max() for split in SPLITS},
        notes=tuple(notes),
    )


def in_period(times: np.ndarray, period: tuple[str, str]) -> np.ndarray:
    """Return which of ``times`` lie in a period; both of its dates are included, "2010" is the whole year."""
    first, after = period_bounds(period)
    return (times >= first) & (times < after)


def period_bounds(period: tuple[str, str]) -> tuple[np.datetime64, np.datetime64]:
    """Return the period's first hour, and the first hour after it."""
    return np.datetime64(period[0], "h"), (np.datetime64(period[1]) + 1).astype("datetime64[h]")


def find_sources(root: str | Path, variable: str) -> list[Source]:
    """Return the files or stores of a variable: ``root`` itself, those of its folder, or those of ``root`` with it.

    Raises:
        SvqkitError: there is none.
    """
    if is_url(root):
        return [str(root)]
    if is_store(root) or Path(root).is_file():
        return [Path(root)]
    root = Path(root)
    folder = root / LONG_NAMES.get(variable, variable)
    if folder.is_dir() and not is_store(folder):
        sources = gridded_in(folder)
    else:
        sources = [path for path in gridded_in(root) if holds(path, variable)] if root.is_dir() else []
    if not sources:
        state = "has no .nc file, nor GRIB or Zarr" if folder.is_dir() else "does not exist"
        known = "" if variable in LONG_NAMES else f" WeatherBench's variables are: {listed(LONG_NAMES)}."
        raise SvqkitError(
            f"The folder {folder.absolute()} {state}; expected files such as {folder.name}_2010_5.625deg.nc there, or "
            f"files with the variable {variable!r}{'' if variable in LONG_NAMES else hint(variable, LONG_NAMES)} in "
            f"{root.absolute()}.{known} For the bundled sample run `dvc pull`; for your own data see docs/own_data.md."
        )
    return sources


def inspect_source(source: Source, variable: str, data: WeatherData) -> Piece:
    """Look at one file; of those without a frame in any period levels and times may be others.

    Raises:
        SvqkitError: as :func:`svqkit.data.sources.gridded.inspect`; a level is absent; times don't fit the settings.
    """
    piece = inspect(source, variable)
    if _in_any_period(piece.times, data).any():
        find_levels(piece, data.levels)
        _check_times(piece, data.hours_per_frame)
    return piece


def _check_times(piece: Piece, hours: int) -> None:
    """Times must rise, and step by a whole part of the wanted cadence; holes are judged later, per period."""
    times = piece.times
    steps = np.diff(times)
    for bad, what in ((steps == 0 * HOUR, "twice"), (steps < 0 * HOUR, "out of order")):
        if bad.any():
            at = int(np.argmax(bad)) + 1
            raise SvqkitError(
                f"{piece.where}: the time {shown_time(times[at])} comes {what} (index {at} of the time axis)."
            )
    if not (times == times.astype("datetime64[h]")).any():
        raise SvqkitError(
            f"{piece.where}: no time is a full hour, the first is {shown_time(times[0])}. Shift them, e.g. with "
            'xarray: data.assign_coords(time=data.time.dt.floor("h")).'
        )
    if len(steps) and (np.timedelta64(hours, "h") % steps.min()) != 0 * HOUR:
        raise SvqkitError(
            f"{piece.where}: wrong cadence, one frame every {steps.min() / HOUR:g} h; `hours_per_frame: {hours}` needs "
            f"frames every {hours} h or a whole part of that."
        )


def _in_any_period(times: np.ndarray, data: WeatherData) -> np.ndarray:
    return np.any([in_period(times, getattr(data, split)) for split in SPLITS], axis=0)


def _wanted(pieces: list[Piece], data: WeatherData) -> np.ndarray:
    """The times that lie in a period, on the wanted cadence, and (else) without holes."""
    times, phase = np.concatenate([piece.times for piece in pieces]), _phase(pieces, data.hours_per_frame)
    wanted = times[_on_cadence(times, data.hours_per_frame, phase) & _in_any_period(times, data)]
    for split in SPLITS:
        _check_period(split, getattr(data, split), wanted, pieces, data, phase)
    return wanted


def _phase(pieces: list[Piece], hours: int) -> int:
    """The first frame's hour of the day: 0, or, where no frame lies there (daily means at 12:00), that of the files."""
    if any(_on_cadence(piece.times, hours, 0).any() for piece in pieces):
        return 0
    return int(pieces[0].times[0].astype("datetime64[h]").astype(np.int64)) % hours


def _on_cadence(times: np.ndarray, hours: int, phase: int) -> np.ndarray:
    whole = times.astype("datetime64[h]")
    return (whole.astype(np.int64) % hours == phase) & (whole == times)


def _check_period(
    split: Split, period: tuple[str, str], times: np.ndarray, pieces: list[Piece], data: WeatherData, phase: int
) -> None:
    inside = times[in_period(times, period)]
    if len(inside) == 0:
        raise SvqkitError(
            f"The {split} period {list(period)} holds no frame: the files in {Path(pieces[0].where).parent} cover "
            f"{shown_time(pieces[0].times[0])} to {shown_time(pieces[-1].times[-1])}. Change the period, or add the "
            "files."
        )
    if data.gaps == "split":
        return
    step = data.hours_per_frame * HOUR
    # The first frame from the period's start on, and the first one after its end.
    bounds = period_bounds(period)
    first, after = (bound + (phase - bound.astype(np.int64)) % data.hours_per_frame * HOUR for bound in bounds)
    expected = np.concatenate([[first - step], inside.astype("datetime64[h]"), [after]])
    holes = np.flatnonzero(np.diff(expected) > step)
    if len(holes):
        before, following = expected[holes[0]], expected[holes[0] + 1]
        near = max(
            (piece for piece in pieces if piece.times[0] <= following), key=lambda p: p.times[0], default=pieces[0]
        )
        raise SvqkitError(
            f"A hole in the {split} period {list(period)}: no frame after {shown_time(before)} until "
            f"{shown_time(following)} (in or next to {near.where}). Add the missing file, change the period, or set "
            "`gaps: split` if windows should just not cross holes."
        )


def _same_times(axes: dict[str, np.ndarray]) -> np.ndarray:
    (first, times), *others = axes.items()
    for other, axis in others:
        if not np.array_equal(axis, times):
            lacking = np.setxor1d(axis, times)
            raise SvqkitError(
                f"{first} and {other} have different times, e.g. {shown_time(lacking[0])} is in one of them only; "
                "every variable needs the same frames."
            )
    return times
