"""Where forecasts go wrong, on Earth or in a frame: bias and RMSE, and the difference between two models."""

from collections.abc import Mapping, Sequence

import xarray as xr
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from svqkit.errors import SvqkitError
from svqkit.plots.drawing import area_mean, draw_field, geometry_of, same_geometry
from svqkit.plots.fields import channel_of, error_map, is_colour, is_lat_lon, pick_or_colour
from svqkit.plots.leads import lead_units, lead_words, leads_of, one_lead
from svqkit.plots.mapaxes import View, polar_words, seen
from svqkit.plots.names import display_names, with_units
from svqkit.plots.panels import (
    colour_bar,
    decimals_for,
    draw_dots,
    field_panels,
    one_panel_each,
    robust_scale,
    symmetric_scale,
    title_panel,
    trim,
)
from svqkit.plots.style import COLUMN_WIDTH, DIVERGING, FULL_WIDTH, SEQUENTIAL, heading, use

_MEANING = {"bias": "Bias: forecast minus truth", "mae": "MAE", "rmse": "RMSE"}


def error_maps(
    errors: Mapping[str, xr.Dataset],
    variable: str = "bias",
    channel: int | str | None = None,
    leads: Sequence[int] | None = None,
    title: str | None = None,
    projection: View = "world",
) -> Figure:
    """Draw maps, or pictures, of the errors of several models, all with one colour scale and the mean above each.

    Args:
        errors: by experiment, ``bias``, ``mae`` or ``rmse`` (channel, lead, lat, lon) or (channel, lead, y, x), with
            the attributes ``units`` and ``long_name``. The coordinate ``lead`` is in what its attribute ``units``
            says, "hours" or "frames". A coordinate ``unit`` along ``channel`` holds units by channel.
        variable: ``"bias"`` (scale symmetric around zero), ``"mae"`` or ``"rmse"``.
        channel: position or name of the channel; when ``None`` the first, but red, green and blue together.
        leads: one row for each model and one column for each of these lead times; when ``None``, one map for each
            model, over all lead times that the first one has. One alone gives one map for each model, too.
        title: what the figure shows; made from ``long_name`` and the lead times when ``None``.
        projection: "world" (all that the grid covers), or "north" or "south": the Earth from above that pole, down to
            30 degrees. Means are of what is seen.

    Raises:
        SvqkitError: a variable, channel or lead isn't there, all values are NaN, the units differ, or a region or
            pictures are to be seen from above a pole.
    """
    _check(errors, variable)
    every = leads_of(next(iter(errors.values())))
    columns = [every] if leads is None else [[lead] for lead in leads]
    if not columns:
        raise SvqkitError("There is no lead time to draw: give one or more, or None for all together.")
    maps = {
        name: [_in_view(error_map(run, variable, channel, lead, name), projection) for lead in columns]
        for name, run in errors.items()
    }
    first = next(iter(maps.values()))[0]
    units, in_leads = _common_units(maps), lead_units(next(iter(errors.values())))
    values = [field.to_numpy() for row in maps.values() for field in row]
    signed = variable == "bias"
    scale, colours = (symmetric_scale(values), DIVERGING) if signed else (robust_scale(values), SEQUENTIAL)
    names = display_names(errors)

    with use():
        if len(columns) == 1:
            figure, axes = one_panel_each(first, len(maps), projection)
        else:
            figure, axes = field_panels(first, len(maps), len(leads), FULL_WIDTH, list(names.values()), projection)
        panels = iter(axes.flat)
        for name, row in maps.items():
            for lead, field in zip(columns, row, strict=True):
                ax = next(panels)
                draw_field(ax, field, colours, scale)
                what = names[name] if len(columns) == 1 else one_lead(lead[0], in_leads)
                title_panel(ax, what, _mean_words(field, variable, scale), units)
        for ax in panels:
            ax.set_visible(False)
        colour_bar(axes.flat, scale, colours, values, with_units(_MEANING[variable], units))
        over = _over(columns, in_leads)
        colour = channel is None and is_colour(next(iter(errors.values()))[variable])
        heading(figure, title or _title(first, variable, over, colour))
        trim(figure, axes)
    return figure


def difference_map(
    a: xr.Dataset,
    b: xr.Dataset,
    name_a: str,
    name_b: str,
    channel: int | str | None = None,
    leads: Sequence[int] | None = None,
    title: str | None = None,
    projection: View = "world",
    significant: xr.DataArray | None = None,
) -> Figure:
    """Draw the RMSE of model ``a`` minus that of ``b``, place by place: blue where ``a`` is better, red where ``b`` is.

    Args:
        a, b: fields ``rmse`` (channel, lead, lat, lon) or (channel, lead, y, x), both on the same grid or of the same
            size, as for ``error_maps``.
        name_a, name_b: their experiments' names.
        channel: position or name of the channel, as for ``error_maps``.
        leads: lead times, taken together; all when ``None``.
        title: what the figure shows; made from the names when ``None``.
        projection: as for ``error_maps``. The shares above the map are of what is seen.
        significant: whether the difference is significant, bool (channel, lat, lon) or (channel, y, x), with or without
            channels, such as :func:`svqkit.evaluation.significance.significant_places` tells. Such places get a dot,
            and the share of the area that they are is written above. It must be of the same lead times.

    Raises:
        SvqkitError: the grids or sizes differ, something isn't there, as for ``error_maps``, or ``significant`` is of
            another grid or of single channels of a colour picture.
    """
    leads = leads_of(a) if leads is None else leads
    first, second = (error_map(run, "rmse", channel, leads, name) for run, name in ((a, name_a), (b, name_b)))
    units = _common_units({name_a: [first], name_b: [second]})
    if not same_geometry(first, second):
        raise SvqkitError(
            f"{name_a} and {name_b} are on different grids: a difference needs the same lat and lon, or pictures of "
            "one size."
        )
    difference = _in_view(first - second, projection)
    dots = None if significant is None else _in_view(_significant(significant, channel, first), projection)
    values = [difference.to_numpy()]
    scale = symmetric_scale(values)
    short_a, short_b = display_names([name_a, name_b]).values()
    whole = geometry_of(difference).whole if projection == "world" else f"area {polar_words(projection)}"
    headline = [f"{short_a} is better on {_share(difference < 0, difference)} of the {whole}"]
    if dots is not None:
        better, worse = (_share(dots & side, difference) for side in (difference < 0, difference > 0))
        headline.append(f"significantly (dots): {short_a} on {better}, {short_b} on {worse}")

    with use():
        figure, axes = field_panels(difference, 1, 1, COLUMN_WIDTH, projection=projection)
        draw_field(axes[0, 0], difference, DIVERGING, scale)
        if dots is not None:
            draw_dots(axes[0, 0], dots)
        axes[0, 0].set_title("\n".join(headline))
        meaning = with_units("Difference of RMSE", units)
        colour_bar(
            axes.flat,
            scale,
            DIVERGING,
            values,
            f"{meaning}\n← {short_a} better      {short_b} better →",
        )
        which = f"{channel_of(difference)}: " if channel_of(difference) else ""
        over = lead_words(leads, lead_units(a))
        heading(figure, title or f"{which}RMSE of {short_a} minus RMSE of {short_b}, {over}")
        trim(figure, axes)
    return figure


def _check(errors: Mapping[str, xr.Dataset], variable: str) -> None:
    if variable not in _MEANING:
        raise SvqkitError(f"Unknown error field {variable!r}. Valid: {', '.join(_MEANING)}.")
    if not errors:
        raise SvqkitError("There are no error fields to draw: give one dataset or more.")


def _in_view(field: xr.DataArray, projection: View) -> xr.DataArray:
    """What of a field is seen: all of it, or the rows around a pole."""
    if projection != "world" and not is_lat_lon(field):
        raise SvqkitError(f"Pictures have no pole to be seen from above: leave out projection {projection!r}.")
    return seen(field, projection) if is_lat_lon(field) else field


def _significant(significant: xr.DataArray, channel: int | str | None, difference: xr.DataArray) -> xr.DataArray:
    """The places with a dot (lat, lon) or (y, x), on the ground of ``difference``."""
    dots = pick_or_colour(significant, channel, "The field of significant places")
    if "channel" in dots.dims:
        raise SvqkitError("Significance is told channel by channel: name the channel of a colour picture to draw it.")
    if not same_geometry(dots, difference):
        raise SvqkitError("The significant places lie on another grid than the difference: give those of these errors.")
    return dots.astype(bool)


def _share(where: xr.DataArray, field: xr.DataArray) -> str:
    """The share of the area of all that ``field`` has values for, ``"62%"``."""
    return f"{area_mean(where.where(field.notnull())):.0%}"


def _common_units(maps: Mapping[str, Sequence[xr.DataArray]]) -> str:
    """The units that the fields of all runs have."""
    units = {name: str(row[0].attrs["units"]) for name, row in maps.items()}
    if len(set(units.values())) > 1:
        found = ", ".join(f"{name} in {unit or 'no units'}" for name, unit in units.items())
        raise SvqkitError(f"Maps with one colour scale need the same units; there are {found}.")
    return next(iter(units.values()))


def _mean_words(field: xr.DataArray, variable: str, scale: Normalize) -> str:
    """``"mean +0.12"``: over the area; of an RMSE, the root of the mean square."""
    mean = area_mean(field, of_squares=variable == "rmse")
    # no more decimals than the colours can show
    decimals = decimals_for(max(abs(scale.vmin), abs(scale.vmax)))
    mean = round(mean, decimals) + 0.0  # never −0
    number = f"{mean:{'+' if variable == 'bias' else ''}.{decimals}f}".replace("-", "−")
    return f"mean {number}"


def _over(columns: list[list[int]], units: str) -> str:
    """Which lead times the columns of a figure are for."""
    if len(columns) > 1:
        return " by lead time"
    return f", {'over ' if len(columns[0]) > 1 else ''}{lead_words(columns[0], units)}"


def _title(field: xr.DataArray, variable: str, over: str, colour: bool) -> str:
    """What error maps show; ``over`` says for which lead times."""
    what = field.attrs.get("long_name") or ("bias" if variable == "bias" else variable.upper())
    which = "red, green and blue" if colour else channel_of(field)
    subject = f"{which}: {what}" if which else what[:1].upper() + what[1:]
    return f"{subject}{over}"
