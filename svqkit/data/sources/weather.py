"""Weather records: which files hold a variable, and which of their frames form the periods and windows.

``<root>/<long name>/*`` is WeatherBench's layout; any other variable lies in a folder of its own name; or all variables
lie together in ``<root>/*``; or ``root`` is one file or Zarr store. How files are read is told in
:mod:`svqkit.data.sources.gridded`. Every file's time axis and grid are checked before any of its data are read; files
without a frame in any period are left alone.
"""

import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from svqkit.data.plan import Clip, Plan, Windowing, every_window
from svqkit.data.sources import gridded
from svqkit.data.sources.gridded import HOUR, LONG_NAMES, Piece, Source, Variable, shown_time
from svqkit.data.sources.zarrstore import is_url
from svqkit.errors import SvqkitError, hint, listed
from svqkit.settings.data import SPLITS, Split, WeatherData
from svqkit.userfiles import refuse_escape

PART_BYTES = 2**26
# The netCDF library is not made for threads: two that open files at the same time crash the process.
_ONE_READS = threading.Lock()


@dataclass(frozen=True)
class Block:
    """The frames at ``times``, which follow each other in the files."""

    variables: Sequence[Variable]
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
        with _ONE_READS:
            parts = [gridded.read(variable, self.times) for variable in self.variables]
        yield np.concatenate(parts, axis=1)


def plan(data: WeatherData) -> Plan:
    """Plan the store of a weather record: find and check the files of every variable, for all of its periods.

    Raises:
        SvqkitError: a missing or unreadable file, an absent variable or level, grids or units that differ, files that
            overlap, duplicate or unordered times, a wrong cadence, a hole (unless ``gaps: split``), a period
            without a frame; each names the file and the place.
    """
    variables = [_variable(name, data) for name in data.variables]
    first = variables[0].pieces[0]
    for other in variables[1:]:
        gridded.refuse_other_grid(first, other.pieces[0])
    pieces = [piece for variable in variables for piece in variable.pieces]
    times = _same_times({variable.name: _wanted(variable.pieces, data) for variable in variables})
    owners = [variable.name for variable in variables for _ in variable.channels]
    shape = len(owners), len(first.lat), len(first.lon)
    step = max(1, PART_BYTES // (4 * math.prod(shape)))
    channels = tuple(channel for variable in variables for channel in variable.channels)
    raw = np.concatenate([piece.times for piece in variables[-1].pieces])
    return Plan(
        parts=[Block(variables, times[start : start + step]) for start in range(0, len(times), step)],
        frame_shape=shape,
        dtype="float32",
        kind="grid",
        channels=channels,
        units=tuple(variable.units for variable in variables for _ in variable.channels),
        windows={"clean": Windowing.consecutive(data, _clips(times, data)), "paper": _paper(times, raw, data)},
        files=tuple(sorted({path for piece in pieces for path in gridded.files_of(piece.source)})),
        title=variables[-1].pieces[0].title,
        simulated=any(piece.simulated for piece in pieces),
        axes={"time": times.astype("datetime64[h]"), "lat": first.lat, "lon": first.lon},
        lead_step=data.hours_per_frame,
        lead_units="hours",
        groups=_groups(owners, channels),
        notes=tuple(note for variable in variables for note in gridded.notes_of(variable.pieces)),
    )


def _clips(times: np.ndarray, data: WeatherData) -> dict[Split, list[Clip]]:
    return {split: clips_of(times, getattr(data, split), data.hours_per_frame) for split in SPLITS}


def _paper(times: np.ndarray, raw: np.ndarray, data: WeatherData) -> Windowing:
    """As the reference's loader: the last raw time step of a period is dropped, then one more window at the end."""
    clips = _clips(times, data)
    for split, owned in clips.items():
        start, stop = owned.pop()
        last = raw[in_period(raw, getattr(data, split))].max()
        owned.append((start, stop - 1 if times[stop - 1] == last else stop))
    inputs, targets = tuple(range(data.frames_in)), tuple(range(data.frames_in, data.frames_in + data.frames_out))
    if offsets := data.paper_offsets:
        both = offsets.inputs, offsets.targets
        inputs, targets = (tuple(offset - offsets.inputs[0] for offset in part) for part in both)
    starts = {split: every_window(owned, targets[-1] + 1)[:-1] for split, owned in clips.items()}
    return Windowing(inputs, targets, starts, clips)


def _groups(owners: Sequence[str], channels: tuple[str, ...]) -> tuple[str, ...]:
    """The variable of each channel when all have equally many levels: published scores of WeatherBench-M are means
    per variable first. With unequal numbers (WeatherBench-HMV) every channel counts for itself, as published. The two
    components of one wind (u10, v10) are no two variables: published scores are over both at once."""
    if {name[:1] for name in owners} == {"u", "v"} and len({name[1:] for name in owners}) == 1:
        return ()
    return tuple(owners) if len({owners.count(name) for name in owners}) == 1 else channels


def clips_of(times: np.ndarray, period: tuple[str, str], hours: int) -> list[Clip]:
    """Return the clips [start, stop) of the frames inside a period, cut wherever a step is longer than ``hours``."""
    (indices,) = np.nonzero(in_period(times, period))
    steps = np.diff(times[indices].astype("datetime64[h]").astype(np.int64))
    cuts = np.flatnonzero((steps != hours) | (np.diff(indices) != 1)) + 1
    return [(int(part[0]), int(part[-1]) + 1) for part in np.split(indices, cuts) if len(part)]


def _variable(name: str, data: WeatherData) -> Variable:
    """A variable in the files that have a frame in any period; what its grid is, is up to the first of these."""
    every = [inspect_source(source, name, data) for source in find_sources(data.root, name)]
    pieces = gridded.join([piece for piece in every if _in_any_period(piece.times, data).any()] or every)
    units = next((piece.units for piece in pieces if piece.units), "")
    return Variable(name, pieces, data.levels if pieces[0].levels is not None else (), units)


def in_period(times: np.ndarray, period: tuple[str, str]) -> np.ndarray:
    """Return which of ``times`` lie in a period; both of its dates are included, "2010" is the whole year."""
    first, after = period_bounds(period)
    return (times >= first) & (times < after)


def period_bounds(period: tuple[str, str]) -> tuple[np.datetime64, np.datetime64]:
    """Return the period's first hour, and the first hour after it."""
    last = np.datetime64(period[1])
    unit: Any = np.datetime_data(last.dtype)[0]  # the year, month, day or hour that it names
    return np.datetime64(period[0], "h"), (last + np.timedelta64(1, unit)).astype("datetime64[h]")


def find_sources(root: str | Path, variable: str) -> Sequence[Source]:
    """Return the files or stores of a variable: ``root`` itself, those of its folder, or those of ``root`` with it.

    Raises:
        SvqkitError: there is none.
    """
    if is_url(root):
        return [str(root)]
    root = Path(root)
    if gridded.is_store(root) or root.is_file():
        return [root]
    folder = root / (variable if (root / variable).is_dir() else LONG_NAMES.get(variable, variable))
    if folder.is_dir() and not gridded.is_store(folder):
        sources = gridded.sources_in(folder)
        for path in sources:
            refuse_escape(path, root)
    else:
        every = gridded.sources_in(root) if root.is_dir() else []
        for path in every:
            refuse_escape(path, root)
        sources = [path for path in every if gridded.holds(path, variable)]
        if every and not sources:
            there = set().union(*map(gridded.names_in, every))
            raise SvqkitError(
                f"None of the {len(every)} file(s) in {root.absolute()}, such as {every[0].name}, has the variable "
                f"{variable!r}; they have {listed(there)}{hint(variable, there)}. Name one of these, or add its file."
            )
    if not sources:
        state = "has no .nc file, nor GRIB or Zarr" if folder.is_dir() else "does not exist"
        known = "" if variable in LONG_NAMES else f"{hint(variable, LONG_NAMES)}. WeatherBench has {listed(LONG_NAMES)}"
        raise SvqkitError(
            f"The folder {folder.absolute()} {state}; expected files such as {folder.name}_2010_5.625deg.nc there, or "
            f"files with the variable {variable!r} in {root.absolute()}{known}. For the bundled sample run `dvc pull`; "
            "for your own data see docs/own_data.md."
        )
    return sources


def inspect_source(source: Source, variable: str, data: WeatherData) -> Piece:
    """Look at one file; of those without a frame in any period levels and times may be others.

    Raises:
        SvqkitError: as :func:`svqkit.data.sources.gridded.inspect`; a level is absent; times don't fit the settings.
    """
    piece = gridded.inspect(source, variable)
    if _in_any_period(piece.times, data).any():
        gridded.find_levels(piece, data.levels)
        _check_times(piece, data.hours_per_frame)
    return piece


def _check_times(piece: Piece, hours: int) -> None:
    """Times must rise, and step by a whole part of the wanted cadence; holes are judged later, per period."""
    gridded.refuse_unsorted(piece)
    times, steps = piece.times, np.diff(piece.times)
    if not (times == times.astype("datetime64[h]")).any():
        raise SvqkitError(
            f"{piece.where}: no time is a full hour, the first is {shown_time(times[0])}. Shift them, e.g. with "
            'xarray: data.assign_coords(time=data.time.dt.round("h")).'
        )
    if len(steps) and (np.timedelta64(hours, "h") % steps.min()) != 0 * HOUR:
        raise SvqkitError(
            f"{piece.where}: wrong cadence, one frame every {steps.min() / HOUR:g} h; `hours_per_frame: {hours}` needs "
            f"frames every {hours} h or a whole part of that."
        )


def _in_any_period(times: np.ndarray, data: WeatherData) -> np.ndarray:
    return np.any([in_period(times, getattr(data, split)) for split in SPLITS], axis=0)


def _wanted(pieces: Sequence[Piece], data: WeatherData) -> np.ndarray:
    """The times that lie in a period, on the wanted cadence, and (else) without holes.

    The first frame of a day is at 0 h, or, where no frame lies there (daily means at 12:00), where the files have it.
    """
    times, step = np.concatenate([piece.times for piece in pieces]), data.hours_per_frame
    whole = times.astype("datetime64[h]")
    hours, is_full = whole.astype(np.int64), whole == times
    phases = hours[is_full] % step
    phase = 0 if (phases == 0).any() or not len(phases) else int(phases[0])
    wanted = times[is_full & (hours % step == phase) & _in_any_period(times, data)]
    for split in SPLITS:
        _check_period(split, getattr(data, split), wanted, pieces, data, phase)
    return wanted


def _check_period(
    split: Split, period: tuple[str, str], times: np.ndarray, pieces: Sequence[Piece], data: WeatherData, phase: int
) -> None:
    inside = times[in_period(times, period)].astype("datetime64[h]")
    if len(inside) == 0:
        raise SvqkitError(
            f"The {split} period {list(period)} holds no frame: the files in {Path(pieces[0].where).parent} cover "
            f"{shown_time(pieces[0].times[0])} to {shown_time(pieces[-1].times[-1])}. Change the period, or add the "
            "files."
        )
    step, bounds = data.hours_per_frame * HOUR, period_bounds(period)
    # The first frame from the period's start on, and the first one after its end.
    first, after = (bound + (phase - bound.astype(np.int64)) % data.hours_per_frame * HOUR for bound in bounds)
    expected = np.concatenate([[first - step], inside, [after]])
    holes = np.flatnonzero(np.diff(expected) > step)
    if len(holes) and data.gaps == "error":
        before, following = expected[holes[0]], expected[holes[0] + 1]
        near = [piece for piece in pieces if piece.times[0] <= following] or pieces[:1]
        raise SvqkitError(
            f"A hole in the {split} period {list(period)}: no frame after {shown_time(before)} until "
            f"{shown_time(following)} (in or next to {near[-1].where}). Add the missing file, change the period, or "
            "set `gaps: split` if windows should just not cross holes."
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
