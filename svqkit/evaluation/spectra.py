"""How much of a field varies at which zonal wave number: what a blurred forecast lacks."""

import numpy as np
import xarray as xr

from svqkit.data.domain import goes_around
from svqkit.errors import SvqkitError


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
