"""One forecast next to what happened: truth, prediction and their difference at a few lead times."""

from collections.abc import Mapping, Sequence

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from svqkit.errors import SvqkitError
from svqkit.plots.channels import channel_of, pick_channel, unit_of
from svqkit.plots.fields import need_values, need_variable
from svqkit.plots.forecast_frames import forecast_frames
from svqkit.plots.grounds import area_mean, draw_field, on_earth
from svqkit.plots.leads import HOURS, lead_units, one_lead, pick_leads, some_leads
from svqkit.plots.limits import robust_scale, symmetric_scale
from svqkit.plots.mapaxes import View, seen
from svqkit.plots.names import display_names, superscript, with_units
from svqkit.plots.panels import colour_bar, field_panels, fits, trim
from svqkit.plots.style import DIVERGING, FULL_WIDTH, SEQUENTIAL, heading, use


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
    truth = need_variable(case, "truth", name)
    leads = some_leads(case) if leads is None else leads
    if not on_earth(truth):
        return forecast_frames(case, name, leads, title, channel)
    return forecast_maps({name: case}, leads, title, channel)


def forecast_maps(
    cases: Mapping[str, xr.Dataset],
    leads: Sequence[int] | None = None,
    title: str | None = None,
    channel: int | str | None = None,
    projection: View = "world",
) -> Figure:
    """Maps of the truth, then of each model's prediction, then of each one's error, a column for each lead time.

    Fields share one scale, and errors another; above each error stands its root mean square over the area.

    Args:
        cases: by experiment, as for ``forecast_case``, all with the same truth, (…, lat, lon).
        leads, title, channel: as for ``forecast_case``.
        projection: as for ``error_maps``.

    Raises:
        SvqkitError: there is no case, their truths differ, or something isn't there, as for ``forecast_case``.
    """
    if not cases:
        raise SvqkitError("There is no forecast to draw: give one or more.")
    first, case = next(iter(cases.items()))
    leads = some_leads(case) if leads is None else leads
    truth = _moments(case, "truth", first, leads, channel, projection)
    need_values(truth, f"the truth for {first}")
    names = display_names(cases)
    predictions, errors = {}, {}
    for name, one in cases.items():
        if not truth.equals(_moments(one, "truth", name, leads, channel, projection)):
            raise SvqkitError(f"{first} and {name} are not forecasts of the same times: their truths differ.")
        predictions[names[name]] = _moments(one, "prediction", name, leads, channel, projection)
        wrong = need_values(predictions[names[name]] - truth, f"the error of {name}")
        errors["Error" if len(cases) == 1 else f"Error {names[name]}"] = wrong
    about = {**case["truth"].attrs, **case.attrs}
    units = unit_of(truth, otherwise=str(about.get("units", "")))
    what = str(about.get("long_name") or channel_of(truth) or "value")
    start = about.get("start_time")

    fields = {"Truth": truth, **predictions}
    shown, wrong = ([field.to_numpy() for field in part.values()] for part in (fields, errors))
    scale, error_scale = robust_scale(shown), symmetric_scale(wrong)
    # A long unit would run into the next map's title; the colour bar has it too.
    short = f" {superscript(units)}" if len(units) <= 3 else ""
    with use():
        rows = [*fields, *errors]
        figure, axes = field_panels(truth, len(rows), truth.sizes["lead"], FULL_WIDTH, rows, projection)
        for row, field in zip(axes, fields.values(), strict=False):
            for place, moment in zip(row, field.transpose("lead", ...), strict=True):
                draw_field(place, moment, SEQUENTIAL, scale)
        for row, field in zip(axes[len(fields) :], errors.values(), strict=True):
            for place, moment in zip(row, field.transpose("lead", ...), strict=True):
                draw_field(place, moment, DIVERGING, error_scale)
                place.set_title(f"RMSE {area_mean(moment, of_squares=True):.3g}{short}")
        for place, lead in zip(axes[0], truth["lead"].to_numpy().tolist(), strict=True):
            words = _moment_words(lead, lead_units(truth), start)
            place.set_title(words if fits(words, place) else words.replace(": ", ":\n"))
        colour_bar(axes[: len(fields)].flat, scale, SEQUENTIAL, shown, with_units(what, units), "right", 20)
        meaning = with_units("Error", units)
        colour_bar(axes[len(fields) :].flat, error_scale, DIVERGING, wrong, meaning, "right", 10 * len(cases))
        issued = f", issued {_time_words(start)}" if start else ""
        forecasts = " and ".join(predictions)
        heading(figure, title or f"{what}: {forecasts} forecast{issued}; error = forecast − truth")
        trim(figure, axes)
    return figure


def _moments(
    case: xr.Dataset, variable: str, name: str, leads: Sequence[int], channel: int | str | None, projection: View
) -> xr.DataArray:
    """The truth or the prediction at some lead times, (lead, lat, lon), as far as it is seen."""
    field = pick_channel(need_variable(case, variable, name), channel, name)
    return seen(pick_leads(field, leads, name), projection)


def _moment_words(lead: int, units: str, start: object) -> str:
    """``"4 h"``, with the time that it is then where the forecast's start is known."""
    if not start or units != HOURS:
        return one_lead(lead, units)
    return f"{one_lead(lead)}: {_time_words(pd.Timestamp(start) + pd.Timedelta(hours=lead))}"


def _time_words(time: object) -> str:
    return f"{pd.Timestamp(time):%Y-%m-%d %H:%M}"
