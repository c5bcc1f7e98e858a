"""Where forecasts go wrong, on Earth or in a frame: bias and RMSE, and the difference to another model."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from svqkit.errors import SvqkitError
from svqkit.plots.fields import error_map, is_colour, is_lat_lon, pick_or_colour, plane_of, subject_of
from svqkit.plots.leads import lead_units, lead_words, leads_of, one_lead
from svqkit.plots.mapaxes import View, on_map, polar_words
from svqkit.plots.names import BASELINES, baselines_last, display_names, superscript, with_units
from svqkit.plots.panels import Panel, Scale, area_mean, draw_panels, in_rows, three_digits

_MEANING = {"bias": "Bias: forecast minus truth", "mae": "MAE", "rmse": "RMSE"}


def error_maps(
    errors: Mapping[str, xr.Dataset],
    variable: str = "bias",
    channel: int | str | None = None,
    leads: Sequence[int] | None = None,
    title: str | None = None,
    projection: View = "world",
) -> Figure:
    """Draw maps, or pictures, of the errors of several models, all on one scale, the mean above each.

    The scale is that of the models: a baseline may lie beyond it, or models would look alike.

    Args:
        errors: by experiment, ``bias``, ``mae`` or ``rmse`` (channel, lead, lat, lon) or (channel, lead, y, x), with
            the coordinates ``lead`` (its attribute ``units`` says "hours" or "frames") and ``unit`` along ``channel``.
        variable: ``"bias"`` (scale symmetric around zero), ``"mae"`` or ``"rmse"``.
        channel: position or name of the channel; when ``None`` the first, but red, green and blue together.
        leads: a row for each model and a column for each of these lead times; when ``None``, one map for each model,
            over all lead times that the first one has.
        title: what the figure shows; made from the channel and the lead times when ``None``.
        projection: "world" (all that the grid covers), or "north" or "south": the Earth from above that pole, down to
            30 degrees. Means are of what is seen.

    Raises:
        SvqkitError: a variable, channel or lead isn't there, all values are NaN, the units differ, or a region or
            pictures are to be seen from above a pole.
    """
    if variable not in _MEANING:
        raise SvqkitError(f"Unknown error field {variable!r}. Valid: {', '.join(_MEANING)}.")
    if not errors or (leads is not None and not len(leads)):
        raise SvqkitError("There are no error fields or no lead times to draw: give one or more.")
    first = next(iter(errors.values()))
    columns = [leads_of(first)] if leads is None else [[lead] for lead in leads]
    maps = {
        name: [_seen(error_map(errors[name], variable, channel, lead, name), projection) for lead in columns]
        for name in baselines_last(errors)
    }
    units = _common_units(maps)
    every = [field for row in maps.values() for field in row]
    of_models = [field for name, row in maps.items() for field in row if name not in BASELINES]
    kind = "difference" if variable == "bias" else "amount"
    scale = Scale.of(kind, of_models or every, with_units(_MEANING[variable], units), every)
    names = display_names(maps)
    by_lead = [""] if len(columns) == 1 else [one_lead(lead, lead_units(first)) for (lead,) in columns]
    rows = {
        names[name]: [
            Panel(field, scale, f"{what or names[name]}: {_mean(field, variable, units)}")
            for what, field in zip(by_lead, row, strict=True)
        ]
        for name, row in maps.items()
    }
    if len(columns) == 1:
        rows = in_rows([panel for row in rows.values() for panel in row], 4 * (projection != "world"))
    over = " by lead time" if len(columns) > 1 else f", {lead_words(columns[0], lead_units(first))}"
    colour = channel is None and is_colour(first[variable])
    subject = "red, green and blue" if colour else subject_of(every[0])
    what = {"bias": "mean error"}.get(variable, variable.upper())
    return draw_panels(rows, title or f"{_capital(f'{subject}: {what}' if subject else what)}{over}", projection)


def difference_maps(
    errors: Mapping[str, xr.Dataset],
    base: str,
    channel: int | str | None = None,
    projection: View = "world",
    significant: Mapping[str, xr.DataArray] | None = None,
) -> Figure:
    """Draw the RMSE of each experiment minus that of ``base``, place by place: blue where it is better than the base.

    Args:
        errors: by experiment, of the base and of one or more others, as for :func:`error_maps`, on the same places.
        base: the name that the others are compared with.
        channel, projection: as for :func:`error_maps`, of all lead times; the shares above the maps are of what is
            seen.
        significant: by experiment, whether the difference is significant, bool (channel, lat, lon) or (channel, y, x),
            with or without channels, of the same lead times: see
            :func:`svqkit.evaluation.significance.significant_places`. Such places get a dot.

    Raises:
        SvqkitError: the places differ, something isn't there, as for ``error_maps``, or ``significant`` is of another
            grid or of single channels of a colour picture.
    """
    leads = leads_of(errors[base])
    maps = {name: [error_map(run, "rmse", channel, leads, name)] for name, run in errors.items()}
    units, (theirs,) = _common_units(maps), maps.pop(base)
    if not maps:
        raise SvqkitError(f"There is nothing to compare {base} with: give the error fields of another run.")
    differences, dots = {}, {}
    for name, (field,) in maps.items():
        if not _same_places(field, theirs):
            raise SvqkitError(
                f"{name} and {base} are on different grids: a difference needs the same lat and lon, or pictures of "
                "one size."
            )
        differences[name] = _seen(field - theirs, projection)
        if significant and name in significant:
            dots[name] = _seen(_dots(significant[name], channel, field), projection)
    names = display_names(errors)
    scale = Scale.of("difference", differences.values(), with_units(f"RMSE minus that of {names[base]}", units))
    panels = [
        Panel(field, scale, _headline(names[name], names[base], field, dots.get(name)), dots.get(name))
        for name, field in differences.items()
    ]
    subject = subject_of(theirs)
    what = f"{subject}: change of the RMSE" if subject else "change of the RMSE"
    seen = "" if projection == "world" else f", {polar_words(projection)}"
    title = f"{_capital(what)} against {names[base]}, {lead_words(leads, lead_units(errors[base]))}{seen}"
    return draw_panels(in_rows(panels), title, projection)


def _mean(field: xr.DataArray, variable: str, units: str) -> str:
    """``"mean +0.12 K"``: over the area; of an RMSE the root of the mean square, on Earth the WRMSE of tables."""
    mean = area_mean(field, of_squares=variable == "rmse")
    what = "mean" if variable != "rmse" else "WRMSE" if is_lat_lon(field) else "RMSE"
    number = three_digits(mean, "+" if variable == "bias" else "")
    return f"{what} {number} {superscript(units)}".strip().replace(" ", "\u00a0")  # on one line


def _headline(name: str, base: str, field: xr.DataArray, dots: xr.DataArray | None) -> str:
    """On how much of the area an experiment is better, and on how much the difference is more than chance."""

    def share(where: xr.DataArray) -> str:
        return f"{100 * area_mean(where.where(field.notnull())):.0f} %"

    words = f"{name} better on {share(field < 0)}, {base} on {share(field > 0)}"
    if dots is None:
        return words
    return f"{words}\nmore than chance (dots): {share(dots & (field < 0))}, {share(dots & (field > 0))}"


def _seen(field: xr.DataArray, projection: View) -> xr.DataArray:
    """What of a field is seen: all of it, or the rows around a pole."""
    return on_map(field, projection) if is_lat_lon(field) else field


def _dots(significant: xr.DataArray, channel: int | str | None, difference: xr.DataArray) -> xr.DataArray:
    """The places with a dot, (lat, lon) or (y, x), on the places of ``difference``."""
    dots = pick_or_colour(significant, channel, "The field of significant places")
    if "channel" in dots.dims:
        raise SvqkitError("Significance is told channel by channel: name the channel of a colour picture to draw it.")
    if not _same_places(dots, difference):
        raise SvqkitError("The significant places lie on another grid than the difference: give those of these errors.")
    return dots.astype(bool)


def _same_places(a: xr.DataArray, b: xr.DataArray) -> bool:
    # pixels have no coordinates: xarray numbers them
    return plane_of(a) == plane_of(b) and all(np.array_equal(a[dim], b[dim]) for dim in plane_of(a))


def _common_units(maps: Mapping[str, Sequence[xr.DataArray]]) -> str:
    """The units that the fields of all runs have."""
    units = {name: str(row[0].attrs["units"]) for name, row in maps.items()}
    if len(set(units.values())) > 1:
        found = ", ".join(f"{name} in {unit or 'no units'}" for name, unit in units.items())
        raise SvqkitError(f"Maps on one scale need the same units; there are {found}.")
    return next(iter(units.values()))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
