"""One forecast of frames next to what happened: the last frames seen, those that came, those forecast, the error."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svqkit.figures.channels import channel_of, is_colour, is_grey, pick_or_colour, unit_of
from svqkit.figures.fields import need_values
from svqkit.figures.grounds import draw_field
from svqkit.figures.leads import FRAMES, ahead, lead_units, pick_leads
from svqkit.figures.limits import amount_scale, decimals_for, robust_scale
from svqkit.figures.names import display_name, with_units
from svqkit.figures.panels import colour_bar, field_panels, trim
from svqkit.figures.pictures import draw_picture, needs_bar, one_value
from svqkit.figures.style import ERROR, FULL_WIDTH, SEQUENTIAL, heading, use

# the frames of one row, each with the words above it
Row = list[tuple[str, xr.DataArray]]


def forecast_frames(
    case: xr.Dataset, name: str, leads: Sequence[int], title: str | None, channel: int | str | None
) -> Figure:
    """Pictures of the last observed frames, the truth, the prediction, and the size of the error.

    A row of each, with a column for each lead time; a forecast of a single lead time is one row of all four. The
    arguments are those of ``forecast_case``, with fields (…, y, x).
    """
    truth, prediction = (
        pick_leads(pick_or_colour(case[field], channel, name), leads, name) for field in ("truth", "prediction")
    )
    need_values(truth, f"the truth for {name}")
    error = need_values(one_value(np.abs(prediction - truth)), f"the error of {name}")
    times = [ahead(lead, lead_units(truth)) for lead in leads]
    frames = {
        "Observed": _last_seen(case, channel, name, len(leads)),
        "Truth": list(zip(times, truth.transpose("lead", ...), strict=True)),
        display_name(name): [("", frame) for frame in prediction.transpose("lead", ...)],
    }
    frames = {row: cells for row, cells in frames.items() if cells}
    errors = _with_means(error.transpose("lead", "y", "x"))

    shown = [frame.to_numpy() for row in frames.values() for _, frame in row]
    wrong = [error.to_numpy()]
    scale, error_scale = robust_scale(shown), amount_scale(wrong)
    units = unit_of(truth, otherwise=str(case.attrs.get("units", "")))
    what = str(case.attrs.get("long_name") or truth.attrs.get("long_name") or channel_of(truth) or "value")
    bars, thin, thick = ("bottom", 45, 16) if len(leads) == 1 else ("right", 10 * len(frames), 10)
    with use():
        figure, axes, places = _places(truth, [*frames, "Error"], len(leads))
        for row, cells in frames.items():
            for place, (words, frame) in _paired(places[row], cells):
                draw_picture(place, frame, scale)
                _add_title(place, words)
        for place, (words, frame) in _paired(places["Error"], errors):
            draw_field(place, frame, ERROR, error_scale)
            _add_title(place, words)
        if needs_bar(truth):
            of_values = [place for row in frames for place in places[row]]
            colour_bar(of_values, scale, SEQUENTIAL, shown, with_units(what, units), bars, thin)
        colour_bar(places["Error"], error_scale, ERROR, wrong, with_units("|Error|", units), bars, thick)
        heading(figure, title or _title(case, truth, what, display_name(name)))
        trim(figure, axes)
    return figure


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


def _with_means(error: xr.DataArray) -> Row:
    """The error (lead, y, x) frame by frame, each with its mean."""
    means = error.mean(("y", "x")).to_numpy()
    decimals = decimals_for(float(means.max()))
    return [(f"MAE {mean:.{decimals}f}", frame) for mean, frame in zip(means, error, strict=True)]


def _places(truth: xr.DataArray, rows: list[str], columns: int) -> tuple[Figure, np.ndarray, dict[str, list[Axes]]]:
    """A figure, its axes (rows, columns), and those of each row by name.

    A single column would be high and narrow: its rows stand side by side instead.
    """
    if columns > 1:
        figure, axes = field_panels(truth, len(rows), columns, FULL_WIDTH, rows)
        return figure, axes, {row: list(line) for row, line in zip(rows, axes, strict=True)}
    figure, axes = field_panels(truth, 1, len(rows), FULL_WIDTH)
    for place, row in zip(axes[0], rows, strict=True):
        place.set_title(row)
    return figure, axes, {row: [place] for row, place in zip(rows, axes[0], strict=True)}


def _paired(places: list[Axes], cells: Row) -> list[tuple[Axes, tuple[str, xr.DataArray]]]:
    """Each frame with its place; places without a frame are left empty."""
    for place in places[len(cells) :]:
        place.axis("off")
    return list(zip(places, cells, strict=False))


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
