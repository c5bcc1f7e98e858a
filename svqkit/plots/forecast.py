"""Frames next to each other: forecasts beside what happened, a clip, and the mean and spread of a dataset."""

from collections.abc import Mapping, Sequence

import xarray as xr
from matplotlib.figure import Figure

from svqkit.errors import SvqkitError
from svqkit.plots.fields import channel_of, is_colour, is_lat_lon, need_variable, pick_or_colour, subject_of, unit_of
from svqkit.plots.leads import ahead, lead_units, pick_leads, some_leads, spread, time_text, times_of, when
from svqkit.plots.mapaxes import on_map
from svqkit.plots.names import display_names, superscript, with_units
from svqkit.plots.panels import Panel, Scale, area_mean, draw_panels, in_rows, three_digits

_MOST = 8  # frames of a clip


def forecasts(
    cases: Mapping[str, xr.Dataset],
    leads: Sequence[int] | None = None,
    channel: int | str | None = None,
) -> Figure:
    """Draw the truth, each model's forecast of it and each one's error: a row each, a column for each lead time.

    Frames share one scale, and errors another. On maps an error has a sign, and its root mean square over the area
    (WRMSE) stands above it; in pictures it is |forecast − truth|, its mean (MAE) above. Pictures begin with the last
    observed frames. Of a single lead time all stand in one row.

    Args:
        cases: by experiment, ``truth`` and ``prediction`` (lead, channel, lat, lon) or (lead, channel, y, x), with or
            without channels; pictures may have ``observed`` (time_in, channel, y, x). Coordinates: ``lead``, its
            attribute ``units`` "hours" (when left out) or "frames"; ``unit`` along ``channel``. Attributes, which may
            be left out: ``units``, ``start_time`` (of the last observed frame, ISO text), ``clip``.
        leads: lead times; when ``None``, up to four (maps) or six (pictures) from the first to the last.
        channel: position or name of the channel; when ``None`` the first, but red, green and blue as a colour picture.

    Raises:
        SvqkitError: there is no case, their truths differ; a field, channel or lead isn't there, or is all NaN.
    """
    if not cases:
        raise SvqkitError("There is no forecast to draw: give one or more.")
    name, case = next(iter(cases.items()))
    leads = some_leads(case) if leads is None else leads
    names, truth = display_names(cases), _picked(case, "truth", name, leads, channel)
    on_earth = is_lat_lon(truth)
    frames, errors = {"Truth": truth}, {}
    for other_name, other in cases.items():
        if not truth.equals(_picked(other, "truth", other_name, leads, channel)):
            raise SvqkitError(
                f"{name} and {other_name} are forecasts of different frames, so their errors can't stand side by side. "
                "Score both on the same store."
            )
        frames[names[other_name]] = _picked(other, "prediction", other_name, leads, channel)
        error = frames[names[other_name]] - truth
        row = "Error" if len(cases) == 1 else f"Error {names[other_name]}"
        errors[row] = error if on_earth else _one_value(abs(error))
    units = unit_of(truth, otherwise=str(case.attrs.get("units", "")))
    subject = subject_of(truth) or str(case.attrs.get("long_name", ""))
    without = "" if units or is_colour(truth) else " (no unit)"
    scale = Scale.of("frame", frames.values(), with_units(subject or "value", units) + without)
    wrong = Scale.of("difference" if on_earth else "size", errors.values(), with_units("Error", units))
    rows = {"Observed": _last_seen(case, channel, name, len(leads), scale)} if not on_earth else {}
    for row, field in frames.items():
        said = [when(case, lead) if row == "Truth" else "" for lead in leads]
        rows[row] = [Panel(one, scale, words) for one, words in zip(field, said, strict=True)]
    for row, field in errors.items():
        rows[row] = [Panel(one, wrong, _size(one, on_earth, units)) for one in field]
    rows = {row: panels for row, panels in rows.items() if panels}
    if len(leads) == 1:
        each = [(row, panel) for row, panels in rows.items() for panel in panels]
        rows = {" ": [Panel(panel.field, panel.scale, f"{row}\n{panel.title}".strip()) for row, panel in each]}
    return draw_panels(rows, _title(case, subject, " and ".join(names.values()), on_earth, truth))


def clip_strip(frames: xr.DataArray, title: str, channel: int | str | None = None) -> Figure:
    """Draw up to eight frames of a clip or window, evenly from its first to its last.

    Args:
        frames: (time, channel, y, x) or (time, channel, lat, lon), with or without channels. The coordinate ``time``
            holds dates, or numbers of frames, or offsets from the last observed frame (then some are negative and
            its attribute ``units`` says "hours" or "frames"); without it frames are counted from 1.
        title: what the figure shows.
        channel: position or name of the channel; when ``None`` the first, but colour pictures are shown in colour.

    Raises:
        SvqkitError: there is no such channel, all values are NaN, or the frames have neither lat, lon nor y, x.
    """
    frames = pick_or_colour(frames, channel, title)
    chosen = spread(frames.sizes["time"], _MOST)
    words, shown = times_of(frames), frames.isel(time=chosen)
    scale = Scale.of("frame", [shown], _label(frames))
    panels = [Panel(frame, scale, words[number]) for frame, number in zip(shown, chosen, strict=True)]
    return draw_panels(in_rows(panels, 4), title)


def mean_and_spread(fields: xr.Dataset) -> Figure:
    """Draw two maps or pictures side by side: the mean of a dataset, and the standard deviation of each place.

    Args:
        fields: ``mean`` and ``std`` (lat, lon) or (y, x), or either with a dimension ``channel``, of which the first
            is drawn; but of red, green and blue the mean in colour, and the standard deviations' mean over the three.
    """
    mean, std = (pick_or_colour(fields[name], None, "The dataset") for name in ("mean", "std"))
    panels = [
        Panel(mean, Scale.of("frame", [mean], _label(mean)), "Mean"),
        Panel(_one_value(std), Scale.of("amount", [_one_value(std)], _label(std)), "Standard deviation"),
    ]
    return draw_panels(in_rows(panels), "The training period")


def _picked(
    case: xr.Dataset, variable: str, name: str, leads: Sequence[int], channel: int | str | None
) -> xr.DataArray:
    """The truth or the prediction at some lead times, (lead, …)."""
    field = pick_leads(pick_or_colour(need_variable(case, variable, name), channel, name), leads, name)
    return (on_map(field) if is_lat_lon(field) else field).transpose("lead", ...)


def _last_seen(case: xr.Dataset, channel: int | str | None, name: str, most: int, scale: Scale) -> list[Panel]:
    """Up to ``most`` of the last observed frames, in the order of time; none where they are not known."""
    if "observed" not in case:
        return []
    observed = pick_or_colour(case["observed"], channel, name).transpose("time_in", ...)
    count = observed.sizes["time_in"]
    # frames up to the last one seen, where the file gives no times
    times = observed["time_in"].to_numpy().tolist() if "time_in" in observed.coords else list(range(1 - count, 1))
    units = lead_units(case) if "time_in" in observed.coords else "frames"
    return [Panel(frame, scale, ahead(time, units)) for time, frame in zip(times, observed, strict=True)][-most:]


def _size(error: xr.DataArray, on_earth: bool, units: str) -> str:
    number = three_digits(area_mean(error, of_squares=on_earth))
    return f"{'WRMSE' if on_earth else 'MAE'} {number} {superscript(units)}".strip()


def _title(case: xr.Dataset, subject: str, names: str, on_earth: bool, truth: xr.DataArray) -> str:
    """What forecasts show: of which field, by whom, from when or of which clip."""
    of = f" of {case.attrs['clip']}" if case.attrs.get("clip") else ""
    if case.attrs.get("start_time"):
        of = f" issued {time_text(case.attrs['start_time'])}"
    error = f"error = {'forecast − truth' if on_earth else '|forecast − truth|'}".replace(" ", "\u00a0")  # on one line
    over = ", mean of red, green and blue" if is_colour(truth) else ""
    what = f"{subject[:1].upper()}{subject[1:]}: forecast" if subject else "Forecast"
    return f"{what}{of} by {names}; {error}{over}"


def _one_value(field: xr.DataArray) -> xr.DataArray:
    """One value for each place: the mean over the channels where there are several."""
    return field.mean("channel") if "channel" in field.dims else field


def _label(field: xr.DataArray) -> str:
    if is_colour(field):
        return with_units("mean of red, green and blue", unit_of(field))
    return with_units(
        subject_of(field) or str(field.attrs.get("long_name") or channel_of(field) or "value"), unit_of(field)
    )
