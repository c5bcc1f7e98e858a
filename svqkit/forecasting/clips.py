"""Clips: the last frames of a video or of a row of image files, made the model's as prepare makes its dataset's."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from svqkit.data.domain import Domain
from svqkit.data.sources.frames import VIDEO_SUFFIXES, Frames, open_video
from svqkit.data.sources.images import (
    ImageFiles,
    channels_first,
    frame_number,
    resize,
    resize_bicubic,
    scale_and_crop,
    size_text,
)
from svqkit.errors import SvqkitError
from svqkit.forecasting.inputs import more_than_used
from svqkit.settings.data import ClipsData, Dataset, HumanData, KittiCaltechData, KTHData

# How the sources of pictures bring them to the size of the model.
FITS = {KTHData: resize, KittiCaltechData: scale_and_crop, HumanData: resize_bicubic, ClipsData: resize}


def read_clip(files: Sequence[Path], data: Dataset, domain: Domain) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read the last input frames (T, C, H, W) uint8 of one video, or of image files in order; and notes.

    Raises:
        SvqkitError: the run's dataset is none of pictures, there are too few frames, image files are numbered
            unevenly, frames have another size where none is set, or a file is damaged.
    """
    if type(data) not in FITS:
        raise SvqkitError(
            f"A run on source {data.source!r} forecasts no pictures. Give it an array (T, C, H, W) or, for a grid, "
            "NetCDF."
        )
    first, count, colour = files[0], 1 - domain.inputs[0], domain.frame_shape[0] == 3
    step, notes = getattr(data, "step", 1), ()
    source: Frames
    if first.suffix.lower() in VIDEO_SUFFIXES:
        if len(files) > 1:
            raise SvqkitError(f"One video at a time: got {len(files)}, the first is {first}.")
        source = open_video(first, colour)
        there, notes = range((source.count - 1) % step, source.count, step), source.notes
    else:
        # Caltech's videos have three times KITTI's frames a second; image files are KITTI's.
        step = 1 if isinstance(data, KittiCaltechData) else step
        source = ImageFiles.open(_every_nth(files, step), colour)
        there = range(source.count)
    if len(there) < count:
        raise SvqkitError(
            f"There are {len(there)} frame(s) from {first} on, one every {step}; the model needs {count}. Give it more."
        )
    if isinstance(data, ClipsData) and not data.size and source.size != domain.size:
        raise SvqkitError(
            f"Frames have {size_text(source.size)} pixels, those that the model was trained on "
            f"{size_text(domain.size)}. Resize them."
        )
    read, fit = source.read([there[offset - 1] for offset in domain.inputs]), FITS[type(data)]
    frames = np.stack([channels_first(fit(picture, domain.size)) for picture in read])
    return frames, (*notes, *more_than_used(len(there), count))


def _every_nth(files: Sequence[Path], step: int) -> list[Path]:
    """Those files whose numbers lie ``step`` apart, back from the last; all of them where names have no numbers.

    Files that are numbered 1, 2, 3, … but were taken out of a video in that pace are not told from a whole video:
    their numbers count.
    """
    numbers = [frame_number(path) for path in files]
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
