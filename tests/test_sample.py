"""The bundled sample: small, tracked, and what the programs in tests/simulated make."""

import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr
from simulated import __main__ as command

from svqkit.data.bundled import bundled_files, files_of, md5
from svqkit.data.sources import plan
from svqkit.settings.data import SOURCES
from svqkit.settings.params import load_params

ROOT = Path(__file__).parents[1]
SLOW = [pytest.param(source, marks=pytest.mark.slow) for source in ("kitticaltech", "weather")]
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
    made = plan(settings)
    assert made.channels == ("t2m",)
    days = pd.DatetimeIndex(made.axes["time"]).normalize().unique()
    for first, last in (settings.train, settings.validation, settings.test):
        wanted = [day for day in days if first <= str(day)[: len(first)] and str(day)[: len(last)] <= last]
        assert len(wanted) in (4, 10, 4 * 16), "every period lies within the six times 16 days of the sample"
    assert len(days) == 4 * 16 + 4 + 10


@pytest.mark.parametrize("source", ["human", "kth", "taxibj", *SLOW])
def test_the_command_makes_these_very_files(source: str, tmp_path: Path) -> None:
    assert command.main([str(tmp_path), "--only", source]) == 0
    expected = {file.path: file.md5 for file in files_of(source).values()}
    made = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.relative_to(tmp_path).as_posix(): md5(path) for path in made} == expected


def test_another_seed_makes_another_sample(tmp_path: Path) -> None:
    assert command.main([str(tmp_path), "--only", "taxibj", "--seed", "1"]) == 0
    digest = next(file.md5 for file in bundled_files() if file.path == "taxibj/dataset.npz")
    assert md5(tmp_path / "taxibj/dataset.npz") != digest


def test_an_unknown_sample_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(tmp_path), "--only", "kht"]) == 1
    assert "did you mean 'kth'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "windows"),
    [
        ("kth", {"train": 60, "validation": 40, "test": 40}),
        ("kitticaltech", {"train": 9, "validation": 3, "test": 4}),
        ("human", {"train": 28, "validation": 14, "test": 14}),
        ("taxibj", {"train": 166, "validation": 12, "test": 48}),
    ],
)
def test_the_published_settings_find_windows_in_every_split(source: str, windows: dict[str, int]) -> None:
    made = plan(SOURCES[source](root=str(ROOT / "data" / source)))
    assert {split: len(starts) for split, starts in made.windows["clean"].starts.items()} == windows


def test_a_readme_that_was_left_beside_other_files_calls_none_simulated(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "data/human", tmp_path, dirs_exist_ok=True)
    data = SOURCES["human"](root=str(tmp_path))
    assert plan(data).simulated
    for path in tmp_path.rglob("*.*"):
        if path.name != "README.txt":
            path.write_bytes(path.read_bytes() + b"\n")
    made = plan(data)
    assert (made.title, made.simulated) == ("", False)


def test_no_lock_points_at_results_that_nobody_can_pull() -> None:
    """With a dvc.lock in git, `dvc pull` in a fresh clone asks for results that are in no remote, and fails."""
    tracked = subprocess.run(["git", "ls-files", "dvc.lock"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert tracked.stdout == ""
