"""Figures that suit any data: what codes decode to, several forecasts of one case, poles, a mark on simulated data."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from svqkit.data.store import Store
from svqkit.evaluation.codebook import decode_codes, strongest_cells
from svqkit.plots import heading, use
from svqkit.plots.channels import pick_or_colour, unit_of
from svqkit.plots.codes import code_effects
from svqkit.plots.forecast import forecast_maps
from svqkit.plots.forecast_frames import forecasts_side_by_side
from svqkit.plots.grounds import on_earth
from svqkit.plots.mapaxes import POLAR_FROM, View, grid_of
from svqkit.plots.pictures import one_value
from svqkit.training.runs import Run


def decoded_figure(
    run: Run, store: Store, activity: xr.DataArray, windows: int, channel: int | str | None = None
) -> Figure:
    """Where codes are at work, and how the forecast changes, mean over leads, when a little more of each is mixed in.

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


def forecasts_figure(
    cases: Mapping[str, xr.Dataset], channel: int | str | None = None, leads: Sequence[int] | None = None
) -> Figure:
    """Several forecasts of one case and their errors, on shared scales: as maps, or as frames."""
    draw = forecast_maps if on_earth(next(iter(cases.values()))) else forecasts_side_by_side
    return draw(cases, leads, channel=channel)


def poles_of(store: Store) -> list[View]:
    """The poles that the cells of a lat-lon store go round, "north" and "south", and come near to."""
    lat, lon = store.lat, store.lon
    if not grid_of(xr.Dataset(coords={"lat": lat, "lon": lon})).world:
        return []
    reached: dict[View, float] = {"north": float(np.max(lat)), "south": -float(np.min(lat))}
    return [pole for pole, degrees in reached.items() if degrees > POLAR_FROM]


def marked(figure: Figure, store: Store) -> Figure:
    """The figure with "(simulated data)" behind its title, where the raw files say that they are."""
    if store.simulated:
        with use():
            heading(figure, f"{' '.join(figure.get_suptitle().split())} (simulated data)")
    return figure
