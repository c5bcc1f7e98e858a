"""Weather records: a folder of NetCDF files per variable, as WeatherBench publishes them.

``<root>/<long name>/<long name>_<anything>.nc`` with dimensions time, (level,) lat, lon. Any other variable lies in
a folder of its own name; or all variables lie together in ``<root>/*.nc``. Every file's time axis and grid are
checked before any of its data are read; files without a frame in any period are left alone.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import xarray as xr

from svqkit.data.plan import Clip, Part, Plan, Windowing, declares_simulated, every_window
from svqkit.data.sources.hdf5 import refuse_unfit
from svqkit.errors import SvqkitError, hint, listed
from svqkit.settings.data import SPLITS, Split, WeatherData

# Folder of each variable in WeatherBench (Rasp et al. 2020, arXiv 2002.00469).
LONG_NAMES = {
    "t2m": "2m_temperature",
    "u10": "10m_u_component_of_wind",
    "v10": "10m_v_component_of_wind",
    "tcc": "total_cloud_cover",
    "tp": "total_precipitation",
    "tisr": "toa_incident_solar_radiation",
    "z": "geopotential",
    "pv": "potential_vorticity",
    "r": "relative_humidity",
    "q": "specific_humidity",
    "t": "temperature",
    "u": "u_component_of_wind",
    "v": "v_component_of_wind",
    "vo": "vorticity",
}
# What other centres call the dimensions (ERA5 from the Climate Data Store, CF).
OTHER_NAMES = {
    "latitude": "lat",
    "longitude": "lon",
    "valid_time": "time",
    "pressure_level": "level",
    "isobaricInhPa": "level",
    "plev": "level",
}
HOUR = np.timedelta64(1, "h")
PART_BYTES = 2**26
# The netCDF library is not made for threads: two that open files at the same time crash the process.
_ONE_READS = threading.Lock()


@dataclass(frozen=True)
class Piece:
    """The frames of one file that are wanted: their times, and their indices along the file's time axis."""

    path: Path
    times: np.ndarray
    indices: np.ndarray


@dataclass(frozen=True)
class Record:
    """What the files of all variables hold together, checked but not read yet.

    Attributes:
        pieces: per variable its pieces in the order of time; all variables have the same times.
        times: (N,) datetime64, every frame of every wanted period.
        lat, lon: degrees north, degrees east.
        channels: name of each channel, such as "t2m" or "t_850".
        units: unit of each channel as the files give it.
        title: what the first file says of itself, if it does.
        simulated: whether the title or the source of any file begins with that word.
        variables: the variable of each channel.
        last_raw: the last time of each period that the files hold, whether it is a frame or not.
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
        with _ONE_READS:
            parts = [read_variable(name, pieces, self.times, record.levels) for name, pieces in record.pieces.items()]
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
        files=tuple(sorted({piece.path for pieces in record.pieces.values() for piece in pieces})),
        title=record.title,
        simulated=record.simulated,
        axes={"time": record.times.astype("datetime64[h]"), "lat": record.lat, "lon": record.lon},
        lead_step=data.hours_per_frame,
        lead_units="hours",
        groups=_groups(record),
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
        SvqkitError: a missing or unreadable file, an absent variable or level, grids that differ, files that
            overlap, duplicate or unordered times, a wrong cadence, a hole (unless ``gaps: split``), a period
            without a frame; each names the file and the place.
    """
    pieces, axes, channels, units, owners, simulated = {}, {}, [], [], [], False
    for variable in data.variables:
        every = [inspect_file(path, variable, data) for path in _files(Path(data.root), variable)]
        files = [file for file in every if _in_any_period(file.times, data).any()] or every
        simulated = simulated or any(file.simulated for file in files)
        _same_grid([(variable, *axes[variable]) for variable in axes], files)
        axes[variable] = files[0].path, files[0].lat, files[0].lon
        pieces[variable] = _wanted(sorted(files, key=lambda file: file.times[0]), data)
        levels = data.levels if files[0].levels is not None else ()
        channels += [f"{variable}_{level}" for level in levels] or [variable]
        units += [files[0].units] * max(1, len(levels))
        owners += [variable] * max(1, len(levels))
    times = _same_times(pieces)
    lat, lon = axes[data.variables[0]][1:]
    raw = np.concatenate([file.times for file in files])
    return Record(
        pieces=pieces,
        levels=data.levels,
        times=times,
        lat=lat,
        lon=lon,
        channels=tuple(channels),
        units=tuple(units),
        title=files[0].title,
        simulated=simulated,
        variables=tuple(owners),
        last_raw={split: raw[in_period(raw, getattr(data, split))].max() for split in SPLITS},
    )


def in_period(times: np.ndarray, period: tuple[str, str]) -> np.ndarray:
    """Return which of ``times`` lie in a period; both of its dates are included, "2010" is the whole year."""
    first, after = period_bounds(period)
    return (times >= first) & (times < after)


def period_bounds(period: tuple[str, str]) -> tuple[np.datetime64, np.datetime64]:
    """Return the period's first hour, and the first hour after it."""
    return np.datetime64(period[0], "h"), (np.datetime64(period[1]) + 1).astype("datetime64[h]")


@dataclass(frozen=True)
class File:
    """Everything of a file but its values."""

    path: Path
    times: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    levels: np.ndarray | None
    units: str
    title: str
    simulated: bool


def _files(root: Path, variable: str) -> list[Path]:
    """The files of a variable: those of its folder, or those of ``root`` itself that hold it."""
    folder = root / LONG_NAMES.get(variable, variable)
    if folder.is_dir():
        files = sorted(folder.glob("*.nc"))
    else:
        files = [path for path in sorted(root.glob("*.nc")) if _holds(path, variable)]
    if not files:
        state = "has no .nc file" if folder.is_dir() else "does not exist"
        known = "" if variable in LONG_NAMES else f" WeatherBench's variables are: {listed(LONG_NAMES)}."
        raise SvqkitError(
            f"The folder {folder.absolute()} {state}; expected files such as {folder.name}_2010_5.625deg.nc there, or "
            f"files with the variable {variable!r}{hint(variable, LONG_NAMES)} in {root}.{known} "
            "For the bundled sample run `dvc pull`; for your own data see docs/own_data.md."
        )
    return files


def _holds(path: Path, variable: str) -> bool:
    with open_file(path, only_axes=True) as file:
        return variable in file


def open_file(path: Path, only_axes: bool = False) -> xr.Dataset:
    """Open a NetCDF file, its axes called time, level, lat and lon; with ``only_axes`` it may lack values.

    Raises:
        SvqkitError: it can't be opened, was cut short or refers to other files.
    """
    try:
        refuse_unfit(path, only_axes)
        file = xr.open_dataset(path, engine="netcdf4")
    except SvqkitError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        size = f"{path.stat().st_size:,} bytes" if path.exists() else "a link to nothing"
        raise SvqkitError(
            f"{path} ({size}) can't be opened as NetCDF: {error}. "
            "It is truncated or another kind of file; fetch it again."
        ) from error
    there = {*file.dims, *file.coords}
    return file.rename({old: new for old, new in OTHER_NAMES.items() if old in there and new not in there})


def inspect_file(path: Path, variable: str, data: WeatherData) -> File:
    """Read everything of a file but its values, and check it on its own.

    Raises:
        SvqkitError: it can't be opened, lacks the variable, an axis or a level, or its times don't fit the settings.
    """
    with open_file(path, only_axes=True) as file:
        if variable not in file:
            raise SvqkitError(f"{path} has no variable {variable!r}; it has: {listed(map(str, file.data_vars))}.")
        array = file[variable]
        expected = {"time", "lat", "lon"}
        if not expected <= set(array.dims) or not set(array.dims) <= expected | {"level"}:
            raise SvqkitError(
                f"{path}: {variable} has dimensions {array.dims}, expected time, (level,) lat, lon. "
                "Rename them, e.g. with xarray's rename."
            )
        for name in array.dims:
            if name not in file.coords:
                raise SvqkitError(f"{path}: {name} has no coordinate that says where its values lie. Add it.")
        levels = file["level"].values if "level" in array.dims else None
        times = file["time"].values
        if not np.issubdtype(times.dtype, np.datetime64):
            raise SvqkitError(
                f"{path}: the time axis is {times.dtype}, expected dates (units such as 'hours since …')."
            )
        if len(times) == 0 or _in_any_period(times, data).any():
            _check_levels(path, variable, levels, data.levels)
            _check_times(path, times, data.hours_per_frame)
        units = str(array.attrs.get("units", ""))
        title = str(file.attrs.get("title", ""))
        simulated = any(declares_simulated(str(file.attrs.get(name, ""))) for name in ("title", "source"))
        return File(path, times, file["lat"].values, file["lon"].values, levels, units, title, simulated)


def _check_levels(path: Path, variable: str, there: np.ndarray | None, wanted: tuple[int, ...]) -> None:
    if there is None:
        return
    if not wanted:
        raise SvqkitError(f"{path}: {variable} has levels {there.tolist()}; name the wanted ones in `levels`.")
    absent = [level for level in wanted if level not in there]
    if absent:
        raise SvqkitError(f"{path}: no level {absent} of {variable}; it has {there.tolist()}.")


def _check_times(path: Path, times: np.ndarray, hours: int) -> None:
    """Times must rise, and step by a whole part of the wanted cadence; holes are judged later, per period."""
    if len(times) == 0:
        raise SvqkitError(f"{path} holds no frame: its time axis is empty.")
    steps = np.diff(times)
    for bad, what in ((steps == 0 * HOUR, "twice"), (steps < 0 * HOUR, "out of order")):
        if bad.any():
            at = int(np.argmax(bad)) + 1
            raise SvqkitError(f"{path}: the time {_show(times[at])} comes {what} (index {at} of the time axis).")
    if not (times == times.astype("datetime64[h]")).any():
        raise SvqkitError(
            f"{path}: no time is a full hour, the first is {_show(times[0])}. Shift them, e.g. with xarray: "
            'data.assign_coords(time=data.time.dt.floor("h")).'
        )
    if len(steps) and (np.timedelta64(hours, "h") % steps.min()) != 0 * HOUR:
        raise SvqkitError(
            f"{path}: wrong cadence, one frame every {steps.min() / HOUR:g} h; `hours_per_frame: {hours}` needs "
            f"frames every {hours} h or a whole part of that."
        )


def _in_any_period(times: np.ndarray, data: WeatherData) -> np.ndarray:
    return np.any([in_period(times, getattr(data, split)) for split in SPLITS], axis=0)


def _same_grid(earlier: list[tuple[str, Path, np.ndarray, np.ndarray]], files: list[File]) -> None:
    first = files[0]
    for file in files[1:]:
        if (file.levels is None) != (first.levels is None):
            raise SvqkitError(f"Only one of {first.path} and {file.path} has levels. Keep files of one kind there.")
    others = [(file.path, file.lat, file.lon) for file in files[1:]] + [axis[1:] for axis in earlier]
    for path, lat, lon in others:
        for name, wanted, found in (("lat", first.lat, lat), ("lon", first.lon, lon)):
            if wanted.shape != found.shape or not np.allclose(wanted, found, atol=1e-4):
                raise SvqkitError(
                    f"The grids differ: {first.path} has {len(wanted)} {name} from {wanted[0]:g} to {wanted[-1]:g}, "
                    f"{path} has {len(found)} from {found[0]:g} to {found[-1]:g}. Regrid one of them, or move it "
                    "elsewhere."
                )


def _wanted(files: list[File], data: WeatherData) -> list[Piece]:
    """The frames of each file that lie in a period, on the wanted cadence, without overlap and (else) without holes."""
    for file, following in pairwise(files):
        if following.times[0] <= file.times[-1]:
            raise SvqkitError(
                f"{file.path} (until {_show(file.times[-1])}) and {following.path} (from {_show(following.times[0])}) "
                "overlap in time; remove one of them or cut it."
            )
    pieces, phase = [], _phase(files, data.hours_per_frame)
    for file in files:
        keep = _on_cadence(file.times, data.hours_per_frame, phase) & _in_any_period(file.times, data)
        if keep.any():
            pieces.append(Piece(file.path, file.times[keep], np.flatnonzero(keep)))
    times = np.concatenate([piece.times for piece in pieces]) if pieces else np.array([], "datetime64[ns]")
    for split in SPLITS:
        _check_period(split, getattr(data, split), times, files, data, phase)
    return pieces


def _phase(files: list[File], hours: int) -> int:
    """The first frame's hour of the day: 0, or, where no frame lies there (daily means at 12:00), that of the files."""
    if any(_on_cadence(file.times, hours, 0).any() for file in files):
        return 0
    return int(files[0].times[0].astype("datetime64[h]").astype(np.int64)) % hours


def _on_cadence(times: np.ndarray, hours: int, phase: int) -> np.ndarray:
    whole = times.astype("datetime64[h]")
    return (whole.astype(np.int64) % hours == phase) & (whole == times)


def _check_period(
    split: Split, period: tuple[str, str], times: np.ndarray, files: list[File], data: WeatherData, phase: int
) -> None:
    inside = times[in_period(times, period)]
    if len(inside) == 0:
        raise SvqkitError(
            f"The {split} period {list(period)} holds no frame: the files in {files[0].path.parent} cover "
            f"{_show(files[0].times[0])} to {_show(files[-1].times[-1])}. Change the period, or add the files."
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
        near = max((file for file in files if file.times[0] <= following), key=lambda f: f.times[0], default=files[0])
        raise SvqkitError(
            f"A hole in the {split} period {list(period)}: no frame after {_show(before)} until {_show(following)} "
            f"(in or next to {near.path}). Add the missing file, change the period, or set `gaps: split` "
            "if windows should just not cross holes."
        )


def _same_times(pieces: dict[str, list[Piece]]) -> np.ndarray:
    axes = {name: np.concatenate([piece.times for piece in parts]) for name, parts in pieces.items()}
    (first, times), *others = axes.items()
    for other, axis in others:
        if not np.array_equal(axis, times):
            lacking = np.setxor1d(axis, times)
            raise SvqkitError(
                f"{first} and {other} have different times, e.g. {_show(lacking[0])} is in one of them only; "
                "every variable needs the same frames."
            )
    return times


def read_variable(variable: str, pieces: list[Piece], times: np.ndarray, levels: tuple[int, ...]) -> np.ndarray:
    """Read one variable (n, level, lat, lon) float32 at ``times``, which follow each other in its pieces.

    Raises:
        SvqkitError: a file can't be read to its end, or holds a value that is not a finite number.
    """
    parts = []
    for piece in pieces:
        rows = piece.indices[np.isin(piece.times, times)]
        if len(rows) == 0:
            continue
        with open_file(piece.path) as file:
            array = file[variable].isel(time=slice(int(rows[0]), int(rows[-1]) + 1))
            try:
                if "level" in array.dims:
                    array = array.sel(level=list(levels)).transpose("time", "level", "lat", "lon")
                else:
                    array = array.transpose("time", "lat", "lon").expand_dims("level", axis=1)
                values = array.values[rows - rows[0]].astype(np.float32)
            except (OSError, RuntimeError) as error:
                raise SvqkitError(
                    f"{piece.path}: the data can't be read to the end ({error}); the file is truncated or damaged. "
                    "Fetch it again."
                ) from error
            _refuse_nan(piece.path, variable, values, file, rows)
            parts.append(values)
    return np.concatenate(parts)


def _refuse_nan(path: Path, variable: str, values: np.ndarray, file: xr.Dataset, rows: np.ndarray) -> None:
    bad = ~np.isfinite(values)
    if bad.any():
        frame, _, row, column = (int(axis[0]) for axis in np.nonzero(bad))
        raise SvqkitError(
            f"{path}: {variable} has {bad.sum()} value(s) that are NaN or infinite in this block, the first at "
            f"{_show(file['time'].values[rows[frame]])}, lat {file['lat'].values[row]:g}, "
            f"lon {file['lon'].values[column]:g}. Fill or cut them before you prepare the data."
        )


def _show(time: np.datetime64) -> str:
    return str(time.astype("datetime64[m]"))
