"""Power by zonal wave number: of waves whose power is known, by Parseval, and as SciPy's periodogram has it."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import periodogram

from svqkit.errors import SvqkitError
from svqkit.evaluation import zonal_spectrum

LAT = np.array([-75.0, -30.0, 0.0, 60.0])


def a_field(values: np.ndarray, lat: np.ndarray = LAT) -> xr.DataArray:
    """Values (…, lat, lon) that go around the Earth."""
    dims = ("window", "lead", "lat", "lon")[-values.ndim :]
    return xr.DataArray(
        values, dims=dims, coords={"lat": lat, "lon": np.arange(values.shape[-1]) * 360 / values.shape[-1]}
    )


def wave(width: int, number: int, phase: float = 0.0) -> np.ndarray:
    """A row (W,) of one wave of height 1."""
    return np.cos(2 * np.pi * number * np.arange(width) / width + phase)


@pytest.mark.parametrize(("width", "number"), [(7, 0), (7, 1), (7, 3), (8, 0), (8, 1), (8, 3), (8, 4)])
def test_a_wave_has_its_power_at_its_number_alone(width: int, number: int) -> None:
    spectrum = zonal_spectrum(a_field(np.broadcast_to(3 * wave(width, number), (4, width))))
    expected = np.zeros(width // 2 + 1)
    # A constant and the wave of every second point are ±3 everywhere, any other has half the square of its height.
    expected[number] = 9 if number == 0 or 2 * number == width else 4.5
    np.testing.assert_allclose(spectrum, expected, atol=1e-12)
    assert spectrum["wavenumber"].values.tolist() == list(range(width // 2 + 1))


def test_latitudes_count_by_their_area() -> None:
    """On the equator (weight 1) one wave, at 60° (weight ½) another one of twice the height."""
    rows = np.stack([wave(8, 1), 2 * wave(8, 3, 0.4)])
    spectrum = zonal_spectrum(a_field(rows, np.array([0.0, 60.0])))
    np.testing.assert_allclose(spectrum, [0, 0.5 / 1.5, 0, 2 * 0.5 / 1.5, 0], atol=1e-12)


widths = st.integers(1, 17)


@given(widths, st.integers(0, 99), st.permutations(["window", "lat", "lon"]))
def test_powers_add_up_to_the_mean_square_by_area(width: int, seed: int, order: list[str]) -> None:
    values = np.random.default_rng(seed).normal(5, 2, (3, len(LAT), width))
    spectrum = zonal_spectrum(a_field(values).rename(lead="window").transpose(*order))
    by_hand = np.average((values**2).mean(2), axis=1, weights=np.cos(np.radians(LAT)))
    np.testing.assert_allclose(spectrum.sum("wavenumber").transpose("window"), by_hand, rtol=1e-12)


@given(widths, st.integers(0, 99), st.integers(0, 16), st.booleans(), st.sampled_from([0, -180]))
def test_where_longitudes_begin_and_which_way_they_go_changes_nothing(
    width: int, seed: int, turn: int, flip: bool, first: int
) -> None:
    field = a_field(np.random.default_rng(seed).normal(size=(len(LAT), width)))
    turned = field.roll(lon=turn, roll_coords=True).isel(lon=slice(None, None, -1 if flip else 1))
    turned = turned.assign_coords(lon=((turned["lon"] - first) % 360 + first).astype(np.float32))
    np.testing.assert_allclose(zonal_spectrum(turned), zonal_spectrum(field), atol=1e-12)


@pytest.mark.parametrize("width", [9, 10])
def test_spectra_are_those_of_scipys_periodogram(width: int) -> None:
    values = np.random.default_rng(0).normal(280, 5, (5, len(LAT), width)).astype(np.float32)
    _, by_row = periodogram(values.astype(float), fs=width, detrend=False, scaling="spectrum")
    expected = np.average(by_row, axis=1, weights=np.cos(np.radians(LAT)))
    np.testing.assert_allclose(zonal_spectrum(a_field(values)), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("lon", "said"),
    [
        (np.arange(-8, 4, 0.25), "48 from -8 to 3.75"),
        (np.arange(0, 350, 10), "35 from 0 to 340"),
        (np.array([0.0, 100, 180, 270]), "even steps, here of 90°"),
    ],
)
def test_a_region_has_no_wave_numbers(lon: np.ndarray, said: str) -> None:
    field = xr.DataArray(np.zeros((2, len(lon))), dims=("lat", "lon"), coords={"lat": [50.0, 51.0], "lon": lon})
    with pytest.raises(SvqkitError, match=said):
        zonal_spectrum(field)


def test_a_field_on_no_grid_has_none_either() -> None:
    with pytest.raises(SvqkitError, match=r"\('y', 'x'\)"):
        zonal_spectrum(xr.DataArray(np.zeros((2, 2)), dims=("y", "x")))
