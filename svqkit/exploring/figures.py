"""The figures of the explorers: error over codes, hours, latitude or steps; what codes decode to; several forecasts."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from svqkit.data.store import Store
from svqkit.errors import SvqkitError
from svqkit.evaluation.codebook import decode_codes, strongest_cells
from svqkit.exploring.diagnostics import Diagnostics, by_label, by_latitude, by_local_hour, by_season
from svqkit.plots import display_names, heading, line_styles, new_figure, use
from svqkit.plots.codebook import code_effects
from svqkit.plots.curves import scale_losses
from svqkit.plots.drawing import one_value
from svqkit.plots.fields import is_lat_lon, pick_channel, pick_or_colour, unit_of
from svqkit.plots.forecast import forecast_maps, forecasts_side_by_side
from svqkit.plots.mapaxes import POLAR_FROM, View, grid_of
from svqkit.plots.names import with_units
from svqkit.plots.style import COLUMN_WIDTH, FULL_WIDTH
from svqkit.training.runs import Run

_WAYS = (("#D55E00", "o"), ("#0072B2", "s"))  # of keeping codes
_LOCAL_HOUR = "Local solar time [h]"


def kept_figure(kept: pd.DataFrame, title: str) -> Figure:
    """Draw the error over the number of codes kept, of ``error_by_codes_kept``, on logarithmic axes.

    The point left of 1 is a model whose quantizer gives nothing at all.
    """
    with use():
        figure = new_figure(COLUMN_WIDTH, 2.8)
        axes = figure.subplots()
        for (how, part), (colour, marker) in zip(kept.groupby("kept", sort=False), _WAYS, strict=True):
            axes.plot(part["codes"], part["error"], color=colour, marker=marker, label=how, clip_on=False)
        axes.axhline(1, color="#555555", linestyle=":", linewidth=1, label="all codes")
        # 0 has a place on this axis, and from 1 on it is logarithmic
        axes.set_xscale("symlog", base=2, linthresh=1, linscale=0.5)
        counts = sorted(set(kept["codes"]))
        shown = [
            count for position, count in enumerate(counts) if position == 0 or (len(counts) - 1 - position) % 2 == 0
        ]
        axes.set_xticks(shown, [f"{count:g}" for count in shown])
        axes.set_xticks([], minor=True)
        axes.set_xlim(0, counts[-1])
        if kept["error"].max() > 4:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")
        axes.grid(True)
        axes.set_xlabel("Codes kept")
        axes.set_ylabel("RMSE / RMSE with all codes")
        figure.legend(loc="outside lower center", ncols=1)
        heading(figure, title)
    return figure


def when_figure(models: Sequence[Diagnostics], channel: int | str | None = None) -> Figure:
    """Draw RMSE (above) and bias (below) by local hour, where there are hours, and by month or day forecast."""
    names = by_label(models)
    colours, words = line_styles(names), display_names(names)
    columns = {"season": by_season} if models[0].hours is None else {"hour": by_local_hour, "season": by_season}
    units = unit_of(pick_channel(models[0].errors["rmse"], channel, models[0].name))
    with use():
        figure = new_figure(FULL_WIDTH, 3.6)
        panels = figure.subplots(2, len(columns), sharex="col", squeeze=False)
        for column, tabulate in enumerate(columns.values()):
            for name, model in names.items():
                table = tabulate(model, channel)
                for axes, part in zip(panels[:, column], ("rmse", "bias"), strict=True):
                    colour, marker = colours[name]
                    axes.plot(table.index, table[part], color=colour, marker=marker, label=words[name])
            _label_times(panels[1, column], table)
        for axes in panels.flat:
            axes.grid(True)
        for axes in panels[1]:
            axes.axhline(0, color="#555555", linewidth=0.8)
        panels[0, 0].set_ylabel(with_units("RMSE", units))
        panels[1, 0].set_ylabel(with_units("Bias", units))
        figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
        heading(figure, "When the error is large, over all lead times and places")
    return figure


def latitude_figure(models: Sequence[Diagnostics], channel: int | str | None = None) -> Figure:
    """Draw the RMSE of each latitude, over all lead times, a line for each model."""
    names = by_label(models)
    colours, words = line_styles(names), display_names(names)
    errors = models[0].errors
    units = unit_of(pick_channel(errors["rmse"], channel, models[0].name))
    with use():
        figure = new_figure(COLUMN_WIDTH, 2.9)
        axes = figure.subplots()
        for name, model in names.items():
            row = by_latitude(model.errors, channel)
            axes.plot(row.index, row, color=colours[name].colour, label=words[name])
        axes.set_xticks(np.arange(-90, 91, 30), ["90°S", "60°S", "30°S", "0°", "30°N", "60°N", "90°N"])
        south, north = float(row.index.min()), float(row.index.max())
        axes.set_xlim(south, north)
        axes.set_ylim(bottom=0)
        axes.grid(True)
        axes.set_xlabel("Latitude")
        axes.set_ylabel(with_units("RMSE", units))
        figure.legend(loc="outside lower center", ncols=3)
        heading(figure, "RMSE by latitude, all lead times")
    return figure


def steps_figure(trainings: Mapping[str, Sequence[pd.DataFrame]]) -> Figure:
    """Draw the training loss by step, a line for each seed: jumps show that a training was not stable.

    Args:
        trainings: by experiment, for each seed a table with the columns ``step`` and ``train_loss``, as a run's
            ``steps()`` gives it; those without rows are left out.

    Raises:
        SvqkitError: no training has a row.
    """
    there = {name: [steps for steps in seeds if len(steps)] for name, seeds in trainings.items()}
    there = {name: seeds for name, seeds in there.items() if seeds}
    if not there:
        raise SvqkitError(
            "These runs have no record of their steps (steps.csv): train them again with this version of the kit."
        )
    colours, words = line_styles(there), display_names(there)
    with use():
        figure = new_figure(COLUMN_WIDTH, 2.8)
        axes = figure.subplots()
        for name, seeds in there.items():
            for number, steps in enumerate(seeds):
                label = words[name] if number == 0 else None
                axes.plot(steps["step"], steps["train_loss"], color=colours[name].colour, linewidth=0.8, label=label)
        scale_losses(axes, pd.concat([steps["train_loss"] for seeds in there.values() for steps in seeds]).to_numpy())
        axes.grid(True)
        axes.set_xlabel("Step")
        axes.set_ylabel("Training loss")
        figure.legend(loc="outside lower center", ncols=3)
        heading(figure, "Training loss by step")
    return figure


def _label_times(axes: Axes, table: pd.DataFrame) -> None:
    if table.index.name == "hour":
        axes.set_xlabel(_LOCAL_HOUR)
        axes.set_xticks(range(0, 24, 6))
    elif table.index.name == "month":
        axes.set_xlabel("Month")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        axes.set_xlabel("Day that is forecast")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.tick_params(axis="x", rotation=0)


def decoded_figure(
    run: Run, store: Store, activity: xr.DataArray, windows: int, channel: int | str | None = None
) -> Figure:
    """Draw where codes are at work, and how the forecast changes, mean over leads, when more of each is mixed in.

    Args:
        run: a run with a codebook.
        store: its store.
        activity: of the codes to look at, see :func:`svqkit.evaluation.code_activity`.
        windows: how many test windows are forecast.
        channel: of the forecast, by name or number; when None the first, but the mean of red, green and blue.

    Raises:
        SvqkitError: a code of this quantizer alone is no latent vector, or there is no such channel.
    """
    codes, cells = activity["code"].to_numpy().tolist(), strongest_cells(activity)
    changes = [pick_or_colour(decode_codes(run, store, codes, at, windows), channel, run.name) for at in (None, cells)]
    everywhere, local = (one_value(change).mean("lead") for change in changes)
    return code_effects(activity, everywhere, local, cells, unit_of(changes[0]))


def forecasts_figure(cases: Mapping[str, xr.Dataset], channel: int | str | None = None) -> Figure:
    """Draw several forecasts of one case and their errors, on shared scales: as maps, or as frames."""
    draw = forecast_maps if is_lat_lon(next(iter(cases.values()))) else forecasts_side_by_side
    return draw(cases, channel=channel)


def poles_of(store: Store) -> list[View]:
    """Return the poles that the cells of a lat-lon store go round, "north" and "south", and come near to."""
    lat, lon = store.lat, store.lon
    if not grid_of(xr.Dataset(coords={"lat": lat, "lon": lon})).world:
        return []
    reached: dict[View, float] = {"north": float(np.max(lat)), "south": -float(np.min(lat))}
    return [pole for pole, degrees in reached.items() if degrees > POLAR_FROM]


def marked(figure: Figure, store: Store) -> Figure:
    """Add "(simulated data)" to a figure's title, where the raw files say that they are; return the figure."""
    if store.simulated:
        with use():
            heading(figure, f"{' '.join(figure.get_suptitle().split())} (simulated data)")
    return figure
