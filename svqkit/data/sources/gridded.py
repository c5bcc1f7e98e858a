"""Gridded records in any layout: NetCDF, GRIB or Zarr, a file or store per variable, per period, or for everything.

Whatever its own names, a variable is seen as (time, level, lat, lon) or (time, lat, lon): what stands for which is told
by the CF conventions and by the names that are in use. What nobody needs (number, surface, a scalar level) is left out.
Prepare, forecasts and the check of raw files all read through :func:`inspect` and :func:`read`.
"""

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import cf_xarray  # noqa: F401 (gives arrays their .cf)
import numpy as np
import pandas as pd
import xarray as xr

from svqkit.data.plan import declares_simulated
from svqkit.data.sources.hdf5 import refuse_unfit
from svqkit.data.sources.units import LARGEST, NAMES, convert, converts, same_unit, stand_in
from svqkit.data.sources.zarrstore import MARKS, files_in, is_url, missing_chunks, open_store, refuse_unfit_store
from svqkit.errors import SvqkitError, hint, listed
from svqkit.userfiles import reading

Source = str | Path | xr.Dataset

# What WeatherBench calls the folders of its variables.
LONG_NAMES: dict[str, str] = NAMES["long_names"]
NETCDF = (".nc", ".nc4", ".cdf", ".netcdf")
GRIB = (".grib", ".grb", ".grib2", ".grb2")
SUFFIXES = (*NETCDF, *GRIB)
# Names of a forecast's lead: the time from its issue to the moment that it is valid at.
LEADS = ("step", "prediction_timedelta", "lead_time", "leadtime", "forecast_period", "lead")
# By our name of an axis: the names that are in use, and what CF calls such a coordinate.
AXES: dict[str, Any] = NAMES["axes"]
STANDARD_CALENDARS = ("standard", "gregorian", "proleptic_gregorian")
HOUR, HALF_HOUR, SECOND = np.timedelta64(1, "h"), np.timedelta64(30, "m"), np.timedelta64(1, "s")


@dataclass(frozen=True, eq=False)
class Piece:
    """One variable in one file or store: everything but its values.

    Attributes:
        source: the file, the store, or a Dataset.
        where: how messages call it.
        variable: its short name, which may be another one there.
        times: (N,) datetime64[ns].
        lat, lon: degrees north, degrees east.
        levels: hPa where the unit is known; None without levels.
        units: as the file gives them.
        scalar_level: of a variable without levels, where the file tells it.
        attrs: what the file says of itself.
        notes: what a reader should know.
    """

    source: Source
    where: str
    variable: str
    times: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    levels: np.ndarray | None
    units: str
    scalar_level: float | None = None
    attrs: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What the file calls itself; "" if it doesn't."""
        return str(self.attrs.get("title", ""))

    @property
    def simulated(self) -> bool:
        """Whether the title or the source begins with that word."""
        return any(declares_simulated(str(self.attrs.get(name, ""))) for name in ("title", "source"))


@dataclass(frozen=True)
class Variable:
    """What the sources of a variable hold together, checked but not read yet.

    Attributes:
        pieces: in the order of time.
        levels: the wanted ones; () where it has none.
        units: those that it is read in.
    """

    name: str
    pieces: Sequence[Piece]
    levels: Sequence[int]
    units: str

    @property
    def channels(self) -> list[str]:
        """Name of each channel, such as "t2m" or "t_850"."""
        return [f"{self.name}_{level}" for level in self.levels] or [self.name]


def is_store(source: Source) -> bool:
    """Return whether ``source`` is a Zarr store: a folder with the marks of one, or a URL."""
    return is_url(source) or (isinstance(source, str | Path) and any((Path(source) / mark).is_file() for mark in MARKS))


def is_gridded(source: str | Path) -> bool:
    """Return whether it is a store, or a file that has a suffix of gridded ones or begins like them."""
    if is_store(source) or Path(source).suffix.lower() in SUFFIXES:
        return True
    with reading(source), Path(source).open("rb") as file:
        return file.read(8).startswith((b"CDF", b"\x89HDF", b"GRIB"))


def sources_in(folder: Path) -> list[Path]:
    """Return the gridded files and stores right in a folder, by name, without hidden ones (macOS writes ._x.nc).

    Raises:
        SvqkitError: the folder can't be read.
    """
    with reading(folder, aid="Name the folder.", plain=False):
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return [path for path in entries if path.suffix.lower() in SUFFIXES or is_store(path)]


def files_of(source: Source) -> list[Path]:
    """Return the files that a source is made of; none of a URL."""
    if is_url(source) or isinstance(source, xr.Dataset):
        return []
    return sorted(files_in(Path(source))) if is_store(source) else [Path(source)]


@contextmanager
def opened(source: Source) -> Iterator[list[xr.Dataset]]:
    """Open a file or store, lazily and with times as they are written; GRIB may give several Datasets.

    Raises:
        SvqkitError: it can't be opened, was cut short, is of another kind, or refers to other files.
    """
    if isinstance(source, xr.Dataset):
        yield [source]
        return
    with reading(source, "Zarr" if is_store(source) else "NetCDF or GRIB", plain=not is_store(source)):
        datasets = _open(source)
    try:
        yield datasets
    finally:
        for dataset in datasets:
            dataset.close()


def _open(source: str | Path) -> list[xr.Dataset]:
    if is_store(source):
        refuse_unfit_store(str(source))
        group = open_store(str(source))
        consolidated = group.metadata.consolidated_metadata is not None
        store = xr.open_zarr(str(source), chunks=None, decode_cf=False, consolidated=consolidated)
        for variable in store.variables.values() if group.metadata.zarr_format == 2 else ():
            # Zarr 2 writes a fill value of 0 where nobody chose one: it marks no missing value. Who packs chooses one.
            if variable.attrs.get("_FillValue") == 0 and not {"scale_factor", "add_offset"} & {*variable.attrs}:
                del variable.attrs["_FillValue"]
        return [xr.decode_cf(store, decode_times=False)]
    path = Path(source)
    stat = path.stat()
    with path.open("rb") as file:
        head = file.read(4)
    is_netcdf = head in (b"\x89HDF", b"CDF\1", b"CDF\2", b"CDF\5")
    if head == b"GRIB" or (path.suffix.lower() in GRIB and not is_netcdf):
        return _open_grib(str(path), stat.st_size, stat.st_mtime_ns)
    refuse_unfit(path, stat.st_size, stat.st_mtime_ns)
    return [xr.open_dataset(path, engine="netcdf4", decode_times=False)]


@lru_cache(maxsize=8)  # to find the messages in a file takes as long as to read it
def _open_grib(path: str, size: int, changed: int) -> list[xr.Dataset]:
    try:
        import cfgrib
    except (ImportError, RuntimeError) as error:
        raise SvqkitError(
            f"{path} is GRIB, which needs cfgrib and eccodes: pip install 'svqkit[grib]'. Or convert it to NetCDF, "
            "e.g. with grib_to_netcdf."
        ) from error
    # No index file is written beside the user's data.
    datasets = cfgrib.open_datasets(path, backend_kwargs={"indexpath": "", "errors": "raise"}, decode_times=False)
    for array in (array for dataset in datasets for array in dataset.data_vars.values() if "longitude" in array.dims):
        # cfgrib takes longitudes sorted from eccodes, where rounding hides that a coarse grid goes around.
        read = float(array["longitude"][0])
        first = array.attrs.get("GRIB_longitudeOfFirstGridPointInDegrees", read)
        if abs((read - first + 180) % 360 - 180) > 1e-3:
            raise SvqkitError(
                f"{path}: {array.name} begins at longitude {first:g}, which cfgrib reads as {read:g}. Convert it to "
                "NetCDF, e.g. with grib_to_netcdf or CDO."
            )
    return datasets


def holds(source: Source, variable: str) -> bool:
    """Return whether there is a variable of that name.

    Raises:
        SvqkitError: the source can't be opened.
    """
    return bool({variable, LONG_NAMES.get(variable)} & names_in(source))


def names_in(source: Source) -> set[str]:
    """Return the names of all variables.

    Raises:
        SvqkitError: the source can't be opened.
    """
    with opened(source) as datasets:
        return {str(name) for dataset in datasets for name in dataset.data_vars}


def _name_in(dataset: xr.Dataset, variable: str) -> str | None:
    """What a Dataset calls a variable: as we do, or by its long name."""
    return next((name for name in (variable, LONG_NAMES.get(variable)) if name in dataset.data_vars), None)


@contextmanager
def open_field(source: Source, variable: str) -> Iterator[tuple[xr.DataArray, xr.DataArray, Mapping]]:
    """Open a variable: as it is, as our (time, level, lat, lon) in any order, and the attributes of its Dataset.

    Raises:
        SvqkitError: the source can't be opened, lacks the variable, or the variable has other dimensions, or has them
            without coordinates.
    """
    with opened(source) as datasets:
        found = [(dataset, name) for dataset in datasets if (name := _name_in(dataset, variable))]
        where = name_of(source)
        if not found:
            names = {str(name) for dataset in datasets for name in dataset.data_vars}
            raise SvqkitError(f"{where} has no variable {variable!r}; it has: {listed(names)}{hint(variable, names)}.")
        if len(found) > 1:
            raise SvqkitError(
                f"{where} has {variable!r} in {len(found)} forms, of other levels or steps. Write the wanted one into "
                "a file of its own, e.g. with grib_copy -w."
            )
        dataset, name = found[0]
        yield dataset[name], as_field(dataset[name], where), dataset.attrs


def name_of(source: Source) -> str:
    """Return how messages call a source."""
    return "The input" if isinstance(source, xr.Dataset) else str(source)


def as_field(array: xr.DataArray, where: str) -> xr.DataArray:
    """Return a variable with the dimensions time, (level,) lat, lon, in its own order, and their coordinates alone.

    ERA5's first and preliminary release (expver 1 and 5) are put together, and so are forecasts of several steps when
    each moment comes once.

    Raises:
        SvqkitError: it has other dimensions, or a dimension without coordinate.
    """
    what = f"{where}: {array.name}"
    if len(set(array.dims)) < array.ndim:
        raise SvqkitError(f"{what} has the dimensions {array.dims}, one of them twice. Write it with each once.")
    if array.dtype.kind not in "fiu" or _dates_are_written(array.attrs):
        unit = array.attrs["units"] if _dates_are_written(array.attrs) else array.dtype
        raise SvqkitError(f"{what} holds no numbers but {unit}. Name another variable, or convert it.")
    array = _at_valid_times(array, what)
    array = array.squeeze([dim for dim in array.dims if array.sizes[dim] == 1 and not _roles(array, dim)], drop=True)
    roles = {dim: role for dim in array.dims for role in _roles(array, dim)}
    if "expver" in array.dims:
        releases = array.chunk({dim: "auto" for dim, role in roles.items() if role == "time"})
        releases = releases.sortby("expver") if "expver" in releases.coords else releases
        array = releases.isel(expver=0, drop=True)
        for number in range(1, releases.sizes["expver"]):
            array = array.fillna(releases.isel(expver=number, drop=True))
    wanted = {"time", "lat", "lon"} | ({"level"} & set(roles.values()))
    if sorted(roles.values()) != sorted(wanted) or set(roles) != set(array.dims):
        raise SvqkitError(
            f"{what} has dimensions {array.dims}, expected time, (level,) lat, lon. Rename them, e.g. with xarray's "
            "rename, or pick one of what is too many, e.g. with isel(member=0)."
        )
    for dim in array.dims:
        if dim not in array.coords:
            raise SvqkitError(f"{where}: {dim} has no coordinate that says where its values lie. Add it.")
    return array.reset_coords(drop=True).rename(roles)


def own_names(array: xr.DataArray) -> dict[str, str]:
    """Return what a variable calls our dimensions."""
    return {role: str(dim) for dim in array.dims for role in _roles(array, dim)}


def _roles(array: xr.DataArray, dim: Hashable) -> list[str]:
    """Which of our axes a dimension is: by its name, else by the attributes of its coordinate."""
    named = [role for role, axis in AXES.items() if str(dim).lower() in axis["names"]]
    if named or dim not in array.coords:
        return named
    attrs = array[dim].attrs
    if _dates_are_written(attrs):
        return ["time"]
    known = array.cf.coordinates
    found = [role for role, axis in AXES.items() if dim in known.get(axis["cf"], ())]
    return [role for role in found if role != "level" or attrs.get("standard_name") == "air_pressure"]


def _at_valid_times(array: xr.DataArray, what: str) -> xr.DataArray:
    """Give forecasts (time, step), as GRIB has them, one axis: the moments that they are valid at."""
    valid = array.coords.get("valid_time")
    # Beside a time of issue, `time` is when a forecast is valid, as CF has it.
    if valid is None and "valid_time" not in array.dims and "forecast_reference_time" not in array.coords:
        _refuse_lead(array, what)
    if valid is None or "valid_time" in array.dims:
        alone = [name for name in ("time", "valid_time") if name in array.coords and array[name].ndim == 0]
        return array.expand_dims(alone[:1]) if alone and "time" not in own_names(array) else array  # of one moment
    array = array.squeeze([dim for dim in ("time", "step") if array.sizes.get(dim) == 1])
    over = array["valid_time"].dims
    array = array.drop_vars([name for name in ("time", "step") if name in array.coords and name not in over])
    if len(over) < 2:
        array = array.expand_dims("valid_time") if not over else array.swap_dims({over[0]: "valid_time"})
        return array.reset_coords([name for name in ("time", "step") if name in array.coords], drop=True)
    moments = array["valid_time"]
    if len(np.unique(moments.values)) < moments.size:
        raise SvqkitError(
            f"{what} has forecasts of several steps for the same moment ({', '.join(map(str, over))}). Pick one, e.g. "
            "with isel(step=0), and write it to NetCDF."
        )
    lined = array.chunk({over[0]: "auto"}).drop_vars([*over, "valid_time"]).stack(valid_time=over, create_index=False)
    return lined.assign_coords(valid_time=("valid_time", moments.values.ravel(), moments.attrs)).sortby("valid_time")


def _refuse_lead(array: xr.DataArray, what: str) -> None:
    """Refuse forecasts whose times are those of their issue, with a lead that nobody adds to them."""
    leads = {name: axis.values.ravel() for name, axis in array.coords.items() if str(name).lower() in LEADS}
    for name, lead in leads.items():
        if lead.size == 1 and lead.dtype.kind in "fium" and lead[0] != 0:
            raise SvqkitError(
                f"{what} is of the forecast step {lead[0]} ({name}), and there is no valid_time. Add the step to the "
                f"times, e.g. with xarray: data.assign_coords(time=data.time + data.{name})."
            )


def _dates_are_written(attrs: Mapping) -> bool:
    return " since " in str(attrs.get("units", ""))


def inspect(source: Source, variable: str) -> Piece:
    """Read everything of a variable but its values, and check it on its own.

    Raises:
        SvqkitError: as :func:`open_field`; or its dates, latitudes, longitudes or levels are none.
    """
    with open_field(source, variable) as (raw, ours, attrs):
        where = name_of(source)
        notes: list[str] = []
        if is_store(source):
            group = open_store(str(source))
            for name in (raw.name, *raw.dims):
                notes += missing_chunks(group[name], f"{where}: {name}") if name in group else ()
        levels = [axis for name, axis in raw.coords.items() if str(name).lower() in AXES["level"]["names"]]
        scalars = [axis for axis in levels if axis.ndim == 0 and axis.dtype.kind in "fiu" and axis.notnull()]
        return Piece(
            source=source,
            where=where,
            variable=variable,
            times=_dates(ours["time"], where),
            lat=_places(ours["lat"], where, 90.0),
            lon=_places(ours["lon"], where, 720.0),
            levels=_levels(ours["level"], where) if "level" in ours.dims else None,
            units=str(raw.attrs.get("units", "")).strip(),
            scalar_level=float(_levels(scalars[0].expand_dims("one"), where)[0]) if scalars else None,
            attrs=attrs,
            notes=tuple(notes),
        )


def _dates(axis: xr.DataArray, where: str) -> np.ndarray:
    """Times in datetime64[ns]; one within a second of a full hour, or within its own rounding, becomes that hour."""
    values, written, slack = axis.values, str(axis.attrs.get("units", "")), SECOND
    if len(values) == 0:
        raise SvqkitError(f"{where} holds no frame: its time axis is empty.")
    if values.dtype.kind in "fiu" and _dates_are_written(axis.attrs):
        # What the last number's own precision leaves open, in minutes for days since 1900 in 32 bits.
        after = np.nextafter(values[-1], np.inf) if values.dtype.kind == "f" else values[-1]
        numbers = np.append(values, after)
        attrs = {name: axis.attrs[name] for name in ("units", "calendar") if name in axis.attrs}
        try:
            values = xr.decode_cf(xr.Dataset({"moment": ("row", numbers, attrs)}))["moment"].values
        except (ValueError, OverflowError, TypeError) as error:
            raise SvqkitError(
                f"{where}: times in {written!r} can't be decoded, from {values.min():g} to {values.max():g} in the "
                f"calendar {attrs.get('calendar', 'standard')!r}. Write them in hours or days since a date, in the "
                "standard calendar."
            ) from error
        slack = max(slack, values[-1] - values[-2]) if values.dtype.kind == "M" else slack
        values = values[:-1]
    calendar = getattr(values[0], "calendar", "") if values.dtype == object else ""
    if calendar and calendar not in STANDARD_CALENDARS:
        raise SvqkitError(
            f"{where}: times are in the calendar {calendar!r}, expected the standard one. Convert them, e.g. with "
            "xarray: data.convert_calendar('standard', use_cftime=False)."
        )
    values = np.array([date.isoformat() for date in values], "datetime64[us]") if calendar else values
    if not np.issubdtype(values.dtype, np.datetime64):
        raise SvqkitError(
            f"{where}: the time axis is {values.dtype}, expected dates (units such as 'hours since …')"
            + (f", got units {written!r}." if written else ".")
        )
    years = values.astype("datetime64[Y]").astype(int) + 1970
    if np.isnat(values).any() or ((years < 1700) | (years > 2261)).any():
        raise SvqkitError(f"{where}: the time axis has a missing date, or one outside of 1700 to 2261. Mend it.")
    values = values.astype("datetime64[ns]")
    hours = (values + HALF_HOUR).astype("datetime64[h]").astype("datetime64[ns]")
    return np.where(np.abs(values - hours) <= min(slack, HALF_HOUR / 3), hours, values)


def _places(axis: xr.DataArray, where: str, most: float) -> np.ndarray:
    """Degrees, each once, rising or falling; longitudes may begin anywhere."""
    values, name, unit = axis.values, axis.name, str(axis.attrs.get("units", "")).strip()
    degrees = r"(decimal[\s_])?(deg(ree)?s?|[°º])([\s_]?(true|n(orth)?|e(ast)?))?"
    is_degrees = not unit or re.fullmatch(degrees, unit, re.IGNORECASE)
    if values.dtype.kind not in "fiu" or not is_degrees:
        raise SvqkitError(f"{where}: {name} is {values.dtype} in {unit or 'no unit'}, expected numbers in degrees.")
    steps = np.diff(values.astype(float))
    turns = [step % 360 if most > 90 else np.where(step < 0, np.inf, step) for step in (steps, -steps)]
    one_way = len(np.unique(values)) == len(values) and min(turn.sum() for turn in turns) <= 360.001
    if not ((np.abs(values) <= most + 1e-3).all() and one_way):
        raise SvqkitError(
            f"{where}: {name} must be {len(values)} different degrees between {-most:g} and {most:g} that rise or "
            f"fall, it has {', '.join(f'{value:g}' for value in values[:5])}{', …' if len(values) > 5 else ''}. Mend "
            "the coordinate, or sort the file by it."
        )
    if most > 90 and len(values) > 1 and abs(abs(values[-1] - values[0]) - 360) < 1e-3:
        raise SvqkitError(
            f"{where}: the first and the last of {len(values)} {name}, {values[0]:g} and {values[-1]:g}, are the same "
            f"place. Cut one, e.g. with isel({name}=slice(-1))."
        )
    return values


def _levels(axis: xr.DataArray, where: str) -> np.ndarray:
    values = axis.values
    if values.dtype.kind not in "fiu" or not np.isfinite(values).all() or len(np.unique(values)) < len(values):
        raise SvqkitError(f"{where}: the levels must be numbers, each once; it has {values.tolist()[:5]}. Mend them.")
    unit = str(axis.attrs.get("units", "Pa" if str(axis.name).lower() == "isobaricinpa" else "")).strip()
    if unit and unit != "hPa" and converts(unit, "hPa"):
        return np.round(convert(values, unit, "hPa"), 6)
    return values


def refuse_unsorted(piece: Piece) -> None:
    """Refuse times that don't rise from frame to frame.

    Raises:
        SvqkitError: they don't.
    """
    falls = np.flatnonzero(np.diff(piece.times) <= 0 * HOUR) + 1
    if len(falls):
        before, time = piece.times[falls[0] - 1 : falls[0] + 1]
        raise SvqkitError(
            f"{piece.where}: the time {shown_time(time)} comes {'twice' if time == before else 'out of order'} (index "
            f"{falls[0]} of the time axis): the times of {piece.variable} don't rise. Sort them, each once: "
            "x.sortby('time')."
        )


def join(pieces: Sequence[Piece]) -> list[Piece]:
    """Return the pieces of one variable in the order of time, when they fit together.

    Raises:
        SvqkitError: their grids differ, only some have levels, their units can't be converted, or they overlap.
    """
    first, *others = pieces
    known = next((piece for piece in pieces if piece.units), first)
    for piece in others:
        refuse_other_grid(first, piece)
        if (piece.levels is None) != (first.levels is None):
            raise SvqkitError(f"Only one of {first.where} and {piece.where} has levels. Keep files of one kind there.")
        if piece.scalar_level != first.scalar_level and None not in (piece.scalar_level, first.scalar_level):
            raise SvqkitError(
                f"{piece.variable} is of level {first.scalar_level:g} in {first.where}, of {piece.scalar_level:g} in "
                f"{piece.where}. Keep files of one level there, or put all levels into one dimension."
            )
        if not converts(piece.units, known.units):
            raise SvqkitError(
                f"{known.variable} is in {known.units!r} in {known.where}, and in {piece.units!r} in {piece.where}, "
                "which can't be converted. Correct the attribute units, or convert the values."
            )
    ordered = sorted(pieces, key=lambda piece: piece.times[0])
    for piece, following in pairwise(ordered):
        if following.times[0] <= piece.times[-1]:
            raise SvqkitError(
                f"{piece.where} (until {shown_time(piece.times[-1])}) and {following.where} (from "
                f"{shown_time(following.times[0])}) overlap in time; remove one of them or cut it."
            )
    return ordered


def refuse_other_grid(first: Piece, other: Piece) -> None:
    """Refuse two pieces whose grids differ.

    Raises:
        SvqkitError: they do.
    """
    for name, wanted, found in (("lat", first.lat, other.lat), ("lon", first.lon, other.lon)):
        if wanted.shape != found.shape or not np.allclose(wanted, found, atol=1e-4):
            raise SvqkitError(
                f"The grids differ: {first.where} has {len(wanted)} {name} from {wanted[0]:g} to {wanted[-1]:g}, "
                f"{other.where} has {len(found)} from {found[0]:g} to {found[-1]:g}. Regrid one of them, or move it "
                "elsewhere."
            )


def notes_of(pieces: Sequence[Piece]) -> list[str]:
    """Return what a reader should know of a variable's pieces: missing chunks, units that differ or are missing."""
    first, notes = pieces[0], [note for piece in pieces for note in piece.notes]
    others = [piece for piece in pieces if piece.units != first.units]
    for piece in others[:1]:
        if bool(piece.units) != bool(first.units):
            without, known = (first, piece) if piece.units else (piece, first)
            notes.append(f"{without.where} gives no unit for {first.variable}: taken as {known.units} of {known.where}")
        elif not same_unit(piece.units, first.units):
            notes.append(f"{first.variable} is converted from {piece.units} ({piece.where}) to {first.units}")
    return notes


def find_levels(piece: Piece, wanted: Sequence[float]) -> list[int]:
    """Return where the ``wanted`` levels stand in a piece; [] when it has none.

    Raises:
        SvqkitError: it has levels, and none are wanted, or not all of these; or it is of another level.
    """
    if piece.levels is None:
        if wanted and piece.scalar_level not in (None, *wanted):
            raise SvqkitError(
                f"{piece.where}: {piece.variable} is of level {piece.scalar_level:g}; wanted are {list(wanted)}. Give "
                "it these, or change `levels`."
            )
        return []
    there = piece.levels.tolist()
    if not wanted:
        raise SvqkitError(
            f"{piece.where}: {piece.variable} has levels {there}; name the wanted ones in `levels`, or pick one, e.g. "
            "with isel(level=0)."
        )
    rounded = np.round(piece.levels, 3).tolist()
    if absent := [level for level in wanted if level not in rounded]:
        raise SvqkitError(f"{piece.where}: no level {absent} of {piece.variable}; it has {there} (hPa).")
    return [rounded.index(level) for level in wanted]


def read(variable: Variable, times: np.ndarray) -> np.ndarray:
    """Read a variable (n, level, lat, lon) float32 in its units at ``times``, in order; without levels there is one.

    Raises:
        SvqkitError: a file can't be read to its end, or holds a value that is none.
    """
    parts = []
    for piece in variable.pieces:
        rows = np.flatnonzero(np.isin(piece.times, times))
        if len(rows):
            parts.append(_read_rows(piece, rows, find_levels(piece, variable.levels), variable.units))
    return np.concatenate(parts)


def _read_rows(piece: Piece, rows: np.ndarray, levels: list[int], units: str) -> np.ndarray:
    with open_field(piece.source, piece.variable) as (raw, ours, _):
        # One block out of the file, from which rows are taken: to read them one by one takes far longer.
        chosen = {"level": _as_slice(levels)} if "level" in ours.dims else {}
        block = ours.isel({"time": slice(int(rows[0]), int(rows[-1]) + 1), **chosen})
        with reading(piece.where, plain=False):
            values = block.transpose("time", ..., "lat", "lon").values[rows - rows[0]]
        values = values if chosen else values[:, None]
        values = values.astype(np.float32)
        _refuse_missing(piece, raw, values, piece.times[rows])
    return convert(values, piece.units, units)


def _as_slice(indices: list[int]) -> slice | list[int]:
    """Indices that follow each other as a slice, which is read in one go."""
    following = indices == list(range(indices[0], indices[0] + len(indices)))
    return slice(indices[0], indices[-1] + 1) if following else indices


def _unpacked(raw: xr.DataArray, numbers: Sequence[float] | np.ndarray) -> np.ndarray:
    """What numbers as they are packed mean; the lowest of 16 bits often stand for what is missing."""
    return np.asarray(numbers, np.float32) * raw.encoding.get("scale_factor", 1) + raw.encoding.get("add_offset", 0)


def _lowest(raw: xr.DataArray) -> list[int]:
    """The lowest numbers of what values are packed in, and −9999."""
    packed = np.dtype(raw.encoding.get("dtype") or "i2")
    if not {"scale_factor", "add_offset"} & {*raw.encoding} or packed.kind != "i":
        return [-32768, -32767]
    return [-32768, -32767, -9999, np.iinfo(packed).min, np.iinfo(packed).min + 1]


def _declared(raw: xr.DataArray) -> np.ndarray:
    """What the file says stands for a missing value, where xarray has not seen it: in text, or in another precision."""
    trees, names = (raw.attrs, raw.encoding), ("missing_value", "_FillValue")
    written = [value for tree in trees for name in names for value in np.ravel(tree.get(name, ()))]
    numbers = pd.to_numeric(pd.Series(written, dtype=object), errors="coerce").to_numpy(float)
    return _unpacked(raw, numbers[np.isfinite(numbers)]).astype(np.float32)


def _valid_range(raw: xr.DataArray) -> tuple[float, float]:
    """Outside of it values are missing, as CF has it; a bound of the type that values are packed in is packed too."""
    given = np.ravel(raw.attrs.get("valid_range", ()))
    ends = given if len(given) == 2 else (raw.attrs.get("valid_min", -np.inf), raw.attrs.get("valid_max", np.inf))
    bounds = [np.asarray(end) for end in ends]
    if any(bound.dtype.kind not in "fiu" or bound.size != 1 for bound in bounds):
        return -np.inf, np.inf
    packed = raw.encoding.get("dtype")
    if str(raw.encoding.get("_Unsigned", "")).lower() == "true":  # bounds are written like the values
        bounds = [bound.view(bound.dtype.str.replace("i", "u")) if bound.dtype == packed else bound for bound in bounds]
        packed = packed and np.dtype(packed.str.replace("i", "u"))
    low, high = sorted(float(_unpacked(raw, bound) if bound.dtype == packed else bound) for bound in bounds)
    return low - 1e-6 * abs(low), high + 1e-6 * abs(high)


def _refuse_missing(piece: Piece, raw: xr.DataArray, values: np.ndarray, times: np.ndarray) -> None:
    """Refuse values (n, level, lat, lon) that are not finite, or not valid, or stand for a missing one.

    Raises:
        SvqkitError: there is one, with its place.
    """
    packed, declared, valid = _unpacked(raw, _lowest(raw)), _declared(raw), _valid_range(raw)
    flat = values.reshape(*values.shape[:2], -1)  # along memory, which is many times as fast
    lows, highs = flat.min(axis=2).min(axis=0), flat.max(axis=2).max(axis=0)  # NaN where there is one
    for level, (low, high) in enumerate(zip(lows, highs, strict=True)):
        of_level = values[:, level]
        if not (np.isfinite(low) and np.isfinite(high)):
            bad, what = ~np.isfinite(of_level), "that are NaN or infinite"
        elif max(-low, high) >= LARGEST:
            bad, what = np.abs(of_level) >= LARGEST, f"such as {high if high >= LARGEST else low:.5g}, never written,"
        elif ((low <= declared) & (declared <= high)).any() and (bad := np.isin(of_level, declared)).any():
            what = f"{of_level[bad][0]:g}, which the file says stand for missing ones,"
        elif (number := stand_in(of_level, low, high, packed)) is not None:
            bad, what = of_level == number, f"{number:g}, which stand for missing ones without a _FillValue,"
        elif low < valid[0] or high > valid[1]:
            bad = (of_level < valid[0]) | (of_level > valid[1])
            what = f"outside the valid range {valid[0]:g} to {valid[1]:g} that the file gives,"
        else:
            continue
        frame, row, column = (int(axis[0]) for axis in np.nonzero(bad))
        at = "" if piece.levels is None else f"level number {level} of those wanted, "
        raise SvqkitError(
            f"{piece.where}: {piece.variable} has {bad.sum()} value(s) {what} among the frames that are used, the "
            f"first at time {shown_time(times[frame])}, {at}lat {piece.lat[row]:g}, "
            f"lon {piece.lon[column]:g}. Fill or cut them first."
        )


def shown_time(time: np.datetime64) -> str:
    """Return a time to the minute, or to the second where it has some."""
    return str(time.astype("datetime64[s]")).removesuffix(":00")
