"""Picking one field, (lat, lon) or (y, x), out of a run's error fields, with errors that say what there is."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from svqkit.errors import SvqkitError
from svqkit.plots.channels import pick_or_colour, unit_of
from svqkit.plots.grounds import plane_of
from svqkit.plots.leads import pick_leads


def error_map(
    errors: xr.Dataset, variable: str, channel: int | str | None, leads: Sequence[int], name: str
) -> xr.DataArray:
    """The error (lat, lon) or (y, x) of one channel over some lead times taken together.

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
        SvqkitError: the variable, the channel, a lead or all values are missing.
    """
    field = pick_or_colour(need_variable(errors, variable, name), channel, name)
    field = pick_leads(field, leads, name)
    over = [dim for dim in ("lead", "channel") if dim in field.dims]
    together = (np.square(field).mean(over) ** 0.5) if variable == "rmse" else field.mean(over)
    attrs = {**errors[variable].attrs, "units": unit_of(field)}
    return need_values(together.transpose(*plane_of(together)).assign_attrs(attrs), f"{variable} of {name}")


def over_seeds(errors: Sequence[xr.Dataset]) -> xr.Dataset:
    """The error fields of several runs as those of one: biases and MAEs averaged, of the RMSE the mean square.

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


def need_variable(data: xr.Dataset, variable: str, name: str) -> xr.DataArray:
    """The variable of that name.

    Raises:
        SvqkitError: there is none, or it lacks its lead times.
    """
    if variable not in data.data_vars:
        raise SvqkitError(f"{name} has no field {variable!r}; it has {', '.join(map(str, data.data_vars)) or 'none'}.")
    if "lead" not in data[variable].dims or "lead" not in data.coords:
        raise SvqkitError(f"Field {variable!r} of {name} needs a dimension and a coordinate 'lead' in hours or frames.")
    return data[variable]


def need_values(field: xr.DataArray, name: str) -> xr.DataArray:
    """The field itself, when it has a finite value.

    Raises:
        SvqkitError: every value is NaN or infinite.
    """
    if not np.isfinite(field).any():
        raise SvqkitError(f"There is nothing to draw: every value of {name} is missing (NaN).")
    return field
