"""Forecasts as files: NetCDF for grids, video for clips, plain arrays for the rest; and as pictures to look at."""

from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from svqkit import plots
from svqkit.atomic import replacing
from svqkit.errors import SvqkitError
from svqkit.evaluation.fields import write_netcdf
from svqkit.forecasting.forecast import Forecast
from svqkit.plots.fields import is_colour
from svqkit.plots.leads import spread
from svqkit.training.runs import Run

# VP9, which browsers play and which is free of patents.
CODEC, FRAMES_PER_SECOND = "libvpx-vp9", 10
SUFFIXES = (".nc", ".zarr", ".mp4", ".gif", ".npy")
# Of more channels a picture shows the first ones; all are in the file.
MOST_CHANNELS = 4
SEEN, FORECAST = 3, 5


def write_forecast(result: Any, path: str | Path) -> Path:
    """Write what ``forecast`` gave, whole or not at all; the suffix says how. The same result gives the same bytes.

    ``.nc``: a Dataset or DataArray, compressed. ``.zarr``: the same as a store (format 2). ``.mp4``: frames
    (T, C, H, W), C 1 or 3, as video in VP9, which loses some detail (of colour half the resolution) and repeats the
    last row or column where a size is odd. ``.gif``: the same frames in up to 256 colours each; grey ones exactly.
    ``.npy``: any array, exactly. Without a suffix it is ``.nc``, ``.mp4`` of bytes with 1 or 3 channels, else ``.npy``.

    Args:
        result: of :func:`svqkit.forecasting.forecast`. Floats of a clip are those in [0, 1], and are cut to it.
        path: of the file; folders are made as needed.

    Raises:
        SvqkitError: the suffix is another one or does not fit the result, or the disk is full.
    """
    labelled, path = isinstance(result, xr.Dataset | xr.DataArray), Path(path)
    if not path.suffix:
        of_bytes = not labelled and str(result.dtype).endswith("uint8")
        is_clip = of_bytes and result.ndim == 4 and result.shape[1] in (1, 3)
        path = path.with_name(path.name + (".nc" if labelled else ".mp4" if is_clip else ".npy"))
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES or labelled != (suffix in (".nc", ".zarr")):
        fitting = ".nc or .zarr" if labelled else ".mp4, .gif (clips) or .npy"
        raise SvqkitError(f"{path}: a forecast that is a {type(result).__name__} is written as {fitting}.")
    if labelled:
        named = result if isinstance(result, xr.Dataset) else result.to_dataset(name=result.name or "forecast")
        if suffix == ".nc":
            write_netcdf(named, path)
            return path
        with replacing(path) as draft:
            named.to_zarr(draft, zarr_format=2, consolidated=True)
        return path
    values = result.detach().cpu().numpy() if isinstance(result, Tensor) else np.asarray(result)
    if suffix == ".npy":
        with replacing(path) as draft, draft.open("wb") as file:
            np.save(file, values, allow_pickle=False)
        return path
    pictures = _pictures(values, path)
    with replacing(path) as draft:
        (_write_video if suffix == ".mp4" else _write_gif)(pictures, draft)
    return path


def _pictures(values: np.ndarray, path: Path) -> np.ndarray:
    """(T, C, H, W) → (T, H, W, C) bytes."""
    if values.ndim != 4 or values.shape[1] not in (1, 3):
        raise SvqkitError(
            f"{path}: a video is made of frames (T, C, H, W) with 1 or 3 channels, got {values.shape}. Write it as "
            ".npy, or pick one clip or channel."
        )
    if values.dtype != np.uint8:
        if not -0.5 < float(np.median(values)) < 1.5:
            raise SvqkitError(f"{path}: the frames of a video are bytes, or floats in [0, 1]. Write these as .npy.")
        values = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(values.transpose(0, 2, 3, 1))


def _write_video(pictures: np.ndarray, draft: Path) -> None:
    height, width = pictures.shape[1:3]
    even = np.pad(pictures, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    kind = "gray" if even.shape[3] == 1 else "rgb24"
    made = BytesIO()  # FFmpeg says nothing of a disk that is full in the end; Python does
    with av.open(made, "w", format="mp4") as file:
        stream = file.add_stream(CODEC, rate=FRAMES_PER_SECOND)
        stream.width, stream.height, stream.pix_fmt = even.shape[2], even.shape[1], "yuv420p"
        for picture in even:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture[..., 0] if kind == "gray" else picture, kind)))
        file.mux(stream.encode())
    draft.write_bytes(made.getvalue())


def _write_gif(pictures: np.ndarray, draft: Path) -> None:
    images = [Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture) for picture in pictures]
    first, *others = images
    first.save(draft, format="GIF", save_all=True, append_images=others, duration=1000 // FRAMES_PER_SECOND, loop=0)


def pictures(run: Run, made: Forecast) -> list[Figure]:
    """Draw, for each channel of the first four or in colour, the last frames seen and those forecast, on one scale."""
    frames = made.frames
    seen, coming = np.flatnonzero(frames["time"].values <= 0), np.flatnonzero(frames["time"].values > 0)
    # The very last frames seen, since what comes next shows beside them; the forecast from its first to its last.
    chosen = [*seen[-SEEN:], *coming[spread(len(coming), FORECAST)]]
    shown = frames.isel(channel=slice(MOST_CHANNELS), time=chosen)
    name = plots.display_name(run.experiment.name)
    issued = f" issued {pd.Timestamp(made.last):%Y-%m-%d %H:%M} UTC" if "valid" in frames.coords else ""
    simulated = " (model trained on simulated data)" if run.domain.simulated else ""
    title = f"the last frames seen, then the forecast of {name}{issued}{simulated}"
    if is_colour(shown):
        return [plots.clip_strip(shown, title[0].upper() + title[1:])]
    names = map(str, shown["channel"].values)
    return [plots.clip_strip(shown, f"{plots.field_name(channel)}: {title}", channel) for channel in names]
