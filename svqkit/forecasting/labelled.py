"""Gridded files, DataArrays and Datasets as the start of a forecast, which goes back in their own form.

Dimensions keep their order and names, values their units; times go on, everything else that varies in time is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce

import numpy as np
import xarray as xr

from svqkit.data.domain import Domain
from svqkit.data.sources import gridded
from svqkit.data.sources.gridded import HOUR, Source, Variable, shown_time
from svqkit.data.sources.units import convert, converts, same_unit
from svqkit.errors import SvqkitError, listed, shown
from svqkit.forecasting.inputs import ModelInput, from_array, more_than_used
from svqkit.settings.data import Dataset, WeatherData

# Degrees by which two coordinates of the same place may differ: those of float32 do by about 3e-5.
NEAR = 1e-3


def from_labelled(x: xr.DataArray | xr.Dataset, data: Dataset, domain: Domain, frames: Sequence[int]) -> ModelInput:
    """Pick the input frames of ``x``; the forecast goes back as something like ``x`` at the times of ``frames``.

    Variables and levels are picked by their names; a Dataset with a single variable that has the dimension
    ``channel`` is taken like a DataArray.

    Args:
        x: (time, lat, lon), with level or channel as a further dimension; (time, channel, y, x) where the model's
            frames lie on no grid. In any order of dimensions.
        data: of the run.
        domain: of the run.
        frames: the steps ahead that will be forecast.

    Raises:
        SvqkitError: a variable, level, channel, dimension or coordinate is missing, or its unit, grid or times don't
            fit the model; a value is not finite.
    """
    if isinstance(x, xr.DataArray):
        only = data.variables[0] if isinstance(data, WeatherData) and len(data.variables) == 1 else "without a name"
        name = str(x.name or only)
        of_dataset = from_labelled(x.to_dataset(name=name), data, domain, frames)
        return replace(of_dataset, restore=lambda forecast: of_dataset.restore(forecast)[name].rename(x.name))
    if has_channels(x):
        (array,) = x.data_vars.values()
        of_array = _from_channels(array, domain, frames)
        return replace(
            of_array, restore=lambda forecast: xr.Dataset({array.name: of_array.restore(forecast)}, attrs=x.attrs)
        )
    if not isinstance(data, WeatherData):
        raise SvqkitError(
            f"The input has {listed(x.data_vars)} with the dimensions {tuple(x.dims)}; the model takes one array with "
            "the dimensions time, channel, y, x. Rename them, e.g. with xarray's rename."
        )
    return from_gridded([x], wanted_levels(data, domain), domain, frames)


def has_channels(x: xr.Dataset) -> bool:
    """Return whether a Dataset has nothing but an array with the dimension channel."""
    return len(x.data_vars) == 1 and "channel" in x.dims


def wanted_levels(data: WeatherData, domain: Domain) -> dict[str, list[int]]:
    """Return the levels of each variable that the model takes."""
    return {
        variable: [level for level in data.levels if f"{variable}_{level}" in domain.channels]
        for variable in data.variables
    }


def from_gridded(
    sources: Sequence[Source], wanted: Mapping[str, Sequence[int]], domain: Domain, frames: Sequence[int]
) -> ModelInput:
    """Pick the input frames of gridded sources, which hold the ``wanted`` variables and levels between them."""
    variables = [_variable(sources, name, levels, domain) for name, levels in wanted.items()]
    for variable in variables[1:]:
        gridded.refuse_other_grid(variables[0].pieces[0], variable.pieces[0])
    axes = [np.concatenate([piece.times for piece in variable.pieces]) for variable in variables]
    times, notes = in_hours(reduce(np.intersect1d, axes), domain)
    first = variables[0].pieces[0]
    rows = matching_indices("lat", first.lat, domain.lat)
    columns = matching_indices("lon", first.lon, domain.lon)
    values = np.empty((1, len(times), *domain.frame_shape), np.float32)
    numbered = [(of, [domain.channels.index(channel) for channel in of.channels]) for of in variables]
    for variable, numbers in numbered:
        values[0][:, numbers] = gridded.read(variable, times)[..., rows[:, None], columns]
        units = variable.pieces[0].units
        if not same_unit(units, variable.units):
            notes.append(f"{variable.name} is converted from {units} to {variable.units}, and back")
        notes += gridded.notes_of(variable.pieces)
    ahead = times[-1] + (np.array(frames) * domain.lead_step * HOUR).astype("timedelta64[ns]")

    def restore(forecast: np.ndarray) -> xr.Dataset:
        own = np.empty_like(forecast[0])
        own[..., rows[:, None], columns] = forecast[0]
        made = [_like_input(variable, own[:, numbers], ahead) for variable, numbers in numbered]
        return xr.Dataset({array.name: array for array in made}, attrs=first.attrs)

    return ModelInput(values, restore, tuple(notes), times[-1])


def _variable(sources: Sequence[Source], name: str, levels: Sequence[int], domain: Domain) -> Variable:
    """A variable with the levels that the model takes, in the units that it was trained on, checked."""
    # Where no source has it, the first says what it has.
    having = [source for source in sources if gridded.holds(source, name)] or sources[:1]
    inspected = [gridded.inspect(source, name) for source in having]
    for piece in inspected:
        gridded.refuse_unsorted(piece)
    variable = Variable(name, gridded.join(inspected), levels, "")
    trained = domain.own_units[domain.channels.index(variable.channels[0])]
    units = trained or next((piece.units for piece in variable.pieces if piece.units), "")
    for piece in variable.pieces:
        if gridded.find_levels(piece, levels) == [] and len(levels) > 1:
            raise SvqkitError(f"{piece.where}: {name} has no levels; the model takes {list(levels)}. Give it these.")
        if not converts(piece.units, units):
            raise SvqkitError(
                f"{piece.where}: {name} is in {piece.units!r}, the model was trained on {units!r}. Convert the values "
                "and set attrs['units'], or correct that attribute."
            )
    return replace(variable, units=units)


def _like_input(variable: Variable, values: np.ndarray, ahead: np.ndarray) -> xr.DataArray:
    """The forecast ``values`` (L, level, lat, lon), on the input's grid, in the form and unit of its first piece."""
    piece = variable.pieces[0]
    # Levels come back in the input's order, those that are not forecast left out.
    picked = gridded.find_levels(piece, variable.levels)
    order = np.argsort(picked) if picked else [0]
    with gridded.open_field(piece.source, piece.variable) as (raw, field, _):
        names = gridded.own_names(raw)
        like = field.isel({"level": sorted(picked)} if picked else {})
        axes = {name: xr.Variable(name, like[name].values, like[name].attrs) for name in like.dims if name != "time"}
        told = {name: text for name, text in like["time"].attrs.items() if name not in ("units", "calendar")}
        values = convert(values[:, order], variable.units, piece.units)
        if not picked:
            values = values[:, 0]
        dims = [name for name in ("time", "level", "lat", "lon") if name in like.dims]
        made = xr.DataArray(values, {"time": ("time", ahead, told), **axes}, dims, raw.name, raw.attrs)
        made = made.transpose(*like.dims).rename({role: own for role, own in names.items() if role in like.dims})
        if not isinstance(piece.source, xr.Dataset):
            return made
        fixed = {*made.dims} - {names.get("time", "time")}
        idle = [name for name, axis in raw.coords.items() if {*axis.dims} <= fixed and name not in made.coords]
        return made.assign_coords({name: raw[name] for name in idle if name not in ("valid_time", "time", "step")})


def _from_channels(array: xr.DataArray, domain: Domain, frames: Sequence[int]) -> ModelInput:
    """An array with all channels: by their names where they have some, else in the model's order."""
    named = "channel" in array.coords
    names = array["channel"].astype(str).values.tolist() if named else list(domain.channels)
    if len(set(names)) < len(names):
        raise SvqkitError(f"The input has a channel twice: {listed(names)}. Name each once.")
    absent = [name for name in domain.channels if name not in names]
    if absent or array.sizes["channel"] != len(names):
        there = names if named else f"{array.sizes['channel']} without names"
        raise SvqkitError(f"The input has no channel {absent or names}; it has {there}. Name them, or add what lacks.")
    if len(set(domain.own_units)) > 1:
        array = array.drop_attrs(deep=False)
    if domain.kind != "grid":
        return _from_frames(array, [names.index(name) for name in domain.channels], domain, frames)
    by_name = array.assign_coords(channel=names).to_dataset("channel")
    made = from_gridded([by_name], dict.fromkeys(domain.channels, ()), domain, frames)

    def restore(forecast: np.ndarray) -> xr.DataArray:
        back = made.restore(forecast).to_dataarray("channel").sel(channel=[n for n in names if n in domain.channels])
        back = back.transpose(*array.dims).rename(array.name).assign_attrs(array.attrs)
        return back if named else back.drop_vars("channel")

    return replace(made, restore=restore)


def _from_frames(array: xr.DataArray, picked: list[int], domain: Domain, frames: Sequence[int]) -> ModelInput:
    """Frames (time, channel, y, x) on no grid; their times, where there are any, go on in their own step."""
    dims = ("time", "channel", "y", "x")
    if {*array.dims} != {*dims}:
        raise SvqkitError(
            f"{array.name or 'The input'} has the dimensions {array.dims}, expected {listed(dims)}. Rename them, or "
            "pick one of what is too many, e.g. x.isel(member=0)."
        )
    made = from_array(array.isel(channel=picked).transpose(*dims).values, domain)
    like = array.isel(time=[-1] * len(frames), channel=np.sort(picked)).transpose(*dims)
    if "time" in array.coords:
        times = array["time"].values[min(domain.inputs[0] - 1, -2) :]
        steps = np.diff(times) if times.dtype.kind in "fiumM" else times[:0]
        if not len(steps) or times[1] <= times[0] or (np.abs(steps - steps[0]) > steps[0] / 1000).any():
            raise SvqkitError(f"The times of the frames used are not evenly apart: {shown(times)}. Mend or drop them.")
        ahead = times[-1] + np.array(frames) * steps[-1]
        like = like.assign_coords(time=("time", ahead, array["time"].attrs))

    def restore(forecast: np.ndarray) -> xr.DataArray:
        old = [name for name, axis in like.coords.items() if "time" in axis.dims and name != "time"]
        back = like.drop_vars(old).drop_encoding().copy(data=made.restore(forecast)[:, np.argsort(picked)])
        return back.transpose(*array.dims)

    return replace(made, restore=restore)


def in_hours(times: np.ndarray, domain: Domain) -> tuple[np.ndarray, list[str]]:
    """Pick the times of the input frames out of a record's (N,), counted back from its last in the model's own step.

    A record with more frames between is thinned; notes tell of it.

    Raises:
        SvqkitError: the model's frames are not all there: the record is too short, its step is no whole part of the
            model's, or it has a hole.
    """
    wanted = times[-1:] + np.array(domain.inputs) * domain.lead_step * HOUR
    absent = wanted[~np.isin(wanted, times)]
    if len(absent):
        steps = np.unique(np.diff(times[-2 * len(wanted) :])) / HOUR
        apart = f", one every {' or '.join(f'{step:g}' for step in steps[:3])} h," if len(steps) else ""
        raise SvqkitError(
            f"The input has {len(times)} frame(s){apart} up to {shown_time(times[-1])}; the model needs {len(wanted)}, "
            f"one every {domain.lead_step:g} h, and there is no frame at {shown_time(absent[-1])}. Give it frames of "
            "that step, or of a whole part of it, without a hole up to the last."
        )
    first = int(np.searchsorted(times, wanted[0]))
    notes = [*more_than_used(len(times), len(times) - first)]
    if len(times) - first > 1 - domain.inputs[0]:
        notes.append(f"of these every {domain.lead_step} hours one, counted back from the last")
    return wanted, [*notes, *_other_hours(times[-1], domain)]


def _other_hours(last: np.datetime64, domain: Domain) -> list[str]:
    """A note when the model has never seen frames of this hour of the day."""
    whole = last.astype("datetime64[h]")
    if domain.first_hour is None or (whole == last and int(whole.astype(int)) % domain.lead_step == domain.first_hour):
        return []
    hours = ", ".join(f"{hour:02d}" for hour in range(domain.first_hour, 24, domain.lead_step))
    usual = "full hours" if domain.lead_step == 1 else f"frames at {hours} h only: cut the input there"
    return [f"the last frame is of {shown_time(last)}; the model was trained on {usual}"]


def matching_indices(name: str, theirs: np.ndarray, ours: Sequence[float]) -> np.ndarray:
    """Return indices such that ``theirs[indices]`` are the coordinates ``ours``; of lon whole turns don't count.

    Raises:
        SvqkitError: the axes have other coordinates.
    """
    apart = np.asarray(theirs, float)[None] - np.asarray(ours, float)[:, None]
    if name == "lon":
        apart = (apart + 180) % 360 - 180
    near = np.abs(apart) < NEAR
    if (near.sum(axis=0) == 1).all() and (near.sum(axis=1) == 1).all():
        return near.argmax(axis=1)
    there, known = (
        f"{len(axis)} places" + (f" from {axis[0]:g} to {axis[-1]:g}" if len(axis) else "") for axis in (theirs, ours)
    )
    raise SvqkitError(
        f"The input lies on another grid than the model was trained on: {name} has {there}, the model's {known}. "
        "Interpolate it to that grid, or cut it, e.g. with xarray's interp or sel."
    )
