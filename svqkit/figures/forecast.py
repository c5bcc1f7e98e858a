"""One forecast next to what happened: truth, prediction and their difference at a few lead times."""

from collections.abc import Sequence

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from svqkit.figures.channels import channel_of, pick_channel, unit_of
from svqkit.figures.fields import need_values, need_variable
from svqkit.figures.forecast_frames import forecast_frames
from svqkit.figures.grounds import area_mean, draw_field, on_earth
from svqkit.figures.leads import HOURS, lead_units, one_lead, pick_leads, some_leads
from svqkit.figures.limits import robust_scale, symmetric_scale
from svqkit.figures.names import display_name, superscript, with_units
from svqkit.figures.panels import colour_bar, field_panels, trim
from svqkit.figures.style import DIVERGING, FULL_WIDTH, SEQUENTIAL, heading, use


def forecast_case(
    case: xr.Dataset,
    name: str,
    leads: Sequence[int] | None = None,
    title: str | None = None,
    channel: int | str | None = None,
) -> Figure:
    """The truth, the prediction and the error, a column for each lead time: maps for weather, frames for all else.

    Args:
        case: ``truth`` and ``prediction`` (lead, lat, lon) or (lead, y, x), or either with a dimension ``channel``.
            Coordinates: ``lead``, with the attribute ``units``, "hours" (when left out) or "frames"; ``channel``,
            names; ``unit`` along ``channel``, units by channel. Attributes, which may all be left out: ``units``,
            ``long_name`` (what the field is), ``start_time`` (of the last observed frame, as ISO text: lead times
            in hours count from it). Frames may also have ``observed`` (time_in, channel, y, x) and the attribute
            ``clip``, the name of the clip that they are from.
        name: the experiment that made the prediction.
        leads: lead times; when ``None``, up to four (maps) or six (frames) from the first to the last.
        title: what the figure shows; made from the attributes when ``None``.
        channel: position or name of the channel; when ``None`` the first, but red, green and blue as a colour
            picture.

    Raises:
        SvqkitError: a field, channel or lead isn't there, or all values are NaN.
    """
    truth, prediction = (need_variable(case, variable, name) for variable in ("truth", "prediction"))
    leads = some_leads(case) if leads is None else leads
    if not on_earth(truth):
        return forecast_frames(case, name, leads, title, channel)
    return _forecast_maps(
        pick_leads(pick_channel(truth, channel, name), leads, name),
        pick_leads(pick_channel(prediction, channel, name), leads, name),
        {**truth.attrs, **case.attrs},
        name,
        title,
    )


def _forecast_maps(
    truth: xr.DataArray, prediction: xr.DataArray, about: dict[str, object], name: str, title: str | None
) -> Figure:
    """Maps (lead, lat, lon) of the truth, the prediction and the prediction minus the truth."""
    need_values(truth, f"the truth for {name}")
    error = need_values(prediction - truth, f"the error of {name}")
    rows = {"Truth": truth, display_name(name): prediction, "Error": error}
    units = unit_of(truth, otherwise=str(about.get("units", "")))
    what = str(about.get("long_name") or channel_of(truth) or "value")
    start = about.get("start_time")

    shown = [truth.to_numpy(), prediction.to_numpy()]
    wrong = [error.to_numpy()]
    scale, error_scale = robust_scale(shown), symmetric_scale(wrong)
    # A long unit would run into the next map's title; the colour bar has it too.
    short = f" {superscript(units)}" if len(units) <= 3 else ""
    with use():
        figure, axes = field_panels(truth, len(rows), truth.sizes["lead"], FULL_WIDTH, list(rows))
        for row, field in zip(axes, rows.values(), strict=True):
            for place, moment in zip(row, field.transpose("lead", ...), strict=True):
                if field is error:
                    draw_field(place, moment, DIVERGING, error_scale)
                    place.set_title(f"RMSE {area_mean(moment, of_squares=True):.3g}{short}")
                else:
                    draw_field(place, moment, SEQUENTIAL, scale)
        for place, lead in zip(axes[0], truth["lead"].to_numpy().tolist(), strict=True):
            place.set_title(_moment_words(lead, lead_units(truth), start))
        colour_bar(axes[:2].flat, scale, SEQUENTIAL, shown, with_units(what, units), "right", 20)
        meaning = with_units("Error", units)
        colour_bar(axes[2:].flat, error_scale, DIVERGING, wrong, meaning, "right", 10)
        issued = f", issued {_time_words(start)}" if start else ""
        heading(figure, title or f"{what}: {display_name(name)} forecast{issued}; error = forecast − truth")
        trim(figure, axes)
    return figure


def _moment_words(lead: int, units: str, start: object) -> str:
    """``"4 h"``, with the time that it is then where the forecast's start is known."""
    if not start or units != HOURS:
        return one_lead(lead, units)
    return f"{one_lead(lead)}: {_time_words(pd.Timestamp(start) + pd.Timedelta(hours=lead))}"


def _time_words(time: object) -> str:
    return f"{pd.Timestamp(time):%Y-%m-%d %H:%M}"
