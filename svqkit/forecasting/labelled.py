"""DataArrays and Datasets of xarray as the start of a forecast, which goes back in their own form.

Dimensions keep their order and names, coordinates their order; times go on, everything else that varies in time is
left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import xarray as xr

from svqkit.data.domain import Domain
from svqkit.data.sources.weather import OTHER_NAMES
from svqkit.errors import SvqkitError, listed
from svqkit.forecasting.coordinates import TimeSteps, in_frames, in_hours, matching_indices, same_unit
from svqkit.forecasting.inputs import ModelInput, from_model, place_by_index, refuse_nan, to_model
from svqkit.settings.data import Dataset, WeatherData

# Names of the two dimensions of a frame.
PLANES = {"grid": ("lat", "lon"), "image": ("y", "x"), "field": ("y", "x")}


@dataclass(frozen=True)
class Field:
    """One variable of the input, by our names of dimensions.

    Attributes:
        array: as it came, but for the names of dimensions, and with a level where it had none.
        layer: "level" or "channel".
        picked: index along the layer of each channel that the model takes, in the model's order.
        channels: numbers of these channels in the model.
        flat: whether it came without a layer.
    """

    array: xr.DataArray
    layer: str
    picked: list[int]
    channels: list[int]
    flat: bool = False


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
    fields = _fields(x.rename(names), data, domain)
    plane = PLANES[domain.kind]
    for field in fields:
        _check_dims(field, plane)
    steps = _time_steps(fields, domain)
    rows, columns = _orders(fields, domain)
    raw_bytes = all(field.array.dtype == np.uint8 for field in fields) and domain.scale != 1
    values = np.empty((1, len(steps.indices), *domain.frame_shape), np.uint8 if raw_bytes else np.float32)
    for field in fields:
        used = field.array.isel({"time": steps.indices, field.layer: field.picked})
        used = used.transpose("time", field.layer, *plane).load()
        if not raw_bytes:
            refuse_nan(used.values, str(used.name or "The input"), partial(_place, used))
        values[0][:, field.channels] = used.values[..., rows[:, None], columns]

    def restore(forecast: np.ndarray) -> xr.DataArray | xr.Dataset:
        own = np.empty_like(forecast[0])
        own[..., rows[:, None], columns] = forecast[0]
        made = [
            _written(field, from_model(own[:, field.channels], domain, raw_bytes), steps, frames, plane)
            for field in fields
        ]
        result = made[0]
        if isinstance(x, xr.Dataset):
            result = xr.Dataset({array.name: array for array in made}, attrs=x.attrs)
        return result.rename({new: old for old, new in names.items() if new in {*result.dims, *result.coords}})

    dated = isinstance(steps.last, np.datetime64)
    return ModelInput(to_model(values, domain), restore, steps.notes, steps.last if dated else None)


def _fields(ours: xr.DataArray | xr.Dataset, data: Dataset, domain: Domain) -> list[Field]:
    """The variables that hold the model's channels."""
    arrays = list(ours.data_vars.values()) if isinstance(ours, xr.Dataset) else [ours]
    if len(arrays) == 1 and "channel" in arrays[0].dims:
        return [_of_channels(arrays[0], domain)]
    variables = data.variables if isinstance(data, WeatherData) else ()
    if len(arrays) == len(variables) == 1 and arrays[0].name is None:
        return [_of_variable(arrays[0], variables[0], data, domain)]
    by_name = {str(array.name or "an array without a name"): array for array in arrays}
    absent = [name for name in variables if name not in by_name]
    if absent or not variables:
        lacking = f"variable {listed(absent)}" if variables else "dimension channel"
        dataset = f"a Dataset with {', '.join(variables)}, or " if variables else ""
        raise SvqkitError(
            f"The input has no {lacking}; it has {listed(by_name)} with the dimensions {tuple(ours.dims)}. The model "
            f"takes {dataset}one array with the dimensions time, channel, {', '.join(PLANES[domain.kind])}. Add what "
            "lacks, or rename it, e.g. with xarray's rename."
        )
    return [_of_variable(by_name[name], name, data, domain) for name in variables]


def _of_variable(array: xr.DataArray, variable: str, data: WeatherData, domain: Domain) -> Field:
    """A variable with its wanted levels, if it has levels."""
    levels = [level for level in data.levels if f"{variable}_{level}" in domain.channels]
    names = [f"{variable}_{level}" for level in levels] or [variable]
    channels = [domain.channels.index(name) for name in names]
    _check_unit(array, variable, [domain.own_units[channel] for channel in channels])
    flat = "level" not in array.dims
    if flat and len(levels) > 1:
        raise SvqkitError(f"{variable} has no dimension level; the model takes the levels {levels} of it.")
    if not flat and not levels:
        raise SvqkitError(f"{variable} has levels, the model was trained without. Pick one: x.isel(level=0).")
    if not flat and "level" not in array.coords:
        raise SvqkitError(f"{variable}: level has no coordinate that says which levels they are. Add it.")
    array = array.expand_dims("level") if flat else array
    if not levels or "level" not in array.coords:
        return Field(array, "level", [0], channels, flat)
    return Field(array, "level", _picked(array["level"], levels, f"level (in hPa) of {variable}"), channels, flat)


def _of_channels(array: xr.DataArray, domain: Domain) -> Field:
    """An array with all channels: by their names where they have some, else in the model's order."""
    count = len(domain.channels)
    everything = list(range(count))
    _check_unit(array, str(array.name or "The input"), list(domain.own_units))
    if "channel" in array.coords:
        return Field(array, "channel", _picked(array["channel"].astype(str), domain.channels, "channel"), everything)
    if array.sizes["channel"] != count:
        raise SvqkitError(
            f"The input has {array.sizes['channel']} channels without names, the model takes {count}: "
            f"{', '.join(domain.channels)}."
        )
    return Field(array, "channel", everything, everything)


def _picked(coordinate: xr.DataArray, wanted: Sequence[float] | Sequence[str], what: str) -> list[int]:
    """Where the wanted levels or channels stand along a coordinate."""
    there = coordinate.values.tolist()
    absent = [value for value in wanted if value not in there]
    if absent:
        raise SvqkitError(f"The input has no {what} {absent}; it has {there}. Add what lacks.")
    return [there.index(value) for value in wanted]


def _check_unit(array: xr.DataArray, name: str, wanted: list[str]) -> None:
    unit = str(array.attrs.get("units", ""))
    if len(set(wanted)) == 1 and not same_unit(unit, wanted[0]):
        raise SvqkitError(
            f"{name} is in {unit!r}, the model was trained on {wanted[0]!r}. Convert the values and set "
            f"attrs['units'], or correct that attribute."
        )


def _check_dims(field: Field, plane: tuple[str, str]) -> None:
    came = field.array.squeeze(field.layer) if field.flat else field.array
    expected = {"time", *plane} if field.flat else {"time", *plane, field.layer}
    if set(came.dims) != expected:
        raise SvqkitError(
            f"{came.name or 'The input'} has the dimensions {came.dims}, expected {listed(expected)}. "
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


def _place(array: xr.DataArray, bad: np.ndarray) -> str:
    """Where the first bad value of (time, layer, rows, columns) lies, by the array's coordinates."""
    if "time" not in array.coords:
        return place_by_index(bad)
    at = array[tuple(int(axis[0]) for axis in np.nonzero(bad))]
    return ", ".join(f"{name} {str(at[name].values)[:16]}" for name in array.dims if name in at.coords)


def _written(
    field: Field, values: np.ndarray, steps: TimeSteps, frames: Sequence[int], plane: tuple[str, str]
) -> xr.DataArray:
    """The forecast ``values`` (L, channels, rows, columns), on the input's grid, in the form of the input."""
    # The last frame, repeated, has every coordinate and attribute that goes on; levels come back in the input's
    # order, those that are not forecast left out.
    last = {"time": [steps.indices[-1]] * len(frames), field.layer: np.sort(field.picked)}
    like = field.array.isel(last).drop_encoding()
    varying = [name for name, coordinate in like.coords.items() if "time" in coordinate.dims and name != "time"]
    like = like.drop_vars(varying)
    for coordinate in like.coords.values():
        coordinate.encoding = {}
    times = steps.ahead(frames)
    if times is not None:
        like = like.assign_coords(time=("time", times, like["time"].attrs))
    own = xr.Variable(("time", field.layer, *plane), values[:, np.argsort(field.picked)])
    like = like.copy(data=own.transpose(*like.dims).values)
    return like.squeeze(field.layer) if field.flat else like
