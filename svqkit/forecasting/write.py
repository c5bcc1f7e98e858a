"""Forecasts as files: NetCDF for grids, video for clips, plain arrays for the rest."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import xarray as xr
from PIL import Image
from torch import Tensor

from svqkit.atomic import replacing
from svqkit.errors import SvqkitError
from svqkit.evaluation.fields import write_netcdf

# VP9: the one codec that both browsers play and the OpenCV of requirements.lock can write; it has no H.264.
CODEC = "vp09"
SUFFIXES = (".nc", ".mp4", ".gif", ".npy")


def write_forecast(result: Any, path: str | Path, frames_per_second: float = 10.0) -> Path:
    """Write what ``forecast`` gave, whole or not at all; the suffix says how. The same result gives the same bytes.

    ``.nc``: a Dataset or DataArray, compressed. ``.mp4``: frames (T, C, H, W), C 1 or 3, as video in VP9, which loses
    some detail (of colour half the resolution) and repeats the last row or column where a size is odd. ``.gif``: the
    same frames in up to 256 colours each; grey ones exactly. ``.npy``: any array, exactly.

    Args:
        result: of :func:`svqkit.forecasting.forecast`. Floats of a clip are those in [0, 1], and are cut to it.
        path: of the file; folders are made as needed.
        frames_per_second: of a video.

    Raises:
        SvqkitError: the suffix is another one or does not fit the result, or the disk is full.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    labelled = isinstance(result, xr.Dataset | xr.DataArray)
    if suffix not in SUFFIXES or labelled != (suffix == ".nc"):
        fitting = ".nc" if labelled else ".mp4, .gif (clips) or .npy"
        raise SvqkitError(f"{path}: a forecast that is a {type(result).__name__} is written as {fitting}.")
    if labelled:
        named = result if isinstance(result, xr.Dataset) else result.to_dataset(name=result.name or "forecast")
        write_netcdf(named, path)
        return path
    values = result.detach().cpu().numpy() if isinstance(result, Tensor) else np.asarray(result)
    if suffix == ".npy":
        with replacing(path) as draft, draft.open("wb") as file:
            np.save(file, values, allow_pickle=False)
        return path
    pictures = _pictures(values, path)
    with replacing(path) as draft:
        (_write_video if suffix == ".mp4" else _write_gif)(pictures, draft, frames_per_second)
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


def _write_video(pictures: np.ndarray, draft: Path, frames_per_second: float) -> None:
    height, width = pictures.shape[1:3]
    even = np.pad(pictures, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    size = even.shape[2], even.shape[1]
    # OpenCV takes the kind of file from its name, which a draft's doesn't tell.
    path = draft.with_suffix(".mp4")
    path.write_bytes(bytes(2**12))  # so that a full disk isn't taken for a codec that OpenCV lacks
    code = cv2.VideoWriter_fourcc(*CODEC)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, frames_per_second, size)
    if not writer.isOpened():
        raise SvqkitError(f"This OpenCV ({cv2.__version__}) can't write VP9 video. Write a .gif or .npy instead.")
    for picture in even:
        writer.write(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR if even.shape[3] == 1 else cv2.COLOR_RGB2BGR))
    writer.release()
    if cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT) != len(even):
        raise OSError(f"OpenCV wrote less than the whole video to {path}, and doesn't say why.")
    path.rename(draft)


def _write_gif(pictures: np.ndarray, draft: Path, frames_per_second: float) -> None:
    images = [Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture) for picture in pictures]
    first, *others = images
    first.save(
        draft, format="GIF", save_all=True, append_images=others, duration=round(1000 / frames_per_second), loop=0
    )
