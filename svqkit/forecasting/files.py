"""Files as the start of a forecast: gridded ones, arrays, clips; one path, a pattern of paths, or a list of them."""

from collections.abc import Sequence
from dataclasses import replace
from glob import glob
from pathlib import Path
from typing import Any

import numpy as np

from svqkit.data.domain import Domain
from svqkit.data.sources.arrayfiles import NpzMember
from svqkit.data.sources.clips import natural_key
from svqkit.data.sources.gridded import NETCDF, SUFFIXES, is_store, opened
from svqkit.data.sources.images import SUFFIXES as IMAGES
from svqkit.data.sources.weather import find_sources
from svqkit.errors import SvqkitError
from svqkit.forecasting.clips import CLIP_SUFFIXES, images_in, read_clip
from svqkit.forecasting.inputs import ModelInput, from_array, from_model
from svqkit.forecasting.labelled import from_gridded, from_labelled, has_channels, wanted_levels
from svqkit.settings.data import Dataset, TaxiBJData, WeatherData
from svqkit.userfiles import refuse_special

KINDS = f"NetCDF ({', '.join(NETCDF[:2])}), GRIB, Zarr, an array (.npy), a video ({', '.join(CLIP_SUFFIXES)}) or images"


def is_files(x: Any) -> bool:
    """Return whether ``x`` names files; papermill makes a number of a folder called 2020."""
    return (isinstance(x, str | Path | int) and not isinstance(x, bool)) or (
        isinstance(x, list | tuple) and len(x) > 0 and all(isinstance(path, str | Path) for path in x)
    )


def from_files(
    x: str | Path | int | Sequence[str | Path], data: Dataset, domain: Domain, frames: Sequence[int]
) -> ModelInput:
    """Read the input frames that files hold.

    Gridded files and stores go back as a Dataset, also several, whose variables and times are put together; an array as
    an array; a clip as an array (T, C, H, W) of bytes.

    Raises:
        SvqkitError: there is no such file, it is of another kind or damaged, or what it holds does not fit.
    """
    x = str(x) if isinstance(x, int) else x
    if isinstance(x, str | Path) and (is_store(x) or (_is_folder(x) and isinstance(data, WeatherData))):
        return _of_gridded([x], data, domain, frames)
    files = _files(x)
    suffix = files[0].suffix.lower()
    if suffix in SUFFIXES or is_store(files[0]):
        return _of_gridded(files, data, domain, frames)
    if suffix == ".npy":
        return from_array(_array(files[0]), domain)
    if suffix == ".npz" and isinstance(data, TaxiBJData):
        return _of_samples(files[0], domain)
    if suffix in CLIP_SUFFIXES or suffix in IMAGES:
        clip, notes = read_clip(files, data, domain)
        model_input = from_array(clip, replace(domain, inputs=tuple(range(1 - len(clip), 1))))
        return replace(model_input, notes=(*notes, *model_input.notes))
    raise SvqkitError(f"{files[0]} is no file that forecasts start from: {KINDS}.")


def _files(x: str | Path | Sequence[str | Path]) -> list[Path]:
    """The files that are meant: of a folder the images in it, of a pattern with ``*`` what it matches."""
    if not isinstance(x, str | Path):
        files = [Path(path) for path in x]
    elif _is_folder(x):
        files = images_in(Path(x))
    elif "*" in str(x) or "?" in str(x):
        found = (Path(path) for path in glob(str(x)))
        files = sorted((path for path in found if path.name[0] != "."), key=lambda path: natural_key(str(path)))
    else:
        files = [Path(x)]
    absent = [path for path in files if not path.exists()]
    if absent or not files:
        raise SvqkitError(f"There is no file {absent[0] if absent else x} ({Path.cwd()}). Name {KINDS}.")
    for path in files:
        if not is_store(path):
            refuse_special(path)
    kinds = {path.suffix.lower() for path in files}
    if len(kinds) > 1 and not kinds <= {*SUFFIXES}:
        raise SvqkitError(f"The files are of several kinds: {', '.join(sorted(kinds))}. Name those of one kind.")
    return files


def _is_folder(x: str | Path) -> bool:
    """Whether it is a folder of files; one called x.nc is refused as a file."""
    return Path(x).is_dir() and Path(x).suffix.lower() not in SUFFIXES


def _of_gridded(sources: Sequence[str | Path], data: Dataset, domain: Domain, frames: Sequence[int]) -> ModelInput:
    """The input frames of gridded files, which are found as prepare finds them, or of one with all channels."""
    if len(sources) == 1 and not Path(sources[0]).is_dir():
        with opened(sources[0]) as datasets:
            if has_channels(datasets[0]) or not isinstance(data, WeatherData):
                return from_labelled(datasets[0].load(), data, domain, frames)
    if len(sources) == 1 and isinstance(data, WeatherData):
        sources = [source for name in data.variables for source in find_sources(sources[0], name)]
    return from_gridded(list(dict.fromkeys(sources)), wanted_levels(data, domain), domain, frames)


def _array(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SvqkitError(f"{path} can't be read as a plain NumPy array ({error}). Save it again.") from error


def _of_samples(path: Path, domain: Domain) -> ModelInput:
    """The last test sample of TaxiBJ's dataset.npz, whose inputs are scaled to [-1, 1]; back in taxis."""
    member = NpzMember.open(path, "X_test")
    length = member.shape[1]
    last = (member.shape[0] - 1) * length
    sample = np.concatenate(list(member.read(last, last + length, length)))
    model_input = from_array(from_model((sample.astype(np.float32) + 1) / 2, domain, as_bytes=False), domain)
    return replace(
        model_input, notes=(f"the last test sample of {path.name}, in {domain.own_units[0]}", *model_input.notes)
    )
