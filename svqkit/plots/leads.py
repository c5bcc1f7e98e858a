"""Lead times: which there are, which to show, and how they are called, in hours or in frames."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from svqkit.errors import SvqkitError

HOURS, FRAMES = "h", "frames"


def lead_units(data: xr.Dataset | xr.DataArray) -> str:
    """Return what the lead times of ``data`` count, as the coordinate ``lead`` says: ``"h"`` or ``"frames"``.

    Lead times that don't say are hours.
    """
    return short_units(str(data["lead"].attrs.get("units", HOURS)))


def short_units(units: str) -> str:
    """Abbreviate ``"hours"`` to ``"h"``; all else stays as it is."""
    return HOURS if units == "hours" else units


def leads_of(data: xr.Dataset | xr.DataArray) -> list[int]:
    """Return all lead times of ``data``."""
    return data["lead"].to_numpy().tolist()


def some_leads(forecast: xr.Dataset, most: int | None = None) -> list[int]:
    """Return at most ``most`` lead times of a dataset, spread evenly from its first to its last.

    When ``most`` is ``None``, as many as a page has room for: 4 where fields are maps, 6 where they are frames.
    """
    leads = [int(lead) for lead in forecast["lead"].to_numpy()]
    most = (6 if {"y", "x"} <= set(forecast.dims) else 4) if most is None else most
    return [leads[index] for index in spread(len(leads), most)]


def spread(count: int, most: int) -> list[int]:
    """Return at most ``most`` of the positions 0 … ``count`` - 1, evenly from the first to the last."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(int).tolist()


def pick_leads(field: xr.DataArray, leads: Sequence[int], name: str) -> xr.DataArray:
    """Return the field at some lead times, in the order given.

    Raises:
        SvqkitError: one isn't there, or none was asked for.
    """
    there, units = leads_of(field), lead_units(field)
    missing = [lead for lead in leads if lead not in there]
    if missing or not len(leads):
        raise SvqkitError(
            f"{name} has no lead time of {', '.join(map(str, missing)) or 'none'} {units}; "
            f"it has {', '.join(map(str, there))} {units}."
        )
    return field.sel(lead=list(leads))


def lead_words(leads: Sequence[int], units: str = HOURS) -> str:
    """Return ``"lead times 1–12 h"``, or ``"lead time 6 h"``."""
    first, last = min(leads), max(leads)
    words = f"lead time {first:g}" if first == last else f"lead times {first:g}–{last:g}"
    # a space that no line is broken at
    return f"{words}\u00a0{_counted(last, units)}"


def one_lead(lead: int, units: str = HOURS) -> str:
    """Return ``"6 h"``, ``"5 frames"``."""
    return f"{lead:g} {_counted(lead, units)}"


def ahead(offset: int, units: str = HOURS) -> str:
    """Return when a frame is, seen from the last observed one: ``"+5 frames"``, ``"−3 h"``, ``"last seen"``."""
    return "last seen" if offset == 0 else f"{offset:+g} {_counted(offset, units)}".replace("-", "−")


def when(forecast: xr.Dataset, lead: int) -> str:
    """Return ``"+5 frames"``, ``"4 h"``, with the time that it is then where the forecast's start is known."""
    units, start = lead_units(forecast), forecast.attrs.get("start_time")
    if units != HOURS:
        return ahead(lead, units)
    return f"{one_lead(lead)}: {time_text(pd.Timestamp(start) + pd.Timedelta(hours=lead))}" if start else one_lead(lead)


def times_of(frames: xr.DataArray) -> list[str]:
    """Return when each frame of a clip is: its date, how far it is ahead, or its number."""
    if "time" not in frames.coords:
        return [f"frame {number + 1}" for number in range(frames.sizes["time"])]
    times = frames["time"].to_numpy()
    if np.issubdtype(times.dtype, np.datetime64):
        return [time_text(time) for time in times]
    if (times < 0).any():
        units = short_units(str(frames["time"].attrs.get("units", "frames")))
        return [ahead(time, units) for time in times.tolist()]
    return [f"frame {time}" for time in times.tolist()]


def time_text(time: object) -> str:
    """Return ``"2017-01-03 06:00"``."""
    return f"{pd.Timestamp(time):%Y-%m-%d %H:%M}"


def _counted(number: int, units: str) -> str:
    return "frame" if units == FRAMES and abs(number) == 1 else units
