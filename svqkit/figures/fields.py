"""Picking one map (lat, lon) out of a run's error fields, with errors that say what there is."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from svqkit.errors import SvqkitError


def error_map(errors: xr.Dataset, variable: str, channel: int | str, leads: Sequence[int], name: str) -> xr.DataArray:
    """The error (lat, lon) of one channel over some lead times taken together.

    Biases and MAEs are averaged; an RMSE is the root of the mean square, which is the RMSE over all those leads.

    Args:
        errors: variable ``variable`` with dimensions (channel, lead, lat, lon) and ``lead`` in hours.
        variable: ``"bias"``, ``"mae"`` or ``"rmse"``.
        channel: position, or the channel's name where the coordinate ``channel`` has names.
        leads: lead times in hours.
        name: whose errors these are, for messages.

    Raises:
        SvqkitError: the variable, the channel, a lead or all values are missing.
    """
    field = pick_channel(need_variable(errors, variable, name), channel, name)
    field = pick_leads(field, leads, name)
    over = (np.square(field).mean("lead") ** 0.5) if variable == "rmse" else field.mean("lead")
    return need_values(over.transpose("lat", "lon").assign_attrs(errors[variable].attrs), f"{variable} of {name}")


def need_variable(data: xr.Dataset, variable: str, name: str) -> xr.DataArray:
    """The variable of that name.

    Raises:
        SvqkitError: there is none, or it lacks its lead times.
    """
    if variable not in data.data_vars:
        raise SvqkitError(f"{name} has no field {variable!r}; it has {', '.join(map(str, data.data_vars)) or 'none'}.")
    if "lead" not in data[variable].dims or "lead" not in data.coords:
        raise SvqkitError(f"Field {variable!r} of {name} needs a dimension and a coordinate 'lead' in hours.")
    return data[variable]


def pick_channel(field: xr.DataArray, channel: int | str, name: str) -> xr.DataArray:
    """One channel of a field, by position or by name; a field without channels is its own one.

    Raises:
        SvqkitError: there is no such channel.
    """
    if "channel" not in field.dims:
        return field
    names = [str(value) for value in field["channel"].to_numpy()]
    place = names.index(channel) if channel in names else channel
    if not isinstance(place, int) or not 0 <= place < len(names):
        raise SvqkitError(f"{name} has no channel {channel!r}; it has {', '.join(names)} (0 to {len(names) - 1}).")
    return field.isel(channel=place)


def channel_of(field: xr.DataArray) -> str | None:
    """The name of the one channel that a field was picked from, where it had a name."""
    channel = field.coords.get("channel")
    return str(channel.item()) if channel is not None and channel.ndim == 0 and channel.dtype.kind in "UOT" else None


def pick_leads(field: xr.DataArray, leads: Sequence[int], name: str) -> xr.DataArray:
    """The field at some lead times in hours.

    Raises:
        SvqkitError: one isn't there, or none was asked for.
    """
    there = field["lead"].to_numpy().tolist()
    missing = [lead for lead in leads if lead not in there]
    if missing or not len(leads):
        raise SvqkitError(
            f"{name} has no lead time of {', '.join(map(str, missing)) or 'none'} h; "
            f"it has {', '.join(map(str, there))} h."
        )
    return field.sel(lead=list(leads))


def need_values(field: xr.DataArray, name: str) -> xr.DataArray:
    """The field itself, when it has a finite value.

    Raises:
        SvqkitError: every value is NaN or infinite.
    """
    if not np.isfinite(field).any():
        raise SvqkitError(f"There is nothing to draw: every value of {name} is missing (NaN).")
    return field


def area_mean(field: xr.DataArray, of_squares: bool = False) -> float:
    """Mean of a field (lat, lon) over the area it covers; with ``of_squares`` the root of the mean square."""
    weights = np.cos(np.deg2rad(field["lat"])).clip(min=0)
    if of_squares:
        return float(np.square(field).weighted(weights).mean()) ** 0.5
    return float(field.weighted(weights).mean())


def leads_of(errors: xr.Dataset) -> list[int]:
    """All lead times of a dataset, hours."""
    return errors["lead"].to_numpy().tolist()


def lead_words(leads: Sequence[int]) -> str:
    """``"lead times 1–12 h"``, or ``"lead time 6 h"``."""
    first, last = min(leads), max(leads)
    # spaces that no line is broken at
    return f"lead time {first:g}\u00a0h" if first == last else f"lead times {first:g}–{last:g}\u00a0h"
