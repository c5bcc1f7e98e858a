"""The bundled sample: small, tracked, and what the simulation in the package makes."""

import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from svqkit.data import simulation
from svqkit.data.sources.weather import open_record
from svqkit.settings.params import load_params

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "data/weather/2m_temperature").glob("*_201?_*.nc"))  # 1980 to 1982 are 6-hourly, and newer


def test_the_remote_inside_git_stays_small() -> None:
    size = sum(path.stat().st_size for path in (ROOT / "data-store").rglob("*") if path.is_file())
    assert 1e6 < size < 20e6, "at most 20 MB for all datasets"


def test_the_sample_lies_as_weatherbench_names_it_and_says_that_it_is_simulated() -> None:
    assert [path.name for path in FILES] == [f"2m_temperature_{year}_5.625deg.nc" for year in range(2010, 2016)]
    for path in FILES:
        with xr.open_dataset(path) as file:
            assert "imulated" in file.attrs["title"]
            assert file["t2m"].dims == ("time", "lat", "lon")
            assert file["t2m"].shape[1:] == (32, 64)


def test_the_settings_fit_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    settings = load_params("params.yaml", "sample").dataset("weather_t2m")
    record = open_record(settings)
    assert record.channels == ("t2m",)
    days = pd.DatetimeIndex(record.times).normalize().unique()
    for first, last in (settings.train, settings.validation, settings.test):
        wanted = [day for day in days if first <= str(day)[: len(first)] and str(day)[: len(last)] <= last]
        assert len(wanted) in (4, 10, 4 * 16), "every period lies within the six times 16 days of the sample"
    assert len(days) == 4 * 16 + 4 + 10


def test_the_simulation_of_the_package_makes_the_sample() -> None:
    _, made = next(iter(simulation.simulate([2010])))
    with xr.open_dataset(FILES[0]) as file:
        np.testing.assert_allclose(file["t2m"].values, made["t2m"].values, atol=0.02)


def test_no_lock_points_at_results_that_nobody_can_pull() -> None:
    """With a dvc.lock in git, `dvc pull` in a fresh clone asks for results that are in no remote, and fails."""
    tracked = subprocess.run(["git", "ls-files", "dvc.lock"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert tracked.stdout == ""
