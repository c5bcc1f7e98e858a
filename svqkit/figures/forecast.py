"""One forecast next to what happened: truth, prediction and their difference at a few lead times."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from svqkit.figures.fields import area_mean, channel_of, leads_of, need_values, need_variable, pick_leads
from svqkit.figures.limits import robust_scale, symmetric_scale
from svqkit.figures.mapaxes import draw_field
from svqkit.figures.names import display_name, with_units
from svqkit.figures.panels import colour_bar, map_panels, trim
from svqkit.figures.style import DIVERGING, FULL_WIDTH, SEQUENTIAL, heading, use


def forecast_case(case: xr.Dataset, name: str, leads: Sequence[int] | None = None, title: str | None = None) -> Figure:
    """Maps of the truth, the prediction and the error (prediction minus truth), a column for each lead time.

    Args:
        case: ``truth`` and ``prediction`` (lead, lat, lon) with the coordinate ``lead`` in hours, and the
            attributes ``units``, ``long_name`` (what the field is) and ``start_time`` (of the last observed
            frame, as ISO text: the lead times count from it). The attributes may be left out.
        name: the experiment that made the prediction.
        leads: lead times in hours; when ``None``, up to four from the first to the last.
        title: what the figure shows; made from the attributes when ``None``.

    Raises:
        SvqkitError: a field or lead isn't there, or all values are NaN.
    """
    fields = [need_variable(case, variable, name) for variable in ("truth", "prediction")]
    leads = _spread(leads_of(case)) if leads is None else leads
    truth, prediction = (pick_leads(field, leads, name) for field in fields)
    need_values(truth, f"the truth for {name}")
    error = need_values(prediction - truth, f"the error of {name}")
    rows = {"Truth": truth, display_name(name): prediction, "Error": error}
    units = str(case.attrs.get("units") or case["truth"].attrs.get("units", ""))
    what = str(case.attrs.get("long_name") or case["truth"].attrs.get("long_name") or channel_of(truth) or "value")
    start = case.attrs.get("start_time")

    shown = [truth.to_numpy(), prediction.to_numpy()]
    wrong = [error.to_numpy()]
    scale, error_scale = robust_scale(shown), symmetric_scale(wrong)
    with use():
        figure, axes = map_panels(truth, len(rows), len(leads), FULL_WIDTH, list(rows))
        for row, field in zip(axes, rows.values(), strict=True):
            for place, lead in zip(row, leads, strict=True):
                moment = field.sel(lead=lead)
                if field is error:
                    draw_field(place, moment, DIVERGING, error_scale)
                    place.set_title(f"RMSE {area_mean(moment, of_squares=True):.3g} {units}")
                else:
                    draw_field(place, moment, SEQUENTIAL, scale)
        for place, lead in zip(axes[0], leads, strict=True):
            place.set_title(_moment_words(lead, start))
        colour_bar(axes[:2].flat, scale, SEQUENTIAL, shown, with_units(what, units), "right", 20)
        meaning = with_units("Error", units)
        colour_bar(axes[2:].flat, error_scale, DIVERGING, wrong, meaning, "right", 10)
        issued = f", issued {_time_words(start)}" if start else ""
        heading(figure, title or f"{what}: {display_name(name)} forecast{issued}; error = forecast − truth")
        trim(figure, axes)
    return figure


def _spread(leads: Sequence[int]) -> list[int]:
    """The first and the last of ``leads`` and up to two evenly between them."""
    places = np.linspace(0, len(leads) - 1, min(len(leads), 4)).round().astype(int)
    return [leads[place] for place in places]


def _moment_words(lead: int, start: str | None) -> str:
    """``"4 h"``, with the time that it is then where the forecast's start is known."""
    if start is None:
        return f"{lead} h"
    return f"{lead} h: {_time_words(pd.Timestamp(start) + pd.Timedelta(hours=lead))}"


def _time_words(time: str | pd.Timestamp) -> str:
    return f"{pd.Timestamp(time):%Y-%m-%d %H:%M}"
