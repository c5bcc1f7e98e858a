"""Units of scores, and lead times to show, from the error fields that they belong to."""

from collections.abc import Mapping

import xarray as xr


def units_of(errors: Mapping[str, xr.Dataset]) -> str:
    """The unit of the forecast variable, such as "K"."""
    return str(next(iter(errors.values()))["rmse"].attrs.get("units", ""))


def metric_units(unit: str) -> dict[str, str]:
    """The unit of each metric for a variable in ``unit``: squared for the MSE, none for the ACC."""
    plain = dict.fromkeys(("mae", "rmse", "wrmse"), unit)
    squared = f"{unit}²" if unit.isalpha() else f"({unit})²"
    return {**plain, "mse": squared} if unit else {}


def some_leads(forecast: xr.Dataset, most: int = 4) -> list[int]:
    """At most ``most`` lead times of a dataset, spread evenly from its first to its last."""
    leads = [int(lead) for lead in forecast["lead"].to_numpy()]
    if len(leads) <= most:
        return leads
    return [leads[round(i * (len(leads) - 1) / (most - 1))] for i in range(most)]
