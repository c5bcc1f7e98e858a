"""Channels of a field: picking one, its name and units, and whether a field is a colour picture."""

import numpy as np
import xarray as xr

from svqkit.errors import SvqkitError

_RGB = ["red", "green", "blue"]


def pick_channel(field: xr.DataArray, channel: int | str | None, name: str) -> xr.DataArray:
    """One channel of a field, by position or by name, the first when ``None``.

    A field without channels is its own one.

    Raises:
        SvqkitError: there is no such channel.
    """
    if "channel" not in field.dims:
        return field
    names = [str(value) for value in field["channel"].to_numpy()]
    wanted = 0 if channel is None else channel
    place = names.index(wanted) if wanted in names else wanted
    if not isinstance(place, int | np.integer) or not 0 <= place < len(names):
        raise SvqkitError(f"{name} has no channel {channel!r}; it has {_some(names)} (0 to {len(names) - 1}).")
    return field.isel(channel=int(place))


def pick_or_colour(field: xr.DataArray, channel: int | str | None, name: str) -> xr.DataArray:
    """As ``pick_channel``, but a colour picture stays whole, (…, channel, y, x), when ``channel`` is ``None``."""
    return field if channel is None and is_colour(field) else pick_channel(field, channel, name)


def is_colour(field: xr.DataArray) -> bool:
    """Whether the channels of a field (…, channel, y, x) are red, green and blue."""
    return {"channel", "y", "x"} <= set(field.dims) and field["channel"].to_numpy().astype(str).tolist() == _RGB


def is_grey(field: xr.DataArray) -> bool:
    """Whether a field (…, y, x) is the brightness of a picture."""
    return "y" in field.dims and channel_of(field) == "grey"


def channel_of(field: xr.DataArray) -> str | None:
    """The name of the one channel that a field was picked from, where it had a name."""
    channel = field.coords.get("channel")
    return str(channel.item()) if channel is not None and channel.ndim == 0 and channel.dtype.kind in "UOT" else None


def unit_of(field: xr.DataArray, otherwise: str = "") -> str:
    """The units of a field: its channel's own (coordinate ``unit``), or its attribute ``units``, or ``otherwise``.

    Channels that differ in their units have none together.
    """
    if "unit" in field.coords:
        each = {str(unit) for unit in np.atleast_1d(field["unit"].to_numpy())}
        return each.pop() if len(each) == 1 else ""
    return str(field.attrs.get("units") or otherwise)


def _some(names: list[str], most: int = 20) -> str:
    """All names, or the first and last of very many."""
    return ", ".join(names if len(names) <= most else [*names[: most - 1], "…", names[-1]])
