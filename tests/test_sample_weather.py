"""The simulated weather samples: WeatherBench's layout, air that could be real, and motion that can be learnt."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from svqkit.data import simulation
from svqkit.data.sources.weather import LONG_NAMES
from svqkit.errors import SvqkitError
from svqkit.samples import weather
from svqkit.samples import weather_fields as fields
from svqkit.samples.weather_files import PACKINGS
from svqkit.samples.weather_levels import LEVELS, TILT, tilted

TINY = (
    weather.Year(1980, 6, dict.fromkeys(LONG_NAMES, 6)),
    weather.Year(2010, 1, {"u10": 5, "r": 3}),
)
UNITS = {
    "t2m": "K",
    "u10": "m s**-1",
    "v10": "m s**-1",
    "tcc": "(0 - 1)",
    "tp": "m",
    "tisr": "J m**-2",
    "z": "m**2 s**-2",
    "pv": "K m**2 kg**-1 s**-1",
    "r": "%",
    "q": "kg kg**-1",
    "t": "K",
    "u": "m s**-1",
    "v": "m s**-1",
    "vo": "s**-1",
}
SINGLE = ("t2m", "u10", "v10", "tcc", "tp", "tisr")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weather")
    weather.write(folder, seed=1, years=TINY, n_lat=12, n_lon=24)
    return folder


@pytest.fixture(scope="module")
def read(root: Path) -> Callable[..., xr.DataArray]:
    def read(name: str, year: int = 1980) -> xr.DataArray:
        with xr.open_dataset(root / LONG_NAMES[name] / f"{LONG_NAMES[name]}_{year}_15deg.nc") as file:
            return file[name].load()

    return read


@pytest.fixture(scope="module")
def hourly() -> dict[str, np.ndarray]:
    """Two days on the real grid."""
    return weather.simulate(weather.Year(2010, 1, dict.fromkeys(("tcc", "r", "u10", "v10"), 48)))


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def test_files_lie_as_weatherbench_names_them(root: Path) -> None:
    found = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    expected = [f"{name}/{name}_1980_15deg.nc" for name in LONG_NAMES.values()]
    expected += [f"{LONG_NAMES[name]}/{LONG_NAMES[name]}_2010_15deg.nc" for name in ("u10", "r")]
    assert found == sorted(expected)


@pytest.mark.parametrize("name", LONG_NAMES)
def test_each_file_has_its_dimensions_units_and_title(root: Path, read: Callable[..., xr.DataArray], name: str) -> None:
    data = read(name)
    if name in SINGLE:
        assert data.dims == ("time", "lat", "lon")
        assert data.shape == (6, 12, 24)
    else:
        assert data.dims == ("time", "level", "lat", "lon")
        assert data.shape == (6, 13, 12, 24)
        assert data.level.values.tolist() == [50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000]
    assert data.attrs["units"] == UNITS[name]
    expected = np.datetime64("1980-01-01T00") + 6 * np.arange(6) * np.timedelta64(1, "h")
    np.testing.assert_array_equal(data.time.values, expected)
    with xr.open_dataset(root / LONG_NAMES[name] / f"{LONG_NAMES[name]}_1980_15deg.nc") as file:
        assert "Simulated" in file.attrs["title"]
        assert "not measurements" in file.attrs["title"]


def test_each_variable_of_a_year_has_as_many_frames_as_asked(read: Callable[..., xr.DataArray]) -> None:
    assert read("u10", 2010).sizes["time"] == 5
    assert read("r", 2010).sizes["time"] == 3
    assert read("u10", 2010).time.values[1] == np.datetime64("2010-01-01T01")


def test_the_same_seed_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    for path in weather.write(tmp_path, seed=1, years=TINY, n_lat=12, n_lon=24):
        assert path.read_bytes() == (root / path.relative_to(tmp_path)).read_bytes(), path.name


def test_another_seed_and_another_year_give_other_weather() -> None:
    def cover(year: int, seed: int) -> np.ndarray:
        return weather.simulate(weather.Year(year, 1, {"tcc": 1}), seed, n_lat=12, n_lon=24)["tcc"]

    first = cover(2010, 0)
    for other in (cover(2010, 1), cover(2011, 0)):
        assert rms(other - first) > 0.3 * first.std()


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("r", 0, 100),
        ("tcc", 0, 1),
        ("q", 0, 0.04),
        ("tp", 0, 0.01),
        ("tisr", 0, 1361 * 3600),
        ("t2m", 200, 330),
        ("t", 180, 320),
        ("u", -90, 110),
        ("v", -90, 90),
        ("vo", -2e-4, 2e-4),
        ("pv", -1e-4, 1e-4),
        ("z", -6000, 215000),
    ],
)
def test_values_are_possible(read: Callable[..., xr.DataArray], name: str, least: float, most: float) -> None:
    values = read(name).values
    assert np.isfinite(values).all()
    assert values.min() >= least
    assert values.max() <= most


@pytest.mark.parametrize("name", LONG_NAMES)
def test_no_channel_is_constant(read: Callable[..., xr.DataArray], name: str) -> None:
    data = read(name)
    assert (data.std(dim=("time", "lat", "lon")) > 0).all()


@pytest.mark.parametrize("name", LONG_NAMES)
def test_packing_rounds_little_and_nothing_overflows(name: str) -> None:
    packing = PACKINGS[name]
    year = weather.Year(1982, 6, {name: 3})
    values = weather.simulate(year, n_lat=12, n_lon=24)[name]
    there = packing.integers(values) * packing.unit + packing.zero
    # At most half a step, and what float32 can't hold
    steps = packing.unit * np.array(packing.steps)[:, None, None]
    assert (np.abs(there - values) <= 0.5001 * steps + 1e-6 * np.abs(values)).all()


def test_profiles_look_like_the_earths(read: Callable[..., xr.DataArray]) -> None:
    def mean(name: str) -> xr.DataArray:
        data = read(name)
        return data.weighted(np.cos(np.deg2rad(data.lat))).mean(("time", "lat", "lon"))

    troposphere = [level for level in LEVELS if level >= 100]
    assert (np.diff(mean("t").sel(level=troposphere)) > 0).all(), "colder with height"
    assert (np.diff(mean("z")) < 0).all(), "a level lies above those of higher pressure"
    assert mean("z").sel(level=500) == pytest.approx(9.81 * 5500, rel=0.05)
    assert (np.diff(mean("q").sel(level=[300, 500, 700, 850, 1000])) > 0).all(), "drier with height"
    assert (np.diff(mean("r").sel(level=[150, 250, 500, 850, 1000])) > 0).all()
    jet = read("u").sel(lat=slice(30, 60)).mean(("time", "lat", "lon"))
    assert jet.sel(level=250) == jet.max()
    assert (np.diff(jet.sel(level=[1000, 850, 500, 250])) > 0).all(), "the wind grows up to the jet"
    assert mean("pv").sel(level=1000) == pytest.approx(0, abs=1e-6)
    north = read("pv").sel(lat=slice(30, 90)).mean(("time", "lat", "lon"))
    assert (north > 0).all()
    assert north.sel(level=50) > 10 * north.sel(level=500)


def test_neighbouring_levels_resemble_each_other_but_are_not_the_same(read: Callable[..., xr.DataArray]) -> None:
    for name in ("z", "r", "q", "u", "v", "vo"):
        values = read(name).transpose("level", ...).values.reshape(13, -1)
        for lower, upper in zip(values[1:], values[:-1], strict=True):
            assert np.corrcoef(lower, upper)[0, 1] > 0.3, name
            assert not np.array_equal(lower, upper), name


def test_patterns_lie_further_west_the_higher_they_are() -> None:
    ground = np.zeros((1, 16))
    ground[0, 12] = 1
    summits = tilted(ground).argmax(axis=-1)[:, 0]
    np.testing.assert_array_equal(summits, (12 - TILT * np.arange(12, -1, -1)) % 16)


def test_the_wind_is_the_stream_functions_and_vorticity_its_laplacian() -> None:
    """Against finite differences on a fine grid, away from the poles."""
    lat, lon = simulation.coordinates(180, 360)
    points = simulation.on_sphere(lat, lon)
    waves = simulation.Waves(np.random.default_rng(0), points, (2.0, 7.0))
    psi, phi = waves.values() / fields.flow_scale(waves), np.deg2rad(lat)[:, None]
    d_lam, d_phi = np.deg2rad(lon[1] - lon[0]), np.deg2rad(lat[1] - lat[0])

    def along_lon(f: np.ndarray) -> np.ndarray:
        return (np.roll(f, -1, axis=1) - np.roll(f, 1, axis=1)) / (2 * d_lam)

    north = along_lon(psi) / np.cos(phi)
    east = -np.gradient(psi, d_phi, axis=0)
    axis = simulation.eastwards(points) / np.cos(phi)[..., None]
    middle = slice(40, 140)
    np.testing.assert_allclose(np.sum(waves.flow() * axis, axis=-1)[middle], east[middle], atol=0.01)

    curl = along_lon(north) / np.cos(phi) - np.gradient(east * np.cos(phi), d_phi, axis=0) / np.cos(phi)
    laplacian = fields.laplacian(waves) / fields.flow_scale(waves)
    np.testing.assert_allclose(laplacian[middle], curl[middle], atol=0.02 * laplacian.std())


def test_the_sun_stands_highest_at_noon_and_over_the_summer_hemisphere(read: Callable[..., xr.DataArray]) -> None:
    sun = read("tisr")
    midnight, noon = sun.sel(lon=0).isel(time=[0, 2]).sel(lat=slice(-60, 60)).values
    assert (noon > midnight).all()
    assert midnight[3] == 0
    first_day = sun.isel(time=slice(0, 4)).mean(("time", "lon"))
    assert first_day.sel(lat=slice(-90, 0)).mean() > 1.5 * first_day.sel(lat=slice(0, 90)).mean(), "January"


def test_clouds_move_with_the_wind(hourly: dict[str, np.ndarray]) -> None:
    """In the northern jet six hours carry the clouds about 1.7 cells east: a shifted field beats persistence."""
    jet = slice(22, 26)  # 36 to 53 degrees north
    cover = hourly["tcc"][:, jet]
    errors = {shift: rms(cover[6:] - np.roll(cover[:-6], shift, axis=-1)) for shift in range(-3, 5)}
    assert min(errors, key=errors.__getitem__) in (1, 2, 3)
    assert min(errors.values()) < 0.75 * errors[0]


@pytest.mark.parametrize("name", ["tcc", "r", "u10", "v10"])
def test_persistence_is_good_at_once_and_poor_after_half_a_day(hourly: dict[str, np.ndarray], name: str) -> None:
    values = hourly[name][:, -1] if name == "r" else hourly[name]
    moving = (values - values.mean(axis=0)).std()
    assert rms(np.diff(values, axis=0)) < 0.5 * moving
    assert 0.6 * moving < rms(values[12:] - values[:-12]) < 1.8 * moving


@pytest.mark.parametrize(
    ("hours", "frames"), [(6, {}), (6, {"t2m": 0}), (0, {"t2m": 3}), (6, {"t3m": 3}), (24, {"t2m": 366})]
)
def test_impossible_years_are_refused(hours: int, frames: dict[str, int]) -> None:
    with pytest.raises(SvqkitError, match="A simulated year needs"):
        weather.Year(1980, hours, frames)
