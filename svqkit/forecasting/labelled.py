"""DataArrays and Datasets of xarray as the start of a forecast, which goes back in their own form.

Dimensions keep their order and names, coordinates their order; times go on, everything else that varies in time is
left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from svqkit.data.domain import Domain
from svqkit.data.sources.weather import OTHER_NAMES
from svqkit.errors import SvqkitError, listed
from svqkit.forecasting.coordinates import TimeSteps, in_frames, in_hours, matching_indices, same_unit
from svqkit.forecasting.inputs import ModelInput, from_model, refuse_nan, to_model
from svqkit.settings.data import Dataset, WeatherData

# Names of the two dimensions of a frame.
PLANES = {"grid": ("lat", "lon"), "image": ("y", "x"), "field": ("y", "x")}


@dataclass(frozen=True)
class Field:
    """One variable of the input, by our names of dimensions.

    Attributes:
        array: as it came, but for the names of dimensions.
        layer: "level" or "channel" where it has that dimension, else "".
        picked: index along the layer of each channel that the model takes, in the model's order; [0] without a layer.
        channels: numbers of these channels in the model.
    """

    array: xr.DataArray
    layer: str
    picked: list[int]
    channels: list[int]


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
    names = {old: new for old, new in OTHER_NAMES.items() if old in {*x.dims, *x.coords} and new not in x.dims}
    ours = x.rename(names)
    fields = _fields(ours, data, domain)
    plane = PLANES[domain.kind]
    for field in fields:
        _check_dims(field, plane)
    steps = _time_steps(fields, domain)
    orders = _orders(fields, domain)
    values = np.empty((1, len(steps.indices), *domain.frame_shape), np.float32)
    raw_bytes = all(field.array.dtype == np.uint8 for field in fields) and domain.scale != 1
    values = values.astype(np.uint8) if raw_bytes else values
    for field in fields:
        read = _read(field, steps, plane)
        if not raw_bytes:
            _refuse_nan(field, read, steps, plane)
        values[0][:, field.channels] = read[..., orders[0][:, None], orders[1]]

    def restore(forecast: np.ndarray) -> xr.DataArray | xr.Dataset:
        made = [
            _written(field, from_model(forecast[0][:, field.channels], domain, raw_bytes), steps, frames, plane, orders)
            for field in fields
        ]
        theirs = {new: old for old, new in names.items()}
        if isinstance(x, xr.DataArray):
            return made[0].rename({new: old for new, old in theirs.items() if new in {*made[0].dims, *made[0].coords}})
        together = xr.Dataset({array.name: array for array in made}, attrs=x.attrs)
        return together.rename({new: old for new, old in theirs.items() if new in {*together.dims, *together.coords}})

    dated = isinstance(steps.last, np.datetime64)
    return ModelInput(to_model(values, domain), restore, steps.notes, steps.last if dated else None)


def _fields(ours: xr.DataArray | xr.Dataset, data: Dataset, domain: Domain) -> list[Field]:
    """The variables that hold the model's channels."""
    if isinstance(ours, xr.Dataset):
        only = list(ours.data_vars.values())
        if len(only) == 1 and "channel" in only[0].dims:
            return [_of_channels(only[0], domain)]
        if not isinstance(data, WeatherData):
            raise SvqkitError(
                f"Expected one variable with the dimensions {_dims(domain)}; the Dataset has "
                f"{listed(map(str, ours.data_vars))}."
            )
        absent = [name for name in data.variables if name not in ours]
        if absent:
            raise SvqkitError(
                f"The input has no variable {listed(absent)}; it has {listed(map(str, ours.data_vars))}, the model "
                f"takes {', '.join(data.variables)}. Add what lacks, or rename it."
            )
        return [_of_variable(ours[name], name, data, domain) for name in data.variables]
    if "channel" in ours.dims:
        return [_of_channels(ours, domain)]
    if not isinstance(data, WeatherData) or len(data.variables) > 1:
        what = f"a Dataset with {', '.join(data.variables)}, or " if isinstance(data, WeatherData) else ""
        raise SvqkitError(f"Expected {what}an array with the dimensions {_dims(domain)}; got {ours.dims}.")
    (variable,) = data.variables
    if ours.name not in (None, variable):
        raise SvqkitError(
            f"The input is called {ours.name!r}, the model forecasts {variable!r}. If it is the same, rename it: "
            f"x.rename({variable!r})."
        )
    return [_of_variable(ours, variable, data, domain)]


def _of_variable(array: xr.DataArray, variable: str, data: WeatherData, domain: Domain) -> Field:
    """A variable with its wanted levels, if it has levels."""
    levels = [level for level in data.levels if f"{variable}_{level}" in domain.channels]
    names = [f"{variable}_{level}" for level in levels] or [variable]
    channels = [domain.channels.index(name) for name in names]
    _check_unit(array, variable, [domain.own_units[channel] for channel in channels])
    if "level" in array.dims:
        if not levels:
            raise SvqkitError(f"{variable} has levels, the model was trained without. Pick one: x.isel(level=0).")
        if "level" not in array.coords:
            raise SvqkitError(f"{variable}: level has no coordinate that says which levels they are. Add it.")
        there = array["level"].values.astype(float)
        absent = [level for level in levels if not np.isclose(there, level).any()]
        if absent:
            raise SvqkitError(f"The input has no level {absent} of {variable}; it has {there.tolist()}. (In hPa.)")
        return Field(array, "level", [int(np.isclose(there, level).argmax()) for level in levels], channels)
    if len(levels) > 1:
        raise SvqkitError(f"{variable} has no dimension level; the model takes the levels {levels} of it.")
    if levels and "level" in array.coords and not np.isclose(float(array["level"]), levels[0]):
        raise SvqkitError(f"{variable} is of level {float(array['level']):g}, the model takes level {levels[0]}.")
    return Field(array, "", [0], channels)


def _of_channels(array: xr.DataArray, domain: Domain) -> Field:
    """An array with all channels: by their names where they have some, else in the model's order."""
    count = len(domain.channels)
    everything = list(range(count))
    _check_unit(array, str(array.name or "The input"), list(domain.own_units))
    if "channel" not in array.coords:
        if array.sizes["channel"] != count:
            raise SvqkitError(
                f"The input has {array.sizes['channel']} channels without names, the model takes {count}: "
                f"{', '.join(domain.channels)}."
            )
        return Field(array, "channel", everything, everything)
    there = [str(name) for name in array["channel"].values]
    absent = [name for name in domain.channels if name not in there]
    if absent:
        raise SvqkitError(f"The input has no channel {listed(absent)}; it has {listed(there)}.")
    return Field(array, "channel", [there.index(name) for name in domain.channels], everything)


def _check_unit(array: xr.DataArray, name: str, wanted: list[str]) -> None:
    unit = str(array.attrs.get("units", ""))
    if len(set(wanted)) == 1 and not same_unit(unit, wanted[0]):
        raise SvqkitError(
            f"{name} is in {unit!r}, the model was trained on {wanted[0]!r}. Convert the values and set "
            f"attrs['units'], or correct that attribute."
        )


def _check_dims(field: Field, plane: tuple[str, str]) -> None:
    expected = {"time", *plane, *([field.layer] if field.layer else [])}
    if set(field.array.dims) != expected:
        raise SvqkitError(
            f"{field.array.name or 'The input'} has the dimensions {field.array.dims}, expected {listed(expected)}. "
            "Rename them, or pick one of what is too many, e.g. x.isel(member=0)."
        )


def _time_steps(fields: list[Field], domain: Domain) -> TimeSteps:
    """The frames along the time axis, which all variables of a Dataset share."""
    array = fields[0].array
    if domain.lead_units != "hours":
        return in_frames(array["time"].values if "time" in array.coords else None, array.sizes["time"], domain)
    if "time" not in array.coords:
        raise SvqkitError("time has no coordinate that says when the frames are. Add it, or give a plain array.")
    return in_hours(array["time"].values, domain)


def _orders(fields: list[Field], domain: Domain) -> tuple[np.ndarray, np.ndarray]:
    """Which rows and columns of the input are the model's, in the model's order."""
    array = fields[0].array
    if domain.kind != "grid":
        size = tuple(array.sizes[name] for name in PLANES[domain.kind])
        if size != domain.size:
            raise SvqkitError(f"Frames of the input have {size} places (y, x), those of the model {domain.size}.")
        return np.arange(size[0]), np.arange(size[1])
    for name in ("lat", "lon"):
        if name not in array.coords:
            raise SvqkitError(f"{name} has no coordinate that says where the values lie. Add it.")
    rows = matching_indices("lat", array["lat"].values, np.array(domain.lat))
    return rows, matching_indices("lon", array["lon"].values, np.array(domain.lon), around=360.0)


def _read(field: Field, steps: TimeSteps, plane: tuple[str, str]) -> np.ndarray:
    """Read (T, channels, rows, columns) in the order of the input's grid; only what is used is read."""
    array = field.array.isel(time=steps.indices)
    if not field.layer:
        return array.transpose("time", *plane).values[:, None]
    return array.isel({field.layer: field.picked}).transpose("time", field.layer, *plane).values


def _refuse_nan(field: Field, values: np.ndarray, steps: TimeSteps, plane: tuple[str, str]) -> None:
    """Say where the first value lies that is not finite, by the input's own coordinates."""
    bad = ~np.isfinite(values)
    if not bad.any() or "time" not in field.array.coords:
        return refuse_nan(values, str(field.array.name or "The input"))
    frame, _, row, column = (int(axis[0]) for axis in np.nonzero(bad))
    at = field.array.isel({"time": steps.indices[frame], plane[0]: row, plane[1]: column})
    where = [f"{name} {at[name].values:g}" for name in plane if name in at.coords]
    raise SvqkitError(
        f"{field.array.name or 'The input'} has {bad.sum():,} value(s) that are NaN or infinite among the frames that "
        f"are used, the first at {', '.join([str(at['time'].values)[:16], *where])}. Fill them first."
    )


def _written(
    field: Field,
    values: np.ndarray,
    steps: TimeSteps,
    frames: Sequence[int],
    plane: tuple[str, str],
    orders: tuple[np.ndarray, np.ndarray],
) -> xr.DataArray:
    """The forecast ``values`` (L, channels, rows, columns), in the model's order, in the form of the input."""
    own = np.empty_like(values)
    own[..., orders[0][:, None], orders[1]] = values
    # The last frame, repeated, has every coordinate and attribute that goes on.
    like = field.array.isel(time=[steps.indices[-1]] * len(frames)).drop_encoding()
    varying = [name for name, coordinate in like.coords.items() if "time" in coordinate.dims and name != "time"]
    like = like.drop_vars(varying)
    for coordinate in like.coords.values():
        coordinate.encoding = {}
    times = steps.ahead(frames)
    if times is not None:
        like = like.assign_coords(time=("time", times, like["time"].attrs))
    if not field.layer:
        dims, own = ("time", *plane), own[:, 0]
    else:
        # Levels come back in the input's order, those that are not forecast left out.
        by_index = np.argsort(field.picked)
        like = like.isel({field.layer: np.sort(field.picked)})
        dims, own = ("time", field.layer, *plane), own[:, by_index]
    return like.copy(data=xr.Variable(dims, own).transpose(*like.dims).values)


def _dims(domain: Domain) -> str:
    return f"time, channel, {', '.join(PLANES[domain.kind])}"
