"""Tiny raw weather records in WeatherBench's layout, kept in memory too, to compare with what is made of them."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from svqkit.data.sources.weather import LONG_NAMES
from svqkit.settings.data import WeatherData

DAY = 24
LAT = np.array([-60.0, -10.0, 25.0, 70.0])
LON = np.arange(6) * 60.0


@dataclass
class RawFiles:
    """A folder of raw files, and a dataset's settings that fit it: by default 16 hourly days from 2010-01-01."""

    root: Path
    written: dict[str, list[xr.Dataset]] = field(default_factory=dict)

    def write(
        self,
        variable: str = "t2m",
        first: str = "2010-01-01",
        frames: int = 16 * DAY,
        *,
        name: str | None = None,
        hours: int = 1,
        lat: np.ndarray = LAT,
        lon: np.ndarray = LON,
        levels: Sequence[int] = (),
        change: Callable[[xr.Dataset], xr.Dataset] = lambda dataset: dataset,
        **how: Any,
    ) -> Path:
        """Write one file, ``change``d before it is written; ``how`` goes to xarray's to_netcdf."""
        times = np.datetime64(first, "h") + hours * np.arange(frames)
        dims, shape = ("time", "lat", "lon"), (frames, len(lat), len(lon))
        coords = {"time": times.astype("datetime64[ns]"), "lat": lat, "lon": lon}
        if levels:
            dims, shape = ("time", "level", "lat", "lon"), (frames, len(levels), len(lat), len(lon))
            coords["level"] = list(levels)
        # A daily wave that runs around the globe, and noise: something that can be learnt.
        phase = 2 * np.pi * (times.astype(np.int64)[:, None, None] / 24 + np.asarray(lon) / 360)
        wave = 280 + 8 * np.sin(phase) + np.asarray(lat)[:, None] / 10
        noise = np.random.default_rng(zlib.crc32(f"{variable} {first}".encode())).normal(0, 2, shape)
        values = (wave[:, None] if levels else wave) + noise
        dataset = xr.Dataset(
            {variable: (dims, values.astype(np.float32), {"units": "K" if variable.startswith("t") else "m s**-1"})},
            coords=coords,
            attrs={"title": "made up for a test"},
        )
        dataset = change(dataset)
        folder = self.root / LONG_NAMES[variable]
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / (name or f"{LONG_NAMES[variable]}_{first}.nc")
        dataset.to_netcdf(path, engine="netcdf4", **how)
        self.written.setdefault(variable, []).append(dataset)
        return path

    def values(self, variable: str = "t2m") -> xr.DataArray:
        """All that was written of a variable, in order of time."""
        parts = [dataset[variable] for dataset in self.written[variable]]
        return xr.concat(parts, dim="time").sortby("time")

    def data(self, **changes: Any) -> WeatherData:
        """Settings: 10 days of training, 3 of validation, 3 of test, windows of 3 + 2 frames."""
        settings = {
            "root": str(self.root),
            "variables": ("t2m",),
            "train": ("2010-01-01", "2010-01-10"),
            "validation": ("2010-01-11", "2010-01-13"),
            "test": ("2010-01-14", "2010-01-16"),
            "frames_in": 3,
            "frames_out": 2,
        }
        return WeatherData(**settings | changes)


def drop(*days: int) -> Callable[[xr.Dataset], xr.Dataset]:
    """Return a change that leaves some days of the month out."""
    return lambda dataset: dataset.isel(time=~dataset["time"].dt.day.isin(days))


def files_below(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file below a folder, hidden ones too: its inode, time of change and bytes."""
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
