"""Files as the start of a forecast: gridded ones, arrays, clips; one path, a pattern of paths, or a list of them."""

from collections.abc import Sequence
from dataclasses import replace
from glob import glob
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from svqkit.data.domain import Domain
from svqkit.data.sources import gridded, images
from svqkit.data.sources.arrayfiles import NpzMember, open_array
from svqkit.data.sources.frames import Frames, FramesPart, size_text
from svqkit.data.sources.video import VIDEO_SUFFIXES, open_video
from svqkit.data.sources.weather import find_sources
from svqkit.errors import SvqkitError
from svqkit.forecasting.inputs import ModelInput, frames_shape, from_array, from_model, more_than_used
from svqkit.forecasting.labelled import from_gridded, from_labelled, has_channels, wanted_levels
from svqkit.settings.data import ArrayData, ClipsData, Dataset, KittiCaltechData, TaxiBJData, WeatherData
from svqkit.userfiles import refuse_special

KINDS = (
    f"NetCDF ({', '.join(gridded.NETCDF[:2])}), GRIB, Zarr, an array (.npy), a video ({', '.join(VIDEO_SUFFIXES)}) or "
    f"images ({', '.join(images.SUFFIXES)})"
)
# How the sources of pictures bring them to the size of the model.
FITS = {
    "kth": images.resize,
    "kitticaltech": images.scale_and_crop,
    "human": images.resize_bicubic,
    "clips": images.resize,
}


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
    sources = _sources(str(x) if isinstance(x, int) else x, data)
    first, suffix = sources[0], Path(sources[0]).suffix.lower()
    if suffix == ".npy" or (suffix in (".npz", ".zarr") and isinstance(data, ArrayData)):
        return _of_array(Path(first), data, domain)
    if suffix == ".npz" and isinstance(data, TaxiBJData):
        return _of_samples(Path(first), domain)
    if suffix in (*VIDEO_SUFFIXES, *images.SUFFIXES):
        return _of_clip([Path(path) for path in sources], data, domain)
    if Path(first).is_dir() or gridded.is_gridded(first):
        return _of_gridded(sources, data, domain, frames)
    raise SvqkitError(f"{first} is no file that forecasts start from: {KINDS}.")


def _sources(x: str | Path | Sequence[str | Path], data: Dataset) -> list[str | Path]:
    """What is meant: files and stores; of a pattern with ``*`` what it matches, of a folder the images in it.

    A folder of a weather record stays one.
    """
    if not isinstance(x, str | Path):
        sources = list(x)
    elif gridded.is_store(x) or (isinstance(data, WeatherData) and _is_folder(x)):
        return [x]
    elif _is_folder(x):
        sources = images.images_in(Path(x))
    elif "*" in str(x) or "?" in str(x):
        sources = sorted((path for path in glob(str(x)) if Path(path).name[0] != "."), key=images.natural_key)
    else:
        sources = [x]
    absent = [path for path in sources if not Path(path).exists()]
    if absent or not sources:
        what = "image in the folder" if not sources and _is_folder(x) else "file"
        raise SvqkitError(f"There is no {what} {(absent or [x])[0]} ({Path.cwd()}). Name {KINDS}.")
    for path in sources:
        if not gridded.is_store(path):
            refuse_special(path)
    kinds = {Path(path).suffix.lower() for path in sources}
    if len(kinds) > 1 and not (kinds <= {*gridded.SUFFIXES} or kinds <= {*images.SUFFIXES}):
        raise SvqkitError(f"The files are of several kinds: {', '.join(sorted(kinds))}. Name those of one kind.")
    return sources


def _is_folder(x: str | Path) -> bool:
    """Whether it is a folder of files; one called x.nc is refused as a file."""
    return Path(x).is_dir() and Path(x).suffix.lower() not in gridded.SUFFIXES


def _of_gridded(sources: Sequence[str | Path], data: Dataset, domain: Domain, frames: Sequence[int]) -> ModelInput:
    """The input frames of gridded files, which are found as prepare finds them, or of one with all channels."""
    if len(sources) == 1 and not Path(sources[0]).is_dir():
        with gridded.opened(sources[0]) as datasets:
            if has_channels(datasets[0]) or not isinstance(data, WeatherData):
                return from_labelled(datasets[0].load(), data, domain, frames)
    if len(sources) == 1 and isinstance(data, WeatherData):
        sources = [source for name in data.variables for source in find_sources(sources[0], name)]
    return from_gridded(list(dict.fromkeys(sources)), wanted_levels(data, domain), domain, frames)


def _of_array(path: Path, data: Dataset, domain: Domain) -> ModelInput:
    """The last frames of an array, read as prepare does; where the first axis is time no others are read."""
    key, axes = ("" if path.suffix.lower() == ".npy" else getattr(data, "key", "")), getattr(data, "axes", "")
    source = open_array(path, key)
    is_record, span = len(frames_shape(source.shape, domain, axes)) == 4, 1 - domain.inputs[0]
    source = replace(source, frame_axes=len(source.shape) - 1)  # whatever stands along the first axis is a frame
    first = max(0, source.count - span) if is_record else 0
    values = np.concatenate(list(source.read(first, source.count, span)))
    if bounds := getattr(data, "range", None):
        low, high = bounds
        if (values > high + 1e-6 * (high - low)).any():
            raise SvqkitError(f"{path}: the frames reach {values.max():g}, above `range` {[low, high]}. Mend them.")
    if bounds and not domain.bounds:  # in units that nobody named
        domain = replace(domain, original={"original_minimum": low, "original_maximum": high})
    model_input = from_array(values, domain, axes)
    notes = more_than_used(source.count, span) if is_record else model_input.notes
    return replace(model_input, notes=(*source.notes, *notes))


def _of_samples(path: Path, domain: Domain) -> ModelInput:
    """The last test sample of TaxiBJ's dataset.npz, whose inputs are scaled to [-1, 1]; back in taxis."""
    samples = NpzMember.open(path, "X_test")
    length = frames_shape(samples.shape, domain)[1]
    (sample,) = samples.read(samples.count - length, samples.count, length)
    model_input = from_array(from_model((sample.astype(np.float32) + 1) / 2, domain, as_bytes=False), domain)
    return replace(
        model_input, notes=(f"the last test sample of {path.name}, in {domain.own_units[0]}", *model_input.notes)
    )


def _of_clip(files: Sequence[Path], data: Dataset, domain: Domain) -> ModelInput:
    """The last input frames of one video, or of image files in order."""
    if data.source not in FITS:
        raise SvqkitError(
            f"A run on source {data.source!r} forecasts no pictures. Give it an array (T, C, H, W) or, for a grid, "
            "NetCDF."
        )
    first, count, colour = files[0], 1 - domain.inputs[0], domain.frame_shape[0] == 3
    step = getattr(data, "step", 1)
    source: Frames
    if first.suffix.lower() in VIDEO_SUFFIXES:
        if len(files) > 1:
            raise SvqkitError(f"One video at a time: got {len(files)}, the first is {first}.")
        source = open_video(first, colour)
        there = range((source.count - 1) % step, source.count, step)
    else:
        # Caltech's videos have three times KITTI's frames a second; image files are KITTI's.
        step = 1 if isinstance(data, KittiCaltechData) else step
        resized = getattr(data, "size", None) is not None
        source = images.ImageFiles.open(_every_nth(files, step), colour, one_size=not resized)
        there = range(source.count)
    if len(there) < count:
        raise SvqkitError(
            f"There are {len(there)} frame(s) up to {files[-1]}, one every {step} without a gap; the model needs "
            f"{count}. Give it more."
        )
    if isinstance(data, ClipsData) and not data.size and source.size != domain.size:
        raise SvqkitError(
            f"Frames have {size_text(source.size)} pixels, those that the model was trained on "
            f"{size_text(domain.size)}. Resize them."
        )
    wanted = [there[offset - 1] for offset in domain.inputs]
    frames = np.concatenate(list(FramesPart(source, wanted, domain.size, FITS[data.source]).read()))
    model_input = from_array(frames, replace(domain, inputs=tuple(range(1 - len(frames), 1))))
    return replace(model_input, notes=(*source.notes, *more_than_used(len(there), count)))


def _every_nth(files: Sequence[Path], step: int) -> list[Path]:
    """Those files whose numbers lie ``step`` apart, back from the last; all of them where names have no numbers.

    Files that are numbered 1, 2, 3, … but were taken out of a video in that pace are not told from a whole video:
    their numbers count.
    """
    numbers = [images.frame_number(path) for path in files]
    if min(numbers) < 0:
        return list(files)
    if any(after <= before for before, after in pairwise(numbers)):
        raise SvqkitError(
            f"The numbers of the frames from {files[0]} to {files[-1]} don't rise. Give the frames of one clip only."
        )
    by_number, kept = dict(zip(numbers, files, strict=True)), [files[-1]]
    while (number := numbers[-1] - len(kept) * step) in by_number:
        kept.append(by_number[number])
    return kept[::-1]
