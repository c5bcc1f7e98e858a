"""Units of scores, from the error fields that they belong to."""

from collections.abc import Mapping

import xarray as xr

from svqkit.plots.channels import pick_channel, unit_of
from svqkit.plots.names import NO_UNITS


def units_of(errors: Mapping[str, xr.Dataset], channel: int | str | None = None) -> str:
    """The unit of the forecast variable, such as "K"; of one channel, or of all: "" where they differ."""
    name, first = next(iter(errors.items()))
    return unit_of(first["rmse"] if channel is None else pick_channel(first["rmse"], channel, name))


def metric_units(unit: str, original: str = "") -> dict[str, str]:
    """The unit of each metric for a variable in ``unit``: squared for the MSE, none for the ACC.

    ``original`` is the unit of the ``…_original`` metrics, which are errors in the units of the raw data where the
    model's are others (such as traffic, scaled to [0, 1]). The PSNR is always in dB: it needs no entry.
    """
    own = _errors_in(unit)
    return own | {f"{metric}_original": each for metric, each in _errors_in(original).items() if metric != "wrmse"}


def _errors_in(unit: str) -> dict[str, str]:
    if not unit or unit in NO_UNITS:
        return {}
    squared = f"{unit}²" if unit.isalpha() else f"({unit})²"
    return {**dict.fromkeys(("mae", "rmse", "wrmse"), unit), "mse": squared}
