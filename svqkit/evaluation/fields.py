"""Error fields on the map, their spectra, and the error of every run in every window, from which runs are compared."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from svqkit.atomic import replacing
from svqkit.data.domain import goes_around
from svqkit.data.store import UNITS, Store
from svqkit.data.windows import Windows
from svqkit.errors import SvqkitError
from svqkit.evaluation.metrics import GridErrors
from svqkit.settings.params import Protocol

# Into how many stretches of time a lat-lon record is cut for maps of significance, and their least frames.
STRETCHES, SHORTEST = 24, 24


def error_fields(errors: GridErrors, store: Store) -> xr.Dataset:
    """Return bias, MAE and RMSE per channel, lead and grid point, with coordinates and units.

    Of a lat-lon record also ``mse_blocks`` (block, channel, lat, lon): the mean squared error over leads and the
    windows of each stretch of time, see :func:`stretches`.
    """
    grids = {
        "bias": (errors.mean("bias"), "mean error (forecast − truth)"),
        "mae": (errors.mean("mae"), "mean absolute error"),
        "rmse": (errors.mean("mse").sqrt(), "root mean squared error"),
    }
    unit, dims = common_unit(store), store.spatial_coords[0]
    fields = {
        name: (("channel", "lead", *dims), _array(grid.transpose(0, 1)), {"units": unit, "long_name": long_name})
        for name, (grid, long_name) in grids.items()
    }
    if store.kind == "grid":
        about = "mean squared error over leads and the windows of a stretch of time"
        attrs = {"units": f"({unit})**2", "long_name": about}
        fields["mse_blocks"] = (("block", "channel", *dims), _array(errors.of_stretches()), attrs)
    original_units = str(store.extra.get("original_units", ""))
    return xr.Dataset(
        fields,
        coords=coordinates(store, len(errors.mean("bias"))),
        attrs={
            "windows": errors.count,
            "data": store.title,
            "simulated": int(store.simulated),
            "original_units": original_units,
        },
    )


def window_errors(
    who: Sequence[tuple[str, int]], errors: Sequence[Mapping[str, np.ndarray]], windows: Windows
) -> xr.Dataset:
    """Join the errors of runs, window by window, as they are written to windows.nc.

    Args:
        who: experiment and seed (−1: a baseline) of each run.
        errors: per run "mse" and "mae", each (n,): the mean over all leads. Their mean over windows is the score of
            channel "mean", lead 0.
        windows: the n test windows.

    Returns:
        mse, mae (run, window) float32; coordinates experiment, seed (run); block, start (window): the number of the
        clip, or stretch of consecutive hours, that a window lies in, and its first frame in the store. Attributes:
        kind of the store, frames_per_window from the first input to the last target, and what the data are.
    """
    store = windows.store
    return xr.Dataset(
        {
            name: (("run", "window"), np.stack([run[name] for run in errors]).astype(np.float32), {"long_name": text})
            for name, text in {"mse": "mean squared error", "mae": "mean absolute error"}.items()
        },
        coords={
            "experiment": ("run", [name for name, _ in who]),
            "seed": ("run", [seed for _, seed in who]),
            "block": ("window", clip_numbers(windows)),
            "start": ("window", windows.starts),
        },
        attrs={
            "kind": store.kind,
            "frames_per_window": int(windows.targets[-1] - windows.inputs[0]) + 1,
            "data": store.title,
        },
    )


def clip_numbers(windows: Windows, protocol: Protocol = "clean") -> np.ndarray:
    """Return the number of the clip that each window lies in, (n,); clips are counted in order of time."""
    first_frames = np.sort([start for start, _ in windows.store.clips(windows.split, protocol)])
    return np.searchsorted(first_frames, windows.starts, side="right") - 1


def stretches(windows: Windows, protocol: Protocol = "clean") -> list[np.ndarray]:
    """Return the numbers of the windows of each stretch of time over which ``mse_blocks`` of error fields are means.

    A lat-lon record has about 24, of nearly equal length, none shorter than 24 frames, none across a clip's edge (a
    shorter clip is one stretch). Images and fields have no such maps: all their windows are one stretch.
    """
    numbers = np.arange(len(windows))
    if windows.store.kind != "grid":
        return [numbers]
    shortest = max(SHORTEST, -(-len(windows) // STRETCHES))
    clips = clip_numbers(windows, protocol)
    members = [numbers[clips == clip] for clip in np.unique(clips)]
    return [part for clip in members for part in np.array_split(clip, max(1, len(clip) // shortest))]


def coordinates(store: Store, leads: int) -> dict[str, Any]:
    """Return the coordinates of a store's maps: channels and their units, ``leads`` lead times, rows and columns."""
    steps = store.lead_step * np.arange(1, leads + 1)
    return {
        "channel": store.channels,
        "unit": ("channel", store.units),
        "lead": ("lead", steps, {"units": store.lead_units, "long_name": "lead time"}),
        **{name: (name, values, {"units": UNITS[name]}) for name, values in store.spatial_coords[1].items()},
    }


def write_netcdf(dataset: xr.Dataset, path: Path) -> None:
    """Write a dataset, compressed; the file appears whole or not at all.

    Raises:
        SvqkitError: the disk is full, or writing is not permitted there.
    """
    with replacing(path) as draft:
        dataset.to_netcdf(draft, engine="netcdf4", encoding={name: {"zlib": True} for name in dataset.data_vars})


def _array(grid: torch.Tensor) -> np.ndarray:
    return grid.float().cpu().numpy()


def common_unit(store: Store) -> str:
    """Return the unit of a store's channels; where they have several, all of them in one line."""
    return ", ".join(dict.fromkeys(unit for unit in store.units if unit))


def zonal_spectrum(field: xr.DataArray) -> xr.DataArray:
    r"""Compute the power of a global field at each zonal wave number m: so many waves go around the Earth.

    Along each latitude, with the discrete Fourier transform X_m of its W values divided by W,

    .. math:: P_m = n_m |X_m|^2, \qquad n_m = 1 \text{ for } m = 0 \text{ and } m = W/2, \text{ else } 2

    since m and −m are one wave. The mean over latitudes is by area, cos(latitude). So the powers of all wave numbers
    add up to the mean square of the field by area (Parseval), and those of a difference to the square of its WRMSE.

    Args:
        field: (…, lat, lon) in any order, with coordinates in degrees.

    Returns:
        (…, wavenumber), m = 0 … ⌊W/2⌋, in the square of the field's unit.

    Raises:
        SvqkitError: it has no latitudes and longitudes, or these don't go around the Earth in even steps: a
            wave that the edge of a region cuts has no wave number.

    Source: the zonal energy spectra of WeatherBench 2 (Rasp et al. 2024, arXiv 2308.15560), which have the length of
        the circle of latitude as a further factor, and count the wave W/2 twice.
    """
    if not {"lat", "lon"} <= {*field.coords}:
        raise SvqkitError(f"Zonal wave numbers are those of fields (…, lat, lon); this one has {field.dims}.")
    width, lon = field.sizes["lon"], field["lon"].to_numpy().astype(float)
    if width > 1 and not goes_around(lon):  # a single column is a mean
        raise SvqkitError(
            f"Zonal wave numbers need longitudes that go around the Earth in even steps, here of {360 / width:g}°; "
            f"these are {width} from {lon[0]:g} to {lon[-1]:g}. Look at errors on the map instead."
        )
    waves = np.arange(width // 2 + 1)
    once = (waves == 0) | (2 * waves == width)
    power = xr.apply_ufunc(
        lambda values: np.where(once, 1, 2) * abs(np.fft.rfft(values.astype(float), norm="forward")) ** 2,
        field,
        input_core_dims=[["lon"]],
        output_core_dims=[["wavenumber"]],
    )
    area = np.cos(np.deg2rad(field["lat"])).clip(min=0)
    return power.weighted(area).mean("lat").assign_coords(wavenumber=waves)
