"""One forecast next to what happened, at a few lead times: maps of truth, prediction and error, or rows of frames."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svqkit.errors import SvqkitError
from svqkit.plots.drawing import area_mean, draw_field, draw_picture, needs_bar, one_value
from svqkit.plots.fields import (
    channel_of,
    is_colour,
    is_grey,
    is_lat_lon,
    need_values,
    need_variable,
    pick_channel,
    pick_or_colour,
    unit_of,
)
from svqkit.plots.leads import FRAMES, HOURS, ahead, lead_units, one_lead, pick_leads, some_leads
from svqkit.plots.mapaxes import View, seen
from svqkit.plots.names import display_names, superscript, with_units
from svqkit.plots.panels import (
    amount_scale,
    colour_bar,
    decimals_for,
    field_panels,
    fits,
    robust_scale,
    symmetric_scale,
    trim,
)
from svqkit.plots.style import DIVERGING, ERROR, FULL_WIDTH, SEQUENTIAL, heading, use

_OBSERVED = "Observed"
# the frames of one row, each with the words above it
Row = list[tuple[str, xr.DataArray]]


def forecast_case(
    case: xr.Dataset,
    name: str,
    leads: Sequence[int] | None = None,
    title: str | None = None,
    channel: int | str | None = None,
) -> Figure:
    """Draw the truth, the prediction and the error, a column for each lead time: maps for weather, frames for all else.

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
    if not is_lat_lon(truth):
        return forecast_frames(case, name, leads, title, channel)
    return forecast_maps({name: case}, leads, title, channel)


def forecast_maps(
    cases: Mapping[str, xr.Dataset],
    leads: Sequence[int] | None = None,
    title: str | None = None,
    channel: int | str | None = None,
    projection: View = "world",
) -> Figure:
    """Draw maps of the truth, then of each model's prediction, then of each one's error, a column for each lead time.

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
    for name, other in cases.items():
        if not truth.equals(_moments(other, "truth", name, leads, channel, projection)):
            raise SvqkitError(f"{first} and {name} are not forecasts of the same times: their truths differ.")
        predictions[names[name]] = _moments(other, "prediction", name, leads, channel, projection)
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
            for ax, moment in zip(row, field.transpose("lead", ...), strict=True):
                draw_field(ax, moment, SEQUENTIAL, scale)
        for row, field in zip(axes[len(fields) :], errors.values(), strict=True):
            for ax, moment in zip(row, field.transpose("lead", ...), strict=True):
                draw_field(ax, moment, DIVERGING, error_scale)
                ax.set_title(f"RMSE {area_mean(moment, of_squares=True):.3g}{short}")
        for ax, lead in zip(axes[0], truth["lead"].to_numpy().tolist(), strict=True):
            words = _moment_words(lead, lead_units(truth), start)
            ax.set_title(words if fits(words, ax) else words.replace(": ", ":\n"))
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


def forecast_frames(
    case: xr.Dataset, name: str, leads: Sequence[int], title: str | None, channel: int | str | None
) -> Figure:
    """Draw pictures of the last observed frames, the truth, the prediction, and the size of the error.

    A row of each, with a column for each lead time; a forecast of a single lead time is one row of all four. The
    arguments are those of ``forecast_case``, with fields (…, y, x).
    """
    return forecasts_side_by_side({name: case}, leads, title, channel)


def forecasts_side_by_side(
    cases: Mapping[str, xr.Dataset],
    leads: Sequence[int] | None = None,
    title: str | None = None,
    channel: int | str | None = None,
) -> Figure:
    """Draw several forecasts of the same frames as ``forecast_frames``: a row of each, below a row of each error.

    All frames share one scale, and all errors another. Of a single lead time the frames stand side by side, those of
    several forecasts above their errors.

    Args:
        cases: by experiment, as for ``forecast_case``, with fields (…, y, x).
        leads, title, channel: as for ``forecast_case``.

    Raises:
        SvqkitError: there is no forecast; a field, channel or lead isn't there, or all values are NaN; or forecasts
            are not of the same frames.
    """
    if not cases:
        raise SvqkitError("There is no forecast to draw: give one or more.")
    name, case = next(iter(cases.items()))
    leads = some_leads(case) if leads is None else leads
    names = display_names(cases)
    truth = need_values(_field(case, "truth", name, leads, channel), f"the truth for {name}")
    frames = {
        _OBSERVED: _last_seen(case, channel, name, len(leads)),
        "Truth": [(ahead(lead, lead_units(truth)), truth.sel(lead=lead)) for lead in leads],
    }
    frames = {row: cells for row, cells in frames.items() if cells}
    errors = {}
    for other_name, other in cases.items():
        _need_same_truth(truth, _field(other, "truth", other_name, leads, channel), name, other_name)
        prediction = _field(other, "prediction", other_name, leads, channel)
        frames[names[other_name]] = [("", prediction.sel(lead=lead)) for lead in leads]
        row = "Error" if len(cases) == 1 else f"Error {names[other_name]}"
        errors[row] = need_values(one_value(np.abs(prediction - truth)), f"the error of {other_name}")
    wrong_frames = _with_means(errors)

    shown = [frame.to_numpy() for row in frames.values() for _, frame in row]
    wrong = [error.to_numpy() for error in errors.values()]
    scale, error_scale = robust_scale(shown), amount_scale(wrong)
    units = unit_of(truth, otherwise=str(case.attrs.get("units", "")))
    what = str(case.attrs.get("long_name") or truth.attrs.get("long_name") or channel_of(truth) or "value")
    with use():
        figure, axes, panels = _axes_by_row(truth, list(frames), list(wrong_frames), len(leads))
        for row, cells in frames.items():
            for ax, (words, frame) in _paired(panels[row], cells):
                draw_picture(ax, frame, scale)
                _add_title(ax, words)
        for row, cells in wrong_frames.items():
            for ax, (words, frame) in _paired(panels[row], cells):
                draw_field(ax, frame, ERROR, error_scale)
                _add_title(ax, words)
        of_values, of_errors = ([ax for row in rows for ax in panels[row]] for rows in (frames, wrong_frames))
        if len(leads) == 1 and len(cases) == 1:
            bars, thin, thick = "bottom", 45, 16
        else:
            bars, thin, thick = "right", 10 * _rows_of(of_values), 10 * _rows_of(of_errors)
        if needs_bar(truth):
            colour_bar(of_values, scale, SEQUENTIAL, shown, with_units(what, units), bars, thin)
        colour_bar(of_errors, error_scale, ERROR, wrong, with_units("|Error|", units), bars, thick)
        heading(figure, title or _title(case, truth, what, " and ".join(names.values())))
        trim(figure, axes)
    return figure


def _field(case: xr.Dataset, field: str, name: str, leads: Sequence[int], channel: int | str | None) -> xr.DataArray:
    return pick_leads(pick_or_colour(need_variable(case, field, name), channel, name), leads, name)


def _need_same_truth(truth: xr.DataArray, other: xr.DataArray, name: str, other_name: str) -> None:
    if truth.shape != other.shape or not np.array_equal(truth.to_numpy(), other.to_numpy(), equal_nan=True):
        raise SvqkitError(
            f"{name} and {other_name} are forecasts of different frames, so their errors can't stand side by side. "
            "Score both on the same store."
        )


def _last_seen(case: xr.Dataset, channel: int | str | None, name: str, most: int) -> Row:
    """Up to ``most`` of the last observed frames, in the order of time; none where they are not known."""
    if "observed" not in case:
        return []
    observed = pick_or_colour(case["observed"], channel, name).transpose("time_in", ...)
    count = observed.sizes["time_in"]
    # frames up to the last one seen, where the file gives no times
    times = observed["time_in"].to_numpy().tolist() if "time_in" in observed.coords else list(range(1 - count, 1))
    units = lead_units(case) if "time_in" in observed.coords else FRAMES
    row = [(ahead(time, units), frame) for time, frame in zip(times, observed, strict=True)]
    return row[-most:]


def _with_means(errors: Mapping[str, xr.DataArray]) -> dict[str, Row]:
    """Errors (lead, y, x) frame by frame, each with its mean; all means with as many decimals."""
    means = {row: error.mean(("y", "x")).to_numpy() for row, error in errors.items()}
    decimals = decimals_for(max(float(values.max()) for values in means.values()))
    return {
        row: [
            (f"MAE {mean:.{decimals}f}", frame)
            for mean, frame in zip(means[row], error.transpose("lead", "y", "x"), strict=True)
        ]
        for row, error in errors.items()
    }


def _axes_by_row(
    truth: xr.DataArray, frames: list[str], errors: list[str], columns: int
) -> tuple[Figure, np.ndarray, dict[str, list[Axes]]]:
    """A figure, its axes (rows, columns), and those of each row by name.

    A single column would be high and narrow: its rows stand side by side instead; what was observed and the truth
    below it first, then each of several forecasts above its error.
    """
    rows = [*frames, *errors]
    if columns > 1:
        figure, axes = field_panels(truth, len(rows), columns, FULL_WIDTH, rows)
        return figure, axes, {row: list(line) for row, line in zip(rows, axes, strict=True)}
    if len(errors) == 1:
        figure, axes = field_panels(truth, 1, len(rows), FULL_WIDTH)
        panels = dict(zip(rows, axes[0], strict=True))
    else:
        above, below = frames[-len(errors) :], errors
        first = frames[: -len(errors)]  # observed, if it is known, and the truth
        figure, axes = field_panels(truth, 2, 1 + len(errors), FULL_WIDTH)
        panels = dict(zip(above, axes[0, 1:], strict=True)) | dict(zip(below, axes[1, 1:], strict=True))
        panels |= dict(zip(first, axes[:, 0], strict=False))
        for ax in axes[len(first) :, 0]:
            ax.axis("off")
    for row, ax in panels.items():
        ax.set_title(row)
    return figure, axes, {row: [ax] for row, ax in panels.items()}


def _rows_of(panels: list[Axes]) -> int:
    """How many rows of a figure some axes stand in."""
    return len({ax.get_subplotspec().rowspan.start for ax in panels})


def _paired(panels: list[Axes], cells: Row) -> list[tuple[Axes, tuple[str, xr.DataArray]]]:
    """Each frame with its place; places without a frame are left empty."""
    for ax in panels[len(cells) :]:
        ax.axis("off")
    return list(zip(panels, cells, strict=False))


def _add_title(axes: Axes, words: str) -> None:
    """Write when a frame is, or how wrong, above it; below its row's name where that stands there."""
    name = axes.get_title()
    axes.set_title(f"{name}\n{words}" if name else words)


def _title(case: xr.Dataset, truth: xr.DataArray, what: str, name: str) -> str:
    subject = name if is_colour(truth) or is_grey(truth) else f"{what}: {name}"
    clip = f" of {case.attrs['clip']}" if case.attrs.get("clip") else ""
    over = ", mean of red, green and blue" if is_colour(truth) else ""
    # a formula that no line is broken in
    return f"{subject} forecast{clip}; error\u00a0=\u00a0|forecast\u00a0−\u00a0truth|{over}"
