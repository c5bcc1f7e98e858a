"""Files as the start of a forecast: NetCDF, arrays, clips; one path, a pattern of paths, or a list of them."""

from collections.abc import Sequence
from dataclasses import replace
from glob import glob
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from svqkit.data.domain import Domain
from svqkit.data.sources.arrayfiles import NpzMember
from svqkit.data.sources.clips import natural_key
from svqkit.data.sources.images import SUFFIXES
from svqkit.data.sources.weather import OTHER_NAMES, open_file
from svqkit.errors import SvqkitError
from svqkit.forecasting.clips import CLIP_SUFFIXES, images_in, read_clip
from svqkit.forecasting.coordinates import same_unit
from svqkit.forecasting.inputs import ModelInput, from_array, from_model
from svqkit.forecasting.labelled import from_labelled
from svqkit.settings.data import Dataset, TaxiBJData, WeatherData
from svqkit.userfiles import refuse_special

NETCDF = (".nc", ".nc4", ".cdf", ".netcdf")
KINDS = f"NetCDF ({', '.join(NETCDF[:2])}), an array (.npy), a video ({', '.join(CLIP_SUFFIXES)}) or images"


def is_files(x: Any) -> bool:
    """Return whether ``x`` names files."""
    return isinstance(x, str | Path) or (
        isinstance(x, list | tuple) and len(x) > 0 and all(isinstance(path, str | Path) for path in x)
    )


def from_files(
    x: str | Path | Sequence[str | Path], data: Dataset, domain: Domain, frames: Sequence[int]
) -> ModelInput:
    """Read the input frames that files hold.

    NetCDF goes back as a Dataset, also several files, whose variables and times are put together; an array as an
    array; a clip as an array (T, C, H, W) of bytes.

    Raises:
        SvqkitError: there is no such file, it is of another kind or damaged, or what it holds does not fit.
    """
    files = _files(x)
    suffix = files[0].suffix.lower()
    if suffix in NETCDF:
        return from_labelled(_dataset(files, data), data, domain, frames)
    if suffix == ".npy":
        return from_array(_array(files[0]), domain)
    if suffix == ".npz" and isinstance(data, TaxiBJData):
        return _of_samples(files[0], domain)
    if suffix in CLIP_SUFFIXES or suffix in SUFFIXES:
        clip, notes = read_clip(files, data, domain)
        model_input = from_array(clip, replace(domain, inputs=tuple(range(1 - len(clip), 1))))
        return replace(model_input, notes=(*notes, *model_input.notes))
    raise SvqkitError(f"{files[0]} is no file that forecasts start from: {KINDS}.")


def _files(x: str | Path | Sequence[str | Path]) -> list[Path]:
    """The files that are meant: of a folder the images in it, of a pattern with ``*`` what it matches."""
    if not isinstance(x, str | Path):
        files = [Path(path) for path in x]
    elif Path(x).is_dir():
        files = images_in(Path(x))
    elif "*" in str(x) or "?" in str(x):
        files = sorted(map(Path, glob(str(x))), key=lambda path: natural_key(str(path)))
    else:
        files = [Path(x)]
    for path in files:
        refuse_special(path)
    absent = [path for path in files if not path.exists()]
    if absent or not files:
        raise SvqkitError(f"There is no file {absent[0] if absent else x} ({Path.cwd()}). Name {KINDS}.")
    kinds = {path.suffix.lower() for path in files}
    if len(kinds) > 1:
        raise SvqkitError(f"The files are of several kinds: {', '.join(sorted(kinds))}. Name those of one kind.")
    return files


def _dataset(files: Sequence[Path], data: Dataset) -> xr.Dataset:
    """One file as it is, or several put together by their coordinates, without variables that the run does not take."""
    opened = [_as_named(path) for path in files]
    if len(opened) == 1:
        return opened[0]
    wanted = data.variables if isinstance(data, WeatherData) else ()
    useful = [_only(file, [name for name in wanted if name in file], bool(wanted and data.levels)) for file in opened]
    try:
        with_values = [file for file in useful if file.data_vars]
        return xr.combine_by_coords(with_values, join="inner", combine_attrs=_first_attributes)
    except ValueError as error:
        raise SvqkitError(
            f"The {len(files)} files from {files[0]} on can't be put together: {error}. Give files of the same times, "
            "one variable each, or one file with all."
        ) from error


def _only(file: xr.Dataset, names: list[str], with_level: bool) -> xr.Dataset:
    """Some variables without the coordinates that nobody needs, which may differ from file to file."""
    chosen = file[names]
    idle = [name for name in chosen.coords if name not in chosen.dims]
    return chosen.drop_vars([name for name in idle if not (with_level and OTHER_NAMES.get(name, name) == "level")])


def _first_attributes(every: Sequence[dict[str, Any]], context: object) -> dict[str, Any]:
    """The attributes of the first of several files, which must agree on the unit."""
    first, *others = every
    for other in others:
        one, another = (str(attributes.get("units", "")) for attributes in (first, other))
        if not same_unit(one, another):
            raise SvqkitError(f"the units {one!r} and {another!r} differ")
    return first


def _as_named(path: Path) -> xr.Dataset:
    """A NetCDF file with its own names: the check of the weather source renames, so only its verdict is used."""
    open_file(path).close()
    return xr.open_dataset(path, engine="netcdf4")


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
