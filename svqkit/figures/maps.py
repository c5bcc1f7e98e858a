"""Where on Earth forecasts go wrong: maps of bias and RMSE, and of the difference between two models."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from svqkit.errors import SvqkitError
from svqkit.figures.fields import area_mean, channel_of, error_map, lead_words, leads_of, need_variable
from svqkit.figures.limits import robust_scale, symmetric_scale
from svqkit.figures.mapaxes import draw_field, grid_of
from svqkit.figures.names import display_names, with_units
from svqkit.figures.panels import colour_bar, map_panels, trim
from svqkit.figures.style import COLUMN_WIDTH, DIVERGING, FULL_WIDTH, SEQUENTIAL, heading, use

_MEANING = {"bias": "Bias: forecast minus truth", "mae": "MAE", "rmse": "RMSE"}


def error_maps(
    errors: Mapping[str, xr.Dataset],
    variable: str = "bias",
    channel: int | str = 0,
    leads: Sequence[int] | None = None,
    title: str | None = None,
) -> Figure:
    """Maps of the errors of several models, all with one colour scale and the area mean above each map.

    Args:
        errors: by experiment, ``bias``, ``mae`` or ``rmse`` (channel, lead, lat, lon) with the coordinate ``lead`` in
            hours and the attributes ``units`` and ``long_name``.
        variable: ``"bias"`` (scale symmetric around zero), ``"mae"`` or ``"rmse"``.
        channel: position or name of the channel.
        leads: one row for each model and one column for each of these lead times (hours); when ``None``, one
            map for each model, over all lead times that the first one has.
        title: what the figure shows; made from ``long_name`` and the lead times when ``None``.

    Raises:
        SvqkitError: a variable, channel or lead isn't there, all values are NaN, or the units differ.
    """
    units = _common_units(errors, variable)
    every = leads_of(next(iter(errors.values())))
    columns = [every] if leads is None else [[lead] for lead in leads]
    if not columns:
        raise SvqkitError("There is no lead time to draw: give one or more, or None for all together.")
    maps = {name: [error_map(run, variable, channel, lead, name) for lead in columns] for name, run in errors.items()}
    values = [field.to_numpy() for row in maps.values() for field in row]
    signed = variable == "bias"
    scale, colours = (symmetric_scale(values), DIVERGING) if signed else (robust_scale(values), SEQUENTIAL)
    first = next(iter(maps.values()))[0]
    names = display_names(errors)

    with use():
        if leads is None:
            figure, axes = _one_map_each(first, len(maps))
        else:
            figure, axes = map_panels(first, len(maps), len(leads), FULL_WIDTH, list(names.values()))
        places = iter(axes.flat)
        for name, row in maps.items():
            for lead, field in zip(columns, row, strict=True):
                place = next(places)
                draw_field(place, field, colours, scale)
                what = names[name] if leads is None else f"{lead[0]} h"
                place.set_title(f"{what}:  {_mean_words(field, variable, scale, units)}")
        for place in places:
            place.set_visible(False)
        colour_bar(axes.flat, scale, colours, values, with_units(_MEANING[variable], units))
        heading(figure, title or _title(first, variable, every if leads is None else None))
        trim(figure, axes)
    return figure


def difference_map(
    a: xr.Dataset,
    b: xr.Dataset,
    name_a: str,
    name_b: str,
    channel: int | str = 0,
    leads: Sequence[int] | None = None,
    title: str | None = None,
) -> Figure:
    """A map of the RMSE of model ``a`` minus that of ``b``: blue where ``a`` is better, red where ``b`` is.

    Args:
        a, b: fields ``rmse`` (channel, lead, lat, lon) on the same grid, as for ``error_maps``.
        name_a, name_b: their experiments' names.
        channel: position or name of the channel.
        leads: lead times in hours, taken together; all when ``None``.
        title: what the figure shows; made from the names when ``None``.

    Raises:
        SvqkitError: the grids differ, or something isn't there, as for ``error_maps``.
    """
    units = _common_units({name_a: a, name_b: b}, "rmse")
    leads = leads_of(a) if leads is None else leads
    first, second = (error_map(run, "rmse", channel, leads, name) for run, name in ((a, name_a), (b, name_b)))
    if not (np.array_equal(first["lat"], second["lat"]) and np.array_equal(first["lon"], second["lon"])):
        raise SvqkitError(f"{name_a} and {name_b} are on different grids: a difference needs the same lat and lon.")
    difference = first - second
    values = [difference.to_numpy()]
    scale = symmetric_scale(values)
    short_a, short_b = display_names([name_a, name_b]).values()
    better = area_mean((difference < 0).where(difference.notnull()))

    with use():
        figure, axes = map_panels(difference, 1, 1, COLUMN_WIDTH)
        draw_field(axes[0, 0], difference, DIVERGING, scale)
        axes[0, 0].set_title(f"{short_a} is better on {better:.0%} of the area")
        meaning = with_units("Difference of RMSE", units)
        colour_bar(
            axes.flat,
            scale,
            DIVERGING,
            values,
            f"{meaning}\n← {short_a} better      {short_b} better →",
        )
        heading(figure, title or f"RMSE of {short_a} minus RMSE of {short_b}, {lead_words(leads)}")
        trim(figure, axes)
    return figure


def _common_units(errors: Mapping[str, xr.Dataset], variable: str) -> str:
    """The units that the fields of all runs have."""
    if variable not in _MEANING:
        raise SvqkitError(f"Unknown error field {variable!r}. Valid: {', '.join(_MEANING)}.")
    if not errors:
        raise SvqkitError("There are no error fields to draw: give one dataset or more.")
    units = {name: str(need_variable(run, variable, name).attrs.get("units", "")) for name, run in errors.items()}
    if len(set(units.values())) > 1:
        each = ", ".join(f"{name} in {unit or 'no units'}" for name, unit in units.items())
        raise SvqkitError(f"Maps with one colour scale need the same units; there are {each}.")
    return next(iter(units.values()))


def _one_map_each(field: xr.DataArray, maps: int) -> tuple[Figure, np.ndarray]:
    """Flat maps below one another, in two columns when they are many; high ones side by side."""
    if grid_of(field).aspect > 0.8:
        columns = min(maps, 4)
        return map_panels(field, -(-maps // columns), columns, COLUMN_WIDTH if maps == 1 else FULL_WIDTH)
    if maps <= 3:
        return map_panels(field, maps, 1, COLUMN_WIDTH)
    return map_panels(field, -(-maps // 2), 2, FULL_WIDTH)


def _mean_words(field: xr.DataArray, variable: str, scale: Normalize, units: str) -> str:
    """``"mean +0.12 K"``: over the area; of an RMSE, the root of the mean square."""
    mean = area_mean(field, of_squares=variable == "rmse")
    # no more decimals than the colours can show
    decimals = max(0, 2 - int(np.floor(np.log10(max(abs(scale.vmin), abs(scale.vmax))))))
    number = f"{mean:{'+' if variable == 'bias' else ''}.{decimals}f}".replace("-", "−")
    return f"mean {number} {units}".strip()


def _title(field: xr.DataArray, variable: str, together: Sequence[int] | None) -> str:
    """What error maps show; ``together`` are the lead times (hours) that each map is over, if it is over several."""
    what = field.attrs.get("long_name") or ("bias" if variable == "bias" else variable.upper())
    channel = channel_of(field)
    which = f"{channel}: {what}" if channel else what[:1].upper() + what[1:]
    return f"{which} by lead time" if together is None else f"{which}, over {lead_words(together)}"
