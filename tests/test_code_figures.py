"""Figures of single codes and of a dataset, and the units that go with scores."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import Normalize

from svqkit import figures

LAT, LON = np.linspace(-80, 80, 9), np.arange(0, 360, 360 / 13)


def test_similarity_is_drawn_from_minus_one_to_one() -> None:
    figure = figures.similarity_figure(np.eye(5), [7, 3, 1, 0, 2])
    (image,) = figure.axes[0].images
    assert (image.norm.vmin, image.norm.vmax) == (-1, 1)
    assert "number 7" in figure.axes[0].get_xlabel()


def test_every_code_has_a_map_and_all_share_one_scale_around_zero() -> None:
    values = np.random.default_rng(0).normal(size=(3, 9, 13))
    activity = xr.DataArray(values, dims=("code", "lat", "lon"), coords={"code": [5, 9, 2], "lat": LAT, "lon": LON})
    figure = figures.code_maps(activity)
    maps = [axes for axes in figure.axes if axes.get_title().startswith("Code")]
    assert [axes.get_title() for axes in maps] == ["Code 5", "Code 9", "Code 2"]
    scales: list[Normalize] = [axes.collections[0].norm for axes in maps]
    assert all(scale.vmin == -scale.vmax == scales[0].vmin for scale in scales)


def test_mean_and_spread_have_their_own_scales_and_units() -> None:
    attrs = {"units": "K", "long_name": "t2m"}
    fields = xr.Dataset(
        {name: (("lat", "lon"), np.random.default_rng(1).normal(size=(9, 13)), attrs) for name in ("mean", "std")},
        coords={"lat": LAT, "lon": LON},
    )
    labels = [axes.get_xlabel() for axes in figures.mean_and_spread(fields).axes]
    assert labels.count("t2m [K]") == 2


@pytest.mark.parametrize(("unit", "squared"), [("K", "K²"), ("m s**-1", "(m s**-1)²")])
def test_the_mse_has_the_squared_unit(unit: str, squared: str) -> None:
    assert figures.metric_units(unit) == {"mae": unit, "rmse": unit, "wrmse": unit, "mse": squared}
    assert figures.metric_units("") == {}


@pytest.mark.parametrize(
    ("leads", "shown"), [(range(1, 13), [1, 5, 8, 12]), ([6, 12, 18, 24], [6, 12, 18, 24]), ([3], [3])]
)
def test_some_leads_are_spread_from_the_first_to_the_last(leads: range, shown: list[int]) -> None:
    assert figures.some_leads(xr.Dataset(coords={"lead": list(leads)})) == shown
