"""The simulated weather: its files, its sun and seasons, and a wind that carries air as far as it should."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from svqkit.data import simulation
from svqkit.errors import SvqkitError

TINY = {"days_per_year": 2, "n_lat": 9, "n_lon": 14}


def temperatures(years: list[int], seed: int = 0) -> np.ndarray:
    return np.concatenate([data.t2m.values for _, data in simulation.simulate(years, seed=seed, **TINY)])


@pytest.fixture(scope="module")
def two_years() -> np.ndarray:
    return temperatures([2010, 2011])


def test_the_seed_decides_the_weather(two_years: np.ndarray) -> None:
    np.testing.assert_array_equal(temperatures([2010, 2011]), two_years)
    assert np.abs(temperatures([2010], seed=1) - two_years[:48]).mean() > 1


def test_files_are_laid_out_as_weatherbench(tmp_path: Path, two_years: np.ndarray) -> None:
    paths = simulation.write(tmp_path, [2010, 2011], seed=0, **TINY)

    assert [str(path.relative_to(tmp_path)) for path in paths] == [
        "2m_temperature/2m_temperature_2010_20deg.nc",
        "2m_temperature/2m_temperature_2011_20deg.nc",
    ]
    assert sorted(paths[0].parent.iterdir()) == paths  # no draft is left over
    with xr.open_dataset(paths[1]) as data:
        assert data.t2m.dims == ("time", "lat", "lon")
        assert data.t2m.dtype == np.float32
        assert data.t2m.attrs["units"] == "K"
        assert data.t2m.attrs["long_name"] == "2 metre temperature"
        np.testing.assert_allclose(data.lat, np.linspace(-80, 80, 9))
        np.testing.assert_allclose(data.lon, np.arange(14) * 360 / 14)
        hourly = np.datetime64("2011-01-01T00") + np.arange(48)
        np.testing.assert_array_equal(data.time.values, hourly.astype("datetime64[ns]"))
        packed = np.abs(data.t2m.values - two_years[48:])
        assert packed.max() <= simulation.PACKED_STEP / 2 + 1e-4
        assert "not measurements" in data.attrs["title"]
        assert "svqkit.data.simulation" in data.attrs["source"]
        assert "seed 0" in data.attrs["source"]


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    once, again = (simulation.write(tmp_path / name, [2010], **TINY)[0].read_bytes() for name in "ab")
    assert once == again


def test_weatherbench_grid_by_default() -> None:
    lat, lon = simulation.coordinates(32, 64)
    assert (lat[0], lat[-1], len(lat)) == (-87.1875, 87.1875, 32)
    assert (lon[0], lon[-1], len(lon)) == (0, 354.375, 64)


@pytest.mark.parametrize(("lat", "lon", "land"), [(25, 10, 1), (60, 90, 1), (0, 200, 0), (-50, 330, 0)])
def test_land_is_where_the_earth_has_it(lat: float, lon: float, land: int) -> None:
    share = simulation.land_share(np.array([lat]), np.array([lon]))
    assert share.item() == land  # the Sahara and Siberia; amid the Pacific and the South Atlantic


def test_the_warmest_hour_comes_later_further_west() -> None:
    lon = np.arange(24) * 15.0  # one hour of the sun apart
    day = np.stack([
        simulation.climate(np.zeros(1), lon, np.ones((1, 24)), hour, 10**9)[0] for hour in range(24)
    ])  # fmt: skip
    # At Greenwich it's warmest at 14:00, and the sun takes one hour for every 15 degrees westwards
    np.testing.assert_array_equal(day.argmax(axis=0), (14 - np.arange(24)) % 24)


def test_seasons_are_opposite_and_larger_over_land() -> None:
    lat, lon, year = np.array([-50.0, -50.0, 50.0, 50.0]), np.zeros(1), 16 * 24
    land = np.array([[0.0], [1.0], [0.0], [1.0]])
    winter, summer = (simulation.climate(lat, lon, land, hour, year)[:, 0] for hour in (0, year // 2))
    south_sea, south_land, north_sea, north_land = summer - winter

    assert north_land > north_sea > 0
    assert north_sea == pytest.approx(-south_sea)
    assert north_land == pytest.approx(-south_land)
    # From a cosine's trough to its crest: twice the half range, times sin(50 degrees)
    assert north_land == pytest.approx(2 * simulation.SEASON_LAND * np.sin(np.deg2rad(50)))


def test_days_are_larger_over_land() -> None:
    land = np.array([[0.0, 1.0]])
    day = np.stack([simulation.climate(np.zeros(1), np.zeros(2), land, hour, 384)[0] for hour in range(24)])
    sea_range, land_range = np.ptp(day, axis=0)
    assert land_range > 3 * sea_range > 0


def blob(lat: np.ndarray, lon: np.ndarray, centre: tuple[float, float]) -> np.ndarray:
    """A hill of about 20 degrees around a place (latitude, longitude), in the shape of exp(cos(distance))."""
    points = simulation.on_sphere(lat, lon)
    summit = simulation.on_sphere(np.array([centre[0]]), np.array([centre[1]]))[0, 0]
    return np.exp(8 * (points @ summit - 1))


def test_a_uniform_wind_moves_a_blob_by_as_many_cells_as_it_should() -> None:
    lat, lon = simulation.coordinates(32, 64)
    points = simulation.on_sphere(lat, lon)
    quarter_cell = np.deg2rad(360 / 64) / 4
    field = blob(lat, lon, (lat[20], lon[62]))  # it will cross Greenwich on its way

    moved = field
    for _ in range(12):
        moved = simulation.advect(moved, points, quarter_cell * simulation.eastwards(points))

    # 12 hours of a quarter of a cell are 3 cells: from column 62 to column 65 - 64 = 1
    assert np.unravel_index(moved.argmax(), moved.shape) == (20, 1)
    np.testing.assert_allclose(moved, np.roll(field, 3, axis=1), atol=0.02)


def test_the_wind_carries_a_blob_across_the_pole() -> None:
    lat, lon = simulation.coordinates(32, 64)
    points = simulation.on_sphere(lat, lon)
    x, y, z = np.moveaxis(points, -1, 0)
    over_the_pole = np.stack([-z, np.zeros_like(y), x], axis=-1)  # a rotation from longitude 0 to 180
    field = blob(lat, lon, (lat[28], 0.0))

    moved = field
    for _ in range(28):
        moved = simulation.advect(moved, points, np.deg2rad(180 / 32) / 4 * over_the_pole)

    # 28 hours of a quarter of a row are 7 rows: 28 -> 31, over the pole to 31 again, and down to 28
    assert np.unravel_index(moved.argmax(), moved.shape) == (28, 32)
    np.testing.assert_allclose(moved, blob(lat, lon, (lat[28], 180.0)), atol=0.02)


def test_without_wind_nothing_moves() -> None:
    lat, lon = simulation.coordinates(9, 14)
    points = simulation.on_sphere(lat, lon)
    field = np.random.default_rng(0).standard_normal((9, 14))
    np.testing.assert_allclose(simulation.advect(field, points, np.zeros_like(points)), field, atol=1e-10)


def test_waves_have_variance_one_and_their_wind_runs_along_the_ground() -> None:
    points = simulation.on_sphere(*simulation.coordinates(16, 32))
    waves = simulation.Waves(np.random.default_rng(0), points, (4.0, 8.0))
    fields, winds = [], []
    for _ in range(100):
        waves.step()
        fields.append(waves.values())
        winds.append(waves.flow())
    assert np.var(fields) == pytest.approx(1, rel=0.1)
    assert np.mean(np.sum(np.square(winds), axis=-1)) == pytest.approx(1, rel=0.1)
    np.testing.assert_allclose(np.sum(winds * points, axis=-1), 0, atol=1e-12)


def test_turning_carries_the_pattern_eastwards() -> None:
    points = simulation.on_sphere(*simulation.coordinates(8, 16))
    waves = simulation.Waves(np.random.default_rng(0), points, (2.0, 5.0), memory=1e12)
    before = waves.values()
    waves.step(turn=2 * np.pi / 16)
    np.testing.assert_allclose(waves.values(), np.roll(before, 1, axis=1), atol=1e-4)


def test_the_weather_goes_on_from_one_year_to_the_next(two_years: np.ndarray) -> None:
    steps = np.sqrt(np.mean(np.diff(two_years, axis=0) ** 2, axis=(1, 2)))
    new_year = steps[47]  # from the 48th hour of 2010 to the first of 2011
    assert new_year < 1.5 * np.median(steps)
    # Weather from two unconnected runs lies much further apart
    assert np.sqrt(np.mean((temperatures([2011], seed=1)[0] - two_years[47]) ** 2)) > 2 * new_year


@pytest.mark.parametrize(("years", "days"), [([], 2), ([2010, 2010], 2), ([2010], 0), ([2010], 366)])
def test_impossible_years_are_refused(years: list[int], days: int) -> None:
    with pytest.raises(SvqkitError, match="at least one year"):
        next(simulation.simulate(years, days, n_lat=9, n_lon=14))


@pytest.mark.parametrize(("n_lat", "n_lon"), [(9, 13), (2, 14)])
def test_impossible_grids_are_refused(n_lat: int, n_lon: int) -> None:
    with pytest.raises(SvqkitError, match=f"got {n_lat} x {n_lon}"):
        simulation.coordinates(n_lat, n_lon)


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulation.main([str(tmp_path), "--years", "2012", "2012", "--days", "1", "--seed", "3"])
    assert "1 files" in capsys.readouterr().out
    with xr.open_dataset(tmp_path / "2m_temperature" / "2m_temperature_2012_5.625deg.nc") as data:
        assert data.t2m.shape == (24, 32, 64)
        assert "seed 3" in data.attrs["source"]

    with pytest.raises(SystemExit):
        simulation.main([str(tmp_path), "--years", "2012", "2011"])
    assert "at least one year" in capsys.readouterr().err
