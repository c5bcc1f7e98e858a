"""Picking what is drawn of a field: its channel, its lead times, its units; errors say what there is."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from svqkit.errors import SvqkitError
from svqkit.plots.leads import pick_leads
from svqkit.plots.names import NO_UNITS, baselines_last, field_name

_RGB = ["red", "green", "blue"]
_MAP, _PICTURE = ("lat", "lon"), ("y", "x")


def plane_of(field: xr.DataArray | xr.Dataset) -> tuple[str, str]:
    """Return the two dimensions that a field is drawn over: ``("lat", "lon")`` or ``("y", "x")``.

    Raises:
        SvqkitError: the field has neither.
    """
    for plane in (_MAP, _PICTURE):
        if set(plane) <= set(field.dims):
            return plane
    raise SvqkitError(
        "A field needs the dimensions lat and lon (degrees; drawn as a map) or y and x (pixels; drawn as a "
        f"picture); it has {', '.join(map(str, field.dims)) or 'none'}. Rename its dimensions."
    )


def is_lat_lon(field: xr.DataArray | xr.Dataset) -> bool:
    """Return whether a field is on latitudes and longitudes, and so drawn as a map."""
    return plane_of(field) == _MAP


def pick_channel(field: xr.DataArray, channel: int | str | None, name: str) -> xr.DataArray:
    """Return one channel of a field, by position or by name, the first when ``None``.

    A field without channels is its own one.

    Raises:
        SvqkitError: there is no such channel.
    """
    if "channel" not in field.dims:
        return field
    names = [str(value) for value in field["channel"].to_numpy()]
    wanted = 0 if channel is None else channel
    index = names.index(wanted) if wanted in names else wanted
    if not isinstance(index, int | np.integer) or not 0 <= index < len(names):
        raise SvqkitError(f"{name} has no channel {channel!r}; it has {_some(names)} (0 to {len(names) - 1}).")
    return field.isel(channel=int(index))


def pick_or_colour(field: xr.DataArray, channel: int | str | None, name: str) -> xr.DataArray:
    """Pick a channel as ``pick_channel``, but leave a colour picture whole when ``channel`` is ``None``."""
    return field if channel is None and is_colour(field) else pick_channel(field, channel, name)


def is_colour(field: xr.DataArray) -> bool:
    """Return whether the channels of a field (…, channel, y, x) are red, green and blue."""
    return {"channel", "y", "x"} <= set(field.dims) and field["channel"].to_numpy().astype(str).tolist() == _RGB


def is_grey(field: xr.DataArray) -> bool:
    """Return whether a field (…, y, x) is the brightness of a picture."""
    return "y" in field.dims and channel_of(field) == "grey"


def channel_of(field: xr.DataArray) -> str | None:
    """Return the name of the one channel that a field was picked from, where it had a name."""
    channel = field.coords.get("channel")
    return str(channel.item()) if channel is not None and channel.ndim == 0 and channel.dtype.kind in "UOT" else None


def subject_of(field: xr.DataArray) -> str:
    """Return what a field is of, for titles: ``"2 m temperature"``; of a colour picture nothing."""
    channel = channel_of(field)
    return field_name(channel) if channel and not is_grey(field) else ""


def unit_of(field: xr.DataArray, otherwise: str = "") -> str:
    """Return the units of a field: its channel's (coordinate ``unit``), or its attribute ``units``, or ``otherwise``.

    Channels that differ in their units have none together.
    """
    if "unit" in field.coords:
        units = {str(unit) for unit in np.atleast_1d(field["unit"].to_numpy())}
        return units.pop() if len(units) == 1 else ""
    return str(field.attrs.get("units") or otherwise)


def _some(names: list[str], most: int = 20) -> str:
    """All names, or the first and last of very many."""
    return ", ".join(names if len(names) <= most else [*names[: most - 1], "…", names[-1]])


def units_of(errors: Mapping[str, xr.Dataset]) -> str:
    """Return the unit of all channels, such as "K"; "" where they differ."""
    return unit_of(next(iter(errors.values()))["rmse"])


def metric_units(unit: str, original: str = "") -> dict[str, str]:
    """Return the unit of each metric for a variable in ``unit``: squared for the MSE, none for the ACC.

    ``original`` is the unit of the ``…_original`` metrics, which are errors in the units of the raw data where the
    model's are others (such as traffic, scaled to [0, 1]). The PSNR is always in dB: it needs no entry.
    """
    own = _errors_in(unit)
    return own | {f"{name}_original": units for name, units in _errors_in(original).items() if name != "wrmse"}


def _errors_in(unit: str) -> dict[str, str]:
    if not unit or unit in NO_UNITS:
        return {}
    squared = f"{unit}²" if unit.isalpha() else f"({unit})²"
    return {**dict.fromkeys(("mae", "rmse", "wrmse"), unit), "mse": squared}


def error_map(
    errors: xr.Dataset, variable: str, channel: int | str | None, leads: Sequence[int], name: str
) -> xr.DataArray:
    """Return the error (lat, lon) or (y, x) of one channel over some lead times taken together.

    Biases and MAEs are averaged; an RMSE is the root of the mean square, which is the RMSE over all those leads.

    Args:
        errors: variable ``variable`` with dimensions (channel, lead, lat, lon) or (channel, lead, y, x), and the
            coordinate ``lead``.
        variable: ``"bias"``, ``"mae"`` or ``"rmse"``.
        channel: position, or the channel's name where the coordinate ``channel`` has names. When ``None``: red, green
            and blue taken together as lead times are, or else the first channel.
        leads: lead times, in the units of the coordinate.
        name: whose errors these are, for messages.

    Returns:
        The field, its attribute ``units`` being that of the channel.

    Raises:
        SvqkitError: the variable, the channel or a lead is missing.
    """
    field = pick_or_colour(need_variable(errors, variable, name), channel, name)
    field = pick_leads(field, leads, name)
    over = [dim for dim in ("lead", "channel") if dim in field.dims]
    together = (np.square(field).mean(over) ** 0.5) if variable == "rmse" else field.mean(over)
    attrs = {**errors[variable].attrs, "units": unit_of(field)}
    return together.transpose(*plane_of(together)).assign_attrs(attrs)


def over_seeds(errors: Sequence[xr.Dataset]) -> xr.Dataset:
    """Return the error fields of several runs as those of one: biases and MAEs averaged, of the RMSE the mean square.

    The RMSE of n seeds is √(Σ RMSE² / n), that over all their forecasts together; not the mean of their RMSEs.

    Args:
        errors: ``bias``, ``mae``, ``rmse``, or some of them, each (channel, lead, …) on the same places.

    Raises:
        SvqkitError: there are none, or they are not of the same places, channels and lead times.
    """
    if not errors:
        raise SvqkitError("There are no error fields to take together: give those of one run or more.")
    shared = [name for name in ("bias", "mae", "rmse") if all(name in run for run in errors)]
    try:
        runs = xr.concat([run[shared] for run in errors], "run", join="exact", combine_attrs="override")
    except ValueError as error:
        raise SvqkitError(f"Error fields of other places, channels or lead times can't be averaged: {error}") from error
    together = runs.mean("run", keep_attrs=True)
    if "rmse" in shared:
        together["rmse"] = (np.square(runs["rmse"]).mean("run") ** 0.5).assign_attrs(errors[0]["rmse"].attrs)
    return together.assign_attrs(errors[0].attrs)


def mean_of_seeds(by_run: Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """Return the error fields of each experiment over all its seeds, by its name; baselines come last.

    ``{"a-seed0": …, "a-seed1": …, "persistence": …}`` → ``{"a": …, "persistence": …}``.
    """
    seeds: dict[str, list[xr.Dataset]] = {}
    for name, fields in by_run.items():
        seeds.setdefault(name.rpartition("-seed")[0] or name, []).append(fields)
    return {name: over_seeds(seeds[name]) for name in baselines_last(seeds)}


def need_variable(data: xr.Dataset, variable: str, name: str) -> xr.DataArray:
    """Return the variable of that name.

    Raises:
        SvqkitError: there is none, or it lacks its lead times.
    """
    if variable not in data.data_vars:
        raise SvqkitError(f"{name} has no field {variable!r}; it has {', '.join(map(str, data.data_vars)) or 'none'}.")
    if "lead" not in data[variable].dims or "lead" not in data.coords:
        raise SvqkitError(f"Field {variable!r} of {name} needs a dimension and a coordinate 'lead' in hours or frames.")
    return data[variable]
